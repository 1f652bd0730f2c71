/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/src/work_link_wire.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"

enum { SHA256_BYTES = 32 };

/* Fields of generated messages are not const, though packing only reads them. */
static char *borrow(const char *text)
{
    return (char *)(uintptr_t)text;
}

static Xqueue__V1__LeaseRef lease_ref(const struct xqueue_submission *submission)
{
    Xqueue__V1__LeaseRef lease = XQUEUE__V1__LEASE_REF__INIT;
    lease.submission_id = submission->id;
    lease.lease_key = borrow(submission->lease_key);
    return lease;
}

static Xqueue__V1__GraderMessage message_of(Xqueue__V1__GraderMessage__KindCase kind)
{
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    message.kind_case = kind;
    return message;
}

/* ---- hello ---- */

/* The arrays of pointers that protobuf-c wants, in one piece of memory each. */
struct hello_parts {
    Xqueue__V1__LeaseRef *refs;
    Xqueue__V1__LeaseRef **held;
    Xqueue__V1__Hello__LabelsEntry entries[XQUEUE_LABELS_MAX];
    Xqueue__V1__Hello__LabelsEntry *labels[XQUEUE_LABELS_MAX];
};

static bool fill_held(struct hello_parts *parts, const struct wire_leases *held)
{
    parts->refs = memory_try_allocate(held->count * sizeof(*parts->refs));
    parts->held = memory_try_allocate(held->count * sizeof(Xqueue__V1__LeaseRef *));
    if (!parts->refs || !parts->held)
        return false;
    for (size_t i = 0; i < held->count; i++) {
        parts->refs[i] = lease_ref(held->items[i]);
        parts->held[i] = &parts->refs[i];
    }
    return true;
}

static void fill_labels(struct hello_parts *parts, const struct settings *settings)
{
    for (size_t i = 0; i < settings->label_count; i++) {
        parts->entries[i] = (Xqueue__V1__Hello__LabelsEntry)XQUEUE__V1__HELLO__LABELS_ENTRY__INIT;
        parts->entries[i].key = borrow(settings->labels[i].key);
        parts->entries[i].value = borrow(settings->labels[i].value);
        parts->labels[i] = &parts->entries[i];
    }
}

enum status wire_send_hello(struct rpc_client_stream *stream, const struct settings *settings, const char *instance,
                            const struct wire_leases *held)
{
    struct hello_parts parts = {0};
    enum status status = STATUS_NO_MEMORY;
    if (fill_held(&parts, held)) {
        fill_labels(&parts, settings);
        Xqueue__V1__Hello hello = XQUEUE__V1__HELLO__INIT;
        hello.grader = settings->grader;
        hello.instance = borrow(instance);
        hello.sdk = borrow("libxqueue-grader " XQUEUE_VERSION);
        hello.queues = settings->queues;
        hello.n_queues = settings->queue_count;
        hello.slots = settings->slots;
        hello.held = parts.held;
        hello.n_held = held->count;
        hello.labels = parts.labels;
        hello.n_labels = settings->label_count;
        Xqueue__V1__GraderMessage message = message_of(XQUEUE__V1__GRADER_MESSAGE__KIND_HELLO);
        message.hello = &hello;
        status = rpc_client_stream_send(stream, &message.base);
    }
    memory_free(parts.refs);
    memory_free(parts.held);
    return status;
}

/* ---- the small ones ---- */

enum status wire_send_credit(struct rpc_client_stream *stream, unsigned submissions)
{
    Xqueue__V1__Credit credit = XQUEUE__V1__CREDIT__INIT;
    Xqueue__V1__GraderMessage message = message_of(XQUEUE__V1__GRADER_MESSAGE__KIND_CREDIT);
    credit.submissions = submissions;
    message.credit = &credit;
    return rpc_client_stream_send(stream, &message.base);
}

