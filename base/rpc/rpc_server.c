/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <grpc/slice.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/rpc/rpc_server_internal.h"

enum {
    REQUESTS_PER_METHOD = 64, /* posted for a burst; calls beyond wait inside the C core until the next is posted */
    KEEPALIVE_MS_DEFAULT = 20000,
    KEEPALIVE_TIMEOUT_MS_DEFAULT = 10000,
    FINISH_STALL_MS_DEFAULT = 30000,
    HANDSHAKE_TIMEOUT_MS = 10000,
    LINGER_MS = 50,            /* for the tails of replies before connections are closed */
    LATE_CALLS_MS = 2000,      /* for calls that came while connections were closed to be told UNAVAILABLE */
    IDLE_CONNECTIONS_MS = 100, /* for idle clients to take their leave before they are cut */
};

/* A posted request for one call. */
struct acceptor {
    struct rpc_event event;
    struct rpc_server *server;
    void *registered; /* the C core's handle of the method; NULL: whatever is not registered */
    struct rpc_arrival arrival;
    grpc_call_details details; /* of unregistered calls */
};

struct rpc_server {
    grpc_server *core;
    struct rpc_loop *loop;
    struct rpc_server_options hooks;
    struct rpc_call_limits limits;
    int ports[RPC_LISTENERS_MAX];
    struct rpc_tls *tls[RPC_LISTENERS_MAX]; /* owned; NULL: plain text */
    size_t port_count;
    struct rpc_event on_shutdown;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* guarded by lock */
    size_t calls_accepted;
    size_t calls_all; /* refused ones too */
    size_t acceptors;
    bool refusing;
    bool aborted;
    bool shut_down;
};

/* ---- acceptance; loop thread ---- */

