/* SPDX-License-Identifier: Apache-2.0 */
/* How a call's messages and its status leave: one batch at a time, the status last. */
#include <assert.h>
#include <string.h>

#include "base/rpc/rpc_server_internal.h"
#include "base/rpc/rpc_status.h"

enum { SEND_OPS_MAX = 3 };

static void add_status(struct rpc_server_call *call, grpc_op *op, struct rpc_trailers *trailers)
{
    rpc_trailers_init(trailers, call->finish_status, &call->finish_error, call->method != NULL ? call->method->path : NULL);
    op->op = GRPC_OP_SEND_STATUS_FROM_SERVER;
    op->data.send_status_from_server.status = (grpc_status_code)rpc_status_to_code(call->finish_status);
    op->data.send_status_from_server.status_details = &trailers->details;
    op->data.send_status_from_server.trailing_metadata = trailers->entries;
    op->data.send_status_from_server.trailing_metadata_count = trailers->count;
}

/* Starts the next batch of sends, if it is time for one. Lock held. The status goes with the last message, or alone. */
void rpc_server_call_pump(struct rpc_server_call *call)
{
    if (call->sending || call->over || call->broken || call->status_started || !(call->opened || call->finishing)) {
        return;
    }
    grpc_op ops[SEND_OPS_MAX];
    memset(ops, 0, sizeof(ops));
    size_t count = 0;
    if (!call->metadata_started) {
        call->metadata_started = true;
        ops[count++].op = GRPC_OP_SEND_INITIAL_METADATA;
    }
    grpc_byte_buffer *message = rpc_outbox_take(&call->outbox);
    if (message != NULL) {
        ops[count].op = GRPC_OP_SEND_MESSAGE;
        ops[count].flags = rpc_outbox_write_flags(&call->outbox);
        ops[count++].data.send_message.send_message = message;
    }
    struct rpc_trailers trailers = {.count = 0};
    const bool last = call->finishing && rpc_outbox_is_empty(&call->outbox);
    if (last) {
        call->status_started = true;
        add_status(call, &ops[count++], &trailers);
    }
    if (count == 0) {
        return;
    }
    call->sending = true;
    call->sending_message = message != NULL;
    call->pending++;
    const bool started = rpc_start_batch(call->core, ops, count, &call->on_sent);
    assert(started);
    grpc_byte_buffer_destroy(message);
    if (last) {
        rpc_trailers_finish(&trailers);
    }
}

/* Lock held. */
bool rpc_server_call_is_ended(const struct rpc_server_call *call)
{
    return call->over || call->broken || call->finishing;
}

/* Lock held. */
static void start_finish(struct rpc_server_call *call, enum status status, const struct error *error)
{
    call->finishing = true;
    call->finish_status = status;
    if (error != NULL) {
        call->finish_error = *error;
    }
    rpc_loop_schedule(rpc_server_loop(call->server), &call->stall, call->limits.finish_stall_ms);
    rpc_server_call_pump(call);
}

void rpc_server_call_reply(struct rpc_server_call *call, const ProtobufCMessage *reply)
{
    grpc_byte_buffer *buffer = rpc_buffer_pack(reply);
    pthread_mutex_lock(&call->lock);
    if (!rpc_server_call_is_ended(call)) {
        if (buffer != NULL && rpc_outbox_append(&call->outbox, buffer, true) == STATUS_OK) {
            buffer = NULL;
            start_finish(call, STATUS_OK, NULL);
        } else {
            start_finish(call, STATUS_NO_MEMORY, NULL);
        }
    }
    pthread_mutex_unlock(&call->lock);
    grpc_byte_buffer_destroy(buffer);
}

void rpc_server_call_finish(struct rpc_server_call *call, enum status status, const struct error *error)
{
    pthread_mutex_lock(&call->lock);
    if (!rpc_server_call_is_ended(call)) {
        if (status == STATUS_FULL) {
            rpc_outbox_clear(&call->outbox); /* a peer that does not read is not waited for */
        }
        start_finish(call, status, error);
    }
    pthread_mutex_unlock(&call->lock);
}

enum status rpc_server_call_send(struct rpc_server_call *call, const ProtobufCMessage *message)
{
    grpc_byte_buffer *buffer = rpc_buffer_pack(message);
    if (buffer == NULL) {
        return STATUS_NO_MEMORY;
    }
    pthread_mutex_lock(&call->lock);
    assert(call->method->kind != RPC_UNARY);
    enum status status = STATUS_CANCELED;
    if (!rpc_server_call_is_ended(call)) {
        status = rpc_outbox_append(&call->outbox, buffer, false);
    }
    if (status == STATUS_OK) {
        rpc_server_call_pump(call);
    }
    pthread_mutex_unlock(&call->lock);
    if (status != STATUS_OK) {
        grpc_byte_buffer_destroy(buffer);
    }
    return status;
}

size_t rpc_server_call_unsent_bytes(struct rpc_server_call *call)
{
    pthread_mutex_lock(&call->lock);
    const size_t bytes = call->outbox.bytes;
    pthread_mutex_unlock(&call->lock);
    return bytes;
}

void rpc_server_call_is_busy(struct rpc_server_call *call)
{
    if (call->method->idle_ms > 0 && !rpc_server_call_is_ended(call)) {
        rpc_loop_schedule(rpc_server_loop(call->server), &call->stall, call->method->idle_ms);
    }
}

/* A stream was idle; or the peer takes nothing of a finished call, and gets CANCELED instead of the status, or nothing. */
void rpc_server_call_on_stalled(struct rpc_timer *timer)
{
    struct rpc_server_call *call = HEAP_OWNER(timer, struct rpc_server_call, stall);
    pthread_mutex_lock(&call->lock);
    if (!rpc_server_call_is_ended(call)) {
        struct error error;
        (void)error_set(&error, STATUS_TIMEOUT, "STREAM_IDLE", "no message came or left for %d ms", call->method->idle_ms);
        start_finish(call, STATUS_TIMEOUT, &error);
    } else if (!call->over) {
        (void)grpc_call_cancel(call->core, NULL);
    }
    pthread_mutex_unlock(&call->lock);
}

void rpc_server_call_on_sent(struct rpc_event *event, bool ok)
{
    struct rpc_server_call *call = LIST_OWNER(event, struct rpc_server_call, on_sent);
    pthread_mutex_lock(&call->lock);
    call->sending = false;
    call->pending--;
    rpc_outbox_sent(&call->outbox);
    if (!ok) {
        call->broken = true;
        rpc_outbox_clear(&call->outbox);
    }
    if (call->finishing && !call->status_started && !call->over && !call->broken) {
        rpc_loop_schedule(rpc_server_loop(call->server), &call->stall, call->limits.finish_stall_ms);
    }
    const bool was_message = call->sending_message;
    if (was_message) {
        rpc_server_call_is_busy(call);
    }
    rpc_server_call_pump(call);
    if (call->receive_when_sent && !call->sending) {
        call->receive_when_sent = false;
        rpc_server_call_ask(call);
    }
    const bool drained = was_message && call->outbox.bytes == 0 && !rpc_server_call_is_ended(call);
    pthread_mutex_unlock(&call->lock);
    if (drained && call->reached && call->method->on_drained != NULL) {
        call->method->on_drained(call);
    }
    rpc_server_call_end_if_over(call);
}
