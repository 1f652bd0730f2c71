/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rpc xqueue_proto */
#include "tests/support/rpc_world.h"

enum { ROUNDING_MS = 1000 }; /* HTTP/2 carries deadlines in coarse units */

static int setup(void **state)
{
    static struct world world;
    world_init(&world);
    world_serve(&world, (struct rpc_server_options){0});
    world_connect(&world);
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    world_finish(*state);
    return 0;
}

static void a_unary_call_gets_its_reply(void **state)
{
    struct world *world = *state;
    char text[WORLD_TEXT_MAX] = "";

    assert_int_equal(world_call(world, &echo_unary_method, "hello", text, NULL), STATUS_OK);

    assert_string_equal(text, "hello");
    world_wait(world, &world->closed, 1);
}

static void an_error_carries_text_reason_and_delay(void **state)
{
    struct world *world = *state;
    struct error error;

    assert_int_equal(world_call(world, &echo_unary_method, "fail", NULL, &error), STATUS_STALE);

    assert_string_equal(error.reason, "LEASE_STALE");
    assert_string_equal(error.text, "not the newest, Zoë: 100 %");
    assert_int_equal(error.retry_after_ms, 1234);
}

static void an_unknown_method_is_named_in_the_refusal(void **state)
{
    struct world *world = *state;
    struct error error;

    assert_int_equal(world_call(world, &echo_unknown_method, "x", NULL, &error), STATUS_UNIMPLEMENTED);

    assert_non_null(strstr(error.text, "/test.Echo/Unknown"));
}

static void a_row_without_handler_is_unimplemented(void **state)
{
    struct world *world = *state;
    struct error error;
    struct watched_stream watched;

    assert_int_equal(world_call(world, &echo_nothing_method, "x", NULL, &error), STATUS_UNIMPLEMENTED);
    watched_open(&watched, world, &echo_nothing_stream_method);
    watched_wait_close(&watched);

    assert_non_null(strstr(error.text, "/test.Echo/Nothing"));
    assert_int_equal(watched.status, STATUS_UNIMPLEMENTED);
    assert_int_equal(world_get(world, &world->closed), 0);
}

static void a_thousand_messages_go_both_ways_in_order(void **state)
{
    enum { COUNT = 1000 };
    struct world *world = *state;
    struct watched_stream watched;
    char text[WORLD_TEXT_MAX];

    watched_open(&watched, world, &echo_bidi_method);
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(text, sizeof(text), "%d", i);
        assert_int_equal(watched_send(&watched, text), STATUS_OK);
    }
    rpc_client_stream_half_close(watched.stream);
    watched_wait_close(&watched);

    assert_int_equal(watched.status, STATUS_OK);
    assert_int_equal(watched.received, COUNT);
    assert_true(watched.in_order);
    world_wait(world, &world->closed, 1);
    assert_int_equal(world_get(world, &world->opened), 1);
    assert_int_equal(world_get(world, &world->half_closed), 1);
}

static void every_kind_of_stream_works(void **state)
{
    struct world *world = *state;
    struct watched_stream pour;
    struct watched_stream collect;

    watched_open(&pour, world, &echo_pour_method);
    assert_int_equal(watched_send(&pour, "x"), STATUS_OK);
    rpc_client_stream_half_close(pour.stream);
    watched_wait_close(&pour);
    world_wait(world, &world->closed, 1);

    watched_open(&collect, world, &echo_collect_method);
    rpc_client_stream_half_close(collect.stream);
    watched_wait_close(&collect);

    assert_int_equal(pour.status, STATUS_OK);
    assert_int_equal(pour.received, 3);
    assert_int_equal(collect.status, STATUS_OK);
    assert_int_equal(collect.received, 1);
    assert_true(collect.in_order); /* "0" messages were collected */
}

static void who_sends_on_drained_sends_one_at_a_time(void **state)
{
    struct world *world = *state;
    struct watched_stream drip;

    watched_open(&drip, world, &echo_drip_method);
    assert_int_equal(watched_send(&drip, "x"), STATUS_OK);
    rpc_client_stream_half_close(drip.stream);
    watched_wait_close(&drip);

    assert_int_equal(drip.status, STATUS_OK);
    assert_int_equal(drip.received, WORLD_DRIP_COUNT);
    assert_true(drip.in_order);
    world_wait(world, &world->closed, 1);
    assert_int_equal(world_get(world, &world->drained), WORLD_DRIP_COUNT);
}

