/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rpc/rpc_server_call.h"

#include <assert.h>
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/rpc/rpc_server_internal.h"
#include "base/text.h"

#define BEARER_KEY    "authorization"
#define BEARER_SCHEME "Bearer "

/* ---- the end ---- */

static void end(struct rpc_server_call *call)
{
    struct rpc_server *server = call->server;
    const bool accepted = call->accepted;
    rpc_loop_unschedule(rpc_server_loop(server), &call->stall);
    if (call->reached && call->method->on_close != NULL) {
        call->method->on_close(call);
    }
    pthread_mutex_lock(&call->lock);
    grpc_call *core = call->core;
    call->core = NULL;
    pthread_mutex_unlock(&call->lock);
    grpc_call_unref(core);
    rpc_server_call_release(call);
    rpc_server_count_out(server, accepted);
}

/* Last thing of each event. Batches start on any thread, but their events come here, so the last one finds nothing pending. */
void rpc_server_call_end_if_over(struct rpc_server_call *call)
{
    pthread_mutex_lock(&call->lock);
    const bool ended = call->over && call->pending == 0;
    pthread_mutex_unlock(&call->lock);
    if (ended) {
        end(call);
    }
}

static void on_closed(struct rpc_event *event, bool ok)
{
    (void)ok;
    struct rpc_server_call *call = LIST_OWNER(event, struct rpc_server_call, on_closed);
    pthread_mutex_lock(&call->lock);
    call->over = true;
    call->pending--;
    rpc_outbox_clear(&call->outbox);
    pthread_mutex_unlock(&call->lock);
    rpc_server_call_end_if_over(call);
}

/* ---- receiving ---- */

static void deliver(struct rpc_server_call *call, grpc_byte_buffer *buffer)
{
    struct error error;
    struct rpc_message *message = NULL;
    const enum status status = rpc_buffer_unpack(buffer, call->method->request, call->limits.message_bytes_max, &message);
    switch (status) {
    case STATUS_OK:
        call->reached = true;
        call->method->on_message(call, message);
        return;
    case STATUS_FULL:
        (void)error_set(&error, status, "MESSAGE_TOO_LARGE", "the message needs more memory than this server gives");
        break;
    default:
        (void)error_set(&error, status, "MALFORMED", "the message is not a %s, or has bad text, or is nested too deep",
                        call->method->request->name);
        break;
    }
    rpc_server_call_finish(call, status, &error);
}

/* No message: the client has half-closed, or the call has failed; only the C core can tell. */
static void on_received(struct rpc_event *event, bool ok)
{
    struct rpc_server_call *call = LIST_OWNER(event, struct rpc_server_call, on_received);
    grpc_byte_buffer *buffer = call->received;
    call->received = NULL;
    pthread_mutex_lock(&call->lock);
    call->receiving = false;
    call->pending--;
    call->received_all = buffer == NULL;
    const bool failed = buffer == NULL && (!ok || call->over || grpc_call_failed_before_recv_message(call->core) != 0);
    const bool wanted = !rpc_server_call_is_ended(call) && !failed;
    if (wanted) {
        rpc_server_call_is_busy(call);
    }
    pthread_mutex_unlock(&call->lock);
    if (wanted && buffer != NULL) {
        deliver(call, buffer);
    } else if (wanted && call->method->on_half_close != NULL) {
        call->method->on_half_close(call);
    }
    grpc_byte_buffer_destroy(buffer);
    rpc_server_call_end_if_over(call);
}

void rpc_server_call_ask(struct rpc_server_call *call)
{
    assert(call->method->kind == RPC_BIDI_STREAM || call->method->kind == RPC_CLIENT_STREAM);
    if (!call->receiving && !call->received_all && !rpc_server_call_is_ended(call)) {
        grpc_op op;
        memset(&op, 0, sizeof(op));
        op.op = GRPC_OP_RECV_MESSAGE;
        op.data.recv_message.recv_message = &call->received;
        call->receiving = true;
        call->pending++;
        const bool started = rpc_start_batch(call->core, &op, 1, &call->on_received);
        assert(started);
    }
}

