/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest_formats */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/text.h"
#include "rest-adapter/http_head.h"

#define END "\r\n\r\n"

/* Scans and parses all at once. Returns the status of the refusal, -1 when no end was found. */
static int take(const char *bytes, size_t length, struct http_head *head)
{
    struct http_head_scan scan = {0};
    size_t head_length = 0;
    int refusal = http_head_scan(&scan, bytes, length, &head_length);

    if (refusal != 0) {
        return refusal;
    }
    return head_length == 0 ? -1 : http_head_parse(bytes + scan.begin, head_length - scan.begin, head);
}

static int take_text(const char *text, struct http_head *head)
{
    return take(text, strlen(text), head);
}

static void assert_span(struct span span, const char *expected)
{
    assert_int_equal(span.length, strlen(expected));
    assert_memory_equal(span.bytes, expected, span.length);
}

static void a_head_is_taken_apart(void **state)
{
    struct http_head head = {0};

    (void)state;
    assert_int_equal(
        take_text("PO-ST /a%20b/?c=d&e HTTP/1.1\r\nHost: x:80\r\nA:  b \t c\t \r\nEmpty:\r\nX-\xc3\xa4: no" END, &head),
        400); // a name is a token
    assert_int_equal(
        take_text("PO-ST /a%20b/?c=d&e HTTP/1.1\r\nHost: x:80\r\nA:  b \t \xc3\t \r\nEmpty:\r\ncontent-length: 007" END, &head),
        0);

    assert_span(head.method, "PO-ST");
    assert_span(head.target, "/a%20b/?c=d&e");
    assert_int_equal(head.header_count, 4);
    assert_span(head.headers[1].name, "A");
    assert_span(http_head_value(&head, "a"), "b \t \xc3");
    assert_span(http_head_value(&head, "EMPTY"), "");
    assert_null(http_head_value(&head, "none").bytes);
    assert_int_equal(head.content_length, 7);
    assert_true(head.is_keeping);
    assert_false(head.is_chunked);
    assert_false(head.is_expecting);
}

