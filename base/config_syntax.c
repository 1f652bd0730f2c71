/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config_syntax.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "base/address.h"
#include "base/config.h"
#include "base/secret.h"
#include "base/text.h"

enum {
    HOST_BYTES_MAX = 253, /* of a name in DNS */
    PORT_MAX = 65535,
    SOCKET_PATH_BYTES_MAX = sizeof(((struct sockaddr_un *)0)->sun_path) - 1,
};

#define UNIX_PREFIX  "unix:"
#define HOST_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* The bytes of the host that text begins with: a name, an IPv4 address or an IPv6 address in brackets. 0: none. */
static size_t host_length(const char *text)
{
    if (text[0] != '[') {
        size_t length = strspn(text, HOST_LETTERS);
        return length <= HOST_BYTES_MAX ? length : 0;
    }
    char address[INET6_ADDRSTRLEN];
    struct in6_addr parsed;
    size_t length = strcspn(text + 1, "]");
    if (text[1 + length] != ']' || length >= sizeof address)
        return 0;
    memcpy(address, text + 1, length);
    address[length] = '\0';
    return inet_pton(AF_INET6, address, &parsed) == 1 ? length + 2 : 0;
}

/* Is text, up to its end, a decimal number from min to PORT_MAX? */
static bool is_port(const char *text, int64_t min)
{
    int64_t port = 0;
    return strlen(text) <= 5 && text_to_int64(text, min, PORT_MAX, &port) == STATUS_OK;
}

static bool is_host_and_port(const char *text, int64_t port_min)
{
    size_t host = host_length(text);
    return host > 0 && text[host] == ':' && is_port(text + host + 1, port_min);
}

static bool is_unix(const char *text)
{
    if (!has_prefix(text, UNIX_PREFIX))
        return false;
    const char *path = text + strlen(UNIX_PREFIX);
    return path[0] == '/' && path[1] != '\0' && strlen(path) <= SOCKET_PATH_BYTES_MAX;
}

const char *config_check_listener(const char *text)
{
    return is_unix(text) || is_host_and_port(text, 0) ? NULL : "is not 'HOST:PORT', '[IPV6]:PORT' or 'unix:/absolute/path'";
}

const char *config_check_http_listener(const char *text)
{
    return is_host_and_port(text, 0) ? NULL : "is not 'HOST:PORT' or '[IPV6]:PORT'";
}

const char *config_check_target(const char *text)
{
    static const char scheme[] = "tls://";
    bool has_tls = has_prefix(text, scheme);
    if (*text == '\0' || is_unix(text) || is_host_and_port(has_tls ? text + strlen(scheme) : text, 1))
        return NULL;
    return "is not 'HOST:PORT' with a port from 1, '[IPV6]:PORT', one of them behind 'tls://', or 'unix:/absolute/path'";
}

/* What follows "http://" or "https://"; NULL when text begins with neither. */
static const char *behind_scheme(const char *text)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t at = 0; at < sizeof schemes / sizeof *schemes; at++) {
        if (has_prefix(text, schemes[at]))
            return text + strlen(schemes[at]);
    }
    return NULL;
}

/* What follows "scheme://host[:port]"; NULL when text does not begin so. A user name would make the host end at '@' or ':'. */
static const char *behind_authority(const char *text)
{
    const char *host = behind_scheme(text);
    size_t length = host ? host_length(host) : 0;
    if (length == 0)
        return NULL;
    const char *end = host + length;
    if (*end != ':')
        return end;
    char port[6] = "";
    size_t digits = strspn(end + 1, "0123456789");
    if (digits >= sizeof port)
        return NULL;
    memcpy(port, end + 1, digits);
    return is_port(port, 1) ? end + 1 + digits : NULL;
}

const char *config_check_url(const char *text)
{
    if (*text == '\0')
        return NULL;
    const char *rest = behind_authority(text);
    bool right = rest && (*rest == '\0' || *rest == '/' || *rest == '?');
    for (const char *at = rest; right && *at != '\0'; at++)
        right = *at > ' ' && *at < 0x7f && *at != '#';
    return right ? NULL : "is not a URL 'http[s]://HOST[:PORT][/PATH]' (no user name, no fragment)";
}

/* Not "//host/", which is another server's, and nothing before the first slash that could be a scheme. */
const char *config_check_media_url(const char *text)
{
    bool right = !has_prefix(text, "//") && text[strcspn(text, ":/")] != ':';
    for (const char *at = text; right && *at != '\0'; at++)
        right = *at > ' ' && *at < 0x7f && !strchr("#?\\", *at);
    return right || !config_check_url(text) ? NULL : "is neither a URL 'http[s]://HOST[:PORT][/PATH]' nor a path 'media/'";
}

static bool is_origin(const char *text)
{
    const char *rest = behind_authority(text);
    return rest && *rest == '\0';
}

const char *config_check_origin(const char *text)
{
    return is_origin(text) ? NULL : "is not an origin 'http[s]://HOST[:PORT]' (nothing behind it, no slash)";
}

const char *config_check_origin_or_nothing(const char *text)
{
    return *text == '\0' ? NULL : config_check_origin(text);
}

const char *config_check_queue_name(const char *text)
{
    return text_is_name(text, CONFIG_NAME_BYTES_MAX) ? NULL : "is not the name of a queue: 1 to 128 bytes";
}

const char *config_check_s3_name(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    return text[strspn(text, letters)] == '\0' ? NULL : "has other characters than letters, digits, '.', '-' and '_'";
}

const char *config_check_s3_prefix(const char *text)
{
    size_t length = strlen(text);
    bool is_bare = length == 0 || (text[0] != '/' && text[length - 1] != '/');
    return is_bare ? NULL : "begins or ends with '/'";
}

const char *config_check_origin_pattern(const char *text)
{
    const char *host = has_prefix(text, "*.") ? text + 2 : text;
    size_t length = host_length(host);
    bool is_host = length > 0 && host[length] == '\0' && host[0] != '.';
    return is_host || is_origin(text) ? NULL : "is not an origin 'http[s]://HOST[:PORT]', a host or '*.DOMAIN'";
}

const char *config_check_network(const char *text)
{
    struct address_network network;
    if (address_network_parse(text, &network))
        return NULL;
    return "is not an IPv4 or IPv6 address, nor a network such as 10.0.0.0/8 or fd00::/8 (no bits set behind its length)";
}

const char *config_check_password_hash(const char *text)
{
    return *text == '\0' || secret_hash_is_valid(text) ? NULL : "is not of the form pbkdf2_sha256$ROUNDS$SALT$BASE64";
}

bool config_is_loopback(const char *listener)
{
    if (is_unix(listener) || has_prefix(listener, "[::1]:"))
        return true;
    static const char name[] = "localhost:";
    if (strncasecmp(listener, name, strlen(name)) == 0)
        return true;
    // A name such as 127.example.org must not pass.
    char host[INET_ADDRSTRLEN];
    struct in_addr address;
    size_t length = strcspn(listener, ":");
    if (length >= sizeof host)
        return false;
    memcpy(host, listener, length);
    host[length] = '\0';
    return inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}
