/* SPDX-License-Identifier: Apache-2.0 */
#include "service/methods/work_stream.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/methods/contract.h"
#include "service/methods/work_rights.h"
#include "service/methods/work_sender.h"

struct work_stream {
    struct grader_link link;      /* immutable after open */
    struct rpc_server_call *call; /* counted */
    struct service *service;
    atomic_int references; /* the open call's, and one per command under way */

    /* guarded by mutex */
    pthread_mutex_t mutex;
    int pending;      /* commands under way */
    bool read_paused; /* the next message is asked for when one of them is done */

    /* engine thread only */
    struct work_session *session; /* NULL before Hello and after the end */
    bool greeted;
    bool gone;                      /* the call is over */
    struct engine_command greeting; /* parked until Hello; counted */
};

/* One message on its way through the engine. */
struct work_command {
    struct engine_command command;
    struct work_stream *stream;  /* counted */
    struct rpc_message *message; /* owned; NULL: the stream is over */
    enum status status;
    struct error error;
    bool ignored;             /* came after the end of the session */
    bool breach;              /* ends the stream */
    struct held_answer *held; /* Hello: owned */
    struct lease_name *held_names;
    int64_t *expires_in_ms; /* Heartbeat: owned; of each lease, or < 0 - its lost_reason */
    bool already;
};

static void work_stream_release(struct work_stream *stream)
{
    if (atomic_fetch_sub(&stream->references, 1) == 1) {
        rpc_server_call_release(stream->call);
        pthread_mutex_destroy(&stream->mutex);
        memory_free(stream);
    }
}

static const Xqueue__V1__GraderMessage *work_message(const struct work_command *work)
{
    return (const Xqueue__V1__GraderMessage *)rpc_message_body(work->message);
}

/* ---- what the queue tells ---- */

static void work_stream_notify(struct grader_link *link, const struct grader_notice *notice)
{
    struct work_stream *stream = (struct work_stream *)link; /* its first member */
    switch (notice->kind) {
    case GRADER_NOTICE_GRANT:
        work_sender_grant(stream->call, notice->grant);
        break;
    case GRADER_NOTICE_LOST:
        work_sender_lost(stream->call, notice->submission_id, notice->lease_key, notice->reason);
        break;
    case GRADER_NOTICE_SOON:
        work_sender_soon(stream->call, notice);
        break;
    case GRADER_NOTICE_GO_AWAY:
        work_sender_go_away(stream->call, notice);
        break;
    case GRADER_NOTICE_PING:
        work_sender_ping(stream->call, notice->number);
        break;
    case GRADER_NOTICE_FINISH:
        stream->session = NULL;
        rpc_server_call_finish(stream->call, notice->status, &notice->error);
        break;
    }
}

/* ---- answering, after the commit ---- */

static void work_send_ack(struct work_command *work, Xqueue__V1__LeaseRef *lease, Xqueue__V1__AckItem item)
{
    struct work_verdict verdict = {.item = item, .status = work->status, .already = work->already, .error = &work->error};
    work_sender_ack(work->stream->call, lease, &verdict);
}

static void work_send_welcome(struct work_command *work)
{
    const struct service *service = work->stream->service;
    size_t count = work_message(work)->hello->n_held;
    Xqueue__V1__LeaseRef *refs = memory_allocate_array(count, sizeof *refs);
    Xqueue__V1__LeaseRef **kept = memory_allocate_array(count, sizeof(void *));
    Xqueue__V1__LeaseLost *losses = memory_allocate_array(count, sizeof *losses);
    Xqueue__V1__LeaseLost **lost = memory_allocate_array(count, sizeof(void *));
    Xqueue__V1__Welcome welcome = XQUEUE__V1__WELCOME__INIT;
    for (size_t i = 0; i < count; i++) {
        refs[i] = work_sender_lease_ref(work->held_names[i].submission_id, work->held_names[i].key);
        if (work->held[i].kept) {
            kept[welcome.n_kept++] = &refs[i];
        } else {
            xqueue__v1__lease_lost__init(&losses[i]);
            losses[i].lease = &refs[i];
            losses[i].reason = (Xqueue__V1__LostReason)work->held[i].reason;
            lost[welcome.n_lost++] = &losses[i];
        }
    }
    char session[SECRET_KEY_TEXT_MAX];
    secret_key(session);
    welcome.session = session;
    welcome.kept = kept;
    welcome.lost = lost;
    welcome.ping_period_ms = service->config->service.ping_period_ms;
    welcome.lease_ms = work_session_lease_ms(work->stream->session);
    welcome.result_bytes_max = GRADING_RESULT_BYTES_MAX;
    welcome.leases_max = (uint32_t)work->stream->session->grader->leases_max;
    Xqueue__V1__ServerMessage message = XQUEUE__V1__SERVER_MESSAGE__INIT;
    message.kind_case = XQUEUE__V1__SERVER_MESSAGE__KIND_WELCOME;
    message.welcome = &welcome;
    work_sender_send(work->stream->call, &message);
    memory_free(refs);
    memory_free(kept);
    memory_free(losses);
    memory_free(lost);
}

