/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command line's connection to xqueued: one channel, one session, blocking calls. A SIGINT or SIGTERM ends the running calls
 * and every later one with STATUS_CANCELED, so that a command stops between two steps and the session is ended in order.
 *
 * Threading: open and close on the main thread, one connection at a time; the rest any thread.
 */
#ifndef BASE_CLIENT_CONNECTION_H
#define BASE_CLIENT_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/client/connection_options.h"
#include "base/rpc/rpc_client_call.h"
#include "base/status.h"

struct connection;

/*
 * Connects and logs in, but with a token or (no user, and a certificate) without a login: then nobody knows yet whether xqueued
 * is there. options: with an address, and complete (connection_options_are_complete). Errors: STATUS_INVALID, STATUS_NOT_FOUND
 * (a file that cannot be read), those of Login, STATUS_UNAVAILABLE and STATUS_TIMEOUT (error says where it was looked for).
 */
enum status connection_open(const struct connection_options *options, struct connection **out_connection,
                            struct error *error) STATUS_CHECKED;

/* Logs out (in 2 s at most) and frees. NULL is fine. */
void connection_close(struct connection *connection);

/* One call. *out_reply is the caller's (rpc_message_free), set only on STATUS_OK; NULL when only the status counts. */
enum status connection_call(struct connection *connection, const struct rpc_client_method *method,
                            const ProtobufCMessage *request, struct rpc_message **out_reply,
                            struct error *error) STATUS_CHECKED;

/* A call for the time after a signal: over a channel of its own, within 2 s. */
enum status connection_call_at_end(struct connection *connection, const struct rpc_client_method *method,
                                   const ProtobufCMessage *request, struct error *error) STATUS_CHECKED;

/* A stream of messages from xqueued. */
struct connection_watch {
    const struct rpc_client_method *method;
    const ProtobufCMessage *request;
    /* The caller's thread; borrowed. false: that was enough. When they come faster than they are taken, the newest is taken and
     * the others are not. */
    bool (*on_message)(void *context, const struct rpc_message *message);
    void *context;
    int64_t until_ms; /* by clock_system; 0 or CLOCK_NEVER: as long as it takes */
};
/* Until on_message has enough or xqueued ends the stream (STATUS_OK), until_ms (STATUS_TIMEOUT), it fails, or a signal comes
 * (STATUS_CANCELED). */
enum status connection_watch(struct connection *connection, const struct connection_watch *watch,
                             struct error *error) STATUS_CHECKED;

/* A stream of messages to xqueued, which answers when it has them all. */
struct connection_upload {
    const struct rpc_client_method *method;
    /* The caller's thread. The next message, borrowed until the next call; NULL: it was the last. Anything but STATUS_OK, with
     * error filled, gives the upload up. */
    enum status (*next)(void *context, const ProtobufCMessage **out_message, struct error *error);
    void *context;
};
enum { CONNECTION_UPLOAD_AHEAD_MAX = 4 }; /* messages that were asked for and have not left */
/* *out_reply is the caller's (rpc_message_free), set only on STATUS_OK. A signal: STATUS_CANCELED. */
enum status connection_upload(struct connection *connection, const struct connection_upload *upload,
                              struct rpc_message **out_reply, struct error *error) STATUS_CHECKED;

/* Waits; false: a signal ended it. */
bool connection_pause(struct connection *connection, int64_t pause_ms);

bool connection_is_canceled(struct connection *connection);

#endif