static void free_acceptor(struct acceptor *acceptor)
{
    struct rpc_server *server = acceptor->server;
    grpc_metadata_array_destroy(&acceptor->arrival.metadata);
    grpc_call_details_destroy(&acceptor->details);
    memory_free(acceptor);
    pthread_mutex_lock(&server->lock);
    server->acceptors--;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

static bool takes_payload(const struct rpc_method *method)
{
    return method->kind == RPC_UNARY || method->kind == RPC_SERVER_STREAM;
}

static void post(struct acceptor *acceptor)
{
    struct rpc_server *server = acceptor->server;
    struct rpc_arrival *arrival = &acceptor->arrival;
    grpc_completion_queue *queue = rpc_loop_queue(server->loop);
    grpc_metadata_array_init(&arrival->metadata);
    arrival->call = NULL;
    arrival->payload = NULL;
    RPC_HAND_OVER(&acceptor->event);
    grpc_call_error refused;
    if (acceptor->registered != NULL) {
        refused = grpc_server_request_registered_call(
            server->core, acceptor->registered, &arrival->call, &arrival->deadline, &arrival->metadata,
            takes_payload(arrival->method) ? &arrival->payload : NULL, queue, queue, &acceptor->event);
    } else {
        grpc_call_details_init(&acceptor->details);
        refused = grpc_server_request_call(server->core, &arrival->call, &acceptor->details, &arrival->metadata, queue, queue,
                                           &acceptor->event);
    }
    assert(refused == GRPC_CALL_OK); /* after a shutdown too: then the event comes at once and fails */
}

/* The path goes into a text for people: cut, and printable. */
static void note_path(struct acceptor *acceptor)
{
    struct rpc_arrival *arrival = &acceptor->arrival;
    const grpc_slice path = acceptor->details.method;
    size_t length = GRPC_SLICE_LENGTH(path);
    if (length >= sizeof(arrival->path)) {
        length = sizeof(arrival->path) - 1;
    }
    memcpy(arrival->path, GRPC_SLICE_START_PTR(path), length);
    arrival->path[length] = '\0';
    arrival->deadline = acceptor->details.deadline;
}

static void on_arrival(struct rpc_event *event, bool ok)
{
    struct acceptor *acceptor = LIST_OWNER(event, struct acceptor, event);
    if (!ok) {
        free_acceptor(acceptor); /* the server shuts down */
        return;
    }
    if (acceptor->registered == NULL) {
        note_path(acceptor);
        grpc_call_details_destroy(&acceptor->details);
    }
    struct rpc_arrival arrival = acceptor->arrival;
    post(acceptor);
    rpc_server_call_begin(acceptor->server, &arrival);
}

static void add_acceptors(struct rpc_server *server, const struct rpc_method *method, void *registered)
{
    for (int i = 0; i < REQUESTS_PER_METHOD; i++) {
        struct acceptor *acceptor = MEMORY_NEW(struct acceptor);
        acceptor->event.on_event = on_arrival;
        acceptor->server = server;
        acceptor->registered = registered;
        acceptor->arrival.method = method;
        grpc_call_details_init(&acceptor->details);
        pthread_mutex_lock(&server->lock);
        server->acceptors++;
        pthread_mutex_unlock(&server->lock);
        post(acceptor);
    }
}

/* ---- create ---- */

static grpc_server *create_core(const struct rpc_server_options *options, const struct rpc_call_limits *limits)
{
    const int keepalive_ms = rpc_or_default(options->keepalive_ms, KEEPALIVE_MS_DEFAULT);
    grpc_arg numbers[] = {
        rpc_number_arg(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, RPC_ALGORITHMS_IDENTITY),
        rpc_number_arg(GRPC_ARG_ALLOW_REUSEPORT, 0), /* else a second server shares the port in silence */
        rpc_number_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int)limits->message_bytes_max),
        rpc_number_arg(GRPC_ARG_MAX_METADATA_SIZE, rpc_or_default(options->header_bytes_max, RPC_METADATA_BYTES_DEFAULT)),
        rpc_number_arg(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                       rpc_or_default(options->streams_per_connection_max, RPC_STREAMS_PER_CONNECTION_DEFAULT)),
        rpc_number_arg(GRPC_ARG_KEEPALIVE_TIME_MS, keepalive_ms),
        rpc_number_arg(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                       rpc_or_default(options->keepalive_timeout_ms, KEEPALIVE_TIMEOUT_MS_DEFAULT)),
        rpc_number_arg(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        rpc_number_arg(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, keepalive_ms / 2),
        rpc_number_arg(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, HANDSHAKE_TIMEOUT_MS),
        rpc_number_arg(GRPC_ARG_ENABLE_CHANNELZ, 0), /* keeps a history in memory that nobody reads */
    };
    const grpc_channel_args args = {.num_args = sizeof(numbers) / sizeof(numbers[0]), .args = numbers};
    return grpc_server_create(&args, NULL);
}

