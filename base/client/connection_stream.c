/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of a connection, down and up. */
#include <assert.h>

#include "base/client/connection_internal.h"
#include "base/clock.h"

/* What the loop's thread hands over; guarded by the mutex of the interrupt. */
struct stream_view {
    struct connection_wait wait;
    struct rpc_message *newest; /* owned; NULL: taken already */
    bool is_over;
    size_t left; /* messages of ours */
    enum status status;
    struct error error;
};

static void on_message(void *context, struct rpc_message *message)
{
    struct stream_view *view = context;
    pthread_mutex_lock(&connection_interrupt.mutex);
    rpc_message_free(view->newest);
    view->newest = message;
    pthread_cond_signal(&view->wait.changed);
    pthread_mutex_unlock(&connection_interrupt.mutex);
}

static void on_sent(void *context)
{
    struct stream_view *view = context;
    pthread_mutex_lock(&connection_interrupt.mutex);
    view->left++;
    pthread_cond_signal(&view->wait.changed);
    pthread_mutex_unlock(&connection_interrupt.mutex);
}

static void on_close(void *context, enum status status, const struct error *error)
{
    struct stream_view *view = context;
    pthread_mutex_lock(&connection_interrupt.mutex);
    view->is_over = true;
    view->status = status;
    view->error = error ? *error : (struct error){0};
    pthread_cond_signal(&view->wait.changed);
    pthread_mutex_unlock(&connection_interrupt.mutex);
}

static enum status open_view(struct connection *connection, const struct rpc_client_method *method, struct stream_view *view,
                             struct rpc_client_stream **out_stream, struct error *error)
{
    static const struct rpc_client_stream_events events = {.on_message = on_message, .on_close = on_close, .on_sent = on_sent};
    const struct rpc_call_options options = {.bearer = connection->token[0] != '\0' ? connection->token : NULL};
    *error = (struct error){0};
    *view = (struct stream_view){.is_over = false};
    clock_condition_init(&view->wait.changed);
    enum status status = rpc_client_stream_open(connection->channel, method, &options, &events, view, out_stream);
    if (status != STATUS_OK) {
        (void)pthread_cond_destroy(&view->wait.changed);
        return error_set(error, status, NULL, "%s: %s", method->path, status_name(status));
    }
    pthread_mutex_lock(&connection_interrupt.mutex);
    list_append(&connection_interrupt.waits, &view->wait.node);
    pthread_mutex_unlock(&connection_interrupt.mutex);
    return STATUS_OK;
}

/* Waits for the end, which is near, and says how it was. */
static enum status close_view(struct connection *connection, struct stream_view *view, struct rpc_client_stream *stream,
                              struct error *error)
{
    pthread_mutex_lock(&connection_interrupt.mutex);
    while (!view->is_over)
        pthread_cond_wait(&view->wait.changed, &connection_interrupt.mutex);
    list_remove(&connection_interrupt.waits, &view->wait.node);
    bool canceled = connection_interrupt.canceled;
    pthread_mutex_unlock(&connection_interrupt.mutex);
    rpc_client_stream_release(stream);
    (void)pthread_cond_destroy(&view->wait.changed);
    *error = view->error;
    enum status status = canceled && view->status != STATUS_OK ? STATUS_CANCELED : view->status;
    if (status != STATUS_OK)
        connection_explain(connection, status, error);
    return status;
}

/* ---- down ---- */

/* The next message, the caller's. NULL: over, interrupted, or until_ms has passed (*out_late). */
static struct rpc_message *next_message(struct stream_view *view, int64_t until_ms, bool *out_late)
{
    bool is_late = false;
    pthread_mutex_lock(&connection_interrupt.mutex);
    while (!view->newest && !view->is_over && !connection_interrupt.canceled && !is_late)
        is_late = !clock_wait_until(clock_system(), &view->wait.changed, &connection_interrupt.mutex, until_ms);
    struct rpc_message *message = view->newest;
    view->newest = NULL;
    pthread_mutex_unlock(&connection_interrupt.mutex);
    *out_late = is_late && !message;
    return message;
}

