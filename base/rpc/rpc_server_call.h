/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server side of calls: a table of methods, and a handle to each running call.
 *
 * Life of a call: accepted -> authorised (before anything is unpacked) -> on_open (streams) -> on_message (once for unary and
 * server-streaming, each message for bidirectional) -> reply/finish -> on_close, exactly once, when the call is over for
 * whatever reason. A call is counted: the handler that got it may use it until its on_close has returned; to use it later or
 * from another thread, rpc_server_call_keep it. All functions on a call are harmless after its end (they answer STATUS_CANCELED
 * or do nothing).
 *
 * Handled here, for all methods: no compression, message and arena limits, unknown methods answered UNIMPLEMENTED, keepalive,
 * one listener per address, streams and metadata bounded, malformed messages answered INVALID_ARGUMENT.
 *
 * Threading: callbacks on the loop's thread; everything else any thread.
 */
#ifndef BASE_RPC_RPC_SERVER_CALL_H
#define BASE_RPC_RPC_SERVER_CALL_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rpc/rpc_event.h"
#include "base/rpc/rpc_message.h"
#include "base/rpc/rpc_tls.h"
#include "base/status.h"

struct rpc_server;
struct rpc_server_call;

enum rpc_method_kind { RPC_UNARY, RPC_CLIENT_STREAM, RPC_SERVER_STREAM, RPC_BIDI_STREAM };

enum {
    RPC_SEND_QUEUE_BYTES_DEFAULT = 16 * 1024 * 1024, /* waiting to be sent on one stream */
    RPC_SEND_QUEUE_BYTES_MAX = 256 * 1024 * 1024,
    RPC_STREAMS_PER_CONNECTION_DEFAULT = 1000,
    RPC_METADATA_BYTES_DEFAULT = 16 * 1024,
    RPC_LISTENERS_MAX = 8,
    RPC_BEARER_BYTES_MAX = 512,
    RPC_LOG_TEXT_MAX = 128,
    RPC_CERTIFICATE_NAME_MAX = 256, /* with a NUL */
};

struct rpc_method {
    const char *path; /* "/xqueue.v1.Submissions/Submit"; static */
    enum rpc_method_kind kind;
    const ProtobufCMessageDescriptor *request; /* NULL with on_message NULL: the method is known and answers UNIMPLEMENTED */
    /*
     * A message came; taken: free it with rpc_message_free. Bidirectional and client streams: the next message is read only
     * after rpc_server_call_receive.
     */
    void (*on_message)(struct rpc_server_call *call, struct rpc_message *message);
    void (*on_open)(struct rpc_server_call *call);       /* client and bidi streams, before the first message; may be NULL */
    void (*on_half_close)(struct rpc_server_call *call); /* client and bidi streams: no more messages will come; may be NULL */
    int idle_ms; /* streams: ended TIMEOUT STREAM_IDLE when for so long no message came or left; 0: never */
    /* The call is over; may be NULL. Comes for the calls that got to on_open (NULL or not) or on_message, not for refused ones.
     */
    void (*on_close)(struct rpc_server_call *call);
    /* A message has left, and nothing waits any more: now more may be sent without piling up. Not after a finish. May be NULL.
     */
    void (*on_drained)(struct rpc_server_call *call);
    int role;            /* for the authorise hook; this module does not look at it */
    bool while_draining; /* admitted also when the server refuses new calls: it must end soon by itself */
};

struct rpc_server_options {
    const char *const *listeners; /* "127.0.0.1:8041", "[::1]:0", "unix:/run/x.sock"; borrowed during create */
    size_t listener_count;        /* 1 to RPC_LISTENERS_MAX */
    const struct rpc_tls_listener *const
        *tls;                       /* one for each listener, NULL: plain text; NULL: all are; borrowed during create */
    size_t message_bytes_max;       /* 0: default */
    size_t send_queue_bytes_max;    /* 0: default */
    int streams_per_connection_max; /* 0: RPC_STREAMS_PER_CONNECTION_DEFAULT; what is more waits at the client */
    int header_bytes_max;           /* metadata of a call; 0: RPC_METADATA_BYTES_DEFAULT */
    int keepalive_ms;               /* 0: 20000. Clients may ping every keepalive_ms / 2 */
    int keepalive_timeout_ms;       /* 0: 10000 */
    int finish_stall_ms; /* a finished call whose peer takes nothing for so long is cut (within a second); 0: 30000 */
    /*
     * Asked for every known call before anything of it is unpacked. Anything but STATUS_OK ends the call with error.
     * May attach what it found with rpc_server_call_set_identity. NULL: everybody may do everything.
     */
    enum status (*authorise)(struct rpc_server_call *call, const struct rpc_method *method, void *context, struct error *error);
    void *context; /* for authorise and rpc_server_call_context; outlives the server */
};

/*
 * Binds and starts. methods end with a NULL path and stay valid while the server lives. STATUS_INVALID: an address is malformed
 * or a method is registered twice; STATUS_UNAVAILABLE: an address cannot be bound (taken, or no permission). Text in error.
 * Addresses are numeric, because a name may stand for several of which only some can be bound; the folder of a socket must be
 * there, and the file gets mode 0660. Not from the loop's thread.
 */
enum status rpc_server_create(struct rpc_loop *loop, const struct rpc_method *methods, const struct rpc_server_options *options,
                              struct rpc_server **out_server, struct error *error) STATUS_CHECKED;