static void on_shutdown(struct rpc_event *event, bool ok)
{
    (void)ok;
    struct rpc_server *server = LIST_OWNER(event, struct rpc_server, on_shutdown);
    pthread_mutex_lock(&server->lock);
    server->shut_down = true;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

static struct rpc_server *create_unbound(struct rpc_loop *loop, const struct rpc_server_options *options)
{
    struct rpc_server *server = MEMORY_NEW(struct rpc_server);
    server->loop = loop;
    server->hooks = *options;
    server->hooks.listeners = NULL; /* borrowed during create only, as the next */
    server->hooks.tls = NULL;
    size_t message_bytes = options->message_bytes_max > 0 ? options->message_bytes_max : RPC_MESSAGE_BYTES_DEFAULT;
    size_t queue_bytes = options->send_queue_bytes_max > 0 ? options->send_queue_bytes_max : RPC_SEND_QUEUE_BYTES_DEFAULT;
    server->limits.message_bytes_max = message_bytes < RPC_MESSAGE_BYTES_MAX ? message_bytes : RPC_MESSAGE_BYTES_MAX;
    server->limits.send_queue_bytes_max = queue_bytes < RPC_SEND_QUEUE_BYTES_MAX ? queue_bytes : RPC_SEND_QUEUE_BYTES_MAX;
    server->limits.finish_stall_ms = rpc_or_default(options->finish_stall_ms, FINISH_STALL_MS_DEFAULT);
    server->on_shutdown.on_event = on_shutdown;
    pthread_mutex_init(&server->lock, NULL);
    clock_condition_init(&server->changed);
    server->core = create_core(options, &server->limits);
    grpc_server_register_completion_queue(server->core, rpc_loop_queue(loop), NULL);
    return server;
}

static enum status bind_all(struct rpc_server *server, const struct rpc_server_options *options, struct error *error)
{
    if (options->listener_count == 0 || options->listener_count > RPC_LISTENERS_MAX) {
        return error_set(error, STATUS_INVALID, "LISTENER", "1 to %d listeners are needed", RPC_LISTENERS_MAX);
    }
    for (size_t i = 0; i < options->listener_count; i++) {
        enum status status = STATUS_OK;
        if (options->tls != NULL && options->tls[i] != NULL) {
            status = rpc_tls_create(options->tls[i], &server->tls[i], error);
        }
        if (status == STATUS_OK) {
            status = rpc_listen_bind(server->core, options->listeners[i], server->tls[i], &server->ports[i], error);
        }
        if (status != STATUS_OK) {
            return status;
        }
        server->port_count++;
    }
    return STATUS_OK;
}

static enum status register_all(struct rpc_server *server, const struct rpc_method *methods, void **handles,
                                struct error *error)
{
    for (size_t i = 0; methods[i].path != NULL; i++) {
        handles[i] = grpc_server_register_method(
            server->core, methods[i].path, NULL,
            takes_payload(&methods[i]) ? GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER : GRPC_SRM_PAYLOAD_NONE, 0);
        if (handles[i] == NULL) {
            return error_set(error, STATUS_INVALID, "METHOD", "method %s is registered twice", methods[i].path);
        }
    }
    return STATUS_OK;
}

static void start(struct rpc_server *server, const struct rpc_method *methods, void **handles)
{
    grpc_server_start(server->core);
    for (size_t i = 0; methods[i].path != NULL; i++) {
        add_acceptors(server, &methods[i], handles[i]);
    }
    add_acceptors(server, NULL, NULL);
}

static void shut_down(struct rpc_server *server, bool is_drained);

enum status rpc_server_create(struct rpc_loop *loop, const struct rpc_method *methods, const struct rpc_server_options *options,
                              struct rpc_server **out_server, struct error *error)
{
    size_t method_count = 0;
    while (methods[method_count].path != NULL) {
        method_count++;
    }
    void **handles = memory_allocate_array(method_count, sizeof(*handles));
    struct rpc_server *server = create_unbound(loop, options);
    enum status status = register_all(server, methods, handles, error);
    if (status == STATUS_OK) {
        status = bind_all(server, options, error);
    }
    if (status == STATUS_OK) {
        start(server, methods, handles);
        *out_server = server;
    } else {
        shut_down(server, true);
        rpc_server_destroy(server);
    }
    memory_free(handles);
    return status;
}

int rpc_server_port(const struct rpc_server *server, size_t index)
{
    return index < server->port_count ? server->ports[index] : 0;
}

void rpc_server_reload_certificates(struct rpc_server *server)
{
    for (size_t i = 0; i < RPC_LISTENERS_MAX; i++) {
        if (server->tls[i] != NULL) {
            rpc_tls_reload(server->tls[i]);
        }
    }
}

/* ---- counting calls ---- */

bool rpc_server_count_in(struct rpc_server *server, bool while_draining)
{
    pthread_mutex_lock(&server->lock);
    const bool accepted = !server->refusing || while_draining;
    server->calls_all++;
    if (accepted) {
        server->calls_accepted++;
    }
    pthread_mutex_unlock(&server->lock);
    return accepted;
}

void rpc_server_count_out(struct rpc_server *server, bool accepted)
{
    pthread_mutex_lock(&server->lock);
    server->calls_all--;
    if (accepted) {
        server->calls_accepted--;
    }
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

size_t rpc_server_call_count(const struct rpc_server *server)
{
    /* The lock is no part of what the caller sees as constant. */
    struct rpc_server *mutable_server = (struct rpc_server *)(uintptr_t)server;
    pthread_mutex_lock(&mutable_server->lock);
    const size_t count = server->calls_accepted;
    pthread_mutex_unlock(&mutable_server->lock);
    return count;
}

struct rpc_loop *rpc_server_loop(const struct rpc_server *server)
{
    return server->loop;
}

const struct rpc_call_limits *rpc_server_limits(const struct rpc_server *server)
{
    return &server->limits;
}

const struct rpc_server_options *rpc_server_hooks(const struct rpc_server *server)
{
    return &server->hooks;
}

/* ---- stop ---- */

void rpc_server_refuse(struct rpc_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->refusing = true;
    pthread_mutex_unlock(&server->lock);
}

void rpc_server_abort_stop(struct rpc_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->refusing = true;
    server->aborted = true;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

/* Waits for a change, lock held. False: the time is over. */
static bool wait_for_change(struct rpc_server *server, int64_t until_ms)
{
    return clock_wait_until(clock_system(), &server->changed, &server->lock, until_ms);
}

static int64_t in_ms(int64_t wait_ms)
{
    return clock_add_ms(clock_now_ms(clock_system()), wait_ms);
}

/* Lock held. */
static bool is_done(const struct rpc_server *server)
{
    return server->shut_down && server->calls_all == 0 && server->acceptors == 0;
}

/* Closes the connections; what is still running is canceled. is_drained: all that is running came after the grace. */
static void shut_down(struct rpc_server *server, bool is_drained)
{
    RPC_HAND_OVER(&server->on_shutdown);
    grpc_server_shutdown_and_notify(server->core, rpc_loop_queue(server->loop), &server->on_shutdown);
    pthread_mutex_lock(&server->lock);
    const int64_t until_ms = in_ms(IDLE_CONNECTIONS_MS);
    while (!server->shut_down && !server->aborted && wait_for_change(server, until_ms)) {
    }
    /* A call that came last of all is being refused by us; canceled, its client would not know that it may repeat it. */
    const int64_t late_until_ms = in_ms(LATE_CALLS_MS);
    while (is_drained && server->calls_accepted > 0 && !server->aborted && wait_for_change(server, late_until_ms)) {
    }
    const bool shut_down_alone = server->shut_down;
    pthread_mutex_unlock(&server->lock);
    if (!shut_down_alone) {
        /* Idle clients are asked for an answer and given 20 s; nothing of ours depends on it. */
        grpc_server_cancel_all_calls(server->core);
    }
    pthread_mutex_lock(&server->lock);
    while (!is_done(server)) {
        (void)wait_for_change(server, CLOCK_NEVER);
    }
    pthread_mutex_unlock(&server->lock);
}

void rpc_server_stop(struct rpc_server *server, int64_t grace_ms)
{
    assert(!rpc_loop_is_here(server->loop));
    pthread_mutex_lock(&server->lock);
    server->refusing = true;
    const int64_t grace_until_ms = in_ms(grace_ms);
    while (server->calls_accepted > 0 && !server->aborted && wait_for_change(server, grace_until_ms)) {
    }
    const bool is_drained = server->calls_accepted == 0;
    /* A connection that is closed while the client still sends is reset, and the tail of the last reply with it. */
    const int64_t linger_until_ms = in_ms(LINGER_MS);
    while (!server->aborted && wait_for_change(server, linger_until_ms)) {
    }
    pthread_mutex_unlock(&server->lock);
    shut_down(server, is_drained);
}

void rpc_server_destroy(struct rpc_server *server)
{
    if (server == NULL) {
        return;
    }
    assert(server->shut_down);
    grpc_server_destroy(server->core);
    for (size_t i = 0; i < RPC_LISTENERS_MAX; i++) {
        rpc_tls_destroy(server->tls[i]);
    }
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    memory_free(server);
}