enum status connection_watch(struct connection *connection, const struct connection_watch *watch, struct error *error)
{
    struct stream_view view;
    struct rpc_client_stream *stream = NULL;
    struct rpc_message *message = NULL;
    bool is_late = false;
    bool has_enough = false;
    const int64_t until_ms = watch->until_ms > 0 ? watch->until_ms : CLOCK_NEVER;
    enum status status = open_view(connection, watch->method, &view, &stream, error);
    if (status != STATUS_OK)
        return status;
    if (rpc_client_stream_send(stream, watch->request) == STATUS_OK)
        rpc_client_stream_half_close(stream);
    else
        rpc_client_stream_cancel(stream);
    while (!has_enough && (message = next_message(&view, until_ms, &is_late)) != NULL) {
        has_enough = !watch->on_message(watch->context, message);
        rpc_message_free(message);
    }
    rpc_client_stream_cancel(stream); // no effect when it is over
    status = close_view(connection, &view, stream, error);
    rpc_message_free(view.newest);
    if (has_enough)
        return STATUS_OK;
    return is_late ? error_set(error, STATUS_TIMEOUT, NULL, "the time is over") : status;
}

/* ---- up ---- */

/* false: nothing more can be sent. */
static bool await_room(struct stream_view *view, size_t sent)
{
    pthread_mutex_lock(&connection_interrupt.mutex);
    while (!view->is_over && !connection_interrupt.canceled && sent - view->left >= CONNECTION_UPLOAD_AHEAD_MAX)
        pthread_cond_wait(&view->wait.changed, &connection_interrupt.mutex);
    bool has_room = !view->is_over && !connection_interrupt.canceled;
    pthread_mutex_unlock(&connection_interrupt.mutex);
    return has_room;
}

/* STATUS_OK: all is sent, or xqueued or a signal has ended it. */
static enum status send_all(const struct connection_upload *upload, struct stream_view *view, struct rpc_client_stream *stream,
                            struct error *error)
{
    for (size_t sent = 0; await_room(view, sent); sent++) {
        const ProtobufCMessage *message = NULL;
        enum status status = upload->next(upload->context, &message, error);
        if (status != STATUS_OK)
            return status;
        if (!message) {
            rpc_client_stream_half_close(stream);
            break;
        }
        status = rpc_client_stream_send(stream, message);
        if (status == STATUS_CANCELED)
            break; // over already: the end says why
        if (status != STATUS_OK)
            return error_set(error, status, NULL, "%s: %s", upload->method->path, status_name(status));
    }
    return STATUS_OK;
}

/* Until the answer, the end, or the signal. */
static bool await_answer(struct stream_view *view)
{
    pthread_mutex_lock(&connection_interrupt.mutex);
    while (!view->is_over && !connection_interrupt.canceled)
        pthread_cond_wait(&view->wait.changed, &connection_interrupt.mutex);
    bool is_over = view->is_over;
    pthread_mutex_unlock(&connection_interrupt.mutex);
    return is_over;
}

enum status connection_upload(struct connection *connection, const struct connection_upload *upload,
                              struct rpc_message **out_reply, struct error *error)
{
    struct stream_view view;
    struct rpc_client_stream *stream = NULL;
    struct error end_error;
    enum status status = open_view(connection, upload->method, &view, &stream, error);
    if (status != STATUS_OK)
        return status;
    status = send_all(upload, &view, stream, error);
    if (status != STATUS_OK || !await_answer(&view))
        rpc_client_stream_cancel(stream);
    enum status end_status = close_view(connection, &view, stream, &end_error);
    if (status == STATUS_OK) {
        status = end_status;
        *error = end_error;
    }
    if (status == STATUS_OK && !view.newest)
        status = error_set(error, STATUS_INTERNAL, NULL, "%s: no answer", upload->method->path);
    if (status == STATUS_OK)
        *out_reply = view.newest;
    else
        rpc_message_free(view.newest);
    return status;
}
