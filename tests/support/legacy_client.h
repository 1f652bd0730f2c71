/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two clients of the legacy interface as they really are, on libcurl: the LMS (keeps cookies, follows redirects the way
 * Python's requests does, may send HTTP Basic with every request) and the poller (keep-alive, X-CSRFToken and Referer, follows
 * nothing). rest_client.h has the conversation's short words for everything that is not about sessions.
 *
 * It is no part of the product; it aborts on its own failures.
 *
 * Threading: one client belongs to one thread at a time.
 */
#ifndef TESTS_SUPPORT_LEGACY_CLIENT_H
#define TESTS_SUPPORT_LEGACY_CLIENT_H

#include "base/text.h"

struct legacy_client;

struct legacy_client_options {
    int port;
    const char *user;
    const char *password;
    const char *basic; /* "user:password" with every request; NULL: none */
};

struct legacy_client *legacy_client_create(const struct legacy_client_options *options);
void legacy_client_destroy(struct legacy_client *client);

/* What the client did so far. */
int legacy_client_logins(const struct legacy_client *client);      /* POSTs of login/ */
int legacy_client_connections(const struct legacy_client *client); /* opened */

/* Of the last reply. "" where there is none. */
const char *legacy_client_body(const struct legacy_client *client);
const char *legacy_client_headers(const struct legacy_client *client); /* the whole head, as it came */
/* The value of a cookie in the jar; "" when there is none. Valid until the next call. */
const char *legacy_client_cookie(struct legacy_client *client, const char *name);

/* One request, nothing followed. form NULL: GET. Returns the HTTP status; 0: no reply. */
int legacy_client_ask(struct legacy_client *client, const char *target, const char *form);

/*
 * The LMS: submits; sent to login/ it ends at "login_required", logs in and submits once more. Returns the HTTP status of the
 * last reply.
 */
int legacy_lms_submit(struct legacy_client *client, const char *form);

/* The poller: GET login/, POST login/. Is it in? */
bool legacy_poller_login(struct legacy_client *client);
/* The poller's requests: 301, 302, 401 and 403 make it log in and repeat, once. Returns the HTTP status of the last reply. */
int legacy_poller_ask(struct legacy_client *client, const char *target, const char *form);

#endif
