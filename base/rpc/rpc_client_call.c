/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rpc/rpc_client_call.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/rpc/rpc_client_internal.h"
#include "base/rpc/rpc_client_raw.h"

enum { UNARY_OPS = 6 };

struct unary_call {
    struct rpc_event event;
    struct rpc_channel *channel; /* kept */
    grpc_call *core;             /* owned */
    const struct rpc_client_method *method;
    rpc_client_on_reply *on_reply;
    void *context;
    struct list_node node; /* in the channel's calls; guarded by the channel's lock */
    grpc_metadata_array greeting;
    grpc_byte_buffer *reply; /* owned */
    struct rpc_client_outcome outcome;
};

static void free_call(struct unary_call *call)
{
    grpc_byte_buffer_destroy(call->reply);
    grpc_metadata_array_destroy(&call->greeting);
    rpc_client_outcome_finish(&call->outcome);
    if (call->core != NULL) {
        grpc_call_unref(call->core);
    }
    rpc_channel_release(call->channel);
    memory_free(call);
}

/* Turns what came into a status and, if it is STATUS_OK, a message. */
static enum status read_reply(struct unary_call *call, struct rpc_message **out_reply, struct error *error)
{
    enum status status = rpc_client_outcome_read(&call->outcome, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (call->reply == NULL) {
        return error_set(error, STATUS_INTERNAL, NULL, "the server answered without a message");
    }
    status = rpc_buffer_unpack(call->reply, call->method->reply, call->channel->message_bytes_max, out_reply);
    if (status == STATUS_NO_MEMORY) {
        return error_set(error, status, NULL, "no memory for the server's answer");
    }
    if (status != STATUS_OK) {
        /* Not STATUS_INVALID: that would blame the request. */
        return error_set(error, STATUS_INTERNAL, NULL, "the server's answer is no %s", call->method->reply->name);
    }
    return STATUS_OK;
}

static void on_done(struct rpc_event *event, bool ok)
{
    (void)ok; /* the status tells */
    struct unary_call *call = LIST_OWNER(event, struct unary_call, event);
    struct rpc_message *reply = NULL;
    struct error error;
    pthread_mutex_lock(&call->channel->lock);
    list_remove(&call->channel->calls, &call->node);
    pthread_mutex_unlock(&call->channel->lock);
    const enum status status = read_reply(call, &reply, &error);
    rpc_client_on_reply *on_reply = call->on_reply;
    void *context = call->context;
    /* First, so that the owner may destroy the channel as soon as the callback has told it. */
    free_call(call);
    on_reply(context, status, reply, &error);
}

static struct unary_call *create_call(struct rpc_channel *channel, const struct rpc_client_unary *unary)
{
    struct unary_call *call = MEMORY_TRY_NEW(struct unary_call);
    if (call == NULL) {
        return NULL;
    }
    rpc_channel_keep(channel);
    call->event.on_event = on_done;
    call->channel = channel;
    call->method = unary->method;
    call->on_reply = unary->on_reply;
    call->context = unary->context;
    grpc_metadata_array_init(&call->greeting);
    rpc_client_outcome_init(&call->outcome);
    return call;
}

/* The whole call is one batch. Under the channel's lock, so that cancel_all either finds the call or refuses it. */
static enum status start_batch(struct unary_call *call, const struct rpc_client_opening *opening, grpc_byte_buffer *request)
{
    grpc_op ops[UNARY_OPS];
    memset(ops, 0, sizeof(ops));
    rpc_client_opening_add(opening, &ops[0]);
    ops[1].op = GRPC_OP_SEND_MESSAGE;
    ops[1].data.send_message.send_message = request;
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &call->greeting;
    ops[4].op = GRPC_OP_RECV_MESSAGE;
    ops[4].data.recv_message.recv_message = &call->reply;
    rpc_client_outcome_add(&call->outcome, &ops[5]);