void rpc_server_call_receive(struct rpc_server_call *call)
{
    pthread_mutex_lock(&call->lock);
    rpc_server_call_ask(call);
    pthread_mutex_unlock(&call->lock);
}

void rpc_server_call_receive_when_sent(struct rpc_server_call *call)
{
    pthread_mutex_lock(&call->lock);
    if (call->sending) {
        call->receive_when_sent = true;
    } else {
        rpc_server_call_ask(call);
    }
    pthread_mutex_unlock(&call->lock);
}

/* ---- the beginning ---- */

static bool has_authorization(const grpc_metadata_array *metadata)
{
    bool found = false;
    for (size_t i = 0; i < metadata->count && !found; i++) {
        found = grpc_slice_str_cmp(metadata->metadata[i].key, BEARER_KEY) == 0;
    }
    return found;
}

/* Finds the token in metadata. False when there is none, more than one, or it is malformed or too long. */
static bool read_bearer(const grpc_metadata_array *metadata, char out[RPC_BEARER_BYTES_MAX + 1])
{
    const size_t scheme_length = strlen(BEARER_SCHEME);
    const grpc_metadata *found = NULL;
    for (size_t i = 0; i < metadata->count; i++) {
        if (grpc_slice_str_cmp(metadata->metadata[i].key, BEARER_KEY) != 0) {
            continue;
        }
        if (found != NULL) {
            return false;
        }
        found = &metadata->metadata[i];
    }
    if (found == NULL) {
        return false;
    }
    const char *value = (const char *)GRPC_SLICE_START_PTR(found->value);
    const size_t length = GRPC_SLICE_LENGTH(found->value);
    if (length <= scheme_length || length > scheme_length + RPC_BEARER_BYTES_MAX ||
        strncasecmp(value, BEARER_SCHEME, scheme_length) != 0) {
        return false;
    }
    for (size_t i = scheme_length; i < length; i++) {
        if (value[i] <= ' ' || value[i] > '~') {
            return false;
        }
    }
    memcpy(out, value + scheme_length, length - scheme_length);
    out[length - scheme_length] = '\0';
    return true;
}

static enum status authorise(struct rpc_server_call *call, const grpc_metadata_array *metadata, struct error *error)
{
    const struct rpc_server_options *hooks = rpc_server_hooks(call->server);
    if (hooks->authorise == NULL) {
        return STATUS_OK;
    }
    char bearer[RPC_BEARER_BYTES_MAX + 1];
    call->has_authorization = has_authorization(metadata);
    call->bearer = read_bearer(metadata, bearer) ? bearer : NULL;
    const enum status status = hooks->authorise(call, call->method, hooks->context, error);
    call->bearer = NULL;
    memory_wipe(bearer, sizeof(bearer));
    return status;
}

static enum status admit(struct rpc_server_call *call, const struct rpc_arrival *arrival, struct error *error)
{
    call->accepted = rpc_server_count_in(call->server, call->method != NULL && call->method->while_draining);
    if (!call->accepted) {
        return error_set(error, STATUS_UNAVAILABLE, "DRAINING", "the server is stopping");
    }
    if (call->method == NULL) {
        return error_set(error, STATUS_UNIMPLEMENTED, "METHOD", "unknown method %s", arrival->path);
    }
    const enum status status = authorise(call, &arrival->metadata, error);
    if (status == STATUS_OK && call->method->on_message == NULL) {
        return error_set(error, STATUS_UNIMPLEMENTED, "METHOD", "%s is not implemented by this server", call->method->path);
    }
    return status;
}