enum status wire_send_accept(struct rpc_client_stream *stream, const struct xqueue_submission *submission)
{
    Xqueue__V1__LeaseRef lease = lease_ref(submission);
    Xqueue__V1__Accept accept = XQUEUE__V1__ACCEPT__INIT;
    Xqueue__V1__GraderMessage message = message_of(XQUEUE__V1__GRADER_MESSAGE__KIND_ACCEPT);
    accept.lease = &lease;
    message.accept = &accept;
    return rpc_client_stream_send(stream, &message.base);
}

enum status wire_send_reject(struct rpc_client_stream *stream, const Xqueue__V1__LeaseRef *lease, const char *text)
{
    Xqueue__V1__LeaseRef copy = XQUEUE__V1__LEASE_REF__INIT;
    Xqueue__V1__Reject reject = XQUEUE__V1__REJECT__INIT;
    Xqueue__V1__GraderMessage message = message_of(XQUEUE__V1__GRADER_MESSAGE__KIND_REJECT);
    copy.submission_id = lease->submission_id;
    copy.lease_key = lease->lease_key;
    reject.lease = &copy;
    reject.message = borrow(text);
    message.reject = &reject;
    return rpc_client_stream_send(stream, &message.base);
}

enum status wire_send_drain(struct rpc_client_stream *stream)
{
    Xqueue__V1__Drain drain = XQUEUE__V1__DRAIN__INIT;
    Xqueue__V1__GraderMessage message = message_of(XQUEUE__V1__GRADER_MESSAGE__KIND_DRAIN);
    message.drain = &drain;
    return rpc_client_stream_send(stream, &message.base);
}

enum status wire_send_pong(struct rpc_client_stream *stream, uint64_t number)
{
    Xqueue__V1__Pong pong = XQUEUE__V1__PONG__INIT;
    Xqueue__V1__GraderMessage message = message_of(XQUEUE__V1__GRADER_MESSAGE__KIND_PONG);
    pong.number = number;
    message.pong = &pong;
    return rpc_client_stream_send(stream, &message.base);
}

/* ---- heartbeat ---- */

struct beat {
    Xqueue__V1__LeaseProgress lease;
    Xqueue__V1__LeaseRef ref;
    Xqueue__V1__Progress progress;
    struct progress_note note;
};

static void fill_beat(struct beat *beat, struct xqueue_submission *submission)
{
    pthread_mutex_lock(&submission->inbox->mutex);
    beat->note = submission->progress;
    submission->progress.is_new = false;
    pthread_mutex_unlock(&submission->inbox->mutex);

    beat->ref = lease_ref(submission);
    beat->lease = (Xqueue__V1__LeaseProgress)XQUEUE__V1__LEASE_PROGRESS__INIT;
    beat->lease.lease = &beat->ref;
    if (!beat->note.is_new)
        return;
    beat->progress = (Xqueue__V1__Progress)XQUEUE__V1__PROGRESS__INIT;
    beat->progress.phase = beat->note.phase;
    beat->progress.percent = beat->note.percent;
    beat->progress.note = beat->note.note;
    beat->lease.progress = &beat->progress;
}

enum status wire_send_heartbeat(struct rpc_client_stream *stream, const struct wire_leases *leases)
{
    struct beat *beats = memory_try_allocate(leases->count * sizeof(*beats));
    Xqueue__V1__LeaseProgress **pointers = memory_try_allocate(leases->count * sizeof(Xqueue__V1__LeaseProgress *));
    enum status status = STATUS_NO_MEMORY;
    if (beats && pointers) {
        for (size_t i = 0; i < leases->count; i++) {
            fill_beat(&beats[i], leases->items[i]);
            pointers[i] = &beats[i].lease;
        }
        Xqueue__V1__Heartbeat heartbeat = XQUEUE__V1__HEARTBEAT__INIT;
        Xqueue__V1__GraderMessage message = message_of(XQUEUE__V1__GRADER_MESSAGE__KIND_HEARTBEAT);
        heartbeat.leases = pointers;
        heartbeat.n_leases = leases->count;
        message.heartbeat = &heartbeat;
        status = rpc_client_stream_send(stream, &message.base);
    }
    memory_free(beats);
    memory_free(pointers);
    return status;
}