/* The port bound for listener index (1 for unix sockets). For listeners on port 0. */
int rpc_server_port(const struct rpc_server *server, size_t index);

/* Reads the certificates of all listeners with TLS again; otherwise that happens when a file has changed, before the next
 * connection. A broken one is logged, and the one before stays. */
void rpc_server_reload_certificates(struct rpc_server *server);

/* How many calls are running. */
size_t rpc_server_call_count(const struct rpc_server *server);

/*
 * Orderly stop, in the order that loses no answer: from now on new calls get UNAVAILABLE/DRAINING; waits up to grace_ms for
 * running calls (the owner ends its streams meanwhile); lingers some ms so that the tails of replies leave; then shuts down and
 * cancels what is left. Returns when the last on_close has returned. Not from the loop's thread. rpc_server_abort_stop from
 * another thread ends the grace at once (second signal).
 */
void rpc_server_stop(struct rpc_server *server, int64_t grace_ms);
void rpc_server_abort_stop(struct rpc_server *server);

/* Refuses new calls (UNAVAILABLE, reason DRAINING) from now on; running ones go on. First half of rpc_server_stop. Idempotent.
 */
void rpc_server_refuse(struct rpc_server *server);

/* After rpc_server_stop. NULL is fine. */
void rpc_server_destroy(struct rpc_server *server);

/* ---- one call ---- */

void rpc_server_call_keep(struct rpc_server_call *call);    /* one more reference */
void rpc_server_call_release(struct rpc_server_call *call); /* one less; the last frees it. NULL is fine */

const struct rpc_method *rpc_server_call_method(const struct rpc_server_call *call);
void *rpc_server_call_context(const struct rpc_server_call *call); /* rpc_server_options.context */

/* The token of "authorization: Bearer TOKEN", or NULL when there is none, more than one, or it is malformed or too long. Valid
 * during authorise only. */
const char *rpc_server_call_bearer(const struct rpc_server_call *call);
/* Was there any "authorization", also one that rpc_server_call_bearer does not take? During authorise only. */
bool rpc_server_call_has_authorization(const struct rpc_server_call *call);

/* The names in a certificate. */
enum rpc_certificate_name { RPC_CERTIFICATE_COMMON_NAME, RPC_CERTIFICATE_DNS_NAME, RPC_CERTIFICATE_URI };

/*
 * The name in the client's certificate, which an authority of the listener has signed. False: there is no such certificate, or
 * it has none or several of these names, or that name has control characters or more than capacity - 1 bytes. During authorise
 * only.
 */
bool rpc_server_call_certificate_name(const struct rpc_server_call *call, enum rpc_certificate_name which, char *out,
                                      size_t capacity);

/* "ipv4:127.0.0.1:34438" or "unix:"; valid while the call is. */
const char *rpc_server_call_peer(struct rpc_server_call *call);
/* Milliseconds until the client's deadline; INT64_MAX when it set none; 0 when passed. */
int64_t rpc_server_call_time_left_ms(const struct rpc_server_call *call);

/* Who calls: set in authorise, freed with destroy (may be NULL) when the call is freed. */
void rpc_server_call_set_identity(struct rpc_server_call *call, void *identity, void (*destroy)(void *identity));
void *rpc_server_call_identity(const struct rpc_server_call *call);
/* The handler's own object. Set it in on_open or on_message; the handler frees it, in on_close at the earliest. */
void rpc_server_call_set_data(struct rpc_server_call *call, void *data);
void *rpc_server_call_data(const struct rpc_server_call *call);

/* Ends a unary or client-streaming call with its one reply. The message is packed before this returns. Only the first reply or
 * finish of a call counts. */
void rpc_server_call_reply(struct rpc_server_call *call, const ProtobufCMessage *reply);

/*
 * Ends a call with a status, which goes out after everything that was queued before; but STATUS_FULL, which is for a peer that
 * does not read, goes out next, and what was queued is dropped. STATUS_OK is for streams. error gives text, reason and retry
 * delay; NULL: only the code. Nothing but on_close comes to the handler after this. A peer that takes nothing for
 * finish_stall_ms is cut off.
 */
void rpc_server_call_finish(struct rpc_server_call *call, enum status status, const struct error *error);

/*
 * Streams: queues one message. STATUS_FULL: the peer does not read and the bounded queue is full; nothing was queued (end the
 * call, or send less). STATUS_CANCELED: the call is over or finished.
 */
enum status rpc_server_call_send(struct rpc_server_call *call, const ProtobufCMessage *message) STATUS_CHECKED;

/* How much of what was sent waits for the peer to read: bytes of messages, with what keeping them costs. 0: see on_drained. */
size_t rpc_server_call_unsent_bytes(struct rpc_server_call *call);

/* Bidi and client streams: asks for the next message. One request at a time; a second while one is pending does nothing. The
 * first is asked for by this module after on_open. */
void rpc_server_call_receive(struct rpc_server_call *call);
/* The same, once everything that is queued has left: who does not read is not read from. */
void rpc_server_call_receive_when_sent(struct rpc_server_call *call);

/* For on_close: did the client end the call before our status reached it, by a deadline, by canceling, by dying? */
bool rpc_server_call_was_given_up(const struct rpc_server_call *call);

/* Is the call ended, by the client, by the network, or by a reply or finish of ours? */
bool rpc_server_call_is_over(const struct rpc_server_call *call);

#endif
