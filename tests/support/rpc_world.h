/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real server with an echo service and a client's channel to it, in one process, for the tests of base/rpc.
 *
 * The echo service speaks grpc.health.v1.HealthCheckRequest both ways. What a unary call asks for is in its text:
 * "fail" fails with all that an error can carry, "hold" is answered by world_reply_held, anything else is sent back.
 *
 * Threading: the test's thread, except for the handlers, which run on the server's loop.
 */
#ifndef TESTS_SUPPORT_RPC_WORLD_H
#define TESTS_SUPPORT_RPC_WORLD_H

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h> /* cmocka wants these before it */

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/rpc/rpc_client_call.h"
#include "base/rpc/rpc_client_raw.h"
#include "base/rpc/rpc_server_call.h"
#include "grpc/health/v1/health.pb-c.h"

typedef Grpc__Health__V1__HealthCheckRequest echo_message;

enum {
    WORLD_WAIT_MS = 20000, /* longer than anything takes, also under sanitizers */
    WORLD_TEXT_MAX = 160,
    WORLD_HELD_MAX = 64,
    WORLD_LONG_TEXT = 256 * 1024,
    WORLD_DRIP_COUNT = 100,
    WORLD_IDLE_MS = 2000,
};

/* What the handlers saw. */
struct world {
    struct rpc_loop *server_loop;
    struct rpc_loop *client_loop;
    struct rpc_server *server;
    struct rpc_channel *channel;
    char address[WORLD_TEXT_MAX];

    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* guarded by lock */
    int opened;
    int messages;
    int half_closed;
    int closed;
    int authorised;
    int identities_freed;
    char bearer[WORLD_TEXT_MAX];                  /* last seen; "-" for none */
    int time_left_ms;                             /* of the last unary call */
    struct rpc_server_call *held[WORLD_HELD_MAX]; /* kept */
    int held_count;
    int drained;
    int bidi_holds; /* streams are kept and neither answered nor read on */
};

static inline void world_count(struct world *world, int *counter)
{
    pthread_mutex_lock(&world->lock);
    ++*counter;
    pthread_cond_broadcast(&world->changed);
    pthread_mutex_unlock(&world->lock);
}

/* Waits until *counter is at least wanted. */
static inline void world_wait(struct world *world, const int *counter, int wanted)
{
    const int64_t until_ms = clock_now_ms(clock_system()) + WORLD_WAIT_MS;
    bool in_time = true;
    pthread_mutex_lock(&world->lock);
    while (*counter < wanted && in_time) {
        in_time = clock_wait_until(clock_system(), &world->changed, &world->lock, until_ms);
    }
    const int reached = *counter;
    pthread_mutex_unlock(&world->lock);
    assert_true(reached >= wanted);
}

/* Lets a time pass, for what cannot be waited for because nothing is to happen. */
static inline void world_let_pass(struct world *world, int64_t wait_ms)
{
    const int64_t until_ms = clock_now_ms(clock_system()) + wait_ms;
    pthread_mutex_lock(&world->lock);
    while (clock_wait_until(clock_system(), &world->changed, &world->lock, until_ms)) {
    }
    pthread_mutex_unlock(&world->lock);
}

static inline int world_get(struct world *world, const int *counter)
{
    pthread_mutex_lock(&world->lock);
    const int value = *counter;
    pthread_mutex_unlock(&world->lock);
    return value;
}

static inline void world_hold(struct world *world, struct rpc_server_call *call)
{
    rpc_server_call_keep(call);
    pthread_mutex_lock(&world->lock);
    assert_true(world->held_count < WORLD_HELD_MAX);
    world->held[world->held_count++] = call;
    pthread_cond_broadcast(&world->changed);
    pthread_mutex_unlock(&world->lock);
}

/* Takes the held call of that index; release it. */
static inline struct rpc_server_call *world_held(struct world *world, int index)
{
    world_wait(world, &world->held_count, index + 1);
    pthread_mutex_lock(&world->lock);
    struct rpc_server_call *call = world->held[index];
    world->held[index] = NULL;
    pthread_mutex_unlock(&world->lock);
    return call;
}

static inline void world_reply(struct rpc_server_call *call, const char *text)
{
    echo_message reply = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    reply.service = (char *)(uintptr_t)text;
    rpc_server_call_reply(call, &reply.base);
}

static inline enum status world_send(struct rpc_server_call *call, const char *text)
{
    echo_message message = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    message.service = (char *)(uintptr_t)text;
    return rpc_server_call_send(call, &message.base);
}

/* ---- handlers ---- */

static inline const char *echo_text(const struct rpc_message *message)
{
    return ((const echo_message *)(const void *)rpc_message_body(message))->service;
}

