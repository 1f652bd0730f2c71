/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rpc xqueue_proto */
#include "tests/support/rpc_world.h"

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
    assert_int_equal(world->opened, 1);
    assert_int_equal(world->half_closed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_unary_call_gets_its_reply, setup, teardown),
        cmocka_unit_test_setup_teardown(an_error_carries_text_reason_and_delay, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unknown_method_is_named_in_the_refusal, setup, teardown),
        cmocka_unit_test_setup_teardown(a_row_without_handler_is_unimplemented, setup, teardown),
        cmocka_unit_test_setup_teardown(a_thousand_messages_go_both_ways_in_order, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
