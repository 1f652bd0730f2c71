/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/methods/contract.h"
#include "service/methods/work_stream_internal.h"
#include "service/watching.h"
#include "service/work_session.h"

static enum status work_breach(struct work_command *work, const char *text)
{
    work->breach = true;
    return error_set(&work->error, STATUS_INVALID, "WORK_INVALID", "%s", text);
}

static enum status work_read_hello(struct work_command *work, const Xqueue__V1__Hello *message, struct work_hello *hello)
{
    work->labels = memory_allocate_array(LABELS_OFFERED_MAX, sizeof *work->labels);
    struct labels labels = {.items = work->labels};
    if (!method_text_fits(message->sdk, WORK_STREAM_SDK_BYTES_MAX) ||
        !contract_take_labels(&labels, LABELS_OFFERED_MAX, message->labels, message->n_labels)) {
        return work_breach(work, "Hello.sdk has at most 128 bytes, Hello.labels at most 32 names, each once, of 64 bytes");
    }
    work->held_names = memory_allocate_array(message->n_held, sizeof *work->held_names);
    work->held = memory_allocate_array(message->n_held, sizeof *work->held);
    for (size_t i = 0; i < message->n_held; i++) {
        if (!contract_lease_name(message->held[i], &work->held_names[i])) {
            return work_breach(work, "Hello.held names something that is no lease");
        }
    }
    *hello = (struct work_hello){
        .grader = message->grader,
        .instance = message->instance,
        .queues = message->queues,
        .queue_count = message->n_queues,
        .slots = message->slots,
        .sdk = message->sdk,
        .peer = rpc_server_call_peer(work->stream->call),
        .labels = labels,
        .held = work->held_names,
        .held_count = message->n_held,
    };
    return STATUS_OK;
}

static enum status work_run_hello(struct work_command *work, struct queues *queues)
{
    struct work_stream *stream = work->stream;
    const Xqueue__V1__Hello *message = work_message(work)->hello;
    struct work_hello hello;
    if (stream->greeted) {
        return work_breach(work, "Hello comes once");
    }
    enum status status = work_read_hello(work, message, &hello);
    if (status != STATUS_OK) {
        return status;
    }
    status = work_session_open(queues, &stream->link, &hello, work->held, &stream->session, &work->error);
    stream->greeted = status == STATUS_OK;
    queues_unpark(queues, &stream->greeting);
    work->breach = status != STATUS_OK;
    if (status == STATUS_OK) {
        log_event(LOG_INFO, "grader_connected", LOG_TEXT("grader", message->grader), LOG_TEXT("sdk", message->sdk),
                  LOG_INT("contract", message->contract), LOG_INT("slots", message->slots),
                  LOG_INT("held", (int64_t)message->n_held));
    }
    return status;
}

/* One lease of a heartbeat. What there is to say of it: see struct work_command. progress: NULL: none came. */
static int64_t work_renew(struct queues *queues, struct lease_name lease, const struct progress *progress)
{
    struct error error;
    int64_t expires_in_ms = 0;
    enum status status = grading_extend(queues, lease, &expires_in_ms, &error);
    struct live_lease *held = lease_table_find_held(&queues->leases, lease.submission_id, lease.key);
    if (!held) {
        return -(int64_t)grading_lost_reason(queues, lease);
    }
    if (progress) {
        lease_table_note(held, progress);
        watching_note_progress(queues, held->submission_id);
    }
    /* Nothing to say of a full length, nor of a lease at its hard limit: the tick of this batch ends that one. */
    bool quiet = status != STATUS_OK || expires_in_ms >= held->queue->settings->lease_ms;
    return quiet ? 0 : expires_in_ms;
}

static enum status work_run_heartbeat(struct work_command *work, struct queues *queues)
{
    const Xqueue__V1__Heartbeat *heartbeat = work_message(work)->heartbeat;
    if (heartbeat->n_leases > WORK_SESSION_HELD_MAX) {
        return work_breach(work, "a Heartbeat names at most 10,000 leases");
    }
    work->expires_in_ms = memory_allocate_array(heartbeat->n_leases, sizeof *work->expires_in_ms);
    for (size_t i = 0; i < heartbeat->n_leases; i++) {
        struct lease_name lease;
        struct progress progress;
        const Xqueue__V1__LeaseProgress *entry = heartbeat->leases[i];
        if (!contract_lease_name(entry->lease, &lease)) {
            return work_breach(work, "Heartbeat names something that is no lease");
        }
        if (entry->progress && contract_progress(entry->progress, &progress, &work->error) != STATUS_OK) {
            work->breach = true;
            return STATUS_INVALID;
        }
        work->expires_in_ms[i] = work_renew(queues, lease, entry->progress ? &progress : NULL);
    }
    return STATUS_OK;
}