/* Says what a heartbeat did not do: leases that are lost, and those that will run out before a full lease length. */
static void work_answer_heartbeat(struct work_command *work)
{
    const Xqueue__V1__Heartbeat *heartbeat = work_message(work)->heartbeat;
    for (size_t i = 0; i < heartbeat->n_leases && work->expires_in_ms; i++) {
        struct lease_name lease;
        int64_t expires_in_ms = work->expires_in_ms[i];
        if (!contract_lease_name(heartbeat->leases[i]->lease, &lease) || expires_in_ms == 0) {
            continue;
        }
        if (expires_in_ms < 0) {
            work_sender_lost(work->stream->call, lease.submission_id, lease.key, (enum lost_reason)(-expires_in_ms));
            continue;
        }
        Xqueue__V1__LeaseRef ref = work_sender_lease_ref(lease.submission_id, lease.key);
        Xqueue__V1__LeaseStatus status = XQUEUE__V1__LEASE_STATUS__INIT;
        Xqueue__V1__ServerMessage message = XQUEUE__V1__SERVER_MESSAGE__INIT;
        status.lease = &ref;
        status.expires_in_ms = expires_in_ms;
        message.kind_case = XQUEUE__V1__SERVER_MESSAGE__KIND_LEASE_STATUS;
        message.lease_status = &status;
        work_sender_send(work->stream->call, &message);
    }
}

static void work_answer(struct work_command *work)
{
    const Xqueue__V1__GraderMessage *message = work_message(work);
    switch (message->kind_case) {
    case XQUEUE__V1__GRADER_MESSAGE__KIND_HELLO:
        if (work->stream->session) { /* not gone again within the batch */
            work_send_welcome(work);
        }
        break;
    case XQUEUE__V1__GRADER_MESSAGE__KIND_ACCEPT:
        if (work->status != STATUS_OK) {
            work_send_ack(work, message->accept->lease, XQUEUE__V1__ACK_ITEM__ACK_ITEM_ACCEPT);
        }
        break;
    case XQUEUE__V1__GRADER_MESSAGE__KIND_REJECT:
        work_send_ack(work, message->reject->lease, XQUEUE__V1__ACK_ITEM__ACK_ITEM_REJECT);
        break;
    case XQUEUE__V1__GRADER_MESSAGE__KIND_HEARTBEAT:
        if (work->status == STATUS_OK) { /* else it came to nothing: the next one counts */
            work_answer_heartbeat(work);
        }
        break;
    case XQUEUE__V1__GRADER_MESSAGE__KIND_COMPLETE:
        work_send_ack(work, message->complete->lease, XQUEUE__V1__ACK_ITEM__ACK_ITEM_COMPLETE);
        break;
    case XQUEUE__V1__GRADER_MESSAGE__KIND_FAIL:
        work_send_ack(work, message->fail->lease, XQUEUE__V1__ACK_ITEM__ACK_ITEM_FAIL);
        break;
    case XQUEUE__V1__GRADER_MESSAGE__KIND_RELEASE:
        work_send_ack(work, message->release->lease, XQUEUE__V1__ACK_ITEM__ACK_ITEM_RELEASE);
        break;
    case XQUEUE__V1__GRADER_MESSAGE__KIND_PING:
        work_sender_pong(work->stream->call, message->ping->number);
        break;
    default:
        break;
    }
}

/* ---- running, in the transaction ---- */

static enum status work_breach(struct work_command *work, const char *text)
{
    work->breach = true;
    return error_set(&work->error, STATUS_INVALID, "WORK_INVALID", "%s", text);
}

