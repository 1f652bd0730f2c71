/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/callback_rules.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "base/address.h"
#include "base/text.h"
#include "base/url.h"

static const struct address_block refused_ipv4[] = {
    {{0}, 8},                   // this network
    {{169, 254}, 16},           // link-local; metadata of most clouds
    {{100, 100, 100, 200}, 32}, // metadata (Alibaba)
    {{192, 0, 0, 192}, 32},     // metadata (Oracle)
    {{168, 63, 129, 16}, 32},   // platform address (Azure)
    {{224}, 3},                 // multicast, reserved, broadcast
};

static const struct address_block refused_ipv6[] = {
    {{0}, 128},                                                             // unspecified
    {{0xfe, 0x80}, 10},                                                     // link-local
    {{0xff}, 8},                                                            // multicast
    {{0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54}, 128}, // metadata (Amazon)
    {{0xfd, 0x20, 0, 0xce, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54}, 128}, // metadata (Google)
};

/* IPv6 blocks whose addresses carry an IPv4 address, and where in them. */
static const struct {
    struct address_block block;
    size_t ipv4_offset;
} embedding_blocks[] = {
    {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96}, 12}, // mapped
    {{{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96}, 12},       // translated (SIIT)
    {{{0, 0x64, 0xff, 0x9b}, 96}, 12},                      // NAT64
    {{{0x20, 0x02}, 16}, 2},                                // 6to4
    {{{0}, 96}, 12},                                        // compatible; holds loopback too
};

#define COUNT(array_) (sizeof(array_) / sizeof((array_)[0]))

static bool is_in(const struct address_block *blocks, size_t count, const uint8_t *address)
{
    for (size_t i = 0; i < count; i++) {
        if (address_block_holds(&blocks[i], address))
            return true;
    }
    return false;
}

static bool ipv4_is_allowed(const uint8_t *address)
{
    return !is_in(refused_ipv4, COUNT(refused_ipv4), address);
}

static bool ipv6_is_allowed(const uint8_t *address)
{
    if (memcmp(address, &in6addr_loopback, sizeof(in6addr_loopback)) == 0)
        return true;
    if (is_in(refused_ipv6, COUNT(refused_ipv6), address))
        return false;
    for (size_t i = 0; i < COUNT(embedding_blocks); i++) {
        if (address_block_holds(&embedding_blocks[i].block, address))
            return ipv4_is_allowed(address + embedding_blocks[i].ipv4_offset);
    }
    return true;
}

bool callback_rules_address_is_allowed(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ipv4_is_allowed((const uint8_t *)&((const struct sockaddr_in *)(const void *)address)->sin_addr);
    if (address->sa_family == AF_INET6)
        return ipv6_is_allowed((const uint8_t *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
    return false;
}

/* A host that is an address in any spelling that connecting would understand (also "2130706433" and "0x7f.1"), with the final
 * dot that some resolvers take off. */
static bool host_is_allowed(const char *name)
{
    char host[URL_HOST_BYTES_MAX + 1];
    (void)text_copy(host, sizeof(host), name);
    for (size_t length = strlen(host); length > 0 && host[length - 1] == '.'; length--)
        host[length - 1] = '\0';
    struct in_addr ipv4;
    struct in6_addr ipv6;
    if (inet_aton(host, &ipv4))
        return ipv4_is_allowed((const uint8_t *)&ipv4);
    if (inet_pton(AF_INET6, host, &ipv6) == 1)
        return ipv6_is_allowed((const uint8_t *)&ipv6);
    return true;
}

static bool same_origin(const char *entry, const char *origin)
{
    char entry_origin[URL_ORIGIN_MAX];
    if (url_origin((struct span){entry, strlen(entry)}, entry_origin, NULL) != STATUS_OK)
        return false;
    return strcmp(entry_origin, origin) == 0;
}

static bool below_domain(const char *suffix, const char *host)
{
    size_t suffix_length = strlen(suffix);
    size_t host_length = strlen(host);
    return host_length > suffix_length && strcasecmp(host + host_length - suffix_length, suffix) == 0;
}

/* Also "[::1]" for "::1". */
static bool same_host(const char *entry, const char *host)
{
    size_t length = strlen(entry);
    if (length > 2 && entry[0] == '[' && entry[length - 1] == ']')
        return strlen(host) == length - 2 && strncasecmp(entry + 1, host, length - 2) == 0;
    return strcasecmp(entry, host) == 0;
}

static bool entry_matches(const char *entry, const char *origin, const char *host)
{
    if (strstr(entry, "://"))
        return same_origin(entry, origin);
    if (entry[0] == '*' && entry[1] == '.')
        return below_domain(entry + 1, host);
    return same_host(entry, host);
}

static bool is_listed(const struct config_texts *allow, const char *origin, const char *host)
{
    for (size_t i = 0; i < allow->count; i++) {
        if (entry_matches(allow->items[i], origin, host))
            return true;
    }
    return allow->count == 0;
}

enum status callback_rules_check(const struct config_callbacks *callbacks, const char *url, struct error *error)
{
    char origin[URL_ORIGIN_MAX];
    char host[URL_HOST_BYTES_MAX + 1];
    struct span span = {url, strlen(url)};
    enum status status = url_origin(span, origin, error);
    if (status == STATUS_OK)
        status = url_host(span, host, error);
    if (status != STATUS_OK)
        return status;
    if (!host_is_allowed(host))
        return error_set(error, STATUS_DENIED, "CALLBACK_REFUSED", "callbacks never go to the address %s", host);
    if (!is_listed(&callbacks->allow, origin, host))
        return error_set(error, STATUS_DENIED, "CALLBACK_REFUSED", "callbacks.allow does not hold %s", origin);
    return STATUS_OK;
}

const struct config_basic_auth *callback_rules_basic_auth(const struct config_callbacks *callbacks, const char *origin)
{
    for (size_t i = 0; i < callbacks->basic_auth_count; i++) {
        if (same_origin(callbacks->basic_auth[i].origin, origin))
            return &callbacks->basic_auth[i];
    }
    return NULL;
}

bool callback_rules_is_insecure(const struct config_callbacks *callbacks, const char *origin)
{
    for (size_t i = 0; i < callbacks->insecure_origins.count; i++) {
        if (same_origin(callbacks->insecure_origins.items[i], origin))
            return true;
    }
    return false;
}
