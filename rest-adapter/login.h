/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The endpoints login/, logout/ and status/ of the legacy interface.
 *
 * Threading: as the request.
 */
#ifndef REST_ADAPTER_LOGIN_H
#define REST_ADAPTER_LOGIN_H

#include "rest-adapter/endpoint.h"

void login_serve(struct endpoint *endpoint);
void logout_serve(struct endpoint *endpoint);
void status_serve(struct endpoint *endpoint);

/*
 * Does the request prove that it does not come from a foreign web page: X-CSRFToken equal to the csrftoken cookie? Asked for
 * those endpoints that the original protects.
 */
bool login_has_csrf_token(const struct http_request *request);

#endif