    struct rpc_channel *channel = call->channel;
    enum status status = STATUS_CANCELED;
    pthread_mutex_lock(&channel->lock);
    if (!channel->canceled) {
        list_append(&channel->calls, &call->node);
        status = rpc_start_batch(call->core, ops, UNARY_OPS, &call->event) ? STATUS_OK : STATUS_INTERNAL;
        if (status != STATUS_OK) {
            list_remove(&channel->calls, &call->node);
        }
    }
    pthread_mutex_unlock(&channel->lock);
    return status;
}

static enum status start_call(struct rpc_channel *channel, const struct rpc_client_unary *unary, grpc_byte_buffer *request)
{
    struct rpc_client_opening opening;
    enum status status = rpc_client_opening_init(&opening, unary->options);
    if (status != STATUS_OK) {
        return status;
    }
    struct unary_call *call = create_call(channel, unary);
    if (call == NULL) {
        rpc_client_opening_finish(&opening);
        return STATUS_NO_MEMORY;
    }
    status = rpc_channel_create_call(channel, unary->method, unary->options, &call->core);
    if (status == STATUS_OK) {
        status = start_batch(call, &opening, request);
    }
    if (status != STATUS_OK) {
        free_call(call);
    }
    rpc_client_opening_finish(&opening);
    return status;
}

enum status rpc_channel_start_packed(struct rpc_channel *channel, const struct rpc_client_unary *unary,
                                     grpc_byte_buffer *request)
{
    if (request == NULL) {
        return STATUS_NO_MEMORY;
    }
    /* A unary call without a deadline can wait for ever. */
    const enum status status = unary->options->timeout_ms > 0 ? start_call(channel, unary, request) : STATUS_INVALID;
    grpc_byte_buffer_destroy(request);
    return status;
}

enum status rpc_channel_start(struct rpc_channel *channel, const struct rpc_client_method *method,
                              const ProtobufCMessage *request, const struct rpc_call_options *options,
                              rpc_client_on_reply *on_reply, void *context)
{
    const struct rpc_client_unary unary = {.method = method, .options = options, .on_reply = on_reply, .context = context};
    return rpc_channel_start_packed(channel, &unary, rpc_buffer_pack(request));
}

void rpc_channel_cancel_all(struct rpc_channel *channel)
{
    pthread_mutex_lock(&channel->lock);
    channel->canceled = true;
    for (struct list_node *node = list_first(&channel->calls); node != NULL; node = list_next(&channel->calls, node)) {
        struct unary_call *call = LIST_OWNER(node, struct unary_call, node);
        (void)grpc_call_cancel(call->core, NULL);
    }
    pthread_mutex_unlock(&channel->lock);
}

/* ---- blocking form ---- */

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t done_changed;
    /* guarded by lock */
    bool done;
    enum status status;
    struct rpc_message *reply;
    struct error error;
};

static void on_waited_reply(void *context, enum status status, struct rpc_message *reply, const struct error *error)
{
    struct waiter *waiter = context;
    pthread_mutex_lock(&waiter->lock);
    waiter->done = true;
    waiter->status = status;
    waiter->reply = reply;
    waiter->error = *error;
    pthread_cond_signal(&waiter->done_changed);
    pthread_mutex_unlock(&waiter->lock);
}

static void wait_for_reply(struct waiter *waiter)
{
    pthread_mutex_lock(&waiter->lock);
    while (!waiter->done) {
        pthread_cond_wait(&waiter->done_changed, &waiter->lock);
    }
    pthread_mutex_unlock(&waiter->lock);
}

struct blocking_call {
    struct rpc_channel *channel;
    const struct rpc_client_method *method;
    const struct rpc_call_options *options;
};

/* request is taken. */
static enum status call_and_wait(const struct blocking_call *call, grpc_byte_buffer *request, struct rpc_message **out_reply,
                                 struct error *error)
{
    if (rpc_loop_is_here(call->channel->loop)) {
        grpc_byte_buffer_destroy(request);
        return error_set(error, STATUS_WRONG_STATE, NULL, "a blocking call in a callback would wait for itself");
    }
    struct waiter waiter = {.done = false};
    pthread_mutex_init(&waiter.lock, NULL);
    clock_condition_init(&waiter.done_changed);
    const struct rpc_client_unary unary = {
        .method = call->method, .options = call->options, .on_reply = on_waited_reply, .context = &waiter};
    enum status status = rpc_channel_start_packed(call->channel, &unary, request);
    if (status == STATUS_OK) {
        wait_for_reply(&waiter);
        status = waiter.status;
    } else {
        (void)error_set(&waiter.error, status, NULL, "the call could not be started: %s", status_name(status));
    }
    pthread_cond_destroy(&waiter.done_changed);
    pthread_mutex_destroy(&waiter.lock);
    if (status == STATUS_OK) {
        *out_reply = waiter.reply;
    } else if (error != NULL) {
        *error = waiter.error;
    }
    return status;
}

enum status rpc_channel_call(struct rpc_channel *channel, const struct rpc_client_method *method,
                             const ProtobufCMessage *request, const struct rpc_call_options *options,
                             struct rpc_message **out_reply, struct error *error)
{
    const struct blocking_call call = {.channel = channel, .method = method, .options = options};
    return call_and_wait(&call, rpc_buffer_pack(request), out_reply, error);
}

enum status rpc_channel_call_raw(struct rpc_channel *channel, const struct rpc_client_method *method, struct rpc_raw raw,
                                 const struct rpc_call_options *options, struct rpc_message **out_reply, struct error *error)
{
    const struct blocking_call call = {.channel = channel, .method = method, .options = options};
    return call_and_wait(&call, rpc_buffer_copy(raw.bytes, raw.length), out_reply, error);
}
