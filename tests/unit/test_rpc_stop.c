/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rpc xqueue_proto */
/* How a server stops: in the order that loses no answer. */
#include "tests/support/rpc_world.h"

enum {
    CALLERS = 4,
    CALLS_BEFORE_STOP = 100,
    HELD_CALLS = 32,
    BIG_REPLY = 200 * 1024,
    HOUR_MS = 3600 * 1000,
    PROMPT_MS = 5000, /* far below any grace used here, far above what a stop takes */
};

struct stopping {
    struct world world;
    pthread_t thread;
    int64_t grace_ms;
    int stopped; /* guarded by the world's lock */
};

/* What came of calls that were started together. */
struct replies {
    struct world *world;
    int done; /* guarded by the world's lock, as the rest */
    int ok;
    size_t bytes;
    enum status last_status;
    struct error last_error;
};

static int setup(void **state)
{
    static struct stopping stopping;
    memset(&stopping, 0, sizeof(stopping));
    world_init(&stopping.world);
    world_serve(&stopping.world, (struct rpc_server_options){0});
    world_connect(&stopping.world);
    *state = &stopping;
    return 0;
}

static int teardown(void **state)
{
    struct stopping *stopping = *state;
    world_finish(&stopping->world);
    return 0;
}

static void *run_stop(void *argument)
{
    struct stopping *stopping = argument;
    rpc_server_stop(stopping->world.server, stopping->grace_ms);
    world_count(&stopping->world, &stopping->stopped);
    return NULL;
}

static void start_stop(struct stopping *stopping, int64_t grace_ms)
{
    stopping->grace_ms = grace_ms;
    rpc_server_refuse(stopping->world.server); /* so that the test need not wait for the thread's first step */
    assert_int_equal(pthread_create(&stopping->thread, NULL, run_stop, stopping), 0);
}

static void wait_stopped(struct stopping *stopping)
{
    assert_int_equal(pthread_join(stopping->thread, NULL), 0);
    assert_int_equal(rpc_server_call_count(stopping->world.server), 0);
    rpc_server_destroy(stopping->world.server);
    stopping->world.server = NULL;
}

static void on_reply(void *context, enum status status, struct rpc_message *reply, const struct error *error)
{
    struct replies *replies = context;
    pthread_mutex_lock(&replies->world->lock);
    if (status == STATUS_OK) {
        replies->ok++;
        replies->bytes += strlen(echo_text(reply));
    }
    replies->last_status = status;
    replies->last_error = *error;
    pthread_mutex_unlock(&replies->world->lock);
    rpc_message_free(reply);
    world_count(replies->world, &replies->done);
}

static void start_held_calls(struct world *world, struct replies *replies, int count)
{
    echo_message request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    char text[] = "hold";
    request.service = text;
    memset(replies, 0, sizeof(*replies));
    replies->world = world;
    for (int i = 0; i < count; i++) {
        assert_int_equal(rpc_channel_start(world->channel, &echo_unary_method, &request.base, &echo_patient, on_reply, replies),
                         STATUS_OK);
    }
    world_wait(world, &world->held_count, count);
}

static void running_calls_get_their_replies(void **state)
{
    struct stopping *stopping = *state;
    struct world *world = &stopping->world;
    struct replies replies;
    char *big = memory_allocate(BIG_REPLY + 1);
    memset(big, 'x', BIG_REPLY);

    start_held_calls(world, &replies, HELD_CALLS);
    assert_int_equal(rpc_server_call_count(world->server), HELD_CALLS);
    start_stop(stopping, HOUR_MS);
    for (int i = 0; i < HELD_CALLS; i++) {
        struct rpc_server_call *call = world_held(world, i);
        world_reply(call, big);
        rpc_server_call_release(call);
    }
    wait_stopped(stopping);
    world_wait(world, &replies.done, HELD_CALLS);

    assert_int_equal(replies.ok, HELD_CALLS);
    assert_int_equal(replies.bytes, (size_t)HELD_CALLS * BIG_REPLY);
    assert_int_equal(world_get(world, &world->closed), HELD_CALLS);
    memory_free(big);
}

struct caller {
    struct world *world;
    pthread_t thread;
    int answered;
    enum status last;
};

static void *call_until_refused(void *argument)
{
    struct caller *caller = argument;
    caller->last = world_call(caller->world, &echo_unary_method, "x", NULL, NULL);
    while (caller->last == STATUS_OK) {
        caller->answered++;
        caller->last = world_call(caller->world, &echo_unary_method, "x", NULL, NULL);
    }
    return NULL;
}

static void what_was_done_was_answered(void **state)
{
    struct stopping *stopping = *state;
    struct world *world = &stopping->world;
    struct caller callers[CALLERS];
    int answered = 0;

    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){.world = world};
        assert_int_equal(pthread_create(&callers[i].thread, NULL, call_until_refused, &callers[i]), 0);
    }
    world_wait(world, &world->messages, CALLS_BEFORE_STOP);
    start_stop(stopping, HOUR_MS);
    for (int i = 0; i < CALLERS; i++) {
        assert_int_equal(pthread_join(callers[i].thread, NULL), 0);
        assert_int_equal(callers[i].last, STATUS_UNAVAILABLE);
        answered += callers[i].answered;
    }
    wait_stopped(stopping);

    assert_int_equal(answered, world_get(world, &world->messages));
    assert_int_equal(answered, world_get(world, &world->closed));
}

