/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rpc xqueue_proto */
/* What a server bears from peers that send too much, or read too little, or are gone. */
#include "tests/support/rpc_peer.h"

enum {
    STILL_MS = 500, /* in which nothing more is taken by a peer that does not read */
    BIG_TEXT = 10 * 1024,
    AMPLIFIER_BYTES = 1024 * 1024,
    MESSAGE_MAX = 1000,
    STEADY_REQUESTS = 100,
    QUEUE_MAX = 200 * 1024,
    KERNEL_AND_WINDOW_MAX = 32 * 1024 * 1024, /* what the sockets and the flow control may swallow */
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

static enum status call_raw(struct world *world, const void *bytes, size_t length, struct error *error)
{
    const struct rpc_raw raw = {bytes, length};
    struct rpc_message *reply = NULL;
    const enum status status = rpc_channel_call_raw(world->channel, &echo_unary_method, raw, &echo_patient, &reply, error);
    rpc_message_free(reply);
    return status;
}

static void malformed_bytes_are_refused(void **state)
{
    struct world *world = *state;
    struct error error;
    world_serve(world, (struct rpc_server_options){0});
    world_connect(world);

    assert_int_equal(call_raw(world, "\x0a\x05x", 3, &error), STATUS_INVALID);
    assert_string_equal(error.reason, "MALFORMED");
    assert_int_equal(call_raw(world, "\x08\x05", 2, &error), STATUS_INVALID);
    assert_int_equal(call_raw(world, "\x0a\x03x\0y", 5, &error), STATUS_INVALID);
    assert_int_equal(call_raw(world, "\x0a\x02\xc3\x28", 4, &error), STATUS_INVALID);
    assert_int_equal(call_raw(world, "\x0a\x02\xc3\xab", 4, &error), STATUS_OK);
    assert_int_equal(world_get(world, &world->messages), 1);
    assert_int_equal(call_raw(world, "", 0, &error), STATUS_OK);
}

static void a_malformed_message_ends_its_stream_only(void **state)
{
    struct world *world = *state;
    struct watched_stream bad;
    struct watched_stream good;
    world_serve(world, (struct rpc_server_options){0});
    world_connect(world);

    watched_open(&good, world, &echo_bidi_method);
    watched_open(&bad, world, &echo_bidi_method);
    assert_int_equal(rpc_client_stream_send_raw(bad.stream, (struct rpc_raw){"\x0a\x05x", 3}), STATUS_OK);
    watched_wait_close(&bad);
    assert_int_equal(watched_send(&good, "0"), STATUS_OK);
    rpc_client_stream_half_close(good.stream);
    watched_wait_close(&good);

    assert_int_equal(bad.status, STATUS_INVALID);
    assert_int_equal(good.status, STATUS_OK);
    assert_int_equal(good.received, 1);
    world_wait(world, &world->closed, 2);
}

static void bytes_that_would_fill_the_memory_are_refused(void **state)
{
    struct world *world = *state;
    struct error error;
    world_serve(world, (struct rpc_server_options){0});
    world_connect(world);
    char *bytes = memory_allocate(AMPLIFIER_BYTES);
    for (size_t i = 0; i < AMPLIFIER_BYTES; i += 2) {
        bytes[i] = 0x78; /* field 15, a number: unknown, so protobuf-c keeps each in a struct of its own */
    }

    assert_int_equal(call_raw(world, bytes, AMPLIFIER_BYTES, &error), STATUS_FULL);

    assert_string_equal(error.reason, "MESSAGE_TOO_LARGE");
    memory_free(bytes);
}

static void a_message_over_the_limit_is_refused(void **state)
{
    struct world *world = *state;
    char bytes[2 * MESSAGE_MAX];
    struct watched_stream watched;
    world_serve(world, (struct rpc_server_options){.message_bytes_max = MESSAGE_MAX});
    world_connect(world);
    memset(bytes, 0x78, sizeof(bytes));

    assert_int_equal(call_raw(world, bytes, sizeof(bytes), NULL), STATUS_FULL);
    watched_open(&watched, world, &echo_bidi_method);
    assert_int_equal(rpc_client_stream_send_raw(watched.stream, (struct rpc_raw){bytes, sizeof(bytes)}), STATUS_OK);
    watched_wait_close(&watched);

    assert_int_equal(watched.status, STATUS_FULL);
    assert_int_equal(world_call(world, &echo_unary_method, "x", NULL, NULL), STATUS_OK);
    world_wait(world, &world->closed, 2);
    assert_int_equal(world_get(world, &world->messages), 1);
    assert_int_equal(world_get(world, &world->half_closed), 0);
}

/* Sends until the queue is full; how many bytes it took. */
static size_t fill(struct rpc_server_call *call)
{
    char text[BIG_TEXT];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    size_t taken = 0;
    enum status status = world_send(call, text);
    while (status == STATUS_OK) {
        taken += sizeof(text);
        status = world_send(call, text);
    }
    assert_int_equal(status, STATUS_FULL);
    return taken;
}

/* Opens a stream whose client reads nothing, and fills it up until nothing moves any more. */
static struct rpc_server_call *fill_up(struct world *world, struct peer *peer)
{
    world_count(world, &world->bidi_holds);
    peer_start(peer, world, "stream-unread");
    struct rpc_server_call *call = world_held(world, 0);
    size_t taken = 0;
    size_t step = fill(call);
    while (step > 0) {
        taken += step;
        assert_true(taken < QUEUE_MAX + KERNEL_AND_WINDOW_MAX);
        world_let_pass(world, STILL_MS);
        step = fill(call);
    }
    return call;
}

static void a_slow_reader_fills_its_queue_and_learns_why_it_was_ended(void **state)
{
    struct world *world = *state;
    struct peer peer;
    char text[WORLD_TEXT_MAX];
    struct error error;
    world_serve(world, (struct rpc_server_options){.send_queue_bytes_max = QUEUE_MAX});

    struct rpc_server_call *call = fill_up(world, &peer);
    rpc_server_call_finish(call, error_set(&error, STATUS_FULL, "SLOW_READER", "read faster"), &error);
    peer_wait(&peer, text);

    assert_string_equal(text, "RESOURCE_EXHAUSTED read faster\n");
    rpc_server_call_release(call);
}

static void a_finished_call_does_not_wait_for_ever_for_its_reader(void **state)
{
    struct world *world = *state;
    struct peer peer;
    char text[WORLD_TEXT_MAX];
    world_serve(world, (struct rpc_server_options){.send_queue_bytes_max = QUEUE_MAX, .finish_stall_ms = 100});

    struct rpc_server_call *call = fill_up(world, &peer);
    rpc_server_call_finish(call, STATUS_OK, NULL);
    world_wait(world, &world->closed, 1);
    peer_wait(&peer, text);

    assert_int_equal(strncmp(text, "CANCELLED", strlen("CANCELLED")), 0);
    rpc_server_call_release(call);
}

static void a_frozen_peer_is_noticed(void **state)
{
    struct world *world = *state;
    struct peer peer;
    char text[WORLD_TEXT_MAX];
    world_count(world, &world->bidi_holds);
    world_serve(world, (struct rpc_server_options){.keepalive_ms = 300, .keepalive_timeout_ms = 300});

    peer_start(&peer, world, "stream-unread");
    world_wait(world, &world->messages, 1);
    assert_int_equal(kill(peer.pid, SIGSTOP), 0);
    world_wait(world, &world->closed, 1);

    assert_int_equal(kill(peer.pid, SIGCONT), 0);
    peer_wait(&peer, text);
    assert_int_equal(strncmp(text, "UNAVAILABLE", strlen("UNAVAILABLE")), 0);
}

static void a_killed_peer_is_noticed(void **state)
{
    struct world *world = *state;
    struct peer peer;
    char text[WORLD_TEXT_MAX];
    world_count(world, &world->bidi_holds);
    world_serve(world, (struct rpc_server_options){0});

    peer_start(&peer, world, "stream-unread");
    world_wait(world, &world->messages, 1);
    assert_int_equal(kill(peer.pid, SIGKILL), 0);
    world_wait(world, &world->closed, 1);

    peer_wait(&peer, text);
}

/* The bomb is inflated before its size is checked, so no compression is taken at all. */
static void compressed_requests_are_refused(void **state)
{
    struct world *world = *state;
    char text[WORLD_TEXT_MAX];
    world_serve(world, (struct rpc_server_options){0});

    peer_run(world, "gzip", text);

    assert_non_null(strstr(text, "UNIMPLEMENTED"));
    assert_non_null(strstr(text, "gzip"));
    assert_int_equal(world_get(world, &world->messages), 0);
}

static void only_one_whole_bearer_token_counts(void **state)
{
    static const struct {
        const char *act;
        bool passes;
    } cases[] = {{"plain", true},      {"lower-case-scheme", true}, {"longest-token", true},
                 {"no-token", false},  {"other-scheme", false},     {"empty-token", false},
                 {"two-words", false}, {"two-tokens", false},       {"long-token", false}};
    struct world *world = *state;
    char text[WORLD_TEXT_MAX];
    world_serve(world, (struct rpc_server_options){.authorise = echo_authorise});

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        peer_run(world, cases[i].act, text);
        assert_string_equal(text, cases[i].passes ? "OK \n" : "UNAUTHENTICATED no token for role 7\n");
    }

