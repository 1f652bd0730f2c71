/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hands submissions in over REST, exactly as an LMS (edx-platform) does: a form; cookies kept; redirects followed; when the
 * answer is "login_required", a login and the same form once more.
 *
 * Threading: a client belongs to one thread.
 */
#ifndef TESTS_DEMO_LMS_CLIENT_H
#define TESTS_DEMO_LMS_CLIENT_H

#include <stdio.h>

#include "base/status.h"

enum {
    LMS_CLIENT_REPLY_BYTES_MAX = 65536,
    LMS_CLIENT_CONNECT_MS = 3050, /* as edx-platform */
    LMS_CLIENT_TIMEOUT_MS = 20000,
};

struct lms_client;

struct lms_client_options {
    const char *address; /* of the REST adapter, "127.0.0.1:8040"; all copied */
    const char *user;
    const char *password;
    FILE *transcript; /* a line for each exchange; borrowed */
};

/* NULL: no memory for libcurl. */
struct lms_client *lms_client_create(const struct lms_client_options *options);
void lms_client_destroy(struct lms_client *client); /* NULL is fine */

/* Hands one submission in. STATUS_UNAVAILABLE (no answer), STATUS_DENIED (login), STATUS_INVALID (refused); text in error. */
enum status lms_client_submit(struct lms_client *client, const char *header, const char *body,
                              struct error *error) STATUS_CHECKED;

#endif
