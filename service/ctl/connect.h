/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where xqueuectl finds xqueued and as whom it comes: what is not given is looked for in the service's configuration.
 *
 * Threading: main thread only.
 */
#ifndef SERVICE_CTL_CONNECT_H
#define SERVICE_CTL_CONNECT_H

#include "base/client/connection.h"

struct connect_options {
    struct connection_options given;
    const char *config_file; /* read only when something is not given, or config_is_given; borrowed */
    bool config_is_given;
};

/*
 * Opens the connection. From the configuration: the first of service.listen; the first user with the role admin whose password
 * can be read; the password of a user that was given. Errors: those of connection_open; STATUS_INVALID, STATUS_NOT_FOUND (what
 * is not given cannot be found out).
 */
enum status connect_open(const struct connect_options *options, struct connection **out_connection,
                         struct error *error) STATUS_CHECKED;

#endif
