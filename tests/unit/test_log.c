/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_base PkgConfig::JANSSON */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/log.h"

static int pipe_ends[2];
static char line[2 * LOG_LINE_MAX];

/* What came out since the last call, as a string. */
static const char *read_lines(void)
{
    static const char mark = '\x01';
    size_t length = 0;
    assert_int_equal(write(pipe_ends[1], &mark, 1), 1);
    while (length == 0 || line[length - 1] != mark) {
        ssize_t got = read(pipe_ends[0], line + length, sizeof line - length);
        assert_true(got > 0);
        length += (size_t)got;
    }
    line[length - 1] = '\0';
    return line;
}

/* What follows the stamp. */
static const char *read_after_time(void)
{
    const char *text = read_lines();
    assert_memory_equal(text, "time=2", 6);
    const char *blank = strchr(text, ' ');
    assert_non_null(blank);
    return blank + 1;
}

static json_t *read_json(void)
{
    json_error_t error;
    const char *text = read_lines();
    assert_int_equal(text[strlen(text) - 1], '\n');
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        fail_msg("%s: %s", error.text, text);
    return root;
}

static int open_pipe(void **state)
{
    (void)state;
    if (pipe(pipe_ends) != 0)
        return -1;
    log_redirect(pipe_ends[1]);
    log_configure("xqueued", LOG_INFO, LOG_LOGFMT);
    return 0;
}

static int close_pipe(void **state)
{
    (void)state;
    log_redirect(STDERR_FILENO);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    return 0;
}

static void an_event_is_one_line_of_fields(void **state)
{
    (void)state;

    log_event(LOG_INFO, "lease_expired", LOG_INT("submission", 12), LOG_TEXT("queue", "cs101"));

    assert_string_equal(read_after_time(), "level=info program=xqueued event=lease_expired submission=12 queue=cs101\n");
}

static void values_that_would_mislead_are_quoted_and_escaped(void **state)
{
    (void)state;

    log_event(LOG_ERROR, "e", LOG_TEXT("a", "a b"), LOG_TEXT("b", ""), LOG_TEXT("c", "x=y"), LOG_TEXT("d", "q\"\\\n\x1b"),
              LOG_TEXT("e", NULL), LOG_TEXT("f", "\xc3\xa4\xff\xc2\x9b"), LOG_INT("g", INT64_MIN));

    assert_string_equal(read_after_time(),
                        "level=error program=xqueued event=e a=\"a b\" b=\"\" c=\"x=y\" d=\"q\\\"\\\\\\n\\u001b\" "
                        "e=\"\" f=\"\xc3\xa4\xef\xbf\xbd\\u009b\" g=-9223372036854775808\n");
}

static void json_lines_parse_and_keep_their_values(void **state)
{
    (void)state;
    log_configure("xqueue-rest", LOG_DEBUG, LOG_JSON);

    log_event(LOG_DEBUG, "e", LOG_TEXT("text", "a \"b\"\\\n\t\x01\x7f\xc3\xa4"), LOG_INT("submission", INT64_MAX));

    json_t *root = read_json();
    assert_string_equal(json_string_value(json_object_get(root, "level")), "debug");
    assert_string_equal(json_string_value(json_object_get(root, "program")), "xqueue-rest");
    assert_string_equal(json_string_value(json_object_get(root, "event")), "e");
    assert_string_equal(json_string_value(json_object_get(root, "text")), "a \"b\"\\\n\t\x01\x7f\xc3\xa4");
    assert_true(json_integer_value(json_object_get(root, "submission")) == INT64_MAX);
    assert_int_equal(strlen(json_string_value(json_object_get(root, "time"))), 24);
    json_decref(root);
}

static void a_long_value_is_cut_between_characters(void **state)
{
    (void)state;
    log_configure("p", LOG_INFO, LOG_JSON);
    char text[2 * LOG_VALUE_MAX] = "a";
    for (size_t at = 1; at + 2 < sizeof text; at += 2)
        memcpy(text + at, "\xc3\xa4", 3);

    log_event(LOG_INFO, "e", LOG_TEXT("text", text));

    json_t *root = read_json();
    assert_int_equal(strlen(json_string_value(json_object_get(root, "text"))), LOG_VALUE_MAX - 1);
    json_decref(root);
}

static void a_full_line_drops_whole_fields_and_stays_well_formed(void **state)
{
    (void)state;
    log_configure("p", LOG_INFO, LOG_JSON);
    char text[LOG_VALUE_MAX + 1];
    memset(text, 1, LOG_VALUE_MAX);
    text[LOG_VALUE_MAX] = '\0';

    log_event(LOG_INFO, "e", LOG_TEXT("first", text), LOG_TEXT("second", text), LOG_INT("third", 3));

    json_t *root = read_json();
    assert_int_equal(json_string_length(json_object_get(root, "first")), LOG_VALUE_MAX);
    assert_null(json_object_get(root, "second"));
    json_decref(root);
}

static void lines_below_the_level_are_dropped(void **state)
{
    (void)state;
    log_configure("p", LOG_WARN, LOG_LOGFMT);

    log_event(LOG_INFO, "quiet", LOG_INT("a", 1));
    assert_string_equal(read_lines(), "");
    log_event(LOG_WARN, "loud", LOG_INT("a", 1));

    assert_string_equal(read_after_time(), "level=warn program=p event=loud a=1\n");
    assert_false(log_enabled(LOG_INFO));
    assert_true(log_enabled(LOG_ERROR));
}

static void logging_keeps_errno(void **state)
{
    (void)state;
    log_redirect(-1);
    errno = ENOENT;

    log_event(LOG_ERROR, "e", LOG_INT("a", 1));

    assert_int_equal(errno, ENOENT);
}

static void a_condition_is_reported_once_until_it_ends(void **state)
{
    (void)state;
    static struct log_once once;

    assert_false(log_once_leave(&once));
    assert_true(log_once_enter(&once));
    assert_false(log_once_enter(&once));
    assert_true(log_once_leave(&once));
    assert_false(log_once_leave(&once));
    assert_true(log_once_enter(&once));
}

#define WITH_PIPE(test_) cmocka_unit_test_setup_teardown(test_, open_pipe, close_pipe)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PIPE(an_event_is_one_line_of_fields),
        WITH_PIPE(values_that_would_mislead_are_quoted_and_escaped),
        WITH_PIPE(json_lines_parse_and_keep_their_values),
        WITH_PIPE(a_long_value_is_cut_between_characters),
        WITH_PIPE(a_full_line_drops_whole_fields_and_stays_well_formed),
        WITH_PIPE(lines_below_the_level_are_dropped),
        WITH_PIPE(logging_keeps_errno),
        cmocka_unit_test(a_condition_is_reported_once_until_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
