/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rest-adapter/http_gate_link.h"

#define SECRET "0123456789abcdef0123456789abcdef"

static const struct http_gate_note example = {.slot = 7,
                                              .exchange = UINT64_MAX,
                                              .method = "PROPFIND",
                                              .peer = "2001:db8::1",
                                              .port = 8040,
                                              .body_bytes = INT64_MAX,
                                              .has_body = true,
                                              .is_keeping = true};

/* The value of the header that a note becomes. */
static void write_note(const struct http_gate_note *note, char *out, size_t capacity)
{
    struct text text;
    const char *value = NULL;

    text_init(&text, HTTP_GATE_NOTE_BYTES_MAX);
    http_gate_append_note(note, SECRET, &text);
    assert_int_equal(text_status(&text), STATUS_OK);
    value = strchr(text.bytes, ':') + 1;
    assert_true(strlen(value) < capacity);
    memcpy(out, value, strcspn(value, "\r"));
    out[strcspn(value, "\r")] = '\0';
    assert_string_equal(value + strlen(out), "\r\n\r\n");
    text_finish(&text);
}

static void a_note_comes_back_as_it_was(void **state)
{
    char value[HTTP_GATE_NOTE_BYTES_MAX];
    struct http_gate_note note = {0};

    (void)state;
    write_note(&example, value, sizeof(value));
    assert_true(http_gate_parse_note(value, SECRET, &note));
    assert_int_equal(note.slot, 7);
    assert_true(note.exchange == UINT64_MAX);
    assert_string_equal(note.method, "PROPFIND");
    assert_string_equal(note.peer, "2001:db8::1");
    assert_int_equal(note.port, 8040);
    assert_true(note.body_bytes == INT64_MAX);
    assert_true(note.has_body && note.is_keeping && !note.is_greeting);
}

static void without_the_secret_it_is_none(void **state)
{
    static const char *const values[] = {"", " ", "0", SECRET, "1123456789abcdef0123456789abcdef 7 1 a 1 1 - GET"};
    char value[HTTP_GATE_NOTE_BYTES_MAX];
    struct http_gate_note note = {0};

    (void)state;
    assert_false(http_gate_parse_note(NULL, SECRET, &note));
    assert_false(http_gate_parse_note(SECRET " ", SECRET, &note)); // and nothing behind it
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        assert_false(http_gate_parse_note(values[i], SECRET, &note));
    }
    write_note(&example, value, sizeof(value));
    value[31] = 'x';
    assert_false(http_gate_parse_note(value, SECRET, &note));
}

static void what_is_between_client_and_gate_does_not_go_on(void **state)
{
    static const char bytes[] = "BREW http://host/a?b HTTP/1.0\r\nHost: host\r\nconnection: x\r\nContent-Length: 5\r\n"
                                "EXPECT: 100-continue\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: websocket\r\nCookie:  c \r\n"
                                "X-Xqueue-Gate: forged\r\n\r\n";
    struct http_head head = {0};
    struct text text;

    (void)state;
    assert_int_equal(http_head_parse(bytes, sizeof(bytes) - 1, &head), 0);
    text_init(&text, HTTP_GATE_HEAD_BYTES_MAX);
    http_gate_append_head(&head, 5, &text);
    assert_string_equal(text.bytes, "POST /a?b HTTP/1.1\r\nHost:host\r\nCookie:c\r\nContent-Length:5\r\n");
    text_finish(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_note_comes_back_as_it_was),
        cmocka_unit_test(without_the_secret_it_is_none),
        cmocka_unit_test(what_is_between_client_and_gate_does_not_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
