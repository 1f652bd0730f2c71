/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest_formats */
/* Which values of traceparent and tracestate are handed on, after the examples and rules of the W3C's recommendation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rest-adapter/trace_context.h"

#define IDS "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"

static void valid_parents_are_taken(void **state)
{
    (void)state;
    assert_true(trace_parent_is_valid("00-" IDS "-01"));
    assert_true(trace_parent_is_valid("00-" IDS "-00"));
    assert_true(trace_parent_is_valid("cc-" IDS "-01"));
    assert_true(trace_parent_is_valid("cc-" IDS "-01-what-the-future-will-be-like"));
}

static void others_are_not(void **state)
{
    static const char *const bad[] = {
        "",
        "00",
        "00-" IDS,
        "00-" IDS "-",
        "00-" IDS "-0",
        "00-" IDS "-001",
        "00-" IDS "-01-more",
        "00-" IDS "-01 ",
        "cc-" IDS "-01.more",
        "ff-" IDS "-01",
        "0-" IDS "-01",
        "0g-" IDS "-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473-000f067aa0ba902b7-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
        "cc-" IDS "-01-\r\nx: y",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (trace_parent_is_valid(bad[i])) {
            fail_msg("'%s' was taken", bad[i]);
        }
    }
}

static void lengths_are_bounded(void **state)
{
    char parent[TRACE_PARENT_BYTES_MAX + 2] = "cc-" IDS "-01-";
    char text[TRACE_STATE_BYTES_MAX + 2];
    (void)state;
    memset(parent + strlen(parent), 'x', sizeof(parent) - strlen(parent) - 1);
    parent[TRACE_PARENT_BYTES_MAX + 1] = '\0';
    assert_false(trace_parent_is_valid(parent));
    parent[TRACE_PARENT_BYTES_MAX] = '\0';
    assert_true(trace_parent_is_valid(parent));

    memset(text, 'x', sizeof(text));
    text[TRACE_STATE_BYTES_MAX + 1] = '\0';
    assert_false(trace_state_is_valid(text));
    text[TRACE_STATE_BYTES_MAX] = '\0';
    assert_true(trace_state_is_valid(text));
    assert_false(trace_state_is_valid(""));
    assert_false(trace_state_is_valid("a=b\nc=d"));
    assert_false(trace_state_is_valid("a=\xc3\xa4"));
}

static void lines_are_made_of_what_is_valid(void **state)
{
    struct trace_lines lines;
    (void)state;
    trace_lines_make(&lines, "00-" IDS "-01", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE");
    assert_int_equal(lines.count, 2);
    assert_string_equal(lines.lines[0], "traceparent: 00-" IDS "-01");
    assert_string_equal(lines.lines[1], "tracestate: rojo=00f067aa0ba902b7,congo=t61rcWkgMzE");

    trace_lines_make(&lines, "00-" IDS "-01", "");
    assert_int_equal(lines.count, 1);
    trace_lines_make(&lines, "my-own-trace", "a=b");
    assert_int_equal(lines.count, 0);
    trace_lines_make(&lines, "", "");
    assert_int_equal(lines.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_parents_are_taken),
        cmocka_unit_test(others_are_not),
        cmocka_unit_test(lengths_are_bounded),
        cmocka_unit_test(lines_are_made_of_what_is_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
