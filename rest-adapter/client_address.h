/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who a request comes from: the other end of its connection, or whom a reverse proxy names in X-Real-IP. Anybody can send that
 * header, so it counts only from the proxies in rest.trusted_proxies.
 *
 * Threading: pure.
 */
#ifndef REST_ADAPTER_CLIENT_ADDRESS_H
#define REST_ADAPTER_CLIENT_ADDRESS_H

#include "base/address.h"
#include "base/config.h"
#include "rest-adapter/http_message.h"

/*
 * Writes the address in its one spelling (base/address.h). The peer itself counts when it is no trusted proxy, or when what it
 * says is none or garbage, or several: a proxy that sets the header leaves exactly one.
 */
void client_address(const struct config_rest *config, const struct http_request *request, char out[ADDRESS_TEXT_MAX]);

#endif