static struct rpc_server_call *create(struct rpc_server *server, const struct rpc_arrival *arrival)
{
    struct rpc_server_call *call = MEMORY_NEW(struct rpc_server_call);
    atomic_init(&call->references, 1);
    call->server = server;
    call->method = arrival->method;
    call->context = rpc_server_hooks(server)->context;
    call->limits = *rpc_server_limits(server);
    call->deadline = gpr_convert_clock_type(arrival->deadline, GPR_CLOCK_MONOTONIC);
    call->on_closed.on_event = on_closed;
    call->on_received.on_event = on_received;
    call->on_sent.on_event = rpc_server_call_on_sent;
    call->stall.on_due = rpc_server_call_on_stalled;
    pthread_mutex_init(&call->lock, NULL);
    call->core = arrival->call;
    rpc_outbox_init(&call->outbox, call->limits.send_queue_bytes_max);
    return call;
}

/* The only reliable sign that a call is over; every call needs it, once. */
static void watch_close(struct rpc_server_call *call)
{
    grpc_op op;
    memset(&op, 0, sizeof(op));
    op.op = GRPC_OP_RECV_CLOSE_ON_SERVER;
    op.data.recv_close_on_server.cancelled = &call->cancelled;
    pthread_mutex_lock(&call->lock);
    call->pending++;
    const bool started = rpc_start_batch(call->core, &op, 1, &call->on_closed);
    assert(started);
    pthread_mutex_unlock(&call->lock);
}

/* Clients learn from the initial metadata that the stream stands; some show it to their users only then. */
static void open_stream(struct rpc_server_call *call)
{
    pthread_mutex_lock(&call->lock);
    call->opened = true;
    rpc_server_call_is_busy(call);
    rpc_server_call_pump(call);
    pthread_mutex_unlock(&call->lock);
}

static void open_call(struct rpc_server_call *call, grpc_byte_buffer *payload)
{
    struct error error;
    const enum rpc_method_kind kind = call->method->kind;
    if (kind != RPC_UNARY) {
        open_stream(call);
    }
    if (kind == RPC_BIDI_STREAM || kind == RPC_CLIENT_STREAM) {
        call->reached = true;
        if (call->method->on_open != NULL) {
            call->method->on_open(call);
        }
        rpc_server_call_receive(call);
    } else if (payload != NULL) {
        deliver(call, payload);
    } else {
        (void)error_set(&error, STATUS_INVALID, "MALFORMED", "a request message is missing");
        rpc_server_call_finish(call, STATUS_INVALID, &error);
    }
}

void rpc_server_call_begin(struct rpc_server *server, struct rpc_arrival *arrival)
{
    struct error error;
    (void)error_set(&error, STATUS_OK, NULL, "%s", "");
    struct rpc_server_call *call = create(server, arrival);
    watch_close(call);
    const enum status status = admit(call, arrival, &error);
    grpc_metadata_array_destroy(&arrival->metadata);
    if (status == STATUS_OK) {
        open_call(call, arrival->payload);
    } else {
        rpc_server_call_finish(call, status, &error);
    }
    grpc_byte_buffer_destroy(arrival->payload);
}

/* ---- references and properties ---- */

void rpc_server_call_keep(struct rpc_server_call *call)
{
    (void)atomic_fetch_add_explicit(&call->references, 1, memory_order_relaxed);
}

void rpc_server_call_release(struct rpc_server_call *call)
{
    if (call == NULL || atomic_fetch_sub_explicit(&call->references, 1, memory_order_acq_rel) > 1) {
        return;
    }
    assert(call->core == NULL); /* the call's own reference goes last, after its end */
    if (call->destroy_identity != NULL) {
        call->destroy_identity(call->identity);
    }
    gpr_free(call->peer);
    pthread_mutex_destroy(&call->lock);
    memory_free(call);
}

const struct rpc_method *rpc_server_call_method(const struct rpc_server_call *call)
{
    return call->method;
}

void *rpc_server_call_context(const struct rpc_server_call *call)
{
    return call->context;
}

