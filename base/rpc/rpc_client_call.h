/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client side: a channel to one server (it reconnects by itself), unary calls with a callback or blocking, and
 * bidirectional streams with a bounded write queue. Lives in host programs: never aborts on our account, never prints.
 *
 * Threading: callbacks on the loop's thread; everything else any thread. Blocking calls never on the loop's thread.
 */
#ifndef BASE_RPC_RPC_CLIENT_CALL_H
#define BASE_RPC_RPC_CLIENT_CALL_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rpc/rpc_event.h"
#include "base/rpc/rpc_message.h"
#include "base/rpc/rpc_tls.h"
#include "base/status.h"

struct rpc_channel;
struct rpc_client_stream;

struct rpc_channel_options {
    const char *address; /* "127.0.0.1:8041", "[::1]:8041", "unix:/run/x.sock", "name:port"; with TLS: "tls://" before it.
                            Borrowed during create */
    const struct rpc_tls_channel *tls; /* for addresses with TLS; NULL: the system's authorities; borrowed during create */
    size_t message_bytes_max;          /* of replies; 0: RPC_MESSAGE_BYTES_DEFAULT */
    int keepalive_ms;                  /* 0: 30000; the server must allow it */
    int keepalive_timeout_ms;          /* 0: 10000 */
    int reconnect_ms_max;              /* longest pause between connection attempts; 0: 2000 */
};

/* STATUS_INVALID (address), STATUS_NO_MEMORY; of tls: see rpc_tls_check_channel, which has words for it. Does not connect yet.
 */
enum status rpc_channel_create(struct rpc_loop *loop, const struct rpc_channel_options *options,
                               struct rpc_channel **out_channel) STATUS_CHECKED;

/* Every call of the channel must be over. NULL is fine. */
void rpc_channel_destroy(struct rpc_channel *channel);

/* What a method is, to a client. Static. */
struct rpc_client_method {
    const char *path;
    const ProtobufCMessageDescriptor *reply;
};

struct rpc_call_options {
    const char *bearer; /* token for "authorization", or NULL; borrowed during the call's start */
    int64_t timeout_ms; /* > 0; for streams 0 = no deadline */
    int wait_for_ready; /* 0: fail at once with STATUS_UNAVAILABLE while there is no connection; 1: wait for one until the
                           timeout */
    int is_paced;       /* for streams. 0: messages come as they arrive; 1: after the first, each when it was asked for with
                           rpc_client_stream_receive. Meanwhile the server is slowed by flow control */
};

/* reply: taken by the callback, NULL unless STATUS_OK. error: borrowed during the callback. */
typedef void rpc_client_on_reply(void *context, enum status status, struct rpc_message *reply, const struct error *error);

/* Starts a unary call. STATUS_OK: on_reply will be called exactly once. Anything else: the call was not started and on_reply is
 * never called. */
enum status rpc_channel_start(struct rpc_channel *channel, const struct rpc_client_method *method,
                              const ProtobufCMessage *request, const struct rpc_call_options *options,
                              rpc_client_on_reply *on_reply, void *context) STATUS_CHECKED;

/* The blocking form. *out_reply is the caller's (rpc_message_free); untouched unless STATUS_OK. error may be NULL.
 * STATUS_WRONG_STATE: on the loop's thread. */
enum status rpc_channel_call(struct rpc_channel *channel, const struct rpc_client_method *method,
                             const ProtobufCMessage *request, const struct rpc_call_options *options,
                             struct rpc_message **out_reply, struct error *error) STATUS_CHECKED;

/* Cancels every running unary call of the channel (their callbacks come with STATUS_CANCELED), so that it can be destroyed.
 * Later calls are refused with STATUS_CANCELED. */
void rpc_channel_cancel_all(struct rpc_channel *channel);

struct rpc_client_stream_events {
    /* taken; the next one is read when this has returned, and not before it was asked for where the stream is paced */
    void (*on_message)(void *context, struct rpc_message *message);
    /* The stream is over; exactly once, nothing after it. Then the owner may rpc_client_stream_release. */
    void (*on_close)(void *context, enum status status, const struct error *error);
    /* A message of ours has left, so there is room for another one. May be NULL. */
    void (*on_sent)(void *context);
};

/*
 * Opens a bidirectional stream. Messages may be sent at once. *out_stream holds one reference of the caller's; it is set before
 * the first callback comes, which may be before this returns.
 */
enum status rpc_client_stream_open(struct rpc_channel *channel, const struct rpc_client_method *method,
                                   const struct rpc_call_options *options, const struct rpc_client_stream_events *events,
                                   void *context, struct rpc_client_stream **out_stream) STATUS_CHECKED;

/* Queues a message, packed before this returns. STATUS_FULL: RPC_SEND_QUEUE_BYTES_DEFAULT are waiting; STATUS_CANCELED: over or
 * half-closed; STATUS_NO_MEMORY. */
enum status rpc_client_stream_send(struct rpc_client_stream *stream, const ProtobufCMessage *message) STATUS_CHECKED;
/* With a paced stream: lets one more message come. Once for each that has come, also within on_message. */
void rpc_client_stream_receive(struct rpc_client_stream *stream);
/* No more messages from us, after the queued ones. */
void rpc_client_stream_half_close(struct rpc_client_stream *stream);
/* Ends the stream at once; on_close still comes. */
void rpc_client_stream_cancel(struct rpc_client_stream *stream);
/* Gives the reference back; the stream lives on until it is over. After on_close, or callbacks may still come. NULL is fine. */
void rpc_client_stream_release(struct rpc_client_stream *stream);

#endif