static bool work_hello_labels_fit(const Xqueue__V1__Hello *hello)
{
    bool fit = hello->n_labels <= WORK_STREAM_LABELS_MAX;
    for (size_t i = 0; fit && i < hello->n_labels; i++) {
        fit = text_is_name(hello->labels[i]->key, WORK_STREAM_LABEL_BYTES_MAX) &&
              method_text_fits(hello->labels[i]->value, WORK_STREAM_LABEL_BYTES_MAX);
    }
    return fit;
}

static enum status work_read_hello(struct work_command *work, const Xqueue__V1__Hello *message, struct work_hello *hello)
{
    if (!method_text_fits(message->sdk, WORK_STREAM_SDK_BYTES_MAX) || !work_hello_labels_fit(message)) {
        return work_breach(work, "Hello.sdk has at most 128 bytes, Hello.labels at most 32 entries of 64 bytes");
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
                  LOG_INT("slots", message->slots), LOG_INT("held", (int64_t)message->n_held));
    }
    return status;
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
        struct error error;
        if (!contract_lease_name(heartbeat->leases[i]->lease, &lease)) {
            return work_breach(work, "Heartbeat names something that is no lease");
        }
        int64_t expires_in_ms = 0;
        enum status status = grading_extend(queues, lease, &expires_in_ms, &error);
        const struct live_lease *held = lease_table_find_held(&queues->leases, lease.submission_id, lease.key);
        if (!held) {
            expires_in_ms = -(int64_t)grading_lost_reason(queues, lease);
        }
        /* Nothing to say of a full length, nor of a lease at its hard limit: the tick of this batch ends that one. */
        bool quiet = held && (status != STATUS_OK || expires_in_ms >= held->queue->settings->lease_ms);
        work->expires_in_ms[i] = quiet ? 0 : expires_in_ms;
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
    if (!contract_lease_name(work_message(work)->reject->lease, &lease)) {
        return work_bad_lease(work);
    }
    work_session_credit(queues, work->stream->session, 0, 0);
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

static enum status work_run_message(struct work_command *work, struct queues *queues)
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

static enum engine_step work_run(struct engine_command *command, struct queues *queues)
{
    struct work_command *work = (struct work_command *)command;
    struct work_stream *stream = work->stream;
    /* A session that the queue ended in this batch is still there until the batch is over. */
    work->ignored = stream->greeted && (!stream->session || stream->session->closed);
    if (!work->ignored) {
        work->status = work_rights_check(stream->call, queues, stream->session, work_message(work), &work->error);
        work->breach = work->status != STATUS_OK;
    }
    if (!work->ignored && !work->breach) {
        work->status = work_run_message(work, queues);
    }
    if (work->breach && stream->session) {
        work_session_abandon(queues, stream->session); /* nothing more is granted to it */
        stream->session = NULL;
    }
    return ENGINE_DONE;
}

static void work_free(struct work_command *work)
{
    rpc_message_free(work->message);
    memory_free(work->held);
    memory_free(work->held_names);
    memory_free(work->expires_in_ms);
    work_stream_release(work->stream);
    memory_free(work);
}

static void work_stream_one_done(struct work_stream *stream)
{
    pthread_mutex_lock(&stream->mutex);
    stream->pending--;
    bool resume = stream->read_paused;
    stream->read_paused = false;
    pthread_mutex_unlock(&stream->mutex);
    if (resume) {
        rpc_server_call_receive(stream->call);
    }
}

static void work_done(struct engine_command *command, enum status committed, const struct error *error)
{
    struct work_command *work = (struct work_command *)command;
    bool is_hello = work_message(work)->kind_case == XQUEUE__V1__GRADER_MESSAGE__KIND_HELLO;
    if (committed != STATUS_OK) {
        work->status = committed;
        work->error = *error;
        work->breach = work->breach || is_hello; /* no session without its commit: the grader connects again */
    }
    if (work->breach) {
        rpc_server_call_finish(work->stream->call, work->status, &work->error);
    } else if (!work->ignored) {
        work_answer(work);
    }
    work_stream_one_done(work->stream);
    work_free(work);
}

/* ---- the stream ---- */

/* A stream that says nothing is ended, and does not hold up a stop. */
static enum engine_step work_greeting_run(struct engine_command *command, struct queues *queues)
{
    struct work_stream *stream = LIST_OWNER(command, struct work_stream, greeting);
    if (stream->greeted || stream->gone || command->timed_out || queues->stopping) {
        return ENGINE_DONE;
    }
    queues_park(queues, command, &queues->greetings, clock_add_ms(queues->now_ms, WORK_STREAM_HELLO_MS));
    return ENGINE_PARK;
}

