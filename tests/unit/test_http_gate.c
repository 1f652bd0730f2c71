/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest xqueue_test_http */
/* Clients of all sorts at the gate: slow ones, broken ones, strangers. */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/process.h"
#include "tests/support/http_rig.h"

enum {
    SLOW_HEADERS = 1000,
    SLOW_BODIES = 200,
    NEVER_READING = 200, /* half of them of memory, half of a file */
    SLOW = SLOW_HEADERS + SLOW_BODIES + NEVER_READING,
    NORMAL = 200,
    DESCRIPTORS_NEEDED = 2 * SLOW + NEVER_READING + 200,
    BODY = 100000, /* more than stays in memory */
    RESETS = 100,
    DESCRIPTORS_LOOKED_AT = 4096,
};

static struct http_rig rig;

static int start(void **state)
{
    (void)state;
    http_rig_init(&rig);
    http_rig_start(&rig);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    http_rig_stop(&rig);
    return 0;
}

static bool is_quiet(const struct http_talk *talk)
{
    char byte = 0;

    return recv(talk->socket, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0;
}

static void open_slow(struct http_talk *slow)
{
    for (int i = 0; i < SLOW; i++) {
        http_talk_open(&slow[i], rig.port);
        if (i < SLOW_HEADERS) {
            http_talk_say(&slow[i], "GET /ok HTTP/1.1\r\nHost: a\r\nX-Slow:");
        } else if (i < SLOW_HEADERS + SLOW_BODIES) {
            http_talk_say(&slow[i], "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\nab", BODY);
        } else {
            http_talk_say(&slow[i], "GET /%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", i % 2 == 0 ? "large" : "file");
        }
    }
}

static void ask_normally(int number, const char *body)
{
    struct http_answer answer = {0};
    struct http_ask get = {.port = rig.port, .method = "GET", .target = "/ok", .extra = ""};
    struct http_ask post = {
        .port = rig.port, .method = "POST", .target = "/body", .extra = "", .body = body, .body_length = BODY};

    assert_int_equal(http_talk_once(number % 2 == 0 ? &get : &post, &answer), 200);
    assert_string_equal(answer.body.bytes, number % 2 == 0 ? "ok" : "100000 xx");
    http_answer_finish(&answer);
}

/* The slow ones get all that is theirs once they are no longer slow. */
static void finish_slow(struct http_talk *slow, const char *body)
{
    struct http_answer answer = {0};

    http_talk_say(&slow[0], "\r\n\r\n");
    assert_int_equal(http_talk_receive(&slow[0], false, &answer), 200);
    assert_true(http_talk_send(&slow[SLOW_HEADERS], body, BODY - 2));
    assert_int_equal(http_talk_receive(&slow[SLOW_HEADERS], false, &answer), 200);
    assert_string_equal(answer.body.bytes, "100000 ax");
    for (int i = SLOW - 2; i < SLOW; i++) {
        assert_int_equal(http_talk_receive(&slow[i], false, &answer), 200);
        assert_true(http_rig_is_large(&answer.body));
        assert_true(http_talk_is_closed(&slow[i]));
    }
    http_answer_finish(&answer);
}

static void any_number_of_slow_clients_leaves_the_others_served(void **state)
{
    struct http_talk *slow = memory_allocate_array(SLOW, sizeof(struct http_talk));
    char *body = memory_allocate(BODY);

    (void)state;
    memset(body, 'x', BODY);
    open_slow(slow);
    for (int i = 0; i < NORMAL; i++) {
        ask_normally(i, body);
    }
    for (int i = 0; i < SLOW_HEADERS + SLOW_BODIES; i++) {
        assert_true(is_quiet(&slow[i])); // still open, without an answer
    }

    finish_slow(slow, body);

    for (int i = 0; i < SLOW; i++) {
        http_talk_close(&slow[i]);
    }
    memory_free(slow);
    memory_free(body);
}

static void a_request_may_come_byte_by_byte(void **state)
{
    static const char bytes[] =
        "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /ok HTTP/1.1\r\nHost: a\r\n\r\n";
    struct http_talk talk;
    struct http_answer answer = {0};
    const int on = 1;

    (void)state;
    http_talk_open(&talk, rig.port);
    assert_int_equal(setsockopt(talk.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
    for (size_t i = 0; i < sizeof(bytes) - 1; i++) {
        assert_true(http_talk_send(&talk, &bytes[i], 1));
    }

    assert_int_equal(http_talk_receive(&talk, false, &answer), 200);
    assert_string_equal(answer.body.bytes, "3 ac");
    assert_int_equal(http_talk_receive(&talk, false, &answer), 200);
    assert_string_equal(answer.body.bytes, "ok");
    http_answer_finish(&answer);
    http_talk_close(&talk);
}

static void pipelined_requests_are_served_one_after_the_other(void **state)
{
    struct http_talk talk;
    struct http_answer answer = {0};
    char *body = memory_allocate(BODY);

    (void)state;
    memset(body, 'x', BODY);
    http_talk_open(&talk, rig.port);
    http_talk_say(&talk, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\nPOST /body HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n",
                  BODY);
    http_talk_send(&talk, body, BODY);
    for (int i = 0; i < NORMAL; i++) { // more than one buffer holds
        http_talk_say(&talk, "GET /ok HTTP/1.1\r\nHost: a\r\nX-Filler: %0200d\r\n\r\n", i);
    }
    http_rig_await_held(1);
    assert_int_equal(http_rig_handled(), 1);
    http_rig_release();

    assert_int_equal(http_talk_receive(&talk, false, &answer), 200);
    assert_string_equal(answer.body.bytes, "held");
    assert_int_equal(http_talk_receive(&talk, false, &answer), 200);
    assert_string_equal(answer.body.bytes, "100000 xx");
    for (int i = 0; i < NORMAL; i++) {
        assert_int_equal(http_talk_receive(&talk, false, &answer), 200);
        assert_string_equal(answer.body.bytes, "ok");
    }
    memory_free(body);
    http_answer_finish(&answer);
    http_talk_close(&talk);
}

static int count_descriptors(void)
{
    int count = 0;

    for (int descriptor = 0; descriptor < DESCRIPTORS_LOOKED_AT; descriptor++) {
        count += fcntl(descriptor, F_GETFD) >= 0;
    }
    return count;
}

/* Sends bytes and then a reset. */
static void send_and_reset(const char *bytes, size_t count)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    struct http_talk talk;

    http_talk_open(&talk, rig.port);
    http_talk_send(&talk, bytes, count);
    assert_int_equal(setsockopt(talk.socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    http_talk_close(&talk);
}

static void resets_at_any_moment_harm_nobody_and_leave_nothing_behind(void **state)
{
    static const char *const requests[] = {
        "GET /ok HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde",
        "GET /large HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /file HTTP/1.1\r\nHost: a\r\n\r\n",
        "nonsense\r\n\r\n",
    };
    int before = 0;

    (void)state;
    for (int round = 0; round < 2; round++) { // after the first one all slots are open
        for (size_t i = 0; i < RESETS; i++) {
            const char *request = requests[i % 5];

            send_and_reset(request, strlen(request) * (i % 7) / 6);
            send_and_reset(request, strlen(request));
        }
        for (int i = 0; i < 20; i++) { // each takes turns of the loop, in which what came before is noticed
            assert_int_equal(http_rig_get(&rig, "/file"), 200);
        }
        before = round == 0 ? count_descriptors() : before;
    }
    assert_in_range(count_descriptors(), 1, before);
}

static void a_client_may_go_while_its_request_is_handled(void **state)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    struct http_talk talk;

    (void)state;
    http_talk_open(&talk, rig.port);
    http_talk_say(&talk, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    http_rig_await_held(1);
    assert_int_equal(setsockopt(talk.socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    http_talk_close(&talk);
    assert_int_equal(http_rig_get(&rig, "/ok"), 200);
    http_rig_release();
    for (int i = 0; i < NORMAL; i++) {
        assert_int_equal(http_rig_get(&rig, "/ok"), 200);
    }
}

static void strangers_at_the_inner_port_get_403_and_nothing_else(void **state)
{
    static const char *const notes[] = {"", "X-Xqueue-Gate: \r\n",
                                        "X-Xqueue-Gate: 0123456789abcdef0123456789abcdef 0 1 - 0 0 - GET\r\n"};
    int inner = http_rig_inner_port(&rig);

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct http_answer answer = {0};

        assert_int_equal(
            http_talk_once(&(struct http_ask){.port = inner, .method = "GET", .target = "/ok", .extra = notes[i]}, &answer),
            403);
        assert_null(strstr(answer.body.bytes, "ok"));
        http_answer_finish(&answer);
    }
    assert_int_equal(http_rig_handled(), 0);
}

static void idle_strangers_at_the_inner_port_take_no_thread_from_the_clients(void **state)
{
    struct http_talk strangers[50];
    int inner = http_rig_inner_port(&rig);

    (void)state;
    assert_int_equal(http_rig_get(&rig, "/ok"), 200);
    for (int i = 0; i < 50; i++) {
        http_talk_open(&strangers[i], inner);
    }
    for (int i = 0; i < NORMAL; i++) {
        assert_int_equal(http_rig_get(&rig, "/ok"), 200);
    }
    for (int i = 0; i < 50; i++) {
        http_talk_close(&strangers[i]);
    }
}

static void a_client_that_plays_the_gate_is_refused(void **state)
{
    struct http_answer answer = {0};

    (void)state;
    assert_int_equal(http_talk_once(&(struct http_ask){.port = rig.port,
                                                       .method = "GET",
                                                       .target = "/who",
                                                       .extra = "x-xqueue-gate: 0 0 0 8.8.8.8 1 0 - GET\r\n"},
                                    &answer),
                     400);
    assert_int_equal(http_rig_handled(), 0);
    http_answer_finish(&answer);
}

static void the_handler_hears_who_asks_and_where(void **state)
{
    struct http_answer answer = {0};
    char expected[64];

    (void)state;
    (void)snprintf(expected, sizeof(expected), "127.0.0.1 %d", rig.port);
    http_talk_once(&(struct http_ask){.port = rig.port, .method = "BREW", .target = "/who", .extra = ""}, &answer);
    assert_string_equal(answer.body.bytes, expected);
    http_answer_finish(&answer);
}

/* GET /who over IPv6. Returns false where there is no IPv6. */
static bool ask_over_ipv6(int port, char *out, size_t capacity)
{
    struct sockaddr_in6 address = {
        .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT, .sin6_port = htons((uint16_t)port)};
    static const char request[] = "GET /who HTTP/1.0\r\n\r\n";
    int socket_ = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t length = 0;
    ssize_t count = 1;

    assert_int_equal(connect(socket_, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(send(socket_, request, sizeof(request) - 1, 0), sizeof(request) - 1);
    while (count > 0 && length < capacity - 1) { // HTTP/1.0: until it is closed
        count = recv(socket_, out + length, capacity - 1 - length, 0);
        length += count > 0 ? (size_t)count : 0;
    }
    out[length] = '\0';
    close(socket_);
    return length > 0;
}

static bool has_ipv6(void)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int socket_ = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_there = socket_ >= 0 && bind(socket_, (struct sockaddr *)&address, sizeof(address)) == 0;

    if (socket_ >= 0) {
        close(socket_);
    }
    return is_there;
}

static void several_listeners_of_both_kinds(void **state)
{
    static char *items[] = {(char *)"127.0.0.1:0", (char *)"[::1]:0", (char *)"localhost:0"};
    const struct config_texts listen = {.items = items, .count = 3};
    char reply[1000] = "";
    char expected[64];

    (void)state;
    if (!has_ipv6()) {
        skip();
    }
    http_rig_init(&rig);
    rig.options.listen = &listen;
    http_rig_start(&rig);
    (void)snprintf(expected, sizeof(expected), "[::1]:%d", http_server_port(rig.server, 1));
    assert_string_equal(http_server_address(rig.server, 1), expected);

    assert_true(ask_over_ipv6(http_server_port(rig.server, 1), reply, sizeof(reply)));
    (void)snprintf(expected, sizeof(expected), "\r\n\r\n::1 %d", http_server_port(rig.server, 1));
    assert_non_null(strstr(reply, expected));
    assert_int_equal(http_rig_get(&rig, "/ok"), 200);
    rig.port = http_server_port(rig.server, 2);
    assert_int_equal(http_rig_get(&rig, "/ok"), 200);
    http_rig_stop(&rig);
}

static void a_handler_that_reads_what_was_not_taken_in_hears_so(void **state)
{
    struct http_answer answer = {0};

    (void)state;
    log_configure("test", LOG_ERROR + 1, LOG_LOGFMT); // it is logged as a fault of ours
    assert_int_equal(http_talk_once(
                         &(struct http_ask){
                             .port = rig.port, .method = "POST", .target = "/sly", .extra = "", .body = "ab", .body_length = 2},
                         &answer),
                     400);
    http_answer_finish(&answer);
}

static int prepare(void **state)
{
    struct error error = {0};

    (void)state;
    assert_int_equal(process_prepare(&error), STATUS_OK);
    if (process_descriptors_max() < DESCRIPTORS_NEEDED) {
        print_error("%d descriptors are needed (ulimit -Hn)\n", DESCRIPTORS_NEEDED);
        return -1;
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(any_number_of_slow_clients_leaves_the_others_served, start, stop),
        cmocka_unit_test_setup_teardown(a_request_may_come_byte_by_byte, start, stop),
        cmocka_unit_test_setup_teardown(pipelined_requests_are_served_one_after_the_other, start, stop),
        cmocka_unit_test_setup_teardown(resets_at_any_moment_harm_nobody_and_leave_nothing_behind, start, stop),
        cmocka_unit_test_setup_teardown(a_client_may_go_while_its_request_is_handled, start, stop),
        cmocka_unit_test_setup_teardown(strangers_at_the_inner_port_get_403_and_nothing_else, start, stop),
        cmocka_unit_test_setup_teardown(idle_strangers_at_the_inner_port_take_no_thread_from_the_clients, start, stop),
        cmocka_unit_test_setup_teardown(a_client_that_plays_the_gate_is_refused, start, stop),
        cmocka_unit_test_setup_teardown(the_handler_hears_who_asks_and_where, start, stop),
        cmocka_unit_test(several_listeners_of_both_kinds),
        cmocka_unit_test_setup_teardown(a_handler_that_reads_what_was_not_taken_in_hears_so, start, stop),
    };
    return cmocka_run_group_tests(tests, prepare, NULL);
}
