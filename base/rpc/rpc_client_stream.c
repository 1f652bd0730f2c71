/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "base/rpc/rpc_client_internal.h"
#include "base/rpc/rpc_client_raw.h"
#include "base/rpc/rpc_server_call.h" /* RPC_SEND_QUEUE_BYTES_DEFAULT */

enum { RECEIVE_OPS_MAX = 2 };

struct rpc_client_stream {
    _Atomic int references;      /* the owner's, and ours until on_close has returned */
    struct rpc_channel *channel; /* kept */
    const struct rpc_client_method *method;
    struct rpc_client_stream_events events;
    void *context;
    bool is_paced;

    struct rpc_event on_sent;
    struct rpc_event on_received;
    struct rpc_event on_status;

    /* loop thread only */
    grpc_metadata_array greeting;
    grpc_byte_buffer *received;
    struct rpc_client_outcome outcome;
    bool spoiled; /* the server sent what we cannot read; spoiled_* count instead of the outcome */
    enum status spoiled_status;
    struct error spoiled_error;

    pthread_mutex_t lock;
    /* guarded by lock */
    grpc_call *core; /* owned; NULL after the stream's end */
    struct rpc_outbox outbox;
    unsigned pending; /* batches whose event has not come */
    bool sending;
    bool sending_message; /* not only metadata or the half-close */
    bool receiving;
    bool is_asked;     /* paced: one more message may come */
    bool half_closing; /* nothing more is taken for sending */
    bool half_closed;
    bool broken; /* a send failed */
    bool over;   /* the status is here */
};

static void release(struct rpc_client_stream *stream)
{
    if (atomic_fetch_sub_explicit(&stream->references, 1, memory_order_acq_rel) > 1) {
        return;
    }
    rpc_outbox_clear(&stream->outbox);
    grpc_metadata_array_destroy(&stream->greeting);
    rpc_client_outcome_finish(&stream->outcome);
    if (stream->core != NULL) {
        grpc_call_unref(stream->core);
    }
    pthread_mutex_destroy(&stream->lock);
    rpc_channel_release(stream->channel);
    memory_free(stream);
}

/* ---- sending; lock held ---- */

static bool start_send(struct rpc_client_stream *stream, const grpc_op *op)
{
    if (!rpc_start_batch(stream->core, op, 1, &stream->on_sent)) {
        return false;
    }
    stream->sending = true;
    stream->sending_message = op->op == GRPC_OP_SEND_MESSAGE;
    stream->pending++;
    return true;
}

/* Starts the next batch of sends, if it is time for one. The half-close goes last. */
static void pump(struct rpc_client_stream *stream)
{
    if (stream->sending || stream->over || stream->broken || stream->half_closed) {
        return;
    }
    grpc_op op;
    memset(&op, 0, sizeof(op));
    grpc_byte_buffer *message = rpc_outbox_take(&stream->outbox);
    if (message != NULL) {
        op.op = GRPC_OP_SEND_MESSAGE;
        op.flags = rpc_outbox_write_flags(&stream->outbox);
        op.data.send_message.send_message = message;
    } else if (stream->half_closing) {
        stream->half_closed = true;
        op.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    } else {
        return;
    }
    if (!start_send(stream, &op)) {
        stream->broken = true;
        (void)grpc_call_cancel(stream->core, NULL);
    }
    grpc_byte_buffer_destroy(message);
}

/* ---- the end ---- */

static void end(struct rpc_client_stream *stream)
{
    struct error error;
    enum status status = rpc_client_outcome_read(&stream->outcome, &error);
    if (stream->spoiled) {
        status = stream->spoiled_status;
        error = stream->spoiled_error;
    }
    pthread_mutex_lock(&stream->lock);
    grpc_call *core = stream->core;
    stream->core = NULL;
    pthread_mutex_unlock(&stream->lock);
    grpc_call_unref(core);
    stream->events.on_close(stream->context, status, &error);
    release(stream);
}

/* Last thing of each event. */
static void end_if_over(struct rpc_client_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    const bool ended = stream->over && stream->pending == 0;
    pthread_mutex_unlock(&stream->lock);
    if (ended) {
        end(stream);
    }
}

