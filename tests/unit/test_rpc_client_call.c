/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rpc xqueue_proto */
#include "tests/support/rpc_world.h"

enum {
    THREADS = 8,
    CALLS_PER_THREAD = 50,
    SHORT_MS = 200,
    BIG_TEXT = 100 * 1024,
};

static int setup(void **state)
{
    static struct world world;
    world_init(&world);
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    world_finish(*state);
    return 0;
}

static enum status call_with(struct world *world, const struct rpc_call_options *options, const char *text, struct error *error)
{
    echo_message request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    request.service = (char *)(uintptr_t)text;
    struct rpc_message *reply = NULL;
    const enum status status = rpc_channel_call(world->channel, &echo_unary_method, &request.base, options, &reply, error);
    rpc_message_free(reply);
    return status;
}

static void malformed_addresses_are_refused(void **state)
{
    struct world *world = *state;
    static const char *const bad[] = {NULL,    "",      "x",      "x:",         ":1",    "x:0",   "x:65536", "::1:80",
                                      "[::1]", "unix:", "unix:x", "dns:///x:1", "a b:1", "a,b:1", "x:1\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct rpc_channel_options options = {.address = bad[i]};
        struct rpc_channel *channel = NULL;
        assert_int_equal(rpc_channel_create(world->client_loop, &options, &channel), STATUS_INVALID);
        assert_null(channel);
    }
}

static void good_addresses_are_taken(void **state)
{
    struct world *world = *state;
    static const char *const good[] = {"127.0.0.1:1", "[::1]:65535", "localhost:80", "unix:/run/x.sock"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        const struct rpc_channel_options options = {.address = good[i]};
        struct rpc_channel *channel = NULL;
        assert_int_equal(rpc_channel_create(world->client_loop, &options, &channel), STATUS_OK);
        rpc_channel_destroy(channel);
    }
    rpc_channel_destroy(NULL);
}

static void a_call_that_gets_no_answer_in_time_times_out(void **state)
{
    struct world *world = *state;
    const struct rpc_call_options options = {.timeout_ms = SHORT_MS, .wait_for_ready = 1};
    struct error error;
    world_serve(world, (struct rpc_server_options){0});
    world_connect(world);

    assert_int_equal(call_with(world, &options, "hold", &error), STATUS_TIMEOUT);

    assert_true(error.text[0] != '\0');
    world_wait(world, &world->closed, 1); /* the server is told too */
}

static void without_a_server_a_call_fails_at_once_or_waits(void **state)
{
    struct world *world = *state;
    const struct rpc_call_options hurried = {.timeout_ms = WORLD_WAIT_MS};
    const struct rpc_call_options waiting = {.timeout_ms = SHORT_MS, .wait_for_ready = 1};
    (void)snprintf(world->address, sizeof(world->address), "unix:/nowhere/at/all");
    world_connect(world);

    assert_int_equal(call_with(world, &hurried, "x", NULL), STATUS_UNAVAILABLE);
    assert_int_equal(call_with(world, &waiting, "x", NULL), STATUS_TIMEOUT);
}

static void a_call_without_deadline_or_with_a_bad_token_is_not_started(void **state)
{
    struct world *world = *state;
    char long_token[RPC_BEARER_BYTES_MAX + 2];
    memset(long_token, 'x', sizeof(long_token) - 1);
    long_token[sizeof(long_token) - 1] = '\0';
    const struct rpc_call_options bad[] = {{.timeout_ms = 0},
                                           {.timeout_ms = SHORT_MS, .bearer = ""},
                                           {.timeout_ms = SHORT_MS, .bearer = "a b"},
                                           {.timeout_ms = SHORT_MS, .bearer = "a\nb"},
                                           {.timeout_ms = SHORT_MS, .bearer = long_token}};
    struct error error;
    world_serve(world, (struct rpc_server_options){.authorise = echo_authorise});
    world_connect(world);

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(call_with(world, &bad[i], "x", &error), STATUS_INVALID);
    }

    assert_int_equal(world_get(world, &world->authorised), 0);
}

