/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deliveries.Stream: between one bidirectional stream and its session in the queue.
 *
 * What comes in becomes engine commands in the order in which it came, up to DELIVERY_STREAM_PENDING_MAX at one time, so that
 * many answers share a commit; what goes out is the business of a standing command.
 *
 * Threading: on_* on the loop's thread.
 */
#ifndef SERVICE_METHODS_DELIVERY_STREAM_H
#define SERVICE_METHODS_DELIVERY_STREAM_H

#include "service/methods/standing.h"

enum {
    DELIVERY_STREAM_PENDING_MAX = 256,
    DELIVERY_STREAM_OPEN_MS = 10000,         /* for the first message */
    DELIVERY_STREAM_STORAGE_PAUSE_MS = 1000, /* after a commit that failed */
};

void delivery_stream_on_open(struct rpc_server_call *call);
void delivery_stream_on_message(struct rpc_server_call *call, struct rpc_message *message);
void delivery_stream_on_half_close(struct rpc_server_call *call);

#endif