static void on_sent(struct rpc_event *event, bool ok)
{
    struct rpc_client_stream *stream = LIST_OWNER(event, struct rpc_client_stream, on_sent);
    pthread_mutex_lock(&stream->lock);
    const bool has_room = ok && stream->sending_message;
    stream->sending = false;
    stream->pending--;
    rpc_outbox_sent(&stream->outbox);
    if (!ok) {
        stream->broken = true; /* the status says why, and is on its way */
        rpc_outbox_clear(&stream->outbox);
    }
    pump(stream);
    pthread_mutex_unlock(&stream->lock);
    if (has_room && stream->events.on_sent != NULL) {
        stream->events.on_sent(stream->context);
    }
    end_if_over(stream);
}

static void on_status(struct rpc_event *event, bool ok)
{
    (void)ok;
    struct rpc_client_stream *stream = LIST_OWNER(event, struct rpc_client_stream, on_status);
    pthread_mutex_lock(&stream->lock);
    stream->over = true;
    stream->pending--;
    rpc_outbox_clear(&stream->outbox);
    pthread_mutex_unlock(&stream->lock);
    end_if_over(stream);
}

/* ---- receiving; loop thread, but for the first ---- */

/* Lock held. The first batch takes the initial metadata too. */
static bool start_receive(struct rpc_client_stream *stream, bool first)
{
    grpc_op ops[RECEIVE_OPS_MAX];
    memset(ops, 0, sizeof(ops));
    size_t count = 0;
    ops[count].op = GRPC_OP_RECV_MESSAGE;
    ops[count++].data.recv_message.recv_message = &stream->received;
    if (first) {
        ops[count].op = GRPC_OP_RECV_INITIAL_METADATA;
        ops[count++].data.recv_initial_metadata.recv_initial_metadata = &stream->greeting;
    }
    if (!rpc_start_batch(stream->core, ops, count, &stream->on_received)) {
        return false;
    }
    stream->receiving = true;
    stream->pending++;
    return true;
}

/* Lock held. Reads the next message, if it may come. A stream that is over has no more. */
static void read_on(struct rpc_client_stream *stream)
{
    if (stream->receiving || stream->over || (stream->is_paced && !stream->is_asked)) {
        return;
    }
    stream->is_asked = false;
    if (!start_receive(stream, false)) {
        (void)grpc_call_cancel(stream->core, NULL);
    }
}

static void spoil(struct rpc_client_stream *stream, enum status status)
{
    stream->spoiled = true;
    stream->spoiled_status = status == STATUS_NO_MEMORY ? status : STATUS_INTERNAL;
    (void)error_set(&stream->spoiled_error, stream->spoiled_status, NULL, "a message of the server cannot be read: %s",
                    status_name(status));
    rpc_client_stream_cancel(stream);
}

static void deliver(struct rpc_client_stream *stream, grpc_byte_buffer *buffer)
{
    struct rpc_message *message = NULL;
    if (stream->spoiled) {
        return;
    }
    const enum status status = rpc_buffer_unpack(buffer, stream->method->reply, stream->channel->message_bytes_max, &message);
    if (status == STATUS_OK) {
        stream->events.on_message(stream->context, message);
    } else {
        spoil(stream, status);
    }
}

/* Reads on until there is no message: messages may still wait when the status is here. */
static void on_received(struct rpc_event *event, bool ok)
{
    struct rpc_client_stream *stream = LIST_OWNER(event, struct rpc_client_stream, on_received);
    grpc_byte_buffer *buffer = stream->received;
    stream->received = NULL;
    const bool more = ok && buffer != NULL;
    if (more) {
        deliver(stream, buffer);
    }
    grpc_byte_buffer_destroy(buffer);
    pthread_mutex_lock(&stream->lock);
    stream->pending--;
    stream->receiving = false;
    if (more) {
        read_on(stream);
    }
    pthread_mutex_unlock(&stream->lock);
    end_if_over(stream);
}

/* ---- open ---- */

static struct rpc_client_stream *create_stream(struct rpc_channel *channel, const struct rpc_client_method *method,
                                               const struct rpc_client_stream_events *events, void *context)
{
    struct rpc_client_stream *stream = MEMORY_TRY_NEW(struct rpc_client_stream);
    if (stream == NULL) {
        return NULL;
    }
    rpc_channel_keep(channel);
    atomic_init(&stream->references, 1);
    stream->channel = channel;
    stream->method = method;
    stream->events = *events;
    stream->context = context;
    stream->on_sent.on_event = on_sent;
    stream->on_received.on_event = on_received;
    stream->on_status.on_event = on_status;
    grpc_metadata_array_init(&stream->greeting);
    rpc_client_outcome_init(&stream->outcome);
    pthread_mutex_init(&stream->lock, NULL);
    rpc_outbox_init(&stream->outbox, RPC_SEND_QUEUE_BYTES_DEFAULT);
    return stream;
}