static inline void echo_unary(struct rpc_server_call *call, struct rpc_message *message)
{
    struct world *world = rpc_server_call_context(call);
    const char *text = echo_text(message);
    pthread_mutex_lock(&world->lock);
    world->time_left_ms = (int)rpc_server_call_time_left_ms(call);
    pthread_mutex_unlock(&world->lock);
    world_count(world, &world->messages);
    if (strcmp(text, "fail") == 0) {
        struct error error;
        (void)error_set(&error, STATUS_STALE, "LEASE_STALE", "not the newest, %s", "Zoë: 100 %");
        error.retry_after_ms = 1234;
        rpc_server_call_finish(call, STATUS_STALE, &error);
    } else if (strcmp(text, "hold") == 0) {
        world_hold(world, call);
    } else {
        world_reply(call, text);
    }
    rpc_message_free(message);
}

static inline void echo_open(struct rpc_server_call *call)
{
    struct world *world = rpc_server_call_context(call);
    world_count(world, &world->opened);
}

static inline void echo_close(struct rpc_server_call *call)
{
    struct world *world = rpc_server_call_context(call);
    world_count(world, &world->closed);
}

static inline void echo_bidi(struct rpc_server_call *call, struct rpc_message *message)
{
    struct world *world = rpc_server_call_context(call);
    world_count(world, &world->messages);
    if (world_get(world, &world->bidi_holds) > 0) {
        world_hold(world, call);
    } else if (world_send(call, echo_text(message)) == STATUS_OK) {
        rpc_server_call_receive(call);
    } else {
        rpc_server_call_finish(call, STATUS_FULL, NULL);
    }
    rpc_message_free(message);
}

static inline void echo_half_close(struct rpc_server_call *call)
{
    struct world *world = rpc_server_call_context(call);
    world_count(world, &world->half_closed);
    if (world_get(world, &world->bidi_holds) == 0) {
        rpc_server_call_finish(call, STATUS_OK, NULL);
    }
}

/* Answers with a long text, and reads on when that has left. */
static inline void echo_steady(struct rpc_server_call *call, struct rpc_message *message)
{
    char *text = memory_allocate(WORLD_LONG_TEXT + 1);
    memset(text, 'x', WORLD_LONG_TEXT);
    const enum status status = world_send(call, text);
    if (status == STATUS_OK) {
        rpc_server_call_receive_when_sent(call);
    } else {
        rpc_server_call_finish(call, status, NULL);
    }
    memory_free(text);
    rpc_message_free(message);
}

/* Client stream: counts. */
static inline void echo_collect(struct rpc_server_call *call, struct rpc_message *message)
{
    struct world *world = rpc_server_call_context(call);
    world_count(world, &world->messages);
    rpc_message_free(message);
    rpc_server_call_receive(call);
}

static inline void echo_collected(struct rpc_server_call *call)
{
    struct world *world = rpc_server_call_context(call);
    char text[WORLD_TEXT_MAX];
    (void)snprintf(text, sizeof(text), "%d", world_get(world, &world->messages));
    world_reply(call, text);
}

/* Server stream: three times the text. */
static inline void echo_pour(struct rpc_server_call *call, struct rpc_message *message)
{
    for (int i = 0; i < 3; i++) {
        assert_int_equal(world_send(call, echo_text(message)), STATUS_OK);
    }
    rpc_server_call_finish(call, STATUS_OK, NULL);
    rpc_message_free(message);
}

/* Server stream: 0, 1, 2, ... up to WORLD_DRIP_COUNT, the next one when the one before has left. */
static inline void echo_drip(struct rpc_server_call *call, struct rpc_message *message)
{
    assert_int_equal(world_send(call, "0"), STATUS_OK);
    rpc_message_free(message);
}

static inline void echo_drained(struct rpc_server_call *call)
{
    struct world *world = rpc_server_call_context(call);
    char text[WORLD_TEXT_MAX];
    world_count(world, &world->drained);
    const int next = world_get(world, &world->drained);
    if (next == WORLD_DRIP_COUNT) {
        rpc_server_call_finish(call, STATUS_OK, NULL);
        return;
    }
    (void)snprintf(text, sizeof(text), "%d", next);
    assert_int_equal(world_send(call, text), STATUS_OK);
}

static inline void free_identity(void *identity)
{
    struct world *world = identity;
    world_count(world, &world->identities_freed);
}

