/* SPDX-License-Identifier: Apache-2.0 */
#include "service/methods/watch_stream.h"

#include "base/log.h"
#include "base/memory.h"
#include "service/methods/contract.h"
#include "service/watching.h"

struct watch_stream {
    struct standing standing;
    int64_t submission_id;

    /* engine thread only */
    struct watch watch;
    bool open;
    struct watch_view *view; /* owned: what is to be told; NULL: nothing */
    enum status status;      /* of the last look: why the watch ends */
    struct error error;
};

static enum status watch_begin(struct watch_stream *stream, struct queues *queues, bool is_admin)
{
    const struct identity *identity = method_identity(stream->standing.call);
    const struct view_request request = {.id = stream->submission_id, .user = identity->user, .may_see_all = is_admin};
    stream->watch.command = &stream->standing.command;
    stream->watch.user = identity->user;
    enum status status = watch_open(queues, &stream->watch, &request, &stream->error);
    stream->open = status == STATUS_OK;
    return status;
}

static enum engine_step watch_stream_look(struct standing *standing, struct queues *queues)
{
    struct watch_stream *stream = (struct watch_stream *)standing;
    bool changed = false;
    if (!method_goes_on(standing->call)) {
        return ENGINE_DONE;
    }
    bool is_admin = false; /* as things stand now */
    stream->status = method_check_viewer(standing->call, queues, stream->submission_id, &is_admin, &stream->error);
    if (stream->status == STATUS_OK && !stream->open) {
        stream->status = watch_begin(stream, queues, is_admin);
    }
    if (stream->status != STATUS_OK) {
        return ENGINE_DONE;
    }
    if (!standing_may_say(standing)) { /* the newest state is all that will be told */
        return standing_park(standing, queues, &stream->watch.parked, CLOCK_NEVER);
    }
    if (standing->timed_out && watch_rests(queues, &stream->watch)) {
        return standing_park(standing, queues, &stream->watch.parked, stream->watch.refresh_at_ms);
    }
    struct watch_view *view = MEMORY_NEW(struct watch_view);
    stream->status = watch_look(queues, &stream->watch, view, &changed, &stream->error);
    if (stream->status == STATUS_OK && !changed) {
        int64_t refresh_ms = watch_refresh_ms(&stream->watch, view);
        memory_free(view);
        return standing_park(standing, queues, &stream->watch.parked, refresh_ms);
    }
    stream->view = view;
    return ENGINE_DONE;
}

static bool watch_stream_tell(struct watch_stream *stream)
{
    const struct watch_view *view = stream->view;
    Xqueue__V1__WatchEvent event = XQUEUE__V1__WATCH_EVENT__INIT;
    Xqueue__V1__GetResponse submission = XQUEUE__V1__GET_RESPONSE__INIT;
    Xqueue__V1__Progress progress = XQUEUE__V1__PROGRESS__INIT;
    contract_fill_view(&submission, &view->row, view->has_delivery ? &view->delivery : NULL,
                       clock_now_ms(method_service(stream->standing.call)->clock));
    submission.queue = contract_text(view->queue);
    event.submission = &submission;
    event.position = (uint64_t)view->position;
    event.estimate_ms = view->estimate_ms;
    event.nobody_can_grade = view->nobody_can_grade;
    if (view->has_progress) {
        progress.phase = contract_text(view->progress.phase);
        progress.percent = view->progress.percent;
        progress.note = contract_text(view->progress.note);
        event.progress = &progress;
    }
    watch_told(&stream->watch);
    return method_send(stream->standing.call, &event.base);
}

static bool watch_stream_say(struct standing *standing, enum status committed, const struct error *why)
{
    (void)why; /* what was seen did not come to be: look again */
    struct watch_stream *stream = (struct watch_stream *)standing;
    bool goes_on = true;
    if (committed == STATUS_OK && stream->status != STATUS_OK) {
        rpc_server_call_finish(standing->call, stream->status, &stream->error);
        goes_on = false;
    } else if (committed == STATUS_OK && stream->view) {
        goes_on = watch_stream_tell(stream);
        if (goes_on && watch_view_is_final(stream->view)) {
            rpc_server_call_finish(standing->call, STATUS_OK, NULL);
            goes_on = false;
        }
    }
    memory_free(stream->view);
    stream->view = NULL;
    return goes_on;
}

static void watch_stream_leave(struct standing *standing, struct queues *queues)
{
    watch_close(queues, &((struct watch_stream *)standing)->watch);
}

static void watch_stream_finish(struct standing *standing)
{
    struct watch_stream *stream = (struct watch_stream *)standing;
    memory_free(stream->view);
    memory_free(stream);
}

static const struct standing_steps watch_steps = {
    .look = watch_stream_look, .say = watch_stream_say, .leave = watch_stream_leave, .finish = watch_stream_finish};

void watch_stream_on_request(struct rpc_server_call *call, struct rpc_message *message)
{
    const Xqueue__V1__WatchRequest *request = (const Xqueue__V1__WatchRequest *)rpc_message_body(message);
    struct watch_stream *stream = MEMORY_NEW(struct watch_stream);
    stream->submission_id = contract_id(request->submission_id);
    rpc_message_free(message);
    standing_begin(&stream->standing, call, &watch_steps);
}