/* ---- answers ---- */

static enum status send_complete(struct rpc_client_stream *stream, const struct answer *answer, Xqueue__V1__LeaseRef *lease)
{
    Xqueue__V1__CompleteRequest complete = XQUEUE__V1__COMPLETE_REQUEST__INIT;
    Xqueue__V1__GraderMessage message = message_of(XQUEUE__V1__GRADER_MESSAGE__KIND_COMPLETE);
    complete.lease = lease;
    complete.result = (ProtobufCBinaryData){.len = answer->length, .data = answer->bytes};
    message.complete = &complete;
    return rpc_client_stream_send(stream, &message.base);
}

static enum status send_fail(struct rpc_client_stream *stream, const struct answer *answer, Xqueue__V1__LeaseRef *lease)
{
    Xqueue__V1__FailRequest fail = XQUEUE__V1__FAIL_REQUEST__INIT;
    Xqueue__V1__GraderMessage message = message_of(XQUEUE__V1__GRADER_MESSAGE__KIND_FAIL);
    bool is_transient = answer->fail == XQUEUE_FAIL_TRANSIENT;
    fail.lease = lease;
    fail.kind = is_transient ? XQUEUE__V1__FAIL_KIND__FAIL_KIND_TRANSIENT : XQUEUE__V1__FAIL_KIND__FAIL_KIND_UNGRADABLE;
    fail.message = answer->bytes ? answer->bytes : borrow("");
    fail.retry_after_ms = is_transient ? answer->delay_ms : 0;
    message.fail = &fail;
    return rpc_client_stream_send(stream, &message.base);
}

static enum status send_release(struct rpc_client_stream *stream, const struct answer *answer, Xqueue__V1__LeaseRef *lease)
{
    Xqueue__V1__ReleaseRequest release = XQUEUE__V1__RELEASE_REQUEST__INIT;
    Xqueue__V1__GraderMessage message = message_of(XQUEUE__V1__GRADER_MESSAGE__KIND_RELEASE);
    release.lease = lease;
    release.delay_ms = answer->delay_ms;
    message.release = &release;
    return rpc_client_stream_send(stream, &message.base);
}

enum status wire_send_answer(struct rpc_client_stream *stream, const struct xqueue_submission *submission)
{
    static enum status (*const send_of[])(struct rpc_client_stream *, const struct answer *, Xqueue__V1__LeaseRef *) = {
        [ANSWER_COMPLETE] = send_complete, [ANSWER_FAIL] = send_fail, [ANSWER_RELEASE] = send_release};
    assert(submission->answer.kind != ANSWER_NONE);
    Xqueue__V1__LeaseRef lease = lease_ref(submission);
    return send_of[submission->answer.kind](stream, &submission->answer, &lease);
}

/* ---- grants ---- */

bool wire_grant_is_valid(const Xqueue__V1__Grant *grant)
{
    return grant->lease && grant->submission && strlen(grant->lease->lease_key) == SUBMISSION_KEY_TEXT_MAX - 1;
}

static void copy_files(struct xqueue_submission *submission, const Xqueue__V1__Submission *from)
{
    for (size_t i = 0; i < from->n_files; i++) {
        const Xqueue__V1__File *file = from->files[i];
        submission->files[i] = (struct xqueue_file){.name = file->name,
                                                    .url = file->url,
                                                    .file_id = file->file_id,
                                                    .filename = file->filename,
                                                    .size_bytes = file->size_bytes,
                                                    .sha256 = file->sha256.len == SHA256_BYTES ? file->sha256.data : NULL};
    }
    submission->file_count = from->n_files;
}

