/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest xqueue_rest_formats */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/backoff.h"
#include "base/memory.h"
#include "rest-adapter/callback_body.h"
#include "rest-adapter/lms_health.h"

static void a_form_is_quoted_as_the_original_quotes(void **state)
{
    static const char result[] = "a b&c=d+e%f/g~h_i.j-k\"\n\xc3\xa9\0z";
    char *body = NULL;
    size_t length = 0;
    (void)state;

    enum status status = callback_body_write(span_of("{\"k\": 1}"), (struct span){result, sizeof(result) - 1}, &body, &length);

    assert_int_equal(status, STATUS_OK);
    assert_string_equal(body, "xqueue_header=%7B%22k%22%3A+1%7D&xqueue_body="
                              "a+b%26c%3Dd%2Be%25f%2Fg~h_i.j-k%22%0A%C3%A9%00z");
    assert_int_equal(length, strlen(body));
    memory_free(body);
}

static void an_empty_header_and_result_make_an_empty_form(void **state)
{
    char *body = NULL;
    size_t length = 0;
    (void)state;

    assert_int_equal(callback_body_write((struct span){NULL, 0}, (struct span){NULL, 0}, &body, &length), STATUS_OK);
    assert_string_equal(body, "xqueue_header=&xqueue_body=");
    memory_free(body);
}

static void the_longest_header_and_result_of_the_contract_fit(void **state)
{
    enum { HEADER_BYTES = 65536, RESULT_BYTES = 3145728 };
    char *header = memory_allocate(HEADER_BYTES);
    char *result = memory_allocate(RESULT_BYTES); // zeros: three bytes each when quoted
    char *body = NULL;
    size_t length = 0;
    (void)state;

    enum status status =
        callback_body_write((struct span){header, HEADER_BYTES}, (struct span){result, RESULT_BYTES}, &body, &length);

    assert_int_equal(status, STATUS_OK);
    assert_int_equal(length, strlen("xqueue_header=&xqueue_body=") + (size_t)3 * (HEADER_BYTES + RESULT_BYTES));
    memory_free(body);
    memory_free(header);
    memory_free(result);
}

static void a_body_beyond_the_limit_is_refused(void **state)
{
    char *result = memory_allocate(CALLBACK_BODY_BYTES_MAX);
    char *body = NULL;
    size_t length = 0;
    (void)state;

    enum status status = callback_body_write(span_of("{}"), (struct span){result, CALLBACK_BODY_BYTES_MAX}, &body, &length);

    assert_int_equal(status, STATUS_FULL);
    assert_null(body);
    memory_free(result);
}

static void the_failure_message_is_the_original_one(void **state)
{
    (void)state;

    assert_string_equal(
        callback_body_failure_message(),
        "{\"correct\": null, \"score\": 0, \"msg\": \"<div class=\\\"capa_alert\\\">Your submission could not be graded. "
        "Please "
        "recheck your submission and try again. If the problem persists, please notify the course staff.</div>\"}");
}

static void an_lms_is_news_when_it_falls_and_when_it_stands_up(void **state)
{
    struct lms_health health;
    (void)state;
    lms_health_init(&health);

    assert_false(lms_health_answered(&health, "https://a"));
    assert_true(lms_health_failed(&health, "https://a"));
    assert_false(lms_health_failed(&health, "https://a"));
    assert_true(lms_health_is_failing(&health, "https://a"));
    assert_false(lms_health_is_failing(&health, "https://b"));
    assert_true(lms_health_failed(&health, "https://b"));
    assert_true(lms_health_answered(&health, "https://a"));
    assert_false(lms_health_answered(&health, "https://a"));
    assert_true(lms_health_failed(&health, "https://a"));

    lms_health_finish(&health);
}

static void the_oldest_failing_lms_is_forgotten_beyond_the_limit(void **state)
{
    struct lms_health health;
    char origin[32];
    (void)state;
    lms_health_init(&health);

    for (int i = 0; i <= LMS_HEALTH_ORIGINS_MAX; i++) {
        (void)snprintf(origin, sizeof(origin), "https://lms-%d", i);
        assert_true(lms_health_failed(&health, origin));
    }

    assert_false(lms_health_answered(&health, "https://lms-0"));
    assert_true(lms_health_answered(&health, "https://lms-1"));
    lms_health_finish(&health);
}

static void pauses_double_up_to_the_longest_and_start_again(void **state)
{
    struct backoff pause;
    (void)state;
    backoff_init(&pause, 100, 700, 1);

    assert_in_range(backoff_next_ms(&pause), 50, 100);
    assert_in_range(backoff_next_ms(&pause), 100, 200);
    assert_in_range(backoff_next_ms(&pause), 200, 400);
    for (int i = 0; i < 100; i++)
        assert_in_range(backoff_next_ms(&pause), 350, 700);
    backoff_reset(&pause);
    assert_in_range(backoff_next_ms(&pause), 50, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_form_is_quoted_as_the_original_quotes),
        cmocka_unit_test(an_empty_header_and_result_make_an_empty_form),
        cmocka_unit_test(the_longest_header_and_result_of_the_contract_fit),
        cmocka_unit_test(a_body_beyond_the_limit_is_refused),
        cmocka_unit_test(the_failure_message_is_the_original_one),
        cmocka_unit_test(an_lms_is_news_when_it_falls_and_when_it_stands_up),
        cmocka_unit_test(the_oldest_failing_lms_is_forgotten_beyond_the_limit),
        cmocka_unit_test(pauses_double_up_to_the_longest_and_start_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