/*
 * The send goes first: only it can be refused, for its metadata, and then nothing has been started. The other two cannot fail
 * on a fresh call; if they did, no end would ever be reported.
 */
static enum status start_stream(struct rpc_client_stream *stream, const struct rpc_client_opening *opening,
                                struct rpc_client_stream **out_stream)
{
    grpc_op op;
    memset(&op, 0, sizeof(op));
    rpc_client_opening_add(opening, &op);
    pthread_mutex_lock(&stream->lock);
    if (!start_send(stream, &op)) {
        pthread_mutex_unlock(&stream->lock);
        return STATUS_INTERNAL;
    }
    (void)atomic_fetch_add_explicit(&stream->references, 1, memory_order_relaxed);
    *out_stream = stream; /* callbacks may come before this returns, and want to send */
    memset(&op, 0, sizeof(op));
    rpc_client_outcome_add(&stream->outcome, &op);
    const bool watched = rpc_start_batch(stream->core, &op, 1, &stream->on_status);
    assert(watched);
    stream->pending++;
    const bool receiving = start_receive(stream, true);
    assert(receiving);
    pthread_mutex_unlock(&stream->lock);
    return STATUS_OK;
}

enum status rpc_client_stream_open(struct rpc_channel *channel, const struct rpc_client_method *method,
                                   const struct rpc_call_options *options, const struct rpc_client_stream_events *events,
                                   void *context, struct rpc_client_stream **out_stream)
{
    struct rpc_client_opening opening;
    enum status status = rpc_client_opening_init(&opening, options);
    if (status != STATUS_OK) {
        return status;
    }
    struct rpc_client_stream *stream = create_stream(channel, method, events, context);
    if (stream == NULL) {
        rpc_client_opening_finish(&opening);
        return STATUS_NO_MEMORY;
    }
    stream->is_paced = options->is_paced != 0;
    status = rpc_channel_create_call(channel, method, options, &stream->core);
    if (status == STATUS_OK) {
        status = start_stream(stream, &opening, out_stream);
    }
    rpc_client_opening_finish(&opening);
    if (status != STATUS_OK) {
        release(stream);
    }
    return status;
}

/* ---- the owner's side ---- */

/* Takes buffer in any case. */
static enum status send_packed(struct rpc_client_stream *stream, grpc_byte_buffer *buffer)
{
    if (buffer == NULL) {
        return STATUS_NO_MEMORY;
    }
    enum status status = STATUS_CANCELED;
    pthread_mutex_lock(&stream->lock);
    if (!stream->over && !stream->broken && !stream->half_closing) {
        status = rpc_outbox_append(&stream->outbox, buffer, false);
    }
    if (status == STATUS_OK) {
        pump(stream);
    }
    pthread_mutex_unlock(&stream->lock);
    if (status != STATUS_OK) {
        grpc_byte_buffer_destroy(buffer);
    }
    return status;
}

enum status rpc_client_stream_send(struct rpc_client_stream *stream, const ProtobufCMessage *message)
{
    return send_packed(stream, rpc_buffer_pack(message));
}

enum status rpc_client_stream_send_raw(struct rpc_client_stream *stream, struct rpc_raw raw)
{
    return send_packed(stream, rpc_buffer_copy(raw.bytes, raw.length));
}

void rpc_client_stream_receive(struct rpc_client_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    stream->is_asked = true;
    read_on(stream);
    pthread_mutex_unlock(&stream->lock);
}

void rpc_client_stream_half_close(struct rpc_client_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    stream->half_closing = true;
    pump(stream);
    pthread_mutex_unlock(&stream->lock);
}

void rpc_client_stream_cancel(struct rpc_client_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    if (stream->core != NULL) {
        (void)grpc_call_cancel(stream->core, NULL);
    }
    pthread_mutex_unlock(&stream->lock);
}

void rpc_client_stream_release(struct rpc_client_stream *stream)
{
    if (stream != NULL) {
        release(stream);
    }
}
