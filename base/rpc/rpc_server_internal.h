/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to base/rpc: what the server (rpc_server.c: listeners, acceptance, stop) and one call (rpc_server_call.c) know of
 * each other.
 *
 * Threading: as noted.
 */
#ifndef BASE_RPC_RPC_SERVER_INTERNAL_H
#define BASE_RPC_RPC_SERVER_INTERNAL_H

#include <pthread.h>

#include "base/rpc/rpc_internal.h"
#include "base/rpc/rpc_server_call.h"
#include "base/rpc/rpc_tls_internal.h"

/* Binds one listener. tls: NULL: plain text. STATUS_INVALID: not an address; STATUS_UNAVAILABLE: taken, or no permission. */
enum status rpc_listen_bind(grpc_server *server, const char *address, struct rpc_tls *tls, int *out_port,
                            struct error *error) STATUS_CHECKED;

/* What a call needs of its server. Immutable after start; copied, because a kept call may outlive the server. */
struct rpc_call_limits {
    size_t message_bytes_max;
    size_t send_queue_bytes_max;
    int finish_stall_ms;
};

/* A call as the C core hands it over. Everything is taken. */
struct rpc_arrival {
    const struct rpc_method *method; /* NULL: unknown */
    grpc_call *call;
    gpr_timespec deadline;
    grpc_metadata_array metadata;
    grpc_byte_buffer *payload;   /* of methods whose request comes with the call; NULL when there was none */
    char path[RPC_LOG_TEXT_MAX]; /* of unknown methods */
};

/* Runs a call that has just come, up to its first batches. Loop thread. */
void rpc_server_call_begin(struct rpc_server *server, struct rpc_arrival *arrival);

/* Counts a call in. False: the server refuses new calls, but for those that come while_draining; it is counted all the same,
 * until rpc_server_count_out. */
bool rpc_server_count_in(struct rpc_server *server, bool while_draining);
/* The last thing that a call does with its server. accepted: what rpc_server_count_in answered. */
void rpc_server_count_out(struct rpc_server *server, bool accepted);

struct rpc_loop *rpc_server_loop(const struct rpc_server *server);
const struct rpc_call_limits *rpc_server_limits(const struct rpc_server *server);
const struct rpc_server_options *rpc_server_hooks(const struct rpc_server *server); /* authorise and context only */

/* ---- one call; rpc_server_call.c begins and ends it and receives, rpc_server_send.c sends ---- */

struct rpc_server_call {
    _Atomic int references;
    struct rpc_server *server; /* not after the call's end */
    const struct rpc_method *method;
    void *context;
    struct rpc_call_limits limits;
    gpr_timespec deadline;
    const char *bearer; /* during authorise only */
    bool has_authorization;
    void *identity; /* owned, by destroy_identity */
    void (*destroy_identity)(void *identity);
    void *data;

    /* loop thread only */
    bool accepted; /* counted as a running call */
    bool reached;  /* its method's handler has seen it */
    int cancelled;
    grpc_byte_buffer *received;

    struct rpc_event on_closed;
    struct rpc_event on_received;
    struct rpc_event on_sent;
    struct rpc_timer stall;

    pthread_mutex_t lock;
    /* guarded by lock */
    grpc_call *core; /* NULL after the call's end */
    char *peer;      /* owned, by gpr_free */
    struct rpc_outbox outbox;
    unsigned pending;      /* batches whose event has not come */
    bool opened;           /* a stream: initial metadata goes out without waiting for a message */
    bool metadata_started; /* initial metadata */
    bool sending;
    bool sending_message; /* the batch under way has one */
    bool receiving;
    bool receive_when_sent;
    bool received_all;
    bool finishing; /* finish_* count; nothing more is taken for sending */
    bool status_started;
    bool broken; /* a send failed: the peer is gone */
    bool over;   /* the C core says so; no batch starts any more */
    enum status finish_status;
    struct error finish_error;
};

/* Starts the next batch of sends, if it is time for one. Lock held. */
void rpc_server_call_pump(struct rpc_server_call *call);
/* Asks for the next message, if that is possible now. Lock held. */
void rpc_server_call_ask(struct rpc_server_call *call);
void rpc_server_call_on_sent(struct rpc_event *event, bool ok);
void rpc_server_call_on_stalled(struct rpc_timer *timer);
/* A message came or left: the time of an idle stream begins anew. Lock held, loop thread. */
void rpc_server_call_is_busy(struct rpc_server_call *call);
/* Will nothing more be taken for sending, or handed to the handler? Lock held. */
bool rpc_server_call_is_ended(const struct rpc_server_call *call);
/* The last thing of each event: ends the call when it is over and this was its last event. Loop thread. */
void rpc_server_call_end_if_over(struct rpc_server_call *call);

#endif