enum status work_stream_read_failure(const Xqueue__V1__FailRequest *request, struct grading_failure *out_failure,
                                     struct error *error)
{
    bool known = request->kind == XQUEUE__V1__FAIL_KIND__FAIL_KIND_TRANSIENT ||
                 request->kind == XQUEUE__V1__FAIL_KIND__FAIL_KIND_UNGRADABLE;
    if (!known || strlen(request->message) >= STORE_MESSAGE_MAX || request->retry_after_ms < 0) {
        return error_set(error, STATUS_INVALID, "FAIL_INVALID",
                         "kind is TRANSIENT or UNGRADABLE, message has at most 1,024 bytes, retry_after_ms is not negative");
    }
    *out_failure = (struct grading_failure){
        .ungradable = request->kind == XQUEUE__V1__FAIL_KIND__FAIL_KIND_UNGRADABLE,
        .message = request->message,
        .retry_after_ms = request->retry_after_ms,
    };
    return STATUS_OK;
}

static enum status work_bad_lease(struct work_command *work)
{
    return work_breach(work, "a lease is named by a submission id and a lease key of 32 characters");
}

static enum status work_run_accept(struct work_command *work, struct queues *queues)
{
    struct lease_name lease;
    if (!contract_lease_name(work_message(work)->accept->lease, &lease)) {
        return work_bad_lease(work);
    }
    return grading_accept(queues, lease, &work->error);
}

static enum status work_run_reject(struct work_command *work, struct queues *queues)
{
    struct lease_name lease;
    const Xqueue__V1__Reject *reject = work_message(work)->reject;
    const struct work_session *session = work->stream->session;
    if (!contract_lease_name(reject->lease, &lease)) {
        return work_bad_lease(work);
    }
    if (strlen(reject->message) >= STORE_MESSAGE_MAX) {
        return error_set(&work->error, STATUS_INVALID, "REJECT_INVALID", "message has at most 1,024 bytes");
    }
    work_session_credit(queues, work->stream->session, 0, 0);
    log_event(LOG_INFO, "grant_rejected", LOG_INT("submission", lease.submission_id), LOG_TEXT("grader", session->grader->name),
              LOG_TEXT("text", reject->message));
    return grading_release(queues, lease, 0, &work->error);
}

static enum status work_run_complete(struct work_command *work, struct queues *queues)
{
    const Xqueue__V1__CompleteRequest *request = work_message(work)->complete;
    struct grading_completion completion = {0};
    struct lease_name lease;
    if (!contract_lease_name(request->lease, &lease)) {
        return work_bad_lease(work);
    }
    struct store_bytes result = {.data = request->result.data, .length = request->result.len};
    enum status status = grading_complete(queues, lease, result, request->amend, &completion, &work->error);
    work->already = completion.already;
    return status;
}

static enum status work_run_fail(struct work_command *work, struct queues *queues)
{
    const Xqueue__V1__FailRequest *request = work_message(work)->fail;
    struct grading_failure failure;
    struct lease_name lease;
    if (!contract_lease_name(request->lease, &lease)) {
        return work_bad_lease(work);
    }
    enum status status = work_stream_read_failure(request, &failure, &work->error);
    return status == STATUS_OK ? grading_fail(queues, lease, &failure, &work->error) : status;
}

static enum status work_run_release(struct work_command *work, struct queues *queues)
{
    struct lease_name lease;
    if (!contract_lease_name(work_message(work)->release->lease, &lease)) {
        return work_bad_lease(work);
    }
    return grading_release(queues, lease, work_message(work)->release->delay_ms, &work->error);
}

enum status work_run_message(struct work_command *work, struct queues *queues)
{
    const Xqueue__V1__GraderMessage *message = work_message(work);
    struct work_session *session = work->stream->session;
    if (message->kind_case == XQUEUE__V1__GRADER_MESSAGE__KIND_HELLO) {
        return work_run_hello(work, queues);
    }
    if (!work->stream->greeted) {
        return work_breach(work, "the first message is Hello");
    }
    work_session_heard(queues, session);
    switch (message->kind_case) {
    case XQUEUE__V1__GRADER_MESSAGE__KIND_CREDIT:
        work_session_credit(queues, session, message->credit->submissions,
                            message->credit->body_bytes <= INT64_MAX ? (int64_t)message->credit->body_bytes : 0);
        return STATUS_OK;
    case XQUEUE__V1__GRADER_MESSAGE__KIND_ACCEPT:
        return work_run_accept(work, queues);
    case XQUEUE__V1__GRADER_MESSAGE__KIND_REJECT:
        return work_run_reject(work, queues);
    case XQUEUE__V1__GRADER_MESSAGE__KIND_HEARTBEAT:
        return work_run_heartbeat(work, queues);
    case XQUEUE__V1__GRADER_MESSAGE__KIND_COMPLETE:
        return work_run_complete(work, queues);
    case XQUEUE__V1__GRADER_MESSAGE__KIND_FAIL:
        return work_run_fail(work, queues);
    case XQUEUE__V1__GRADER_MESSAGE__KIND_RELEASE:
        return work_run_release(work, queues);
    case XQUEUE__V1__GRADER_MESSAGE__KIND_DRAIN:
        work_session_drain(queues, session);
        return STATUS_OK;
    case XQUEUE__V1__GRADER_MESSAGE__KIND_PONG:
    case XQUEUE__V1__GRADER_MESSAGE__KIND_PING:
        return STATUS_OK;
    default:
        return work_breach(work, "an empty or unknown message");
    }
}