static void the_token_arrives(void **state)
{
    struct world *world = *state;
    char longest[RPC_BEARER_BYTES_MAX + 1];
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    const struct rpc_call_options options = {.timeout_ms = WORLD_WAIT_MS, .wait_for_ready = 1, .bearer = "abc.DEF-123"};
    const struct rpc_call_options most = {.timeout_ms = WORLD_WAIT_MS, .wait_for_ready = 1, .bearer = longest};
    struct error error;
    world_serve(world, (struct rpc_server_options){.authorise = echo_authorise});
    world_connect(world);

    assert_int_equal(call_with(world, &options, "x", NULL), STATUS_OK);
    pthread_mutex_lock(&world->lock);
    assert_string_equal(world->bearer, "abc.DEF-123");
    pthread_mutex_unlock(&world->lock);
    assert_int_equal(call_with(world, &most, "x", NULL), STATUS_OK);
    assert_int_equal(call_with(world, &echo_patient, "x", &error), STATUS_UNAUTHENTICATED);
    assert_string_equal(error.reason, "NO_TOKEN");
}

static void an_answer_that_cannot_be_read_is_not_blamed_on_the_request(void **state)
{
    struct world *world = *state;
    const struct rpc_client_method wrong = {"/test.Echo/Unary", &grpc__health__v1__health_check_response__descriptor};
    const struct rpc_client_method wrong_stream = {"/test.Echo/Bidi", &grpc__health__v1__health_check_response__descriptor};
    struct watched_stream watched;
    struct error error;
    world_serve(world, (struct rpc_server_options){0});
    world_connect(world);

    assert_int_equal(world_call(world, &wrong, "x", NULL, &error), STATUS_INTERNAL);
    watched_open(&watched, world, &wrong_stream);
    assert_int_equal(watched_send(&watched, "x"), STATUS_OK);
    watched_wait_close(&watched);

    assert_int_equal(watched.status, STATUS_INTERNAL);
    world_wait(world, &world->closed, 2);
}

static void count_canceled(void *context, enum status status, struct rpc_message *reply, const struct error *error)
{
    (void)error;
    struct world *world = context;
    assert_null(reply);
    assert_int_equal(status, STATUS_CANCELED);
    world_count(world, &world->half_closed); /* a spare counter */
}

static void cancel_all_ends_running_calls_and_refuses_later_ones(void **state)
{
    struct world *world = *state;
    echo_message request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    char text[] = "hold";
    request.service = text;
    struct watched_stream watched = {.world = world};
    const struct rpc_client_stream_events events = {.on_message = watched_message, .on_close = watched_close};
    world_serve(world, (struct rpc_server_options){0});
    world_connect(world);

    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            rpc_channel_start(world->channel, &echo_unary_method, &request.base, &echo_patient, count_canceled, world),
            STATUS_OK);
    }
    world_wait(world, &world->held_count, 3);
    rpc_channel_cancel_all(world->channel);
    world_wait(world, &world->half_closed, 3);

    assert_int_equal(world_call(world, &echo_unary_method, "x", NULL, NULL), STATUS_CANCELED);
    assert_int_equal(
        rpc_client_stream_open(world->channel, &echo_bidi_method, &echo_patient, &events, &watched, &watched.stream),
        STATUS_CANCELED);
}

static void a_paced_stream_brings_what_was_asked_for(void **state)
{
    enum { MESSAGES = 50 };
    struct world *world = *state;
    const struct rpc_client_stream_events events = {.on_message = watched_message, .on_close = watched_close};
    const struct rpc_call_options options = {.wait_for_ready = 1, .bearer = "token", .is_paced = 1};
    struct watched_stream watched = {.world = world, .in_order = true};
    char text[WORLD_TEXT_MAX];
    world_serve(world, (struct rpc_server_options){0});
    world_connect(world);
    assert_int_equal(rpc_client_stream_open(world->channel, &echo_bidi_method, &options, &events, &watched, &watched.stream),
                     STATUS_OK);
    for (int i = 0; i < MESSAGES; i++) {
        (void)snprintf(text, sizeof(text), "%d", i);
        assert_int_equal(watched_send(&watched, text), STATUS_OK);
    }
    rpc_client_stream_half_close(watched.stream);
    world_wait(world, &world->half_closed, 1); // all has been answered

    for (int i = 1; i <= MESSAGES; i++) {
        world_wait(world, &watched.received, i);
        assert_int_equal(watched.received, i); // nobody asked for more
        assert_int_equal(watched.closed, 0);
        rpc_client_stream_receive(watched.stream);
    }
    watched_wait_close(&watched);

    assert_int_equal(watched.status, STATUS_OK);
    assert_int_equal(watched.received, MESSAGES);
    assert_true(watched.in_order);
}

