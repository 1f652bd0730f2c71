/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a command line finds xqueued and as whom it comes, by options and by the environment: the same words for all of our
 * command lines, and the same variables as those of the grader library.
 *
 * Threading: main thread only, before others start (the environment).
 */
#ifndef BASE_CLIENT_CONNECTION_OPTIONS_H
#define BASE_CLIENT_CONNECTION_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rpc/rpc_tls.h"

enum { CONNECTION_TIMEOUT_MS_DEFAULT = 60000 };

/* NULL: not given. Borrowed. */
struct connection_options {
    const char *program; /* names the thread of the connection */
    const char *address;
    const char *user;
    const char *password;
    const char *password_file; /* when password is NULL */
    const char *token;         /* in place of user and password */
    const char *token_file;    /* when token is NULL */
    struct rpc_tls_channel tls;
    int64_t timeout_ms; /* for each call */
};

/* As the environment says, but for the two files: see connection_options_settle. Texts live as long as the environment. */
void connection_options_init(struct connection_options *options, const char *program);

/* Where the option of this name ("address", "user", "password-file" ...) puts its text; NULL: there is none of that name. */
const char **connection_options_field(struct connection_options *options, const char *name);

/* After the command line was read: a file that it names says more than a variable with the secret itself, which says more than
 * a variable with a file. */
void connection_options_settle(struct connection_options *options);

/* Is it said who comes: a token, a user with a password, or a certificate? */
bool connection_options_are_complete(const struct connection_options *options);

/* Is it known without a login who comes? */
bool connection_options_need_no_login(const struct connection_options *options);

#endif
