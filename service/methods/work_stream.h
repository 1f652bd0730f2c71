/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Graders.Work: between one bidirectional stream and its session in the queue.
 *
 * Messages become engine commands in the order in which they came, up to WORK_STREAM_PENDING_MAX at one time, so that a busy
 * grader's answers share a commit; more are not read from the connection before.
 *
 * Threading: on_* on the loop's thread.
 */
#ifndef SERVICE_METHODS_WORK_STREAM_H
#define SERVICE_METHODS_WORK_STREAM_H

#include "base/rpc/rpc_server_call.h"
#include "service/grading.h"
#include "xqueue/v1/graders.pb-c.h"

enum {
    WORK_STREAM_PENDING_MAX = 256,
    WORK_STREAM_SDK_BYTES_MAX = 128,
    WORK_STREAM_HELLO_MS = 10000, /* for the first message */
};

void work_stream_on_open(struct rpc_server_call *call);
void work_stream_on_message(struct rpc_server_call *call, struct rpc_message *message);
void work_stream_on_half_close(struct rpc_server_call *call);
void work_stream_on_close(struct rpc_server_call *call);

/* Reads what Fail says, for the stream and the unary call alike. STATUS_INVALID: unknown kind, or bounds. Borrows the message.
 */
enum status work_stream_read_failure(const Xqueue__V1__FailRequest *request, struct grading_failure *out_failure,
                                     struct error *error);

#endif
