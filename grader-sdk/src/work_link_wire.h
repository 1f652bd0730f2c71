/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of the Work stream as the grader sends them, and a grant made into a submission. Knows the wire, no states.
 *
 * Every wire_send_* queues one message and answers as rpc_client_stream_send does.
 *
 * Threading: link thread only.
 */
#ifndef GRADER_SDK_SRC_WORK_LINK_WIRE_H
#define GRADER_SDK_SRC_WORK_LINK_WIRE_H

#include <xqueue/v1/graders.pb-c.h>

#include "base/rpc/rpc_client_call.h"
#include "grader-sdk/src/settings.h"
#include "grader-sdk/src/submission.h"

/* Bounded list of borrowed leases, for messages that name several. */
struct wire_leases {
    struct xqueue_submission **items; /* owned array; NULL when count is 0 */
    size_t count;
};

enum status wire_send_hello(struct rpc_client_stream *stream, const struct settings *settings, const char *instance,
                            const struct wire_leases *held) STATUS_CHECKED;
enum status wire_send_credit(struct rpc_client_stream *stream, unsigned submissions) STATUS_CHECKED;
enum status wire_send_accept(struct rpc_client_stream *stream, const struct xqueue_submission *submission) STATUS_CHECKED;
enum status wire_send_reject(struct rpc_client_stream *stream, const Xqueue__V1__LeaseRef *lease,
                             const char *message) STATUS_CHECKED;
/* Takes the new progress notes of the leases with it. */
enum status wire_send_heartbeat(struct rpc_client_stream *stream, const struct wire_leases *leases) STATUS_CHECKED;
/* The answer that stands in submission. */
enum status wire_send_answer(struct rpc_client_stream *stream, const struct xqueue_submission *submission) STATUS_CHECKED;
enum status wire_send_drain(struct rpc_client_stream *stream) STATUS_CHECKED;
enum status wire_send_pong(struct rpc_client_stream *stream, uint64_t number) STATUS_CHECKED;

/* Is it whole: a lease with a key of the right length, and a submission? */
bool wire_grant_is_valid(const Xqueue__V1__Grant *grant);

/*
 * message: the ServerMessage that the (valid) grant is part of; taken if STATUS_OK. inbox and clock are borrowed for the
 * submission's life. STATUS_NO_MEMORY.
 */
enum status wire_grant_open(const Xqueue__V1__Grant *grant, struct rpc_message *message, struct inbox *inbox,
                            struct clock *clock, struct xqueue_submission **out_submission) STATUS_CHECKED;

/* The public reason; XQUEUE_LOST_STALE for one that this version does not know. */
enum xqueue_lost wire_lost_reason(Xqueue__V1__LostReason reason);

/* Is the reference the submission's lease? */
bool wire_is_lease(const Xqueue__V1__LeaseRef *lease, const struct xqueue_submission *submission);

#endif
