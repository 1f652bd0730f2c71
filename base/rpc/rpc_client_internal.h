/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to base/rpc: what the channel (rpc_channel.c), unary calls (rpc_client_call.c) and streams (rpc_client_stream.c)
 * share.
 *
 * Threading: as noted.
 */
#ifndef BASE_RPC_RPC_CLIENT_INTERNAL_H
#define BASE_RPC_RPC_CLIENT_INTERNAL_H

#include <pthread.h>

#include "base/rpc/rpc_client_call.h"
#include "base/rpc/rpc_internal.h"

struct rpc_channel {
    struct rpc_loop *loop;
    grpc_channel *core;
    size_t message_bytes_max;
    _Atomic int references; /* the owner's, and one of each call */

    pthread_mutex_t lock;
    struct list calls; /* guarded by lock; unary ones that run */
    bool canceled;     /* guarded by lock */
};

void rpc_channel_keep(struct rpc_channel *channel);
void rpc_channel_release(struct rpc_channel *channel);

/* Makes the C core's call. STATUS_CANCELED: the channel takes no more calls; STATUS_INVALID: options that cannot be. */
enum status rpc_channel_create_call(struct rpc_channel *channel, const struct rpc_client_method *method,
                                    const struct rpc_call_options *options, grpc_call **out_call) STATUS_CHECKED;

/* The metadata and flags that open a call. finish after the batch was started. */
struct rpc_client_opening {
    grpc_metadata entry;
    size_t count;
    uint32_t flags;
};

/* STATUS_INVALID: a bearer that cannot travel; STATUS_NO_MEMORY. */
enum status rpc_client_opening_init(struct rpc_client_opening *opening, const struct rpc_call_options *options) STATUS_CHECKED;
void rpc_client_opening_finish(struct rpc_client_opening *opening);
void rpc_client_opening_add(const struct rpc_client_opening *opening, grpc_op *op);

/* Where the end of a call arrives. */
struct rpc_client_outcome {
    grpc_metadata_array trailers;
    grpc_status_code code;
    grpc_slice details;
};

void rpc_client_outcome_init(struct rpc_client_outcome *outcome);
void rpc_client_outcome_finish(struct rpc_client_outcome *outcome);
void rpc_client_outcome_add(struct rpc_client_outcome *outcome, grpc_op *op);
enum status rpc_client_outcome_read(const struct rpc_client_outcome *outcome, struct error *out_error) STATUS_CHECKED;

/* As rpc_channel_start, with a packed request, which is taken in any case; NULL answers STATUS_NO_MEMORY. */
struct rpc_client_unary {
    const struct rpc_client_method *method;
    const struct rpc_call_options *options;
    rpc_client_on_reply *on_reply;
    void *context;
};
enum status rpc_channel_start_packed(struct rpc_channel *channel, const struct rpc_client_unary *unary,
                                     grpc_byte_buffer *request) STATUS_CHECKED;

#endif
