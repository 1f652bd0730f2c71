/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest xqueue_test_http */
/* What happens at each limit of the gate, and at its end. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/memory.h"
#include "tests/support/http_rig.h"

enum {
    TIMEOUT_MS = 300,
    CONNECTIONS = HTTP_GATE_CONNECTIONS_MIN,
    BODY = 600000,
    SPOOL = 1000000, /* one body of the above, but not two */
    DESCRIPTORS = 256,
    PROBE_MS = 20,
};

static struct http_rig rig;

static int prepare(void **state)
{
    (void)state;
    http_rig_init(&rig);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    http_rig_stop(&rig);
    return 0;
}

/* One request on a connection that stays open. */
static void ask(struct http_talk *talk)
{
    struct http_answer answer = {0};

    http_talk_say(talk, "GET /ok HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(http_talk_receive(talk, false, &answer), 200);
    http_answer_finish(&answer);
}

static bool is_open(const struct http_talk *talk)
{
    char byte = 0;

    return recv(talk->socket, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0;
}

/* ---- connections ---- */

static void beyond_connections_max_the_one_longest_without_progress_makes_room(void **state)
{
    struct http_talk kept[CONNECTIONS];
    struct http_talk more;

    (void)state;
    rig.options.connections_max = CONNECTIONS;
    http_rig_start(&rig);
    for (int i = 0; i < CONNECTIONS; i++) {
        http_talk_open(&kept[i], rig.port);
        ask(&kept[i]);
    }
    ask(&kept[0]); // now the second is the one that waits longest

    http_talk_open(&more, rig.port);
    ask(&more);

    assert_true(http_talk_is_closed(&kept[1]));
    assert_true(is_open(&kept[0]));
    for (int i = 2; i < CONNECTIONS; i++) {
        assert_true(is_open(&kept[i]));
    }
    for (int i = 0; i < CONNECTIONS; i++) {
        http_talk_close(&kept[i]);
    }
    http_talk_close(&more);
}

static void whose_request_is_being_handled_is_never_closed_for_others(void **state)
{
    struct http_talk held;
    struct http_answer answer = {0};

    (void)state;
    rig.options.connections_max = CONNECTIONS;
    http_rig_start(&rig);
    http_talk_open(&held, rig.port);
    http_talk_say(&held, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    http_rig_await_held(1);
    struct http_talk idle[2 * CONNECTIONS];
    for (int i = 0; i < 2 * CONNECTIONS; i++) {
        http_talk_open(&idle[i], rig.port);
        ask(&idle[i]);
    }
    http_rig_release();

    assert_int_equal(http_talk_receive(&held, false, &answer), 200);
    assert_string_equal(answer.body.bytes, "held");
    for (int i = 0; i < 2 * CONNECTIONS; i++) {
        http_talk_close(&idle[i]);
    }
    http_answer_finish(&answer);
    http_talk_close(&held);
}

/* Takes all descriptors that are left. Returns how many it took. */
static int take_descriptors(int *out, int capacity)
{
    int count = 0;

    while (count < capacity && (out[count] = dup(0)) >= 0) {
        count++;
    }
    return count;
}

static void give_descriptors(const int *descriptors, int count)
{
    for (int i = 0; i < count; i++) {
        close(descriptors[i]);
    }
}

/* A client's socket that is not connected yet. */
static void open_unconnected(struct http_talk *talk)
{
    talk->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    text_init(&talk->input, HTTP_TALK_BYTES_MAX);
}

static void connect_to_rig(const struct http_talk *talk)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)rig.port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(talk->socket, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void without_descriptors_an_idle_connection_makes_room(void **state)
{
    struct rlimit before = {0};
    struct rlimit few = {0};
    int taken[DESCRIPTORS];
    struct http_talk idle;
    struct http_talk more;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){.rlim_cur = DESCRIPTORS, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    rig.options.threads = 1; // whose connection is there once a request has been handled
    http_rig_start(&rig);
    http_talk_open(&idle, rig.port);
    ask(&idle);
    open_unconnected(&more);
    int count = take_descriptors(taken, DESCRIPTORS);

    connect_to_rig(&more);
    ask(&more);

    assert_true(http_talk_is_closed(&idle));
    give_descriptors(taken, count);
    http_talk_close(&idle);
    http_talk_close(&more);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void without_descriptors_and_idle_connections_the_listener_goes_on_later(void **state)
{
    struct rlimit before = {0};
    struct rlimit few = {0};
    int taken[DESCRIPTORS];
    struct http_talk held;
    struct http_talk more;
    struct http_answer answer = {0};

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){.rlim_cur = DESCRIPTORS, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    log_configure("test", LOG_ERROR + 1, LOG_LOGFMT); // it is logged
    rig.options.threads = 1;
    http_rig_start(&rig);
    http_talk_open(&held, rig.port);
    http_talk_say(&held, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    http_rig_await_held(1);
    open_unconnected(&more);
    int count = take_descriptors(taken, DESCRIPTORS);

    connect_to_rig(&more);
    http_talk_say(&more, "GET /ok HTTP/1.1\r\nHost: a\r\n\r\n");
    http_rig_release();
    assert_int_equal(http_talk_receive(&held, false, &answer), 200); // the loop goes on meanwhile
    give_descriptors(taken, count);

    assert_int_equal(http_talk_receive(&more, false, &answer), 200);
    http_answer_finish(&answer);
    http_talk_close(&held);
    http_talk_close(&more);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void connections_max_is_what_descriptors_suffice_for(void **state)
{
    (void)state;
    assert_int_equal(http_server_connections_max(10000, 64, 65536), 10000);
    assert_int_equal(http_server_connections_max(10000, 64, 1384), 500);
    assert_int_equal(http_server_connections_max(10000, 64, 100), HTTP_GATE_CONNECTIONS_MIN);
}

/* ---- time ---- */

static void every_kind_of_waiting_ends(void **state)
{
    static const struct {
        const char *bytes;
        int answers; /* before the end, with status 200 */
        int status;  /* then; 0: none */
    } cases[] = {
        {"", 0, 0},
        {"GET", 0, 408},
        {"GET / HTTP/1.1\r\nHost: a\r\n", 0, 408},
        {"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", 0, 408},
        {"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\nabc", 0, 408},
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1, 0},
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n", 1, 408},
        {"POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\nabc", 1, 0},
    };
    enum { CASES = sizeof(cases) / sizeof(cases[0]) };
    struct http_talk talks[CASES];
    struct http_answer answer = {0};

    (void)state;
    rig.options.request_timeout_ms = TIMEOUT_MS;
    http_rig_start(&rig);
    for (size_t i = 0; i < CASES; i++) {
        http_talk_open(&talks[i], rig.port);
        http_talk_say(&talks[i], "%s", cases[i].bytes);
    }
    for (size_t i = 0; i < CASES; i++) {
        for (int k = 0; k < cases[i].answers; k++) {
            assert_int_equal(http_talk_receive(&talks[i], false, &answer), 200);
        }
        if (cases[i].status != 0) {
            assert_int_equal(http_talk_receive(&talks[i], false, &answer), cases[i].status);
        }
        assert_true(http_talk_is_closed(&talks[i]));
        http_talk_close(&talks[i]);
    }
    http_answer_finish(&answer);
}

/* Sends a byte whenever some time has passed, until something comes back. Returns how many. */
static int drip(struct http_talk *talk)
{
    struct pollfd poller = {.fd = talk->socket, .events = POLLIN};
    int sent = 0;

    do {
        (void)http_talk_send(talk, "a", 1);
        sent++;
    } while (poll(&poller, 1, TIMEOUT_MS / 10) == 0 && sent < 1000);
    return sent;
}

static void dripping_gains_no_time(void **state)
{
    static const char *const beginnings[] = {"GET /", "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n"};

    (void)state;
    rig.options.request_timeout_ms = TIMEOUT_MS;
    http_rig_start(&rig);
    for (int i = 0; i < 2; i++) {
        struct http_talk talk;
        struct http_answer answer = {0};

        http_talk_open(&talk, rig.port);
        http_talk_say(&talk, "%s", beginnings[i]);
        assert_in_range(drip(&talk), 1, 100);
        assert_int_equal(http_talk_receive(&talk, false, &answer), 408);
        http_answer_finish(&answer);
        http_talk_close(&talk);
    }
}

static void who_does_not_read_is_cut_off(void **state)
{
    static const char *const targets[] = {"/file", "/large"};

    (void)state;
    rig.options.request_timeout_ms = TIMEOUT_MS;
    http_rig_start(&rig);
    for (int i = 0; i < 2; i++) {
        struct http_talk talk;
        struct pollfd poller = {.events = POLLRDHUP | POLLERR};

        http_talk_open(&talk, rig.port);
        http_talk_say(&talk, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", targets[i]);
        poller.fd = talk.socket;
        assert_int_equal(poll(&poller, 1, HTTP_TALK_PATIENCE_MS), 1); // the other side has given up, though nothing was read
        http_talk_close(&talk);
    }
}

/* ---- sizes ---- */

static void a_body_beyond_the_maximum_gets_413_before_it_comes(void **state)
{
    struct http_talk talk;
    struct http_answer answer = {0};

    (void)state;
    http_rig_start(&rig);
    http_talk_open(&talk, rig.port);
    http_talk_say(&talk, "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: %lld\r\n\r\n",
                  (long long)rig.options.body_bytes_max + 1);
    assert_int_equal(http_talk_receive(&talk, false, &answer), 413);
    assert_true(http_talk_is_closed(&talk));
    assert_int_equal(http_rig_handled(), 0);
    http_talk_close(&talk);

    http_talk_open(&talk, rig.port); // nobody reads this one: its length is no fault
    http_talk_say(&talk, "POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: %lld\r\n\r\n",
                  (long long)rig.options.body_bytes_max + 1);
    assert_int_equal(http_talk_receive(&talk, false, &answer), 200);
    http_talk_close(&talk);
    http_answer_finish(&answer);
}

static void bodies_beyond_the_spool_get_503_and_leave_room_again(void **state)
{
    struct http_talk first;
    struct http_talk second;
    struct http_answer answer = {0};
    char *body = memory_allocate(BODY);
    char value[16] = "";

    (void)state;
    rig.options.spool_bytes_max = SPOOL;
    http_rig_start(&rig);
    for (int round = 0; round < 3; round++) { // what was refused or answered takes no room
        http_talk_open(&first, rig.port);
        http_talk_open(&second, rig.port);
        http_talk_say(&first, "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", BODY);
        http_talk_send(&first, body, BODY - 1);
        http_talk_say(&second, "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", BODY);
        http_talk_send(&second, body, BODY - 1);
        // whichever was slower is refused: there is room for one
        struct pollfd pollers[] = {{.fd = first.socket, .events = POLLIN}, {.fd = second.socket, .events = POLLIN}};
        assert_int_equal(poll(pollers, 2, HTTP_TALK_PATIENCE_MS), 1);
        struct http_talk *refused = pollers[0].revents ? &first : &second;
        struct http_talk *taken = pollers[0].revents ? &second : &first;

        assert_int_equal(http_talk_receive(refused, false, &answer), 503);
        assert_true(http_answer_header(&answer, "Retry-After", 0, value, sizeof(value)));
        http_talk_send(taken, body, 1);
        assert_int_equal(http_talk_receive(taken, false, &answer), 200);
        http_talk_close(&first);
        http_talk_close(&second);
    }
    memory_free(body);
    http_answer_finish(&answer);
}

static void a_reply_beyond_the_spool_becomes_503(void **state)
{
    (void)state;
    rig.options.spool_bytes_max = SPOOL;
    http_rig_start(&rig);
    assert_int_equal(http_rig_get(&rig, "/large"), 503);
    assert_int_equal(http_rig_get(&rig, "/file"), 200); // takes no room
}

static void requests_beyond_those_that_may_wait_get_503(void **state)
{
    struct http_talk held[2];
    struct http_talk waiting[2];
    struct http_answer answer = {0};

    (void)state;
    rig.options.threads = 2;
    rig.options.requests_waiting_max = 1;
    http_rig_start(&rig);
    for (int i = 0; i < 2; i++) {
        http_talk_open(&held[i], rig.port);
        http_talk_say(&held[i], "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
        http_rig_await_held(i + 1);
    }
    struct pollfd pollers[2];
    for (int i = 0; i < 2; i++) {
        http_talk_open(&waiting[i], rig.port);
        http_talk_say(&waiting[i], "GET /ok HTTP/1.1\r\nHost: a\r\n\r\n");
        pollers[i] = (struct pollfd){.fd = waiting[i].socket, .events = POLLIN};
    }
    assert_int_equal(poll(pollers, 2, HTTP_TALK_PATIENCE_MS), 1);
    int refused = pollers[0].revents ? 0 : 1;

    assert_int_equal(http_talk_receive(&waiting[refused], false, &answer), 503);
    http_rig_release();
    assert_int_equal(http_talk_receive(&waiting[1 - refused], false, &answer), 200);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(http_talk_receive(&held[i], false, &answer), 200);
        http_talk_close(&held[i]);
        http_talk_close(&waiting[i]);
    }
    http_answer_finish(&answer);
}

/* ---- the end ---- */

static void *stop_on_a_thread(void *grace_ms)
{
    http_server_stop(rig.server, *(const int64_t *)grace_ms);
    return NULL;
}

static void a_stop_lets_queued_requests_and_slow_readers_finish(void **state)
{
    int64_t grace_ms = 20000;
    struct http_talk held[3]; // one more than threads
    struct http_talk reader;
    struct http_answer answer = {0};
    pthread_t thread;
    int status = 200;

    (void)state;
    rig.options.threads = 2;
    http_rig_start(&rig);
    http_talk_open(&reader, rig.port);
    http_talk_say(&reader, "GET /file HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(poll(&(struct pollfd){.fd = reader.socket, .events = POLLIN}, 1, HTTP_TALK_PATIENCE_MS), 1);
    for (int i = 0; i < 3; i++) {
        http_talk_open(&held[i], rig.port);
        http_talk_say(&held[i], "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    http_rig_await_held(2);
    assert_int_equal(
        http_talk_once(&(struct http_ask){.port = rig.port, .method = "GET", .target = "bad", .extra = ""}, &answer),
        400); // after this the third has been seen, too
    assert_int_equal(pthread_create(&thread, NULL, stop_on_a_thread, &grace_ms), 0);
    while (status != 503) { // the stop has begun once a request is refused; before, it only waits
        struct http_talk probe;

        http_talk_open(&probe, rig.port);
        http_talk_say(&probe, "GET /ok HTTP/1.1\r\nHost: a\r\n\r\n");
        if (poll(&(struct pollfd){.fd = probe.socket, .events = POLLIN}, 1, PROBE_MS) == 1) {
            status = http_talk_receive(&probe, false, &answer);
        }
        http_talk_close(&probe);
    }
    http_rig_release();

    for (int i = 0; i < 3; i++) {
        assert_int_equal(http_talk_receive(&held[i], false, &answer), 200);
        assert_string_equal(answer.body.bytes, "held");
        http_talk_close(&held[i]);
    }
    assert_int_equal(http_talk_receive(&reader, false, &answer), 200);
    assert_true(http_rig_is_large(&answer.body));
    assert_int_equal(pthread_join(thread, NULL), 0);
    http_answer_finish(&answer);
    http_talk_close(&reader);
}

static void a_stop_does_not_wait_for_idle_and_half_said_requests(void **state)
{
    static const char *const beginnings[] = {"", "GET / HTTP/1.1\r\n",
                                             "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab",
                                             "GET / HTTP/1.1\r\nHost: a\r\n\r\n"};
    struct http_talk talks[4];
    struct http_answer answer = {0};

    (void)state;
    http_rig_start(&rig);
    for (int i = 0; i < 4; i++) {
        http_talk_open(&talks[i], rig.port);
        http_talk_say(&talks[i], "%s", beginnings[i]);
    }
    assert_int_equal(http_talk_receive(&talks[3], false, &answer), 200);

    http_server_stop(rig.server, INT64_MAX); // returns

    for (int i = 0; i < 4; i++) {
        assert_true(http_talk_is_closed(&talks[i]));
        http_talk_close(&talks[i]);
    }
    http_answer_finish(&answer);
}

static void who_does_not_read_does_not_outlive_the_grace(void **state)
{
    struct http_talk talk;

    (void)state;
    http_rig_start(&rig);
    http_talk_open(&talk, rig.port);
    http_talk_say(&talk, "GET /file HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(poll(&(struct pollfd){.fd = talk.socket, .events = POLLIN}, 1, HTTP_TALK_PATIENCE_MS), 1);
    http_server_stop(rig.server, 1); // returns
    http_talk_close(&talk);
}

int main(void)
{
#define LIMIT_TEST(name) cmocka_unit_test_setup_teardown(name, prepare, stop)
    const struct CMUnitTest tests[] = {
        LIMIT_TEST(beyond_connections_max_the_one_longest_without_progress_makes_room),
        LIMIT_TEST(whose_request_is_being_handled_is_never_closed_for_others),
        LIMIT_TEST(without_descriptors_an_idle_connection_makes_room),
        LIMIT_TEST(without_descriptors_and_idle_connections_the_listener_goes_on_later),
        cmocka_unit_test(connections_max_is_what_descriptors_suffice_for),
        LIMIT_TEST(every_kind_of_waiting_ends),
        LIMIT_TEST(dripping_gains_no_time),
        LIMIT_TEST(who_does_not_read_is_cut_off),
        LIMIT_TEST(a_body_beyond_the_maximum_gets_413_before_it_comes),
        LIMIT_TEST(bodies_beyond_the_spool_get_503_and_leave_room_again),
        LIMIT_TEST(a_reply_beyond_the_spool_becomes_503),
        LIMIT_TEST(requests_beyond_those_that_may_wait_get_503),
        LIMIT_TEST(a_stop_lets_queued_requests_and_slow_readers_finish),
        LIMIT_TEST(a_stop_does_not_wait_for_idle_and_half_said_requests),
        LIMIT_TEST(who_does_not_read_does_not_outlive_the_grace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
