/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest xqueue_test_support */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "rest-adapter/http_server.h"
#include "tests/support/http_talk.h"

enum {
    THREADS = 8,
    TIMEOUT_MS = 2000,
    SOON_US = 1000000,
    DRAIN = 1024 * 1024,
    BIG = 3 * 1024 * 1024,
    BODY_MAX = 4 * 1024 * 1024,
    SPOOL = 64 * 1024 * 1024,
    LONG_PATH = 2 * HTTP_REQUEST_HEAD_BYTES_MAX
};

/* A handler that may be held at the gate, to have requests running while the test does something else. */
struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* guarded by mutex */
    bool is_open;
    int waiting;
};

static struct gate gate;
static struct http_server *server;
static int port;

static void gate_pass(void)
{
    pthread_mutex_lock(&gate.mutex);
    gate.waiting++;
    pthread_cond_broadcast(&gate.changed);
    while (!gate.is_open) {
        pthread_cond_wait(&gate.changed, &gate.mutex);
    }
    gate.waiting--;
    pthread_mutex_unlock(&gate.mutex);
}

static void gate_await(int count)
{
    pthread_mutex_lock(&gate.mutex);
    while (gate.waiting < count) {
        pthread_cond_wait(&gate.changed, &gate.mutex);
    }
    pthread_mutex_unlock(&gate.mutex);
}

static void gate_open(void)
{
    pthread_mutex_lock(&gate.mutex);
    gate.is_open = true;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.mutex);
}

/* Says what it saw: "METHOD raw decoded query length" and then the body, for paths under /body. */
static void echo(void *context, const struct http_request *request, struct http_reply *reply)
{
    char buffer[1000];
    int64_t count = 0;

    (void)context;
    http_reply_header(reply, "Content-Type", "text/plain");
    if (strcmp(request->path, "/gate") == 0) {
        gate_pass();
    }
    if (strcmp(request->path, "/file") == 0) {
        reply->file = memfd_create("test", MFD_CLOEXEC);
        if (write(reply->file, "0123456789", 10) == 10 && lseek(reply->file, 2, SEEK_SET) == 2) {
            reply->file_bytes = 5;
        }
        return;
    }
    if (strcmp(request->path, "/header") == 0) {
        const char *value = http_request_header(request, "x-value");

        http_reply_header(reply, "X-Echo", value != NULL ? value : "none");
        http_reply_header(reply, "X-Evil", "a\r\nSet-Cookie: b");
        return;
    }
    text_append_format(&reply->body, "%d %s %s %s %lld\n", request->method, request->raw_path, request->path,
                       request->query != NULL ? request->query : "(none)", (long long)request->body_bytes);
    if (strncmp(request->path, "/body", 5) == 0) {
        while ((count = http_request_read(request, buffer, sizeof(buffer))) > 0) {
            text_append(&reply->body, buffer, (size_t)count);
        }
        if (count < 0) {
            http_reply_page(reply, 400);
        }
    }
}

/* Of those that echo never reads. */
static bool wants_body(void *context, enum http_method method, const char *path, struct span content_type)
{
    (void)context;
    (void)method;
    (void)content_type;
    return strcmp(path, "/unread") != 0;
}

static struct http_server_options options_of(const struct config_texts *listen)
{
    return (struct http_server_options){.listen = listen,
                                        .threads = THREADS,
                                        .request_timeout_ms = TIMEOUT_MS,
                                        .connections_max = 1000,
                                        .requests_waiting_max = 1000,
                                        .body_bytes_max = BODY_MAX,
                                        .drain_bytes_max = DRAIN,
                                        .spool_folder = "/tmp",
                                        .spool_bytes_max = SPOOL,
                                        .handler = echo,
                                        .wants_body = wants_body};
}