/* Lets everybody in but those without a token. */
static inline enum status echo_authorise(struct rpc_server_call *call, const struct rpc_method *method, void *context,
                                         struct error *error)
{
    struct world *world = context;
    const char *bearer = rpc_server_call_bearer(call);
    pthread_mutex_lock(&world->lock);
    (void)snprintf(world->bearer, sizeof(world->bearer), "%s", bearer != NULL ? bearer : "-");
    pthread_mutex_unlock(&world->lock);
    world_count(world, &world->authorised);
    if (bearer == NULL) {
        return error_set(error, STATUS_UNAUTHENTICATED, "NO_TOKEN", "no token for role %d", method->role);
    }
    rpc_server_call_set_identity(call, world, free_identity);
    return STATUS_OK;
}

#define ECHO_DESCRIPTOR (&grpc__health__v1__health_check_request__descriptor)

static const struct rpc_method echo_methods[] = {
    {.path = "/test.Echo/Unary", .request = ECHO_DESCRIPTOR, .on_message = echo_unary, .on_close = echo_close, .role = 7},
    {.path = "/test.Echo/Bidi",
     .kind = RPC_BIDI_STREAM,
     .request = ECHO_DESCRIPTOR,
     .on_message = echo_bidi,
     .on_open = echo_open,
     .on_half_close = echo_half_close,
     .on_close = echo_close},
    {.path = "/test.Echo/Collect",
     .kind = RPC_CLIENT_STREAM,
     .request = ECHO_DESCRIPTOR,
     .on_message = echo_collect,
     .on_half_close = echo_collected,
     .on_close = echo_close},
    {.path = "/test.Echo/Pour",
     .kind = RPC_SERVER_STREAM,
     .request = ECHO_DESCRIPTOR,
     .on_message = echo_pour,
     .on_close = echo_close},
    {.path = "/test.Echo/Steady",
     .kind = RPC_BIDI_STREAM,
     .request = ECHO_DESCRIPTOR,
     .on_message = echo_steady,
     .on_half_close = echo_half_close,
     .on_close = echo_close},
    {.path = "/test.Echo/Probe", .request = ECHO_DESCRIPTOR, .on_message = echo_unary, .while_draining = true},
    {.path = "/test.Echo/Drip",
     .kind = RPC_SERVER_STREAM,
     .request = ECHO_DESCRIPTOR,
     .on_message = echo_drip,
     .on_drained = echo_drained,
     .on_close = echo_close},
    {.path = "/test.Echo/Idle",
     .kind = RPC_BIDI_STREAM,
     .request = ECHO_DESCRIPTOR,
     .on_message = echo_bidi,
     .on_open = echo_open,
     .on_close = echo_close,
     .idle_ms = WORLD_IDLE_MS},
    {.path = "/test.Echo/Nothing"},
    {.path = "/test.Echo/NothingStream", .kind = RPC_BIDI_STREAM},
    {.path = NULL},
};

static const struct rpc_client_method echo_unary_method = {"/test.Echo/Unary", ECHO_DESCRIPTOR};
static const struct rpc_client_method echo_bidi_method = {"/test.Echo/Bidi", ECHO_DESCRIPTOR};
static const struct rpc_client_method echo_collect_method = {"/test.Echo/Collect", ECHO_DESCRIPTOR};
static const struct rpc_client_method echo_pour_method = {"/test.Echo/Pour", ECHO_DESCRIPTOR};
static const struct rpc_client_method echo_steady_method = {"/test.Echo/Steady", ECHO_DESCRIPTOR};
static const struct rpc_client_method echo_probe_method = {"/test.Echo/Probe", ECHO_DESCRIPTOR};
static const struct rpc_client_method echo_drip_method = {"/test.Echo/Drip", ECHO_DESCRIPTOR};
static const struct rpc_client_method echo_idle_method = {"/test.Echo/Idle", ECHO_DESCRIPTOR};
static const struct rpc_client_method echo_nothing_method = {"/test.Echo/Nothing", ECHO_DESCRIPTOR};
static const struct rpc_client_method echo_nothing_stream_method = {"/test.Echo/NothingStream", ECHO_DESCRIPTOR};
static const struct rpc_client_method echo_unknown_method = {"/test.Echo/Unknown", ECHO_DESCRIPTOR};
static const struct rpc_call_options echo_patient = {.timeout_ms = WORLD_WAIT_MS, .wait_for_ready = 1};

/* ---- the world ---- */

static inline void world_init(struct world *world)
{
    memset(world, 0, sizeof(*world));
    pthread_mutex_init(&world->lock, NULL);
    clock_condition_init(&world->changed);
    world->server_loop = rpc_loop_create("server");
    world->client_loop = rpc_loop_create("client");
    assert_non_null(world->server_loop);
    assert_non_null(world->client_loop);
}

