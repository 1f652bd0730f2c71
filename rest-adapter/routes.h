/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The legacy surface at a glance: which path is answered by whom, and what is checked before: the final slash, the CSRF token,
 * the session cookie.
 *
 * Threading: any thread; the handler of http_server.
 */
#ifndef REST_ADAPTER_ROUTES_H
#define REST_ADAPTER_ROUTES_H

#include "base/span.h"
#include "rest-adapter/endpoint.h"
#include "rest-adapter/http_message.h"

/* Answers one request. adapter: a struct adapter. Fits http_handler. */
void routes_serve(void *adapter, const struct http_request *request, struct http_reply *reply);

/* Is the body of such a request a form that an endpoint reads? Fits http_body_question. */
bool routes_want_body(void *adapter, enum http_method method, const char *path, struct span content_type);

#endif