static int start_server(void **state)
{
    static char *items[] = {(char *)"127.0.0.1:0"};
    static const struct config_texts listen = {.items = items, .count = 1};
    const struct http_server_options options = options_of(&listen);
    struct error error;

    (void)state;
    gate = (struct gate){.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    log_configure("test", LOG_ERROR, LOG_LOGFMT);
    if (http_server_start(&options, &server, &error) != STATUS_OK) {
        print_error("%s\n", error.text);
        return -1;
    }
    port = http_server_port(server, 0);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    gate_open();
    http_server_destroy(server);
    return 0;
}

static void it_shows_method_path_query_and_peer_as_they_were_sent(void **state)
{
    struct http_answer answer = {0};

    (void)state;
    assert_int_equal(
        http_talk_once(&(struct http_ask){.port = port, .method = "GET", .target = "/a%2Fb/../%7e?x=%20y&z", .extra = ""},
                       &answer),
        200);

    assert_string_equal(answer.body.bytes, "0 /a%2Fb/../%7e /a/b/../~ x=%20y&z 0\n");
    http_answer_finish(&answer);
}

static void an_empty_query_is_not_the_same_as_none(void **state)
{
    struct http_answer answer = {0};

    (void)state;
    http_talk_once(&(struct http_ask){.port = port, .method = "GET", .target = "/a?", .extra = ""}, &answer);

    assert_string_equal(answer.body.bytes, "0 /a /a  0\n");
    http_answer_finish(&answer);
}

static void a_path_with_a_nul_byte_matches_nothing(void **state)
{
    struct http_answer answer = {0};

    (void)state;
    http_talk_once(&(struct http_ask){.port = port, .method = "GET", .target = "/a%00b", .extra = ""}, &answer);

    assert_string_equal(answer.body.bytes, "0 /a%00b  (none) 0\n");
    http_answer_finish(&answer);
}

static void an_absolute_target_is_taken_by_its_path(void **state)
{
    struct http_answer answer = {0};
    char target[100];

    (void)state;
    (void)snprintf(target, sizeof(target), "http://lms.example.org:%d/a?b", port);
    http_talk_once(&(struct http_ask){.port = port, .method = "GET", .target = target, .extra = ""}, &answer);

    assert_string_equal(answer.body.bytes, "0 /a /a b 0\n");
    http_answer_finish(&answer);
}

static void a_connection_is_kept_and_pipelined_requests_are_answered_in_order(void **state)
{
    struct http_talk talk;
    struct http_answer answer = {0};
    char value[64];

    (void)state;
    http_talk_open(&talk, port);
    http_talk_say(&talk, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
                         "POST /body/2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
                         "POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nGET / HTT"
                         "GET /4 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");

    assert_int_equal(http_talk_receive(&talk, false, &answer), 200);
    assert_string_equal(answer.body.bytes, "0 /1 /1 (none) 0\n");
    assert_true(http_answer_header(&answer, "Connection", 0, value, sizeof(value)));
    assert_string_equal(value, "keep-alive");
    assert_false(http_answer_header(&answer, "Server", 0, value, sizeof(value)));
    assert_true(http_answer_header(&answer, "Date", 0, value, sizeof(value)));
    http_talk_receive(&talk, false, &answer);
    assert_string_equal(answer.body.bytes, "2 /body/2 /body/2 (none) 3\nabc");
    http_talk_receive(&talk, false, &answer);
    assert_string_equal(answer.body.bytes, "2 /unread /unread (none) 9\n");
    http_talk_receive(&talk, false, &answer);
    assert_string_equal(answer.body.bytes, "0 /4 /4 (none) 0\n");
    http_talk_say(&talk, "GET /5 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_int_equal(http_talk_receive(&talk, false, &answer), 200);
    assert_true(http_answer_header(&answer, "Connection", 0, value, sizeof(value)));
    assert_string_equal(value, "close");
    assert_true(http_talk_is_closed(&talk));

    http_answer_finish(&answer);
    http_talk_close(&talk);
}

static void head_gets_the_length_and_no_body(void **state)
{
    struct http_talk talk;
    struct http_answer answer = {0};
    char value[64];

    (void)state;
    http_talk_open(&talk, port);
    http_talk_say(&talk, "HEAD /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");

    assert_int_equal(http_talk_receive(&talk, true, &answer), 200);
    assert_true(http_answer_header(&answer, "Content-Length", 0, value, sizeof(value)));
    assert_string_equal(value, "17");
    assert_int_equal(http_talk_receive(&talk, false, &answer), 200);
    assert_string_equal(answer.body.bytes, "0 /2 /2 (none) 0\n");

    http_answer_finish(&answer);
    http_talk_close(&talk);
}

static void a_client_that_expects_100_continue_gets_it_before_it_sends(void **state)
{
    struct http_talk talk;
    struct http_answer answer = {0};

    (void)state;
    http_talk_open(&talk, port);
    http_talk_say(&talk, "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-Continue\r\n\r\n");
    assert_int_equal(http_talk_receive(&talk, true, &answer), 100);
    http_talk_say(&talk, "wxyz");
    assert_int_equal(http_talk_receive(&talk, false, &answer), 200);
    assert_string_equal(answer.body.bytes, "2 /body /body (none) 4\nwxyz");

    // a body that nobody wants is not asked for
    http_talk_say(&talk, "POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    assert_int_equal(http_talk_receive(&talk, false, &answer), 200);
    assert_true(http_talk_is_closed(&talk));

    http_answer_finish(&answer);
    http_talk_close(&talk);
}

static void a_chunked_body_counts_as_empty_and_ends_the_connection(void **state)
{
    struct http_talk talk;
    struct http_answer answer = {0};

    (void)state;
    http_talk_open(&talk, port);
    http_talk_say(&talk, "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n"
                         "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");

    assert_int_equal(http_talk_receive(&talk, false, &answer), 200);
    assert_string_equal(answer.body.bytes, "2 /body /body (none) 0\n");
    assert_true(http_talk_is_closed(&talk));

    http_answer_finish(&answer);
    http_talk_close(&talk);
}

static void a_large_body_comes_whole(void **state)
{
    struct http_answer answer = {0};
    char *body = memory_allocate(BIG);

    (void)state;
    for (size_t i = 0; i < BIG; i++) {
        body[i] = (char)(i * 31 % 251);
    }
    assert_int_equal(http_talk_once(
                         &(struct http_ask){
                             .port = port, .method = "POST", .target = "/body", .extra = "", .body = body, .body_length = BIG},
                         &answer),
                     200);

    assert_true(answer.body.length > BIG);
    assert_memory_equal(answer.body.bytes + answer.body.length - BIG, body, BIG);
    memory_free(body);
    http_answer_finish(&answer);
}

static void an_unwanted_body_within_the_bound_is_swallowed_after_the_reply(void **state)
{
    struct http_talk talk;
    struct http_answer answer = {0};
    char *body = memory_allocate(DRAIN);

    (void)state;
    http_talk_open(&talk, port);
    http_talk_say(&talk, "POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", DRAIN);
    assert_int_equal(http_talk_receive(&talk, false, &answer), 200); // does not wait for the body
    assert_true(http_talk_send(&talk, body, DRAIN));
    http_talk_say(&talk, "GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(http_talk_receive(&talk, false, &answer), 200);
    assert_string_equal(answer.body.bytes, "0 /next /next (none) 0\n");

    memory_free(body);
    http_answer_finish(&answer);
    http_talk_close(&talk);
}

static void an_unwanted_body_over_the_bound_ends_the_connection_after_the_reply(void **state)
{
    struct http_talk talk;
    struct http_answer answer = {0};
    char *body = memory_allocate(BIG);

    (void)state;
    http_talk_open(&talk, port);
    http_talk_say(&talk, "POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", BIG);
    http_talk_send(&talk, body, BIG);

    assert_int_equal(http_talk_receive(&talk, false, &answer), 200);
    assert_true(http_talk_is_closed(&talk));

    memory_free(body);
    http_answer_finish(&answer);
    http_talk_close(&talk);
}

static void malformed_requests_get_a_small_page_and_the_end_of_the_connection(void **state)
{
    static const struct {
        const char *bytes;
        int status;
    } cases[] = {
        {"nonsense\r\n\r\n", 400},
        {"GET\r\n\r\n", 400},
        {"GET / HTTP/1.1 more\r\n\r\n", 400},
        {"GET / HTTP/3.7\r\nHost: a\r\n\r\n", 505},
        {"GET a/b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400},
        {"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3x\r\n\r\nabc", 400},
        {"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc", 400},
        {"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 2\r\n\r\nabc", 400},
        {"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {"POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_talk talk;
        struct http_answer answer = {0};

        http_talk_open(&talk, port);
        http_talk_say(&talk, "%s", cases[i].bytes);
        if (http_talk_receive(&talk, false, &answer) != cases[i].status) {
            fail_msg("case %zu: %d instead of %d\n%s", i, answer.status, cases[i].status, answer.head.bytes);
        }
        assert_non_null(strstr(answer.body.bytes, "<h1>"));
        assert_true(http_talk_is_closed(&talk));
        http_answer_finish(&answer);
        http_talk_close(&talk);
    }
}

static void too_many_or_too_long_headers_are_refused(void **state)
{
    struct http_talk talk;
    struct http_answer answer = {0};
    char *filler = memory_allocate(LONG_PATH + 1);

    (void)state;
    http_talk_open(&talk, port);
    http_talk_say(&talk, "POST /body HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < 70; i++) {
        http_talk_say(&talk, "X-%d: a\r\n", i);
    }
    http_talk_say(&talk, "Content-Length: 27\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(http_talk_receive(&talk, false, &answer) >= 400);
    assert_true(http_talk_is_closed(&talk));
    http_talk_close(&talk);

    memset(filler, 'a', LONG_PATH);
    http_talk_open(&talk, port);
    http_talk_say(&talk, "GET /%s HTTP/1.1\r\nHost: a\r\n\r\n", filler);
    assert_true(http_talk_receive(&talk, false, &answer) >= 400);
    http_talk_close(&talk);

    memory_free(filler);
    http_answer_finish(&answer);
}

static void a_header_with_a_line_break_cannot_be_smuggled_out(void **state)
{
    struct http_answer answer = {0};
    char value[64];

    (void)state;
    http_talk_once(&(struct http_ask){.port = port, .method = "GET", .target = "/header", .extra = "X-VALUE: 7\r\n"}, &answer);

    assert_true(http_answer_header(&answer, "X-Echo", 0, value, sizeof(value)));
    assert_string_equal(value, "7");
    assert_false(http_answer_header(&answer, "Set-Cookie", 0, value, sizeof(value)));
    http_answer_finish(&answer);
}

static void part_of_a_file_is_sent_from_where_it_stands(void **state)
{
    struct http_answer answer = {0};

    (void)state;
    http_talk_once(&(struct http_ask){.port = port, .method = "GET", .target = "/file", .extra = ""}, &answer);

    assert_string_equal(answer.body.bytes, "23456");
    http_answer_finish(&answer);
}

static void cors_preflight_is_no_business_of_the_library(void **state)
{
    struct http_answer answer = {0};

    (void)state;
    http_talk_once(&(struct http_ask){.port = port,
                                      .method = "OPTIONS",
                                      .target = "/x",
                                      .extra = "Origin: http://a\r\nAccess-Control-Request-Method: POST\r\n"},
                   &answer);

    assert_string_equal(answer.body.bytes, "6 /x /x (none) 0\n");
    http_answer_finish(&answer);
}

static void slow_and_idle_clients_lock_nobody_out(void **state)
{
    struct http_talk slow[THREADS - 1];
    struct http_talk kept[THREADS];
    struct http_answer answer = {0};

    (void)state;
    for (int i = 0; i < THREADS; i++) { // more than are kept: the last ones must have been closed
        http_talk_open(&kept[i], port);
        http_talk_say(&kept[i], "GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", i);
        assert_int_equal(http_talk_receive(&kept[i], false, &answer), 200);
    }
    int64_t started_us = clock_monotonic_us();
    assert_int_equal(http_talk_once(&(struct http_ask){.port = port, .method = "GET", .target = "/a", .extra = ""}, &answer),
                     200);
    assert_true(clock_monotonic_us() - started_us < SOON_US);
    for (int i = 0; i < THREADS; i++) {
        http_talk_close(&kept[i]);
    }

    for (int i = 0; i < THREADS - 1; i++) {
        http_talk_open(&slow[i], port);
        http_talk_say(&slow[i], "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nab");
    }
    started_us = clock_monotonic_us();
    assert_int_equal(http_talk_once(&(struct http_ask){.port = port, .method = "GET", .target = "/a", .extra = ""}, &answer),
                     200);
    assert_true(clock_monotonic_us() - started_us < SOON_US);
    for (int i = 0; i < THREADS - 1; i++) { // cut off after the timeout
        assert_int_equal(http_talk_receive(&slow[i], false, &answer), 408);
        http_talk_close(&slow[i]);
    }
    http_answer_finish(&answer);
}

static void a_client_that_hangs_up_in_its_body_harms_nobody(void **state)
{
    struct http_answer answer = {0};

    (void)state;
    for (int i = 0; i < 3 * THREADS; i++) {
        struct http_talk talk;

        http_talk_open(&talk, port);
        http_talk_say(&talk, "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nab");
        http_talk_close(&talk);
    }
    assert_int_equal(http_talk_once(&(struct http_ask){.port = port, .method = "GET", .target = "/a", .extra = ""}, &answer),
                     200);
    http_answer_finish(&answer);
}

static void a_client_that_drips_its_body_is_cut_off(void **state)
{
    struct http_talk talk;
    struct http_answer answer = {0};
    struct pollfd poller = {.events = POLLIN};
    int sent = 0;

    (void)state;
    http_talk_open(&talk, port);
    http_talk_say(&talk, "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
    poller.fd = talk.socket;
    do { // each byte well before the timeout of a single read, all of them together never
        assert_true(http_talk_send(&talk, "a", 1));
        sent++;
    } while (poll(&poller, 1, TIMEOUT_MS / 8) == 0 && sent < 100);

    assert_int_equal(http_talk_receive(&talk, false, &answer), 408);
    assert_true(sent < 40);
    http_answer_finish(&answer);
    http_talk_close(&talk);
}

static void after_many_connections_they_are_still_kept(void **state)
{
    struct http_talk talk;
    struct http_answer answer = {0};
    char value[64] = "";

    (void)state;
    for (int i = 0; i < 20 * THREADS; i++) {
        http_talk_once(&(struct http_ask){.port = port, .method = "GET", .target = "/a", .extra = ""}, &answer);
    }
    http_talk_open(&talk, port);
    http_talk_say(&talk, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(http_talk_receive(&talk, false, &answer), 200);
    assert_true(http_answer_header(&answer, "Connection", 0, value, sizeof(value)));
    assert_string_equal(value, "keep-alive");
    http_answer_finish(&answer);
    http_talk_close(&talk);
}

static void *stop_on_a_thread(void *argument)
{
    (void)argument;
    http_server_stop(server, 10000);
    return NULL;
}

static void stopping_lets_the_running_requests_finish_and_refuses_new_ones(void **state)
{
    struct http_talk running;
    struct http_answer answer = {0};
    pthread_t thread;
    int status = 200;

    (void)state;
    http_talk_open(&running, port);
    http_talk_say(&running, "GET /gate HTTP/1.1\r\nHost: a\r\n\r\n");
    gate_await(1);
    pthread_create(&thread, NULL, stop_on_a_thread, NULL);
    while (status == 200) { // the stop has begun once a request is refused
        status = http_talk_once(&(struct http_ask){.port = port, .method = "GET", .target = "/a", .extra = ""}, &answer);
    }
    assert_int_equal(status, 503);
    gate_open();

    assert_int_equal(http_talk_receive(&running, false, &answer), 200);
    assert_string_equal(answer.body.bytes, "0 /gate /gate (none) 0\n");
    assert_true(http_talk_is_closed(&running));
    pthread_join(thread, NULL);
    http_answer_finish(&answer);
    http_talk_close(&running);
}

static void an_address_that_is_taken_or_malformed_is_a_clear_error(void **state)
{
    static const struct {
        const char *address;
        enum status status;
    } cases[] = {
        {"", STATUS_UNAVAILABLE}, // stands for the port of the running server
        {"127.0.0.1:8040s", STATUS_INVALID},
        {"127.0.0.1", STATUS_INVALID},
        {"127.0.0.1:99999", STATUS_INVALID},
        {"+8040", STATUS_INVALID},
        {"[::1:0", STATUS_INVALID},
        {"::1:0", STATUS_INVALID},
        {"[127.0.0.1]:0", STATUS_INVALID},
        {"nowhere.invalid:80", STATUS_INVALID},
    };
    char taken[64];

    (void)state;
    (void)snprintf(taken, sizeof(taken), "127.0.0.1:%d", port);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *items[] = {i == 0 ? taken : (char *)cases[i].address};
        const struct config_texts listen = {.items = items, .count = 1};
        const struct http_server_options options = options_of(&listen);
        struct http_server *second = NULL;
        struct error error = {0};

        assert_int_equal(http_server_start(&options, &second, &error), cases[i].status);
        assert_non_null(strstr(error.text, items[0]));
        assert_null(second);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_shows_method_path_query_and_peer_as_they_were_sent),
        cmocka_unit_test(an_empty_query_is_not_the_same_as_none),
        cmocka_unit_test(a_path_with_a_nul_byte_matches_nothing),
        cmocka_unit_test(an_absolute_target_is_taken_by_its_path),
        cmocka_unit_test(a_connection_is_kept_and_pipelined_requests_are_answered_in_order),
        cmocka_unit_test(head_gets_the_length_and_no_body),
        cmocka_unit_test(a_client_that_expects_100_continue_gets_it_before_it_sends),
        cmocka_unit_test(a_chunked_body_counts_as_empty_and_ends_the_connection),
        cmocka_unit_test(a_large_body_comes_whole),
        cmocka_unit_test(an_unwanted_body_within_the_bound_is_swallowed_after_the_reply),
        cmocka_unit_test(an_unwanted_body_over_the_bound_ends_the_connection_after_the_reply),
        cmocka_unit_test(malformed_requests_get_a_small_page_and_the_end_of_the_connection),
        cmocka_unit_test(too_many_or_too_long_headers_are_refused),
        cmocka_unit_test(a_header_with_a_line_break_cannot_be_smuggled_out),
        cmocka_unit_test(part_of_a_file_is_sent_from_where_it_stands),
        cmocka_unit_test(cors_preflight_is_no_business_of_the_library),
        cmocka_unit_test(slow_and_idle_clients_lock_nobody_out),
        cmocka_unit_test(a_client_that_drips_its_body_is_cut_off),
        cmocka_unit_test(after_many_connections_they_are_still_kept),
        cmocka_unit_test(a_client_that_hangs_up_in_its_body_harms_nobody),
        cmocka_unit_test(an_address_that_is_taken_or_malformed_is_a_clear_error),
        cmocka_unit_test(stopping_lets_the_running_requests_finish_and_refuses_new_ones), // ends the server
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