    assert_int_equal(world_get(world, &world->authorised), (int)(sizeof(cases) / sizeof(cases[0])));
    world_wait(world, &world->identities_freed, 3);
    assert_int_equal(world_get(world, &world->messages), 3);
    assert_int_equal(world_get(world, &world->closed), 3);
}

/* There is room for one answer, and many requests are on their way at once. */
static void who_is_answered_one_by_one_never_has_two_answers_waiting(void **state)
{
    struct world *world = *state;
    struct watched_stream watched;
    world_serve(world, (struct rpc_server_options){.send_queue_bytes_max = WORLD_LONG_TEXT + WORLD_LONG_TEXT / 2});
    world_connect(world);

    watched_open(&watched, world, &echo_steady_method);
    for (int i = 0; i < STEADY_REQUESTS; i++) {
        assert_int_equal(watched_send(&watched, "x"), STATUS_OK);
    }
    world_wait(world, &watched.received, STEADY_REQUESTS);
    rpc_client_stream_half_close(watched.stream);
    watched_wait_close(&watched);

    assert_int_equal(watched.status, STATUS_OK);
    assert_int_equal(watched.received, STEADY_REQUESTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_is_answered_one_by_one_never_has_two_answers_waiting, setup, teardown),
        cmocka_unit_test_setup_teardown(malformed_bytes_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_malformed_message_ends_its_stream_only, setup, teardown),
        cmocka_unit_test_setup_teardown(bytes_that_would_fill_the_memory_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_message_over_the_limit_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slow_reader_fills_its_queue_and_learns_why_it_was_ended, setup, teardown),
        cmocka_unit_test_setup_teardown(a_finished_call_does_not_wait_for_ever_for_its_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(a_frozen_peer_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_killed_peer_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(compressed_requests_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(only_one_whole_bearer_token_counts, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
