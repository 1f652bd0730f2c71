/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"

static void every_status_has_a_name_of_its_own(void **state)
{
    (void)state;

    for (int a = 0; a < STATUS_COUNT; a++) {
        assert_string_not_equal(status_name((enum status)a), "unknown");
        for (int b = 0; b < a; b++)
            assert_string_not_equal(status_name((enum status)a), status_name((enum status)b));
    }
    assert_string_equal(status_name(STATUS_OK), "ok");
    assert_string_equal(status_name(STATUS_DATA_LOSS), "data_loss");
}

static void a_status_out_of_range_is_unknown(void **state)
{
    (void)state;

    assert_string_equal(status_name(STATUS_COUNT), "unknown");
    assert_string_equal(status_name((enum status) - 1), "unknown");
}

static void an_error_takes_status_reason_and_text(void **state)
{
    (void)state;
    struct error error = {.retry_after_ms = 7};

    enum status status = error_set(&error, STATUS_NOT_FOUND, "QUEUE_NOT_FOUND", "no queue named '%s'", "cs101");

    assert_int_equal(status, STATUS_NOT_FOUND);
    assert_string_equal(error.reason, "QUEUE_NOT_FOUND");
    assert_string_equal(error.text, "no queue named 'cs101'");
    assert_int_equal(error.retry_after_ms, 0);
}

static void an_error_may_be_absent(void **state)
{
    (void)state;

    assert_int_equal(error_set(NULL, STATUS_FULL, "X", "%s", "y"), STATUS_FULL);
}

static void a_missing_reason_is_empty_and_a_long_one_is_cut(void **state)
{
    (void)state;
    struct error error;

    (void)error_set(&error, STATUS_INTERNAL, NULL, "x");
    assert_string_equal(error.reason, "");

    (void)error_set(&error, STATUS_INTERNAL, "A_REASON_THAT_IS_LONGER_THAN_THE_THIRTY_ONE_BYTES", "x");
    assert_string_equal(error.reason, "A_REASON_THAT_IS_LONGER_THAN_TH");
}

static void long_text_is_cut_between_characters(void **state)
{
    (void)state;
    struct error error;
    char text[400] = "a";
    for (size_t at = 1; at < 300; at += 2)
        memcpy(text + at, "\xc3\xa4", 3);

    (void)error_set(&error, STATUS_INVALID, NULL, "%s", text);
    assert_int_equal(strlen(error.text), 255);
    assert_memory_equal(error.text, text, 255);

    (void)error_set(&error, STATUS_INVALID, NULL, "%s", text + 1);
    assert_int_equal(strlen(error.text), 254);
}

static void control_characters_and_broken_utf8_become_question_marks(void **state)
{
    (void)state;
    struct error error;

    (void)error_set(&error, STATUS_INVALID, NULL, "a\nb\x1b[0m\x7f \xff\xc3 \xc3\xa4");

    assert_string_equal(error.text, "a?b?[0m? ?? \xc3\xa4");
}

static void the_old_text_may_go_into_the_new_one(void **state)
{
    (void)state;
    struct error error;
    (void)error_set(&error, STATUS_INVALID, "INNER", "inner");

    (void)error_set(&error, STATUS_INVALID, error.reason, "outer: %s", error.text);

    assert_string_equal(error.text, "outer: inner");
    assert_string_equal(error.reason, "INNER");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_a_name_of_its_own),
        cmocka_unit_test(a_status_out_of_range_is_unknown),
        cmocka_unit_test(an_error_takes_status_reason_and_text),
        cmocka_unit_test(an_error_may_be_absent),
        cmocka_unit_test(a_missing_reason_is_empty_and_a_long_one_is_cut),
        cmocka_unit_test(long_text_is_cut_between_characters),
        cmocka_unit_test(control_characters_and_broken_utf8_become_question_marks),
        cmocka_unit_test(the_old_text_may_go_into_the_new_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
