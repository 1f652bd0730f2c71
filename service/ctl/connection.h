/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xqueuectl's connection to xqueued: one channel, one session, calls one after the other. A SIGINT or SIGTERM ends the running
 * call and every later one with STATUS_CANCELED, so that a command stops between two steps and the session is ended in order.
 *
 * Threading: main thread only; one connection at a time.
 */
#ifndef SERVICE_CTL_CONNECTION_H
#define SERVICE_CTL_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rpc/rpc_client_call.h"
#include "base/status.h"

enum { CONNECTION_TIMEOUT_MS_DEFAULT = 60000 };

struct connection;

/* NULL: not given, then the configuration says it. Borrowed. */
struct connection_options {
    const char *address;
    const char *user;
    const char *password;
    const char *password_file; /* when password is NULL */
    const char *token;         /* in place of user and password */
    const char *token_file;    /* when token is NULL */
    struct rpc_tls_channel tls;
    const char *config_file; /* read only when something is not given, or config_is_given */
    bool config_is_given;
    int64_t timeout_ms; /* for each call */
};

/*
 * Connects and logs in, but with a token or (no user, and a certificate) without a login. From the configuration: the first of
 * service.listen; the first user with the role admin whose password can be read; the password of a user that was given. Errors:
 * STATUS_INVALID, STATUS_NOT_FOUND (what is not given cannot be found out), those of Login, STATUS_UNAVAILABLE and
 * STATUS_TIMEOUT (error says where it was looked for).
 */
enum status connection_open(const struct connection_options *options, struct connection **out_connection,
                            struct error *error) STATUS_CHECKED;

/* Logs out (in 2 s at most) and frees. NULL is fine. */
void connection_close(struct connection *connection);

/* One call. *out_reply is the caller's (rpc_message_free), set only on STATUS_OK; NULL when only the status counts. */
enum status connection_call(struct connection *connection, const struct rpc_client_method *method,
                            const ProtobufCMessage *request, struct rpc_message **out_reply,
                            struct error *error) STATUS_CHECKED;

/* A stream of messages from xqueued. */
struct connection_watch {
    const struct rpc_client_method *method;
    const ProtobufCMessage *request;
    /* Main thread; borrowed. When they come faster than they are taken, the newest is taken and the others are not. */
    void (*on_message)(void *context, const struct rpc_message *message);
    void *context;
};
/* Until xqueued ends the stream (STATUS_OK), it fails, or a signal comes (STATUS_CANCELED). */
enum status connection_watch(struct connection *connection, const struct connection_watch *watch,
                             struct error *error) STATUS_CHECKED;

/* Waits; false: a signal ended it. */
bool connection_pause(struct connection *connection, int64_t pause_ms);

bool connection_is_canceled(struct connection *connection);

#endif
