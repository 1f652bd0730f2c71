/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/client_address.h"

#include <string.h>

#include "base/text.h"

#define NAMED_BY_PROXY "X-Real-IP"

static bool is_trusted(const struct config_texts *proxies, const struct address *peer)
{
    struct address_network network;
    for (size_t i = 0; i < proxies->count; i++) {
        if (address_network_parse(proxies->items[i], &network) && address_network_holds(&network, peer))
            return true;
    }
    return false;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

/* A header's value with blanks around it, which are not part of it. */
static bool read_named(const char *value, struct address *out_address)
{
    char trimmed[2 * ADDRESS_TEXT_MAX];
    while (is_blank(*value))
        value++;
    size_t length = strlen(value);
    while (length > 0 && is_blank(value[length - 1]))
        length--;
    if (length >= sizeof(trimmed))
        return false;
    memcpy(trimmed, value, length);
    trimmed[length] = '\0';
    return address_parse(trimmed, out_address);
}

void client_address(const struct config_rest *config, const struct http_request *request, char out[ADDRESS_TEXT_MAX])
{
    const char *named = http_request_header(request, NAMED_BY_PROXY);
    struct address address;
    if (!address_parse(request->peer, &address)) {
        (void)text_copy(out, ADDRESS_TEXT_MAX, request->peer);
        return;
    }
    bool counts = named != NULL && http_request_header_at(request, NAMED_BY_PROXY, 1) == NULL;
    if (counts && is_trusted(&config->trusted_proxies, &address))
        (void)read_named(named, &address); // garbage: the peer stays
    (void)address_write(&address, out);
}