const char *rpc_server_call_bearer(const struct rpc_server_call *call)
{
    return call->bearer;
}

bool rpc_server_call_has_authorization(const struct rpc_server_call *call)
{
    return call->has_authorization;
}

/* The only property of that name, as a text. */
static bool read_property(const grpc_auth_context *context, const char *name, char *out, size_t capacity)
{
    grpc_auth_property_iterator iterator = grpc_auth_context_find_properties_by_name(context, name);
    const grpc_auth_property *only = grpc_auth_property_iterator_next(&iterator);
    if (only == NULL || grpc_auth_property_iterator_next(&iterator) != NULL || only->value_length >= capacity) {
        return false;
    }
    char text[RPC_CERTIFICATE_NAME_MAX];
    if (only->value_length >= sizeof(text) || memchr(only->value, '\0', only->value_length) != NULL) {
        return false;
    }
    memcpy(text, only->value, only->value_length);
    text[only->value_length] = '\0';
    return text_is_name(text, capacity - 1) && text_copy(out, capacity, text);
}

bool rpc_server_call_certificate_name(const struct rpc_server_call *call, enum rpc_certificate_name which, char *out,
                                      size_t capacity)
{
    static const char *const properties[] = {
        [RPC_CERTIFICATE_COMMON_NAME] = GRPC_X509_CN_PROPERTY_NAME,
        [RPC_CERTIFICATE_DNS_NAME] = GRPC_PEER_DNS_PROPERTY_NAME,
        [RPC_CERTIFICATE_URI] = GRPC_PEER_URI_PROPERTY_NAME,
    };
    grpc_auth_context *context = grpc_call_auth_context(call->core);
    const bool found = context != NULL && grpc_auth_context_peer_is_authenticated(context) == 1 &&
                       read_property(context, properties[which], out, capacity);
    grpc_auth_context_release(context);
    return found;
}

const char *rpc_server_call_peer(struct rpc_server_call *call)
{
    pthread_mutex_lock(&call->lock);
    if (call->peer == NULL && call->core != NULL) {
        call->peer = grpc_call_get_peer(call->core);
    }
    const char *peer = call->peer != NULL ? call->peer : "";
    pthread_mutex_unlock(&call->lock);
    return peer;
}

int64_t rpc_server_call_time_left_ms(const struct rpc_server_call *call)
{
    if (gpr_time_cmp(call->deadline, gpr_inf_future(GPR_CLOCK_MONOTONIC)) >= 0) {
        return INT64_MAX;
    }
    const gpr_timespec left = gpr_time_sub(call->deadline, gpr_now(GPR_CLOCK_MONOTONIC));
    return left.tv_sec < 0 ? 0 : left.tv_sec * GPR_MS_PER_SEC + left.tv_nsec / GPR_NS_PER_MS;
}

void rpc_server_call_set_identity(struct rpc_server_call *call, void *identity, void (*destroy)(void *identity))
{
    if (call->destroy_identity != NULL) {
        call->destroy_identity(call->identity);
    }
    call->identity = identity;
    call->destroy_identity = destroy;
}

void *rpc_server_call_identity(const struct rpc_server_call *call)
{
    return call->identity;
}

void rpc_server_call_set_data(struct rpc_server_call *call, void *data)
{
    call->data = data;
}

void *rpc_server_call_data(const struct rpc_server_call *call)
{
    return call->data;
}

bool rpc_server_call_was_given_up(const struct rpc_server_call *call)
{
    return call->cancelled != 0;
}

bool rpc_server_call_is_over(const struct rpc_server_call *call)
{
    /* The lock is no part of what the caller sees as constant. */
    struct rpc_server_call *mutable_call = (struct rpc_server_call *)(uintptr_t)call;
    pthread_mutex_lock(&mutable_call->lock);
    const bool ended = rpc_server_call_is_ended(call);
    pthread_mutex_unlock(&mutable_call->lock);
    return ended;
}
