/* SPDX-License-Identifier: Apache-2.0 */
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>
#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "base/rpc/rpc_client_internal.h"
#include "base/rpc/rpc_server_call.h" /* the limits that both sides know */
#include "base/rpc/rpc_status.h"
#include "base/rpc/rpc_tls_internal.h"
#include "base/text.h"

#define UNIX_PREFIX "unix:"

enum {
    PORT_MAX = 65535,
    ADDRESS_BYTES_MAX = 300, /* a DNS name has 253, a socket path 107 */
    KEEPALIVE_MS_DEFAULT = 30000,
    KEEPALIVE_TIMEOUT_MS_DEFAULT = 10000,
    RECONNECT_MS_FIRST = 100,
    RECONNECT_MS_DEFAULT = 2000,
    CONNECT_TIMEOUT_MS = 5000,
};

#define TIMEOUT_MS_MAX (INT64_C(10) * 366 * 86400 * 1000) /* ten years; the C core's arithmetic stays far from overflow */

static bool is_address(const char *address)
{
    if (address == NULL || strlen(address) > ADDRESS_BYTES_MAX || !text_is_name(address, ADDRESS_BYTES_MAX)) {
        return false;
    }
    if (strncmp(address, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0) {
        return address[strlen(UNIX_PREFIX)] == '/';
    }
    int64_t port = 0;
    const char *colon = strrchr(address, ':');
    /* A host with a colon is IPv6 and wears brackets; a slash would make it some other kind of target. */
    if (colon == NULL || colon == address || strpbrk(address, "/, ") != NULL) {
        return false;
    }
    const bool plain = memchr(address, ':', (size_t)(colon - address)) == NULL;
    const bool bracketed = address[0] == '[' && colon[-1] == ']';
    return (plain || bracketed) && text_to_int64(colon + 1, 1, PORT_MAX, &port) == STATUS_OK;
}

/* Where options lead, and with which credentials. */
struct target {
    const char *address;                   /* without the scheme */
    grpc_channel_credentials *credentials; /* owned */
    const char *server_name;               /* NULL: the address's host */
};

static enum status find_target(const struct rpc_channel_options *options, struct target *out_target)
{
    struct error error;
    const char *address = options->address;
    const bool has_tls = address != NULL && strncmp(address, RPC_TLS_SCHEME, strlen(RPC_TLS_SCHEME)) == 0;
    const char *name = options->tls != NULL ? options->tls->server_name : NULL;
    out_target->address = has_tls ? address + strlen(RPC_TLS_SCHEME) : address;
    out_target->server_name = has_tls && name != NULL && name[0] != '\0' ? name : NULL;
    if (!is_address(out_target->address) || (has_tls && strncmp(out_target->address, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)) {
        return STATUS_INVALID;
    }
    const enum status status = rpc_tls_check_channel(address, options->tls, &error);
    if (status != STATUS_OK) {
        return status;
    }
    if (has_tls) {
        return rpc_tls_channel_credentials(options->tls, &out_target->credentials, &error);
    }
    out_target->credentials = grpc_insecure_credentials_create();
    return STATUS_OK;
}

static grpc_arg text_arg(const char *key, const char *value)
{
    /* The C core copies both. */
    return (grpc_arg){.type = GRPC_ARG_STRING, .key = (char *)(uintptr_t)key, .value.string = (char *)(uintptr_t)value};
}

static grpc_channel *create_core(const struct rpc_channel_options *options, const struct target *target,
                                 size_t message_bytes_max)
{
    const int reconnect_ms = rpc_or_default(options->reconnect_ms_max, RECONNECT_MS_DEFAULT);
    grpc_arg numbers[] = {
        rpc_number_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int)message_bytes_max),
        rpc_number_arg(GRPC_ARG_MAX_METADATA_SIZE, RPC_METADATA_BYTES_DEFAULT),
        rpc_number_arg(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, RPC_ALGORITHMS_IDENTITY),
        rpc_number_arg(GRPC_ARG_KEEPALIVE_TIME_MS, rpc_or_default(options->keepalive_ms, KEEPALIVE_MS_DEFAULT)),
        rpc_number_arg(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                       rpc_or_default(options->keepalive_timeout_ms, KEEPALIVE_TIMEOUT_MS_DEFAULT)),
        rpc_number_arg(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        rpc_number_arg(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
        rpc_number_arg(GRPC_ARG_ENABLE_RETRIES, 0), /* whether to call again is for those who know what the call does */
        rpc_number_arg(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS,
                       reconnect_ms < RECONNECT_MS_FIRST ? reconnect_ms : RECONNECT_MS_FIRST),
        rpc_number_arg(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, reconnect_ms),
        rpc_number_arg(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, CONNECT_TIMEOUT_MS), /* despite its name */
        rpc_number_arg(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1),                 /* one channel, one connection */
        rpc_number_arg(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1),
        rpc_number_arg(GRPC_ARG_ENABLE_HTTP_PROXY, 0),                    /* the environment's proxy is for the web */
        rpc_number_arg(GRPC_ARG_ENABLE_CHANNELZ, 0),                      /* keeps a history in memory that nobody reads */
        text_arg(GRPC_SSL_TARGET_NAME_OVERRIDE_ARG, target->server_name), /* the last: left out when there is none */
    };
    const size_t count = sizeof(numbers) / sizeof(numbers[0]) - (target->server_name == NULL ? 1 : 0);
    const grpc_channel_args args = {.num_args = count, .args = numbers};
    return grpc_channel_create(target->address, target->credentials, &args);
}

enum status rpc_channel_create(struct rpc_loop *loop, const struct rpc_channel_options *options,
                               struct rpc_channel **out_channel)
{
    struct target target = {.credentials = NULL};
    const enum status status = find_target(options, &target);
    if (status != STATUS_OK) {
        return status;
    }
    struct rpc_channel *channel = MEMORY_TRY_NEW(struct rpc_channel);
    if (channel == NULL) {
        grpc_channel_credentials_release(target.credentials);
        return STATUS_NO_MEMORY;
    }
    const size_t bytes = options->message_bytes_max > 0 ? options->message_bytes_max : RPC_MESSAGE_BYTES_DEFAULT;
    channel->message_bytes_max = bytes < RPC_MESSAGE_BYTES_MAX ? bytes : RPC_MESSAGE_BYTES_MAX;
    channel->loop = loop;
    atomic_init(&channel->references, 1);
    pthread_mutex_init(&channel->lock, NULL);
    list_init(&channel->calls);
    channel->core = create_core(options, &target, channel->message_bytes_max);
    grpc_channel_credentials_release(target.credentials);
    *out_channel = channel;
    return STATUS_OK;
}

void rpc_channel_keep(struct rpc_channel *channel)
{
    (void)atomic_fetch_add_explicit(&channel->references, 1, memory_order_relaxed);
}

void rpc_channel_release(struct rpc_channel *channel)
{
    if (atomic_fetch_sub_explicit(&channel->references, 1, memory_order_acq_rel) > 1) {
        return;
    }
    grpc_channel_destroy(channel->core);
    pthread_mutex_destroy(&channel->lock);
    memory_free(channel);
}

void rpc_channel_destroy(struct rpc_channel *channel)
{
    if (channel != NULL) {
        rpc_channel_release(channel);
    }
}

/* ---- what opens and ends a call ---- */

static gpr_timespec deadline_of(const struct rpc_call_options *options)
{
    if (options->timeout_ms <= 0) {
        return gpr_inf_future(GPR_CLOCK_MONOTONIC);
    }
    const int64_t timeout_ms = options->timeout_ms < TIMEOUT_MS_MAX ? options->timeout_ms : TIMEOUT_MS_MAX;
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(timeout_ms, GPR_TIMESPAN));
}

enum status rpc_channel_create_call(struct rpc_channel *channel, const struct rpc_client_method *method,
                                    const struct rpc_call_options *options, grpc_call **out_call)
{
    pthread_mutex_lock(&channel->lock);
    const bool canceled = channel->canceled;
    pthread_mutex_unlock(&channel->lock);
    if (canceled) {
        return STATUS_CANCELED;
    }
    const grpc_slice path = grpc_slice_from_static_string(method->path);
    grpc_call *call = grpc_channel_create_call(channel->core, NULL, GRPC_PROPAGATE_DEFAULTS, rpc_loop_queue(channel->loop),
                                               path, NULL, deadline_of(options), NULL);
    if (call == NULL) {
        return STATUS_INTERNAL;
    }
    *out_call = call;
    return STATUS_OK;
}

/* A longer token would not pass the server, and too much metadata ends every call of the connection. */
static bool is_bearer(const char *bearer)
{
    size_t length = 0;
    for (; bearer[length] != '\0'; length++) {
        if (bearer[length] <= ' ' || bearer[length] > '~' || length >= RPC_BEARER_BYTES_MAX) {
            return false;
        }
    }
    return length > 0;
}

enum status rpc_client_opening_init(struct rpc_client_opening *opening, const struct rpc_call_options *options)
{
    memset(opening, 0, sizeof(*opening));
    opening->flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET;
    if (options->wait_for_ready != 0) {
        opening->flags |= GRPC_INITIAL_METADATA_WAIT_FOR_READY;
    }
    if (options->bearer == NULL) {
        return STATUS_OK;
    }
    if (!is_bearer(options->bearer)) {
        return STATUS_INVALID;
    }
    char value[sizeof("Bearer ") + RPC_BEARER_BYTES_MAX] = "Bearer ";
    (void)text_copy(value + strlen(value), RPC_BEARER_BYTES_MAX + 1, options->bearer);
    opening->entry.key = grpc_slice_from_static_string("authorization");
    opening->entry.value = grpc_slice_from_copied_string(value);
    opening->count = 1;
    memory_wipe(value, sizeof(value));
    return STATUS_OK;
}

void rpc_client_opening_finish(struct rpc_client_opening *opening)
{
    if (opening->count > 0) {
        grpc_slice_unref(opening->entry.value);
        opening->count = 0;
    }
}

void rpc_client_opening_add(const struct rpc_client_opening *opening, grpc_op *op)
{
    op->op = GRPC_OP_SEND_INITIAL_METADATA;
    op->flags = opening->flags;
    op->data.send_initial_metadata.count = opening->count;
    op->data.send_initial_metadata.metadata = (grpc_metadata *)(uintptr_t)&opening->entry; /* read only, lacks the const */
}

void rpc_client_outcome_init(struct rpc_client_outcome *outcome)
{
    grpc_metadata_array_init(&outcome->trailers);
    outcome->code = GRPC_STATUS_UNKNOWN;
    outcome->details = grpc_empty_slice();
}

void rpc_client_outcome_finish(struct rpc_client_outcome *outcome)
{
    grpc_metadata_array_destroy(&outcome->trailers);
    grpc_slice_unref(outcome->details);
}

void rpc_client_outcome_add(struct rpc_client_outcome *outcome, grpc_op *op)
{
    op->op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    op->data.recv_status_on_client.trailing_metadata = &outcome->trailers;
    op->data.recv_status_on_client.status = &outcome->code;
    op->data.recv_status_on_client.status_details = &outcome->details;
}

enum status rpc_client_outcome_read(const struct rpc_client_outcome *outcome, struct error *out_error)
{
    rpc_trailers_read(&outcome->trailers, outcome->details, out_error);
    return rpc_status_from_code((int)outcome->code);
}
