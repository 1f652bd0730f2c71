/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "service/grader_standing.h"
#include "service/grading.h"
#include "service/methods/contract.h"
#include "service/methods/method.h"
#include "service/methods/methods.h"
#include "service/methods/work_stream.h"
#include "xqueue/v1/graders.pb-c.h"

enum { LEASE_WAIT_MS_MAX = 60000 };

/* ---- Lease ---- */

struct lease_method {
    struct method_command base;
    int64_t deadline_ms;                     /* 0 before the first run */
    struct label labels[LABELS_OFFERED_MAX]; /* the texts are the message's */
    struct labels offered;
    size_t count;
    struct grant grants[GRADING_LEASES_PER_CALL_MAX];
};

static const Xqueue__V1__LeaseRequest *lease_request(const struct method_command *method)
{
    return (const Xqueue__V1__LeaseRequest *)rpc_message_body(method->message);
}

static enum status lease_perform(struct method_command *method, struct queues *queues)
{
    struct lease_method *lease = (struct lease_method *)method;
    const Xqueue__V1__LeaseRequest *request = lease_request(method);
    struct queue *queue = NULL;
    enum status status = method_check_queue(method->call, METHOD_GRADE, request->queue, &method->error);
    if (status == STATUS_OK) {
        status = queues_find_named(queues, request->queue, &queue, &method->error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (rpc_server_call_is_over(method->call)) {
        return error_set(&method->error, STATUS_CANCELED, NULL, "the caller is gone");
    }
    status = graders_check_quiet(queues, request->grader, &method->error);
    if (status != STATUS_OK) {
        return status;
    }
    lease->offered = (struct labels){.items = lease->labels};
    lease->base.command.offered = &lease->offered;
    if (!contract_take_labels(&lease->offered, LABELS_OFFERED_MAX, request->labels, request->n_labels)) {
        return error_set(&method->error, STATUS_INVALID, "LEASE_INVALID",
                         "labels are at most 32 names, each once, with values, of 64 bytes");
    }
    struct lease_order order = {.grader = request->grader,
                                .slots = request->slots,
                                .max = request->max == 0 ? 1 : request->max,
                                .labels = lease->offered};
    status = grading_lease(queues, queue, &order, lease->grants, &lease->count);
    if (status != STATUS_OK || lease->count > 0 || request->wait_ms == 0 || method->command.timed_out || queues->stopping) {
        return status;
    }
    if (lease->deadline_ms == 0) {
        lease->deadline_ms = clock_add_ms(queues->now_ms, request->wait_ms);
    }
    queues_park(queues, &method->command, &queue->polls, lease->deadline_ms);
    return STATUS_OK;
}

static void lease_reply(struct method_command *method)
{
    const struct lease_method *lease = (const struct lease_method *)method;
    Xqueue__V1__Grant *grants[GRADING_LEASES_PER_CALL_MAX];
    Xqueue__V1__LeaseResponse reply = XQUEUE__V1__LEASE_RESPONSE__INIT;
    for (size_t i = 0; i < lease->count; i++) {
        grants[i] = contract_grant(&lease->grants[i]);
    }
    reply.grants = grants;
    reply.n_grants = lease->count;
    rpc_server_call_reply(method->call, &reply.base);
    for (size_t i = 0; i < lease->count; i++) {
        contract_grant_destroy(grants[i]);
    }
}

static void lease_finish(struct method_command *method)
{
    struct lease_method *lease = (struct lease_method *)method;
    for (size_t i = 0; i < lease->count; i++) {
        grant_finish(&lease->grants[i]);
    }
}

static const struct method_steps lease_steps = {
    .size = sizeof(struct lease_method),
    .perform = lease_perform,
    .reply = lease_reply,
    .finish = lease_finish,
};

static void on_lease(struct rpc_server_call *call, struct rpc_message *message)
{
    const Xqueue__V1__LeaseRequest *request = (const Xqueue__V1__LeaseRequest *)rpc_message_body(message);
    if (!text_is_name(request->grader, STORE_NAME_MAX - 1) || request->max > GRADING_LEASES_PER_CALL_MAX ||
        request->wait_ms < 0 || request->wait_ms > LEASE_WAIT_MS_MAX) {
        method_refuse(call, message, "LEASE_INVALID", "grader is 1 to 128 bytes, max at most 100, wait_ms 0 to 60,000");
        return;
    }
    method_start(call, message, &lease_steps);
}

/* ---- what is done with one lease ---- */

/* Outcomes of the four answers to a lease; each uses its own part. */
struct answer_method {
    struct method_command base;
    int64_t expires_in_ms;
    struct grading_completion completion;
    struct grading_failure failure;
};

/* The lease that a request names, if the caller may grade in its queue. STATUS_INVALID LEASE_INVALID, STATUS_DENIED. */
static enum status answer_lease(const Xqueue__V1__LeaseRef *lease, struct lease_name *out_name, struct method_command *method,
                                struct queues *queues)
{
    if (!contract_lease_name(lease, out_name)) {
        return error_set(&method->error, STATUS_INVALID, "LEASE_INVALID",
                         "lease is a submission id and a lease key of 32 characters");
    }
    return method_check_submission(method->call, queues, METHOD_GRADE, out_name->submission_id, &method->error);
}

/* A progress note that came with what else is said of a lease. */
static enum status answer_progress(struct method_command *method, struct queues *queues, struct lease_name lease,
                                   const Xqueue__V1__Progress *message)
{
    struct progress progress;
    enum status status = contract_progress(message, &progress, &method->error);
    return status == STATUS_OK ? grading_report(queues, lease, &progress, &method->error) : status;
}

static enum status extend_perform(struct method_command *method, struct queues *queues)
{
    const Xqueue__V1__ExtendRequest *request = (const Xqueue__V1__ExtendRequest *)rpc_message_body(method->message);
    struct lease_name lease;
    enum status status = answer_lease(request->lease, &lease, method, queues);
    if (status != STATUS_OK) {
        return status;
    }
    if (request->progress) {
        status = answer_progress(method, queues, lease, request->progress);
    }
    if (status != STATUS_OK) {
        return status;
    }
    return grading_extend(queues, lease, &((struct answer_method *)method)->expires_in_ms, &method->error);
}

static void extend_reply(struct method_command *method)
{
    Xqueue__V1__ExtendResponse reply = XQUEUE__V1__EXTEND_RESPONSE__INIT;
    reply.expires_in_ms = ((struct answer_method *)method)->expires_in_ms;
    rpc_server_call_reply(method->call, &reply.base);
}

static enum status complete_perform(struct method_command *method, struct queues *queues)
{
    const Xqueue__V1__CompleteRequest *request = (const Xqueue__V1__CompleteRequest *)rpc_message_body(method->message);
    struct lease_name lease;
    enum status status = answer_lease(request->lease, &lease, method, queues);
    if (status != STATUS_OK) {
        return status;
    }
    struct store_bytes result = {.data = request->result.data, .length = request->result.len};
    struct grading_completion *completion = &((struct answer_method *)method)->completion;
    return grading_complete(queues, lease, result, request->amend, completion, &method->error);
}

static void complete_reply(struct method_command *method)
{
    const struct answer_method *answer = (const struct answer_method *)method;
    Xqueue__V1__CompleteResponse reply = XQUEUE__V1__COMPLETE_RESPONSE__INIT;
    reply.already = answer->completion.already;
    reply.generation = (uint32_t)answer->completion.generation;
    rpc_server_call_reply(method->call, &reply.base);
}

static enum status fail_perform(struct method_command *method, struct queues *queues)
{
    const Xqueue__V1__FailRequest *request = (const Xqueue__V1__FailRequest *)rpc_message_body(method->message);
    struct lease_name lease;
    enum status status = answer_lease(request->lease, &lease, method, queues);
    if (status != STATUS_OK) {
        return status;
    }
    struct grading_failure *failure = &((struct answer_method *)method)->failure;
    status = work_stream_read_failure(request, failure, &method->error);
    return status == STATUS_OK ? grading_fail(queues, lease, failure, &method->error) : status;
}

static void fail_reply(struct method_command *method)
{
    const struct grading_failure *failure = &((struct answer_method *)method)->failure;
    Xqueue__V1__FailResponse reply = XQUEUE__V1__FAIL_RESPONSE__INIT;
    reply.state = (Xqueue__V1__SubmissionState)failure->out_state;
    reply.ready_after_ms = failure->out_ready_after_ms;
    rpc_server_call_reply(method->call, &reply.base);
}

static enum status release_perform(struct method_command *method, struct queues *queues)
{
    const Xqueue__V1__ReleaseRequest *request = (const Xqueue__V1__ReleaseRequest *)rpc_message_body(method->message);
    struct lease_name lease;
    enum status status = answer_lease(request->lease, &lease, method, queues);
    if (status != STATUS_OK) {
        return status;
    }
    return grading_release(queues, lease, request->delay_ms, &method->error);
}

static void release_reply(struct method_command *method)
{
    Xqueue__V1__ReleaseResponse reply = XQUEUE__V1__RELEASE_RESPONSE__INIT;
    rpc_server_call_reply(method->call, &reply.base);
}

static enum status report_perform(struct method_command *method, struct queues *queues)
{
    const Xqueue__V1__ReportRequest *request = (const Xqueue__V1__ReportRequest *)rpc_message_body(method->message);
    struct lease_name lease;
    enum status status = answer_lease(request->lease, &lease, method, queues);
    if (status != STATUS_OK) {
        return status;
    }
    if (!request->progress) {
        return error_set(&method->error, STATUS_INVALID, "PROGRESS_INVALID", "progress is missing");
    }
    return answer_progress(method, queues, lease, request->progress);
}

static void report_reply(struct method_command *method)
{
    Xqueue__V1__ReportResponse reply = XQUEUE__V1__REPORT_RESPONSE__INIT;
    rpc_server_call_reply(method->call, &reply.base);
}

static const struct method_steps extend_steps = {
    .size = sizeof(struct answer_method), .perform = extend_perform, .reply = extend_reply};
static const struct method_steps complete_steps = {
    .size = sizeof(struct answer_method), .perform = complete_perform, .reply = complete_reply};
static const struct method_steps fail_steps = {
    .size = sizeof(struct answer_method), .perform = fail_perform, .reply = fail_reply};
static const struct method_steps release_steps = {
    .size = sizeof(struct answer_method), .perform = release_perform, .reply = release_reply};

static const struct method_steps report_steps = {
    .size = sizeof(struct method_command), .perform = report_perform, .reply = report_reply};

static void on_extend(struct rpc_server_call *call, struct rpc_message *message)
{
    method_start(call, message, &extend_steps);
}

static void on_complete(struct rpc_server_call *call, struct rpc_message *message)
{
    method_start(call, message, &complete_steps);
}

static void on_fail(struct rpc_server_call *call, struct rpc_message *message)
{
    method_start(call, message, &fail_steps);
}

static void on_release(struct rpc_server_call *call, struct rpc_message *message)
{
    method_start(call, message, &release_steps);
}

static void on_report(struct rpc_server_call *call, struct rpc_message *message)
{
    method_start(call, message, &report_steps);
}

const struct rpc_method graders_methods[] = {
    {.path = "/xqueue.v1.Graders/Work",
     .kind = RPC_BIDI_STREAM,
     .request = &xqueue__v1__grader_message__descriptor,
     .on_open = work_stream_on_open,
     .on_message = work_stream_on_message,
     .on_half_close = work_stream_on_half_close,
     .on_close = work_stream_on_close,
     .role = METHOD_GRADE | METHOD_PER_QUEUE},
    {.path = "/xqueue.v1.Graders/Lease",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__lease_request__descriptor,
     .on_message = on_lease,
     .on_close = method_on_close,
     .role = METHOD_GRADE | METHOD_PER_QUEUE},
    {.path = "/xqueue.v1.Graders/Extend",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__extend_request__descriptor,
     .on_message = on_extend,
     .role = METHOD_GRADE | METHOD_PER_QUEUE},
    {.path = "/xqueue.v1.Graders/Complete",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__complete_request__descriptor,
     .on_message = on_complete,
     .role = METHOD_GRADE | METHOD_PER_QUEUE},
    {.path = "/xqueue.v1.Graders/Fail",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__fail_request__descriptor,
     .on_message = on_fail,
     .role = METHOD_GRADE | METHOD_PER_QUEUE},
    {.path = "/xqueue.v1.Graders/Release",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__release_request__descriptor,
     .on_message = on_release,
     .role = METHOD_GRADE | METHOD_PER_QUEUE},
    {.path = "/xqueue.v1.Graders/Report",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__report_request__descriptor,
     .on_message = on_report,
     .role = METHOD_GRADE | METHOD_PER_QUEUE},
    {0},
};