/* options.listeners may be NULL: then TCP, some port. */
static inline enum status world_try_serve(struct world *world, struct rpc_server_options options, struct error *error)
{
    static const char *const anywhere[] = {"127.0.0.1:0"};
    if (options.listeners == NULL) {
        options.listeners = anywhere;
        options.listener_count = 1;
    }
    options.context = world;
    const enum status status = rpc_server_create(world->server_loop, echo_methods, &options, &world->server, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (strncmp(options.listeners[0], "unix:", strlen("unix:")) == 0) {
        (void)snprintf(world->address, sizeof(world->address), "%s", options.listeners[0]);
    } else {
        (void)snprintf(world->address, sizeof(world->address), "127.0.0.1:%d", rpc_server_port(world->server, 0));
    }
    return status;
}

static inline void world_serve(struct world *world, struct rpc_server_options options)
{
    struct error error = {.text = ""};
    const enum status status = world_try_serve(world, options, &error);
    if (status != STATUS_OK) {
        fail_msg("%s: %s", status_name(status), error.text);
    }
}

static inline void world_connect(struct world *world)
{
    const struct rpc_channel_options options = {.address = world->address};
    assert_int_equal(rpc_channel_create(world->client_loop, &options, &world->channel), STATUS_OK);
}

static inline void world_stop_server(struct world *world, int64_t grace_ms)
{
    rpc_server_stop(world->server, grace_ms);
    rpc_server_destroy(world->server);
    world->server = NULL;
}

static inline void world_finish(struct world *world)
{
    rpc_channel_destroy(world->channel);
    for (int i = 0; i < world->held_count; i++) {
        rpc_server_call_release(world->held[i]);
    }
    if (world->server != NULL) {
        world_stop_server(world, 0);
    }
    rpc_loop_destroy(world->client_loop);
    rpc_loop_destroy(world->server_loop);
    pthread_cond_destroy(&world->changed);
    pthread_mutex_destroy(&world->lock);
}

/* A blocking unary call; copies the reply's text. out_text and error may be NULL. */
static inline enum status world_call(struct world *world, const struct rpc_client_method *method, const char *text,
                                     char out_text[WORLD_TEXT_MAX], struct error *error)
{
    echo_message request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    request.service = (char *)(uintptr_t)text;
    struct rpc_message *reply = NULL;
    const enum status status = rpc_channel_call(world->channel, method, &request.base, &echo_patient, &reply, error);
    if (status == STATUS_OK && out_text != NULL) {
        (void)snprintf(out_text, WORLD_TEXT_MAX, "%s", echo_text(reply));
    }
    rpc_message_free(reply);
    return status;
}

/* ---- a client's stream that is watched by the test ---- */

struct watched_stream {
    struct world *world;
    struct rpc_client_stream *stream;
    /* guarded by the world's lock */
    int received;
    int sent; /* have left */
    int closed;
    bool in_order; /* every text so far was the decimal number of its place, from 0 */
    enum status status;
    struct error error;
};

static inline void watched_message(void *context, struct rpc_message *message)
{
    struct watched_stream *watched = context;
    char expected[WORLD_TEXT_MAX];
    pthread_mutex_lock(&watched->world->lock);
    (void)snprintf(expected, sizeof(expected), "%d", watched->received);
    watched->in_order = watched->in_order && strcmp(expected, echo_text(message)) == 0;
    pthread_mutex_unlock(&watched->world->lock);
    rpc_message_free(message);
    world_count(watched->world, &watched->received);
}

static inline void watched_sent(void *context)
{
    struct watched_stream *watched = context;
    world_count(watched->world, &watched->sent);
}

static inline void watched_close(void *context, enum status status, const struct error *error)
{
    struct watched_stream *watched = context;
    pthread_mutex_lock(&watched->world->lock);
    watched->status = status;
    watched->error = *error;
    pthread_mutex_unlock(&watched->world->lock);
    world_count(watched->world, &watched->closed);
}

static inline void watched_open(struct watched_stream *watched, struct world *world, const struct rpc_client_method *method)
{
    static const struct rpc_client_stream_events events = {
        .on_message = watched_message, .on_close = watched_close, .on_sent = watched_sent};
    static const struct rpc_call_options options = {.timeout_ms = 0, .wait_for_ready = 1, .bearer = "token"};
    memset(watched, 0, sizeof(*watched));
    watched->world = world;
    watched->in_order = true;
    assert_int_equal(rpc_client_stream_open(world->channel, method, &options, &events, watched, &watched->stream), STATUS_OK);
}

static inline enum status watched_send(struct watched_stream *watched, const char *text)
{
    echo_message message = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    message.service = (char *)(uintptr_t)text;
    return rpc_client_stream_send(watched->stream, &message.base);
}

/* Waits for the end and gives the stream back. */
static inline void watched_wait_close(struct watched_stream *watched)
{
    world_wait(watched->world, &watched->closed, 1);
    rpc_client_stream_release(watched->stream);
    watched->stream = NULL;
}

#endif
