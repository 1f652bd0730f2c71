/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_base */
/* Any text as an address and as a network: what is accepted has one spelling, which means the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[256] = "";
    char spelling[ADDRESS_TEXT_MAX];
    struct address address;
    struct address again;
    struct address_network network;
    memcpy(text, data, size < sizeof text ? size : sizeof text - 1);
    if (address_parse(text, &address)) {
        if (!address_parse(address_write(&address, spelling), &again) || again.is_ipv6 != address.is_ipv6 ||
            memcmp(again.bytes, address.bytes, sizeof again.bytes) != 0)
            abort();
    }
    if (address_network_parse(text, &network)) {
        memcpy(address.bytes, network.block.prefix, sizeof address.bytes);
        address.is_ipv6 = network.is_ipv6;
        if (!address_network_holds(&network, &address))
            abort();
    }
    return 0;
}