static void an_idle_stream_is_ended_but_not_a_busy_one(void **state)
{
    enum { BUSY_COUNT = 15 };
    struct world *world = *state;
    struct watched_stream busy;
    struct watched_stream idle;
    char text[WORLD_TEXT_MAX];

    watched_open(&busy, world, &echo_idle_method);
    for (int i = 0; i < BUSY_COUNT; i++) { /* longer than the idle time in all */
        (void)snprintf(text, sizeof(text), "%d", i);
        assert_int_equal(watched_send(&busy, text), STATUS_OK);
        world_let_pass(world, WORLD_IDLE_MS / 10);
    }
    world_wait(world, &busy.received, BUSY_COUNT);
    watched_open(&idle, world, &echo_idle_method);
    watched_wait_close(&idle);
    watched_wait_close(&busy);

    assert_int_equal(busy.received, BUSY_COUNT);
    assert_int_equal(idle.status, STATUS_TIMEOUT);
    assert_string_equal(idle.error.reason, "STREAM_IDLE");
    assert_int_equal(busy.status, STATUS_TIMEOUT);
}

static void a_stream_is_open_before_its_first_message(void **state)
{
    struct world *world = *state;
    struct watched_stream watched;

    watched_open(&watched, world, &echo_bidi_method);

    world_wait(world, &world->opened, 1);
    rpc_client_stream_cancel(watched.stream);
    watched_wait_close(&watched);
    assert_int_equal(watched.status, STATUS_CANCELED);
}

static void a_client_that_cancels_closes_the_call(void **state)
{
    struct world *world = *state;
    struct watched_stream watched;

    watched_open(&watched, world, &echo_bidi_method);
    assert_int_equal(watched_send(&watched, "0"), STATUS_OK);
    world_wait(world, &watched.received, 1);
    rpc_client_stream_cancel(watched.stream);
    watched_wait_close(&watched);

    world_wait(world, &world->closed, 1);
    assert_int_equal(world_get(world, &world->half_closed), 0);
}

static void a_held_call_can_be_answered_from_another_thread(void **state)
{
    struct world *world = *state;
    struct watched_stream watched;
    world_count(world, &world->bidi_holds);

    watched_open(&watched, world, &echo_bidi_method);
    assert_int_equal(watched_send(&watched, "x"), STATUS_OK);
    struct rpc_server_call *call = world_held(world, 0);
    assert_int_equal(world_send(call, "0"), STATUS_OK);
    assert_int_equal(world_send(call, "1"), STATUS_OK);
    rpc_server_call_finish(call, STATUS_OK, NULL);
    assert_true(rpc_server_call_is_over(call));
    assert_int_equal(world_send(call, "2"), STATUS_CANCELED);
    watched_wait_close(&watched);

    assert_int_equal(watched.status, STATUS_OK);
    assert_int_equal(watched.received, 2);
    world_wait(world, &world->closed, 1);
    rpc_server_call_release(call);
}

static void what_was_queued_arrives_before_the_error_that_ends_the_stream(void **state)
{
    enum { COUNT = 100 };
    struct world *world = *state;
    struct watched_stream watched;
    char text[WORLD_TEXT_MAX];
    world_count(world, &world->bidi_holds);

    watched_open(&watched, world, &echo_bidi_method);
    assert_int_equal(watched_send(&watched, "x"), STATUS_OK);
    struct rpc_server_call *call = world_held(world, 0);
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(text, sizeof(text), "%d", i);
        assert_int_equal(world_send(call, text), STATUS_OK);
    }
    rpc_server_call_finish(call, STATUS_UNAVAILABLE, NULL);
    watched_wait_close(&watched);

    assert_int_equal(watched.status, STATUS_UNAVAILABLE);
    assert_int_equal(watched.received, COUNT);
    assert_true(watched.in_order);
    rpc_server_call_release(call);
}