static void copy_labels(struct xqueue_submission *submission, const Xqueue__V1__Submission *from)
{
    for (size_t i = 0; i < from->n_labels; i++)
        submission->labels[i] = (struct xqueue_label){.key = from->labels[i]->key, .value = from->labels[i]->value};
    submission->label_count = from->n_labels;
}

static void copy_submission(struct xqueue_submission *submission, const Xqueue__V1__Submission *from)
{
    submission->queue = from->queue;
    submission->trace_parent = from->trace_parent;
    submission->trace_state = from->trace_state;
    submission->header = from->header.data;
    submission->header_length = from->header.len;
    submission->body = from->body.data;
    submission->body_length = from->body.len;
    submission->submitted_at_ms = from->submitted_at_ms;
    copy_files(submission, from);
    copy_labels(submission, from);
}

enum status wire_grant_open(const Xqueue__V1__Grant *grant, struct rpc_message *message, struct inbox *inbox,
                            struct clock *clock, struct xqueue_submission **out_submission)
{
    assert(wire_grant_is_valid(grant));
    struct xqueue_submission *submission = MEMORY_TRY_NEW(struct xqueue_submission);
    if (!submission)
        return STATUS_NO_MEMORY;
    submission->files = memory_try_allocate(grant->submission->n_files * sizeof(struct xqueue_file));
    submission->labels = memory_try_allocate(grant->submission->n_labels * sizeof(struct xqueue_label));
    if (!submission->files || !submission->labels) {
        submission_destroy(submission);
        return STATUS_NO_MEMORY;
    }
    submission->message = message;
    submission->inbox = inbox;
    submission->clock = clock;
    submission->id = grant->lease->submission_id;
    memcpy(submission->lease_key, grant->lease->lease_key, SUBMISSION_KEY_TEXT_MAX);
    submission->attempt = grant->attempt;
    submission->lease_ms = grant->lease_ms;
    submission->hard_limit_at_ms =
        grant->hard_limit_ms > 0 ? clock_add_ms(clock_now_ms(clock), grant->hard_limit_ms) : CLOCK_NEVER;
    copy_submission(submission, grant->submission);
    *out_submission = submission;
    return STATUS_OK;
}

/* ---- reading ---- */

enum xqueue_lost wire_lost_reason(Xqueue__V1__LostReason reason)
{
    static const enum xqueue_lost lost_of[] = {
        [XQUEUE__V1__LOST_REASON__LOST_REASON_UNSPECIFIED] = XQUEUE_LOST_STALE,
        [XQUEUE__V1__LOST_REASON__LOST_REASON_EXPIRED] = XQUEUE_LOST_EXPIRED,
        [XQUEUE__V1__LOST_REASON__LOST_REASON_STALE] = XQUEUE_LOST_STALE,
        [XQUEUE__V1__LOST_REASON__LOST_REASON_SUPERSEDED] = XQUEUE_LOST_SUPERSEDED,
        [XQUEUE__V1__LOST_REASON__LOST_REASON_CANCELED] = XQUEUE_LOST_CANCELED,
        [XQUEUE__V1__LOST_REASON__LOST_REASON_HARD_LIMIT] = XQUEUE_LOST_HARD_LIMIT,
        [XQUEUE__V1__LOST_REASON__LOST_REASON_NOT_ACCEPTED] = XQUEUE_LOST_NOT_ACCEPTED,
        [XQUEUE__V1__LOST_REASON__LOST_REASON_ADMIN] = XQUEUE_LOST_ADMIN,
    };
    return (size_t)reason < sizeof(lost_of) / sizeof(lost_of[0]) ? lost_of[reason] : XQUEUE_LOST_STALE;
}

bool wire_is_lease(const Xqueue__V1__LeaseRef *lease, const struct xqueue_submission *submission)
{
    return lease && lease->submission_id == submission->id && strcmp(lease->lease_key, submission->lease_key) == 0;
}