static void a_paced_stream_that_nobody_reads_can_be_canceled(void **state)
{
    struct world *world = *state;
    const struct rpc_client_stream_events events = {.on_message = watched_message, .on_close = watched_close};
    const struct rpc_call_options options = {.wait_for_ready = 1, .bearer = "token", .is_paced = 1};
    struct watched_stream watched = {.world = world, .in_order = true};
    world_serve(world, (struct rpc_server_options){0});
    world_connect(world);
    assert_int_equal(rpc_client_stream_open(world->channel, &echo_bidi_method, &options, &events, &watched, &watched.stream),
                     STATUS_OK);
    assert_int_equal(watched_send(&watched, "0"), STATUS_OK);
    assert_int_equal(watched_send(&watched, "1"), STATUS_OK);
    world_wait(world, &watched.received, 1);

    rpc_client_stream_cancel(watched.stream);
    world_wait(world, &watched.closed, 1);
    rpc_client_stream_receive(watched.stream); // comes too late, and does nothing
    watched_wait_close(&watched);

    assert_int_equal(watched.status, STATUS_CANCELED);
    assert_int_equal(watched.received, 1);
}

static void *call_often(void *argument)
{
    struct world *world = argument;
    char text[WORLD_TEXT_MAX];
    char back[WORLD_TEXT_MAX];
    intptr_t failed = 0;
    for (int i = 0; i < CALLS_PER_THREAD; i++) {
        (void)snprintf(text, sizeof(text), "%d of %p", i, (void *)text);
        if (world_call(world, &echo_unary_method, text, back, NULL) != STATUS_OK || strcmp(text, back) != 0) {
            failed++;
        }
    }
    return (void *)failed;
}

static void many_threads_call_at_once(void **state)
{
    struct world *world = *state;
    pthread_t threads[THREADS];
    world_serve(world, (struct rpc_server_options){0});
    world_connect(world);

    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, world), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *failed = NULL;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }

    world_wait(world, &world->closed, THREADS * CALLS_PER_THREAD);
}

static void a_stream_that_nobody_reads_fills_its_queue(void **state)
{
    struct world *world = *state;
    struct watched_stream watched;
    char *text = memory_allocate(BIG_TEXT);
    memset(text, 'x', BIG_TEXT - 1);
    size_t taken = 0;
    world_count(world, &world->bidi_holds);
    world_serve(world, (struct rpc_server_options){0});
    world_connect(world);

    watched_open(&watched, world, &echo_bidi_method);
    enum status status = watched_send(&watched, text);
    while (status == STATUS_OK) {
        taken += BIG_TEXT;
        assert_true(taken < 4 * (size_t)RPC_SEND_QUEUE_BYTES_DEFAULT);
        status = watched_send(&watched, text);
    }
    assert_int_equal(status, STATUS_FULL);
    rpc_client_stream_cancel(watched.stream);
    watched_wait_close(&watched);

    assert_int_equal(watched.status, STATUS_CANCELED);
    world_wait(world, &world->closed, 1);
    memory_free(text);
}

static void nothing_can_be_sent_after_the_half_close_or_the_end(void **state)
{
    struct world *world = *state;
    struct watched_stream watched;
    world_serve(world, (struct rpc_server_options){0});
    world_connect(world);

    watched_open(&watched, world, &echo_bidi_method);
    assert_int_equal(watched_send(&watched, "0"), STATUS_OK);
    rpc_client_stream_half_close(watched.stream);
    rpc_client_stream_half_close(watched.stream);
    assert_int_equal(watched_send(&watched, "1"), STATUS_CANCELED);
    world_wait(world, &watched.closed, 1);
    assert_int_equal(watched_send(&watched, "1"), STATUS_CANCELED);
    rpc_client_stream_cancel(watched.stream);
    rpc_client_stream_half_close(watched.stream);
    watched_wait_close(&watched);

    assert_int_equal(watched.status, STATUS_OK);
    assert_int_equal(watched.received, 1);
}

