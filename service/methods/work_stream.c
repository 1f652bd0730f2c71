/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/memory.h"
#include "service/methods/work_rights.h"
#include "service/methods/work_sender.h"
#include "service/methods/work_stream_internal.h"
#include "service/work_session.h"

static void work_stream_release(struct work_stream *stream)
{
    if (atomic_fetch_sub(&stream->references, 1) == 1) {
        rpc_server_call_release(stream->call);
        pthread_mutex_destroy(&stream->mutex);
        memory_free(stream);
    }
}

const Xqueue__V1__GraderMessage *work_message(const struct work_command *work)
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
    case GRADER_NOTICE_QUIET:
        work_sender_quiet(stream->call, notice);
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

/* ---- running, in the transaction ---- */

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
    memory_free(work->labels);
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
    stream->greeting.memory_only = true;
    atomic_fetch_add(&stream->references, 1);
    engine_submit_ending(stream->service->engine, &stream->greeting);
}

/* What is not acknowledged is not said again. */
static bool work_is_memory_only(const struct work_command *work)
{
    Xqueue__V1__GraderMessage__KindCase kind = work_message(work)->kind_case;
    return kind == XQUEUE__V1__GRADER_MESSAGE__KIND_CREDIT || kind == XQUEUE__V1__GRADER_MESSAGE__KIND_DRAIN ||
           kind == XQUEUE__V1__GRADER_MESSAGE__KIND_PONG;
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
    work->command.memory_only = work_is_memory_only(work);
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
    work->command.memory_only = true;
    work->stream = stream; /* the open call's reference goes with it */
    engine_submit_ending(stream->service->engine, &work->command);
}
