/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rules */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/rules/retry.h"

static void the_pause_doubles_from_failure_to_failure(void **state)
{
    (void)state;
    // Without luck it is half of 1000, 2000, 4000 ...
    assert_int_equal(retry_delay_ms(1, 1000, 60000, 0), 500);
    assert_int_equal(retry_delay_ms(2, 1000, 60000, 0), 1000);
    assert_int_equal(retry_delay_ms(3, 1000, 60000, 0), 2000);
    assert_int_equal(retry_delay_ms(6, 1000, 60000, 0), 16000);
}

static void the_pause_is_capped(void **state)
{
    (void)state;
    assert_int_equal(retry_delay_ms(7, 1000, 60000, 0), 30000);
    assert_int_equal(retry_delay_ms(INT64_MAX, 1000, 60000, 0), 30000);
    assert_int_equal(retry_delay_ms(1, 90000, 60000, 0), 30000);
}

static void the_jitter_is_the_upper_half(void **state)
{
    (void)state;
    assert_int_equal(retry_delay_ms(1, 1000, 60000, UINT32_MAX / 2 + 1), 750);
    assert_int_equal(retry_delay_ms(1, 1000, 60000, UINT32_MAX), 999);
    for (uint32_t random = 0; random < UINT32_MAX - 70000000; random += 70000000) {
        int64_t delay_ms = retry_delay_ms(4, 1001, 60000, random);
        assert_in_range(delay_ms, 8008 / 2, 8008);
    }
}

static void huge_pauses_do_not_overflow(void **state)
{
    (void)state;
    int64_t least_ms = retry_delay_ms(100, 1, INT64_MAX, 0);
    int64_t most_ms = retry_delay_ms(100, 1, INT64_MAX, UINT32_MAX);

    assert_true(least_ms == INT64_MAX / 2);
    assert_true(most_ms > INT64_MAX - (INT64_C(1) << 32));
}

static void no_pause_is_possible(void **state)
{
    (void)state;
    assert_int_equal(retry_delay_ms(5, 0, 60000, UINT32_MAX), 0);
    assert_int_equal(retry_delay_ms(5, 1000, 0, UINT32_MAX), 0);
}

static void a_submission_is_given_up_when_its_attempts_are_used_up_or_several_graders_went_down_on_it(void **state)
{
    (void)state;
    struct retry_facts facts = {.failures = 4, .attempts_max = 5, .lost_graders = 2, .poison_graders_max = 3};
    assert_int_equal(retry_judge(&facts), RETRY_AGAIN);
    facts.lost_graders = 3;
    assert_int_equal(retry_judge(&facts), RETRY_POISON);
    facts.failures = 5;
    assert_int_equal(retry_judge(&facts), RETRY_USED_UP);
    facts.lost_graders = 0;
    assert_int_equal(retry_judge(&facts), RETRY_USED_UP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pause_doubles_from_failure_to_failure),
        cmocka_unit_test(the_pause_is_capped),
        cmocka_unit_test(the_jitter_is_the_upper_half),
        cmocka_unit_test(huge_pauses_do_not_overflow),
        cmocka_unit_test(no_pause_is_possible),
        cmocka_unit_test(a_submission_is_given_up_when_its_attempts_are_used_up_or_several_graders_went_down_on_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