static void work_greeting_done(struct engine_command *command, enum status committed, const struct error *why)
{
    (void)committed; /* nothing of it is in the store */
    (void)why;
    struct work_stream *stream = LIST_OWNER(command, struct work_stream, greeting);
    if (!stream->greeted && !stream->gone) {
        struct error error;
        enum status status =
            error_set(&error, STATUS_TIMEOUT, "HELLO_MISSING", "no Hello came within %d ms", WORK_STREAM_HELLO_MS);
        rpc_server_call_finish(stream->call, status, &error);
    }
    work_stream_release(stream);
}

void work_stream_on_open(struct rpc_server_call *call)
{
    struct work_stream *stream = MEMORY_NEW(struct work_stream);
    stream->link.notify = work_stream_notify;
    stream->call = call;
    rpc_server_call_keep(call);
    stream->service = method_service(call);
    atomic_init(&stream->references, 1);
    pthread_mutex_init(&stream->mutex, NULL);
    rpc_server_call_set_data(call, stream);
    stream->greeting.run = work_greeting_run;
    stream->greeting.done = work_greeting_done;
    atomic_fetch_add(&stream->references, 1);
    engine_submit_ending(stream->service->engine, &stream->greeting);
}

void work_stream_on_message(struct rpc_server_call *call, struct rpc_message *message)
{
    struct work_stream *stream = rpc_server_call_data(call);
    if (!method_goes_on(call)) {
        rpc_message_free(message);
        return;
    }
    struct work_command *work = MEMORY_NEW(struct work_command);
    work->command.run = work_run;
    work->command.done = work_done;
    work->stream = stream;
    work->message = message;
    atomic_fetch_add(&stream->references, 1);
    pthread_mutex_lock(&stream->mutex);
    stream->pending++;
    bool full = stream->pending >= WORK_STREAM_PENDING_MAX;
    stream->read_paused = full;
    pthread_mutex_unlock(&stream->mutex);
    if (engine_submit(stream->service->engine, &work->command) != STATUS_OK) {
        struct error error;
        enum status status =
            error_set(&error, STATUS_UNAVAILABLE, "ENGINE_BUSY", "too many calls are waiting; what you hold is kept");
        error.retry_after_ms = 200;
        rpc_server_call_finish(call, status, &error);
        work_free(work);
        return;
    }
    if (!full) {
        rpc_server_call_receive(call);
    }
}

static enum engine_step work_stream_half_close_run(struct engine_command *command, struct queues *queues)
{
    (void)command;
    (void)queues;
    return ENGINE_DONE;
}

static void work_stream_half_close_done(struct engine_command *command, enum status committed, const struct error *error)
{
    (void)committed; /* nothing of it is in the store */
    (void)error;
    struct work_command *work = (struct work_command *)command;
    rpc_server_call_finish(work->stream->call, STATUS_OK, NULL);
    work_free(work);
}

/* A grader that closes its side will say nothing more: the end, once everything that it said has been answered. */
void work_stream_on_half_close(struct rpc_server_call *call)
{
    struct work_stream *stream = rpc_server_call_data(call);
    struct work_command *work = MEMORY_NEW(struct work_command);
    work->command.run = work_stream_half_close_run;
    work->command.done = work_stream_half_close_done;
    work->stream = stream;
    atomic_fetch_add(&stream->references, 1);
    engine_submit_ending(stream->service->engine, &work->command);
}

static enum engine_step work_stream_end_run(struct engine_command *command, struct queues *queues)
{
    struct work_stream *stream = ((struct work_command *)command)->stream;
    stream->gone = true;
    queues_unpark(queues, &stream->greeting);
    if (stream->session) {
        log_event(LOG_INFO, "grader_disconnected", LOG_TEXT("grader", stream->session->grader->name));
        work_session_abandon(queues, stream->session);
        stream->session = NULL;
    }
    return ENGINE_DONE;
}

static void work_stream_end_done(struct engine_command *command, enum status committed, const struct error *error)
{
    (void)committed; /* nothing of it is in the store */
    (void)error;
    work_free((struct work_command *)command);
}

void work_stream_on_close(struct rpc_server_call *call)
{
    struct work_stream *stream = rpc_server_call_data(call);
    struct work_command *work = MEMORY_NEW(struct work_command);
    work->command.run = work_stream_end_run;
    work->command.done = work_stream_end_done;
    work->stream = stream; /* the open call's reference goes with it */
    engine_submit_ending(stream->service->engine, &work->command);
}