static void each_message_that_has_left_is_told(void **state)
{
    struct world *world = *state;
    struct watched_stream watched;
    world_serve(world, (struct rpc_server_options){0});
    world_connect(world);

    watched_open(&watched, world, &echo_bidi_method);
    for (int i = 0; i < 3; i++) {
        char text[WORLD_TEXT_MAX];
        (void)snprintf(text, sizeof(text), "%d", i);
        assert_int_equal(watched_send(&watched, text), STATUS_OK);
    }
    world_wait(world, &watched.sent, 3);
    rpc_client_stream_half_close(watched.stream);
    watched_wait_close(&watched);

    assert_int_equal(watched.status, STATUS_OK);
    assert_int_equal(watched.sent, 3); // neither the metadata nor the half-close is a message
}

static void a_stream_may_be_released_before_its_end(void **state)
{
    struct world *world = *state;
    struct watched_stream watched;
    world_serve(world, (struct rpc_server_options){0});
    world_connect(world);

    watched_open(&watched, world, &echo_bidi_method);
    assert_int_equal(watched_send(&watched, "0"), STATUS_OK);
    rpc_client_stream_half_close(watched.stream);
    rpc_client_stream_release(watched.stream);
    world_wait(world, &watched.closed, 1);

    assert_int_equal(watched.status, STATUS_OK);
    assert_int_equal(watched.received, 1);
    rpc_client_stream_release(NULL);
}

static void a_stream_can_have_a_deadline(void **state)
{
    struct world *world = *state;
    struct watched_stream watched = {.world = world};
    const struct rpc_client_stream_events events = {.on_message = watched_message, .on_close = watched_close};
    const struct rpc_call_options options = {.timeout_ms = SHORT_MS, .wait_for_ready = 1};
    world_serve(world, (struct rpc_server_options){0});
    world_connect(world);

    assert_int_equal(rpc_client_stream_open(world->channel, &echo_bidi_method, &options, &events, &watched, &watched.stream),
                     STATUS_OK);
    watched_wait_close(&watched);

    assert_int_equal(watched.status, STATUS_TIMEOUT);
    world_wait(world, &world->closed, 1);
}

static void the_client_finds_a_restarted_server_again(void **state)
{
    struct world *world = *state;
    struct watched_stream watched;
    world_serve(world, (struct rpc_server_options){0});
    world_connect(world);
    const char *const same_place[] = {world->address};
    const struct rpc_server_options again = {.listeners = same_place, .listener_count = 1};

    assert_int_equal(world_call(world, &echo_unary_method, "x", NULL, NULL), STATUS_OK);
    watched_open(&watched, world, &echo_bidi_method);
    world_wait(world, &world->opened, 1);
    world_stop_server(world, 0);
    watched_wait_close(&watched);
    const struct rpc_call_options hurried = {.timeout_ms = WORLD_WAIT_MS};
    const enum status between = call_with(world, &hurried, "x", NULL);
    world_serve(world, again);

    assert_int_equal(watched.status, STATUS_UNAVAILABLE);
    assert_int_equal(between, STATUS_UNAVAILABLE);
    assert_int_equal(world_call(world, &echo_unary_method, "x", NULL, NULL), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(malformed_addresses_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(good_addresses_are_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(a_call_that_gets_no_answer_in_time_times_out, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_server_a_call_fails_at_once_or_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(a_call_without_deadline_or_with_a_bad_token_is_not_started, setup, teardown),
        cmocka_unit_test_setup_teardown(the_token_arrives, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_that_cannot_be_read_is_not_blamed_on_the_request, setup, teardown),
        cmocka_unit_test_setup_teardown(cancel_all_ends_running_calls_and_refuses_later_ones, setup, teardown),
        cmocka_unit_test_setup_teardown(a_paced_stream_brings_what_was_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(a_paced_stream_that_nobody_reads_can_be_canceled, setup, teardown),
        cmocka_unit_test_setup_teardown(many_threads_call_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stream_that_nobody_reads_fills_its_queue, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_can_be_sent_after_the_half_close_or_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(each_message_that_has_left_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stream_may_be_released_before_its_end, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stream_can_have_a_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(the_client_finds_a_restarted_server_again, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