static void new_calls_are_refused_while_old_ones_run(void **state)
{
    struct stopping *stopping = *state;
    struct world *world = &stopping->world;
    struct replies replies;
    struct error error;

    start_held_calls(world, &replies, 1);
    start_stop(stopping, HOUR_MS);
    assert_int_equal(world_call(world, &echo_unary_method, "x", NULL, &error), STATUS_UNAVAILABLE);
    assert_string_equal(error.reason, "DRAINING");
    assert_int_equal(world_call(world, &echo_probe_method, "x", NULL, &error), STATUS_OK); /* who asks how it stands is told */
    assert_int_equal(world_get(world, &stopping->stopped), 0);

    struct rpc_server_call *call = world_held(world, 0);
    world_reply(call, "x");
    rpc_server_call_release(call);
    wait_stopped(stopping);
    world_wait(world, &replies.done, 1);
    assert_int_equal(replies.ok, 1);
}

static void streams_are_ended_by_their_owner_with_a_reason(void **state)
{
    struct stopping *stopping = *state;
    struct world *world = &stopping->world;
    struct watched_stream watched;
    struct error error;
    world_count(world, &world->bidi_holds);

    watched_open(&watched, world, &echo_bidi_method);
    assert_int_equal(watched_send(&watched, "x"), STATUS_OK);
    struct rpc_server_call *call = world_held(world, 0);
    assert_int_equal(world_send(call, "0"), STATUS_OK);
    world_wait(world, &watched.received, 1);
    start_stop(stopping, HOUR_MS);
    rpc_server_call_finish(call, error_set(&error, STATUS_UNAVAILABLE, "DRAINING", "come again"), &error);
    wait_stopped(stopping);
    watched_wait_close(&watched);

    assert_int_equal(watched.status, STATUS_UNAVAILABLE);
    assert_string_equal(watched.error.reason, "DRAINING");
    assert_string_equal(watched.error.text, "come again");
    rpc_server_call_release(call);
}

static void what_runs_after_the_grace_is_cut(void **state)
{
    struct stopping *stopping = *state;
    struct world *world = &stopping->world;
    struct replies replies;
    struct watched_stream watched;

    watched_open(&watched, world, &echo_bidi_method);
    world_wait(world, &world->opened, 1);
    start_held_calls(world, &replies, 2);
    start_stop(stopping, 100);
    wait_stopped(stopping);
    world_wait(world, &replies.done, 2);
    watched_wait_close(&watched);

    assert_int_equal(replies.ok, 0);
    assert_int_equal(replies.last_status, STATUS_UNAVAILABLE);
    assert_int_equal(watched.status, STATUS_UNAVAILABLE);
    assert_int_equal(world_get(world, &world->closed), 3);
}

static void a_second_signal_ends_the_grace(void **state)
{
    struct stopping *stopping = *state;
    struct world *world = &stopping->world;
    struct replies replies;

    start_held_calls(world, &replies, 1);
    start_stop(stopping, HOUR_MS);
    rpc_server_abort_stop(world->server);
    wait_stopped(stopping);
    world_wait(world, &replies.done, 1);

    assert_int_equal(replies.last_status, STATUS_UNAVAILABLE);
}

static void idle_clients_do_not_hold_up_a_stop(void **state)
{
    struct stopping *stopping = *state;
    struct world *world = &stopping->world;

    assert_int_equal(world_call(world, &echo_unary_method, "x", NULL, NULL), STATUS_OK);
    const int64_t before_us = clock_monotonic_us();
    start_stop(stopping, HOUR_MS);
    wait_stopped(stopping);

    assert_true(clock_monotonic_us() - before_us < (int64_t)PROMPT_MS * 1000);
}

static void refusing_again_and_stopping_twice_asked_is_harmless(void **state)
{
    struct stopping *stopping = *state;
    struct world *world = &stopping->world;

    rpc_server_refuse(world->server);
    rpc_server_refuse(world->server);
    rpc_server_abort_stop(world->server);
    start_stop(stopping, HOUR_MS);
    wait_stopped(stopping);
    rpc_server_destroy(NULL);
    rpc_loop_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(running_calls_get_their_replies, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_done_was_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(new_calls_are_refused_while_old_ones_run, setup, teardown),
        cmocka_unit_test_setup_teardown(streams_are_ended_by_their_owner_with_a_reason, setup, teardown),
        cmocka_unit_test_setup_teardown(what_runs_after_the_grace_is_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_signal_ends_the_grace, setup, teardown),
        cmocka_unit_test_setup_teardown(idle_clients_do_not_hold_up_a_stop, setup, teardown),
        cmocka_unit_test_setup_teardown(refusing_again_and_stopping_twice_asked_is_harmless, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
