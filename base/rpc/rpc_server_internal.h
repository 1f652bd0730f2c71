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

/* Binds one listener. STATUS_INVALID: not an address; STATUS_UNAVAILABLE: taken, or no permission. */
enum status rpc_listen_bind(grpc_server *server, const char *address, int *out_port, struct error *error) STATUS_CHECKED;

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

/* Counts a call in. False: the server refuses new calls; it is counted all the same, until rpc_server_count_out. */
bool rpc_server_count_in(struct rpc_server *server);
/* The last thing that a call does with its server. accepted: what rpc_server_count_in answered. */
void rpc_server_count_out(struct rpc_server *server, bool accepted);

struct rpc_loop *rpc_server_loop(const struct rpc_server *server);
const struct rpc_call_limits *rpc_server_limits(const struct rpc_server *server);
const struct rpc_server_options *rpc_server_hooks(const struct rpc_server *server); /* authorise and context only */

#endif
