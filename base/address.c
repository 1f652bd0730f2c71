/* SPDX-License-Identifier: Apache-2.0 */
#include "base/address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "base/text.h"

enum {
    BYTE_BITS = 8,
    IPV4_BITS = 32,
    IPV6_BITS = 128,
    SPELLING_MAX = 128, /* of an address with brackets and zone, or of a network */
};

static const struct address_block mapped = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96};

static bool parse_ipv6(char *text, struct address *out_address)
{
    size_t length = strlen(text);
    struct address address = {.is_ipv6 = true};
    if (text[0] == '[') {
        if (text[length - 1] != ']')
            return false;
        text[length - 1] = '\0';
        text++;
    }
    char *zone = strchr(text, '%');
    if (zone && zone[1] == '\0')
        return false;
    if (zone)
        *zone = '\0';
    if (inet_pton(AF_INET6, text, address.bytes) != 1)
        return false;
    if (address_block_holds(&mapped, address.bytes)) {
        struct address ipv4 = {0};
        memcpy(ipv4.bytes, address.bytes + mapped.bits / BYTE_BITS, IPV4_BITS / BYTE_BITS);
        address = ipv4;
    }
    *out_address = address;
    return true;
}

bool address_parse(const char *text, struct address *out_address)
{
    char copy[SPELLING_MAX];
    struct address ipv4 = {0};
    if (text[0] == '\0' || !text_copy(copy, sizeof copy, text))
        return false;
    if (inet_pton(AF_INET, copy, ipv4.bytes) == 1) {
        *out_address = ipv4;
        return true;
    }
    return parse_ipv6(copy, out_address);
}

const char *address_write(const struct address *address, char out[ADDRESS_TEXT_MAX])
{
    const char *written = inet_ntop(address->is_ipv6 ? AF_INET6 : AF_INET, address->bytes, out, ADDRESS_TEXT_MAX);
    assert(written != NULL);
    return written;
}

void address_cut(struct address *address, unsigned bits)
{
    for (unsigned at = 0; at < ADDRESS_BYTES_MAX; at++) {
        unsigned first = at * BYTE_BITS;
        unsigned kept = bits <= first ? 0 : bits - first < BYTE_BITS ? bits - first : BYTE_BITS;
        address->bytes[at] &= (uint8_t)(0xffU << (BYTE_BITS - kept));
    }
}

bool address_block_holds(const struct address_block *block, const uint8_t *bytes)
{
    size_t whole_bytes = block->bits / BYTE_BITS;
    unsigned rest = block->bits % BYTE_BITS;
    if (memcmp(block->prefix, bytes, whole_bytes) != 0)
        return false;
    return rest == 0 || (block->prefix[whole_bytes] >> (BYTE_BITS - rest)) == (bytes[whole_bytes] >> (BYTE_BITS - rest));
}

bool address_network_parse(const char *text, struct address_network *out_network)
{
    char copy[SPELLING_MAX];
    struct address address;
    int64_t bits = 0;
    if (!text_copy(copy, sizeof copy, text))
        return false;
    char *slash = strchr(copy, '/');
    if (slash)
        *slash = '\0';
    if (!address_parse(copy, &address))
        return false;
    int64_t bits_max = address.is_ipv6 ? IPV6_BITS : IPV4_BITS;
    if (slash && text_to_int64(slash + 1, 0, bits_max, &bits) != STATUS_OK)
        return false;
    if (!slash)
        bits = bits_max;
    struct address cut = address;
    address_cut(&cut, (unsigned)bits);
    if (memcmp(cut.bytes, address.bytes, sizeof cut.bytes) != 0)
        return false;
    out_network->is_ipv6 = address.is_ipv6;
    out_network->block.bits = (unsigned)bits;
    memcpy(out_network->block.prefix, address.bytes, sizeof address.bytes);
    return true;
}

bool address_network_holds(const struct address_network *network, const struct address *address)
{
    return network->is_ipv6 == address->is_ipv6 && address_block_holds(&network->block, address->bytes);
}