static void what_is_in_doubt_is_refused(void **state)
{
    static const struct {
        const char *bytes;
        int status;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost : a" END, 400},
        {"GET / HTTP/1.1\r\n: a" END, 400},
        {"GET / HTTP/1.1\r\nA" END, 400},
        {"GET / HTTP/1.1\r\nA: b\r\n c: d" END, 400},
        {"GET / HTTP/1.1\r\nA: b\r\n\tc" END, 400},
        {"GET / HTTP/1.1\nHost: a\n\n", 400},
        {"GET / HTTP/1.1\r\nA: b\rc: d" END, 400},
        {"GET / HTTP/1.1\r\r\nA: b" END, 400},
        {"GET / HTTP/1.1\r\nA: \x01" END, 400},
        {"GET / HTTP/1.1\r\nA: \x7f" END, 400},
        {" GET / HTTP/1.1" END, 400},
        {"GET  / HTTP/1.1" END, 400},
        {"GET / HTTP/1.1 " END, 400},
        {"GET /\tHTTP/1.1" END, 400},
        {"GET /\x7f HTTP/1.1" END, 400},
        {"GET / http/1.1" END, 400},
        {"GET / HTTP/1.10" END, 400},
        {"GET / HTTP/2.0" END, 505},
        {"GET / HTTP/1.2" END, 505},
        {"GET /" END, 400},
        {"GET" END, 400},
        {"G(T / HTTP/1.1" END, 400},
        {" / HTTP/1.1" END, 400},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1" END, 400},
        {"OPTIONS * HTTP/1.1" END, 400},
        {"GET a/b HTTP/1.1" END, 400},
        {"GET http://host HTTP/1.1" END, 400},
        {"GET http:///a HTTP/1.1" END, 400},
        {"GET ftp://host/a HTTP/1.1" END, 400},
        {"CONNECT host:80 HTTP/1.1" END, 400},
        {"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1" END, 400},
        {"GET / HTTP/1.1\r\nContent-Length: 1, 1" END, 400},
        {"GET / HTTP/1.1\r\nContent-Length: -1" END, 400},
        {"GET / HTTP/1.1\r\nContent-Length: +1" END, 400},
        {"GET / HTTP/1.1\r\nContent-Length: 0x1" END, 400},
        {"GET / HTTP/1.1\r\nContent-Length:" END, 400},
        {"GET / HTTP/1.1\r\nContent-Length: 9999999999999999999" END, 413},
        {"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked" END, 400},
        {"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked" END, 400},
        {"GET / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked" END, 400},
        {"GET / HTTP/1.1\r\nTransfer-Encoding: " END, 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: a" END, 400},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_head head = {0};
        int status = take_text(cases[i].bytes, &head);

        if (status != cases[i].status) {
            fail_msg("case %zu: %d instead of %d: %s", i, status, cases[i].status, cases[i].bytes);
        }
    }
}

static void a_nul_byte_is_refused_at_once(void **state)
{
    static const char bytes[] = "\x16\x03\x01\0\x01"; // how TLS begins
    struct http_head head = {0};

    (void)state;
    assert_int_equal(take(bytes, sizeof(bytes) - 1, &head), 400);
}

static void an_absolute_target_counts_from_its_path_on(void **state)
{
    struct http_head head = {0};

    (void)state;
    assert_int_equal(take_text("GET HTTP://user@host:80/a?b://c HTTP/1.1" END, &head), 0);
    assert_span(head.target, "/a?b://c");
    assert_int_equal(take_text("GET //host/a HTTP/1.1" END, &head), 0);
    assert_span(head.target, "//host/a");
}

static void who_keeps_the_connection(void **state)
{
    static const struct {
        const char *bytes;
        bool is_keeping;
    } cases[] = {
        {"GET / HTTP/1.1" END, true},
        {"GET / HTTP/1.0" END, false},
        {"GET / HTTP/1.1\r\nConnection: Close" END, false},
        {"GET / HTTP/1.1\r\nConnection: x, close ,y" END, false},
        {"GET / HTTP/1.1\r\nConnection: x\r\nConnection: close" END, false},
        {"GET / HTTP/1.1\r\nConnection: closed" END, true},
        {"GET / HTTP/1.1\r\nConnection: upgrade" END, true},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive" END, true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, close" END, false},
        {"GET / HTTP/1.0\r\nX: keep-alive" END, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_head head = {0};

        assert_int_equal(take_text(cases[i].bytes, &head), 0);
        if (head.is_keeping != cases[i].is_keeping) {
            fail_msg("case %zu: %s", i, cases[i].bytes);
        }
    }
}

static void expect_and_chunked_are_noticed(void **state)
{
    struct http_head head = {0};

    (void)state;
    assert_int_equal(take_text("POST / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 3" END, &head), 0);
    assert_true(head.is_expecting);
    assert_int_equal(take_text("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3" END, &head), 0);
    assert_false(head.is_expecting);
    assert_int_equal(take_text("POST / HTTP/1.1\r\nTransfer-Encoding: Chunked" END, &head), 0);
    assert_true(head.is_chunked);
    assert_int_equal(head.content_length, 0);
}

static void empty_lines_before_the_request_are_skipped(void **state)
{
    struct http_head head = {0};

    (void)state;
    assert_int_equal(take_text("\r\n\r\nGET /a HTTP/1.1" END, &head), 0);
    assert_span(head.target, "/a");
    assert_int_equal(take_text("\r\n\r\n\r\n", &head), -1);
}

static void it_ends_at_the_same_byte_however_the_bytes_come(void **state)
{
    static const char text[] = "\r\nPOST /a HTTP/1.1\r\nA: b\r\n\r\nGET /next HTTP/1.1\r\n\r\n";
    const size_t expected = strlen("\r\nPOST /a HTTP/1.1\r\nA: b\r\n\r\n");

    (void)state;
    for (size_t step = 1; step < sizeof(text); step++) {
        struct http_head_scan scan = {0};
        size_t length = 0;

        for (size_t came = step; length == 0; came += step) {
            assert_int_equal(http_head_scan(&scan, text, came < sizeof(text) - 1 ? came : sizeof(text) - 1, &length), 0);
            assert_true(length == 0 || came >= expected);
        }
        assert_int_equal(length, expected);
        assert_int_equal(scan.begin, 2);
    }
}

/* A head of exactly length bytes, filled up in its target or, when lines is set, with header lines. */
static void fill_head(struct text *text, size_t length)
{
    static const char end[] = " HTTP/1.1" END;

    text_init(text, length);
    text_append_string(text, "GET /");
    while (text->length < length - (sizeof(end) - 1)) {
        text_append_string(text, "a");
    }
    text_append_string(text, end);
}

static void the_limits_are_exact(void **state)
{
    struct http_head head = {0};
    struct text text;

    (void)state;
    fill_head(&text, HTTP_REQUEST_HEAD_BYTES_MAX);
    assert_int_equal(take(text.bytes, text.length, &head), 0);
    text_finish(&text);
    fill_head(&text, HTTP_REQUEST_HEAD_BYTES_MAX + 1);
    assert_int_equal(take(text.bytes, text.length, &head), 431);
    assert_int_equal(take(text.bytes, HTTP_REQUEST_HEAD_BYTES_MAX - 1, &head), -1);
    text_finish(&text);

    for (int more = 0; more <= 1; more++) {
        text_init(&text, HTTP_REQUEST_HEAD_BYTES_MAX);
        text_append_string(&text, "GET / HTTP/1.1\r\n");
        for (int i = 0; i < HTTP_HEAD_HEADERS_MAX + more; i++) {
            text_append_format(&text, "X-%d: a\r\n", i);
        }
        text_append_string(&text, "\r\n");
        assert_int_equal(take(text.bytes, text.length, &head), more ? 431 : 0);
        text_finish(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_taken_apart),
        cmocka_unit_test(what_is_in_doubt_is_refused),
        cmocka_unit_test(a_nul_byte_is_refused_at_once),
        cmocka_unit_test(an_absolute_target_counts_from_its_path_on),
        cmocka_unit_test(who_keeps_the_connection),
        cmocka_unit_test(expect_and_chunked_are_noticed),
        cmocka_unit_test(empty_lines_before_the_request_are_skipped),
        cmocka_unit_test(it_ends_at_the_same_byte_however_the_bytes_come),
        cmocka_unit_test(the_limits_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
