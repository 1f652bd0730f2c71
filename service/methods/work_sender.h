/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the server says on a Work stream, one function a message. A stream whose bounded send queue is full is ended:
 * RESOURCE_EXHAUSTED SLOW_READER; its leases run to their own expiry.
 *
 * Threading: any thread; messages go out in the order of the calls.
 */
#ifndef SERVICE_METHODS_WORK_SENDER_H
#define SERVICE_METHODS_WORK_SENDER_H

#include "base/rpc/rpc_server_call.h"
#include "service/grader_link.h"
#include "xqueue/v1/graders.pb-c.h"

/* How something that the grader asked for came out. */
struct work_verdict {
    Xqueue__V1__AckItem item;
    enum status status;
    bool already;              /* with STATUS_OK: was done before */
    const struct error *error; /* counts unless STATUS_OK; borrowed */
};

void work_sender_ack(struct rpc_server_call *call, Xqueue__V1__LeaseRef *lease, const struct work_verdict *verdict);
void work_sender_grant(struct rpc_server_call *call, const struct grant *grant);
void work_sender_lost(struct rpc_server_call *call, int64_t submission_id, const char *key, enum lost_reason reason);
void work_sender_soon(struct rpc_server_call *call, const struct grader_notice *notice);
void work_sender_quiet(struct rpc_server_call *call, const struct grader_notice *notice);
void work_sender_go_away(struct rpc_server_call *call, const struct grader_notice *notice);
void work_sender_ping(struct rpc_server_call *call, uint64_t number);
void work_sender_pong(struct rpc_server_call *call, uint64_t number);

/* A LeaseRef that borrows key. */
Xqueue__V1__LeaseRef work_sender_lease_ref(int64_t submission_id, const char *key);

#endif