static void a_call_is_harmless_after_its_end(void **state)
{
    struct world *world = *state;
    struct watched_stream watched;
    world_count(world, &world->bidi_holds);

    watched_open(&watched, world, &echo_bidi_method);
    assert_int_equal(watched_send(&watched, "x"), STATUS_OK);
    struct rpc_server_call *call = world_held(world, 0);
    rpc_client_stream_cancel(watched.stream);
    watched_wait_close(&watched);
    world_wait(world, &world->closed, 1);
    world_stop_server(world, 0);

    assert_true(rpc_server_call_is_over(call));
    assert_int_equal(world_send(call, "x"), STATUS_CANCELED);
    rpc_server_call_receive(call);
    rpc_server_call_finish(call, STATUS_OK, NULL);
    world_reply(call, "x");
    assert_string_equal(rpc_server_call_peer(call), "");
    assert_ptr_equal(rpc_server_call_context(call), world);
    rpc_server_call_release(call);
}

static void the_first_end_of_a_call_counts(void **state)
{
    struct world *world = *state;
    struct watched_stream watched;
    world_count(world, &world->bidi_holds);

    watched_open(&watched, world, &echo_bidi_method);
    assert_int_equal(watched_send(&watched, "x"), STATUS_OK);
    struct rpc_server_call *call = world_held(world, 0);
    rpc_server_call_finish(call, STATUS_NOT_FOUND, NULL);
    rpc_server_call_finish(call, STATUS_EXISTS, NULL);
    world_reply(call, "x");
    watched_wait_close(&watched);

    assert_int_equal(watched.status, STATUS_NOT_FOUND);
    assert_int_equal(watched.received, 0);
    rpc_server_call_release(call);
}

static void a_server_may_finish_while_the_client_writes(void **state)
{
    struct world *world = *state;
    struct watched_stream watched;
    world_count(world, &world->bidi_holds);

    watched_open(&watched, world, &echo_bidi_method);
    enum status status = watched_send(&watched, "x");
    struct rpc_server_call *call = world_held(world, 0);
    rpc_server_call_finish(call, STATUS_STALE, NULL);
    while (status == STATUS_OK || (status == STATUS_FULL && world_get(world, &watched.closed) == 0)) {
        status = watched_send(&watched, "more");
    }
    watched_wait_close(&watched);

    assert_int_equal(watched.status, STATUS_STALE);
    world_wait(world, &world->closed, 1);
    rpc_server_call_release(call);
}

static void the_peer_and_the_deadline_are_known(void **state)
{
    struct world *world = *state;
    struct watched_stream watched;
    world_count(world, &world->bidi_holds);

    watched_open(&watched, world, &echo_bidi_method);
    assert_int_equal(watched_send(&watched, "x"), STATUS_OK);
    struct rpc_server_call *call = world_held(world, 0);
    assert_int_equal(world_call(world, &echo_unary_method, "x", NULL, NULL), STATUS_OK);

    assert_int_equal(strncmp(rpc_server_call_peer(call), "ipv4:127.0.0.1:", strlen("ipv4:127.0.0.1:")), 0);
    assert_true(rpc_server_call_time_left_ms(call) == INT64_MAX); /* the stream has none */
    const int left_ms = world_get(world, &world->time_left_ms);
    assert_true(left_ms > 0 && left_ms <= WORLD_WAIT_MS + ROUNDING_MS);
    rpc_client_stream_cancel(watched.stream);
    watched_wait_close(&watched);
    rpc_server_call_release(call);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_unary_call_gets_its_reply, setup, teardown),
        cmocka_unit_test_setup_teardown(an_error_carries_text_reason_and_delay, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unknown_method_is_named_in_the_refusal, setup, teardown),
        cmocka_unit_test_setup_teardown(a_row_without_handler_is_unimplemented, setup, teardown),
        cmocka_unit_test_setup_teardown(a_thousand_messages_go_both_ways_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(every_kind_of_stream_works, setup, teardown),
        cmocka_unit_test_setup_teardown(who_sends_on_drained_sends_one_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(an_idle_stream_is_ended_but_not_a_busy_one, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stream_is_open_before_its_first_message, setup, teardown),
        cmocka_unit_test_setup_teardown(a_client_that_cancels_closes_the_call, setup, teardown),
        cmocka_unit_test_setup_teardown(a_held_call_can_be_answered_from_another_thread, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_queued_arrives_before_the_error_that_ends_the_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(a_call_is_harmless_after_its_end, setup, teardown),
        cmocka_unit_test_setup_teardown(the_first_end_of_a_call_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(a_server_may_finish_while_the_client_writes, setup, teardown),
        cmocka_unit_test_setup_teardown(the_peer_and_the_deadline_are_known, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
