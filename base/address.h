/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IP addresses and networks from texts: one spelling for each, and which address lies in which network. No names, no sockets.
 *
 * Threading: pure.
 */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

enum { ADDRESS_BYTES_MAX = 16, ADDRESS_TEXT_MAX = 46 /* with its NUL */ };

/* IPv4 takes the first four bytes, the rest is zero. */
struct address {
    uint8_t bytes[ADDRESS_BYTES_MAX];
    bool is_ipv6;
};

/* The addresses whose first bits equal those of prefix; of one family, which whoever has the block knows. */
struct address_block {
    uint8_t prefix[ADDRESS_BYTES_MAX];
    unsigned bits; /* 0 to 32 or 128 */
};

struct address_network {
    struct address_block block;
    bool is_ipv6;
};

/*
 * Reads "192.0.2.7", "2001:db8::7", "[2001:db8::7]", "fe80::7%eth0" (the zone is dropped: it means something on one machine
 * only). An IPv4 address in IPv6 clothes ("::ffff:192.0.2.7") is the IPv4 address. false: text is none of these.
 */
bool address_parse(const char *text, struct address *out_address);

/* Writes the one spelling: that of inet_ntop. Returns out. */
const char *address_write(const struct address *address, char out[ADDRESS_TEXT_MAX]);

/* Keeps the first bits of the address, clears the rest. */
void address_cut(struct address *address, unsigned bits);

/* bytes: 4 of IPv4 or 16 of IPv6, as the block is. */
bool address_block_holds(const struct address_block *block, const uint8_t *bytes);

/* Reads an address (a network of one) or "10.0.0.0/8", "fd00::/8". false: text is neither, or bits behind the length are set,
 * which would mean something else than it says. */
bool address_network_parse(const char *text, struct address_network *out_network);

bool address_network_holds(const struct address_network *network, const struct address *address);

#endif
