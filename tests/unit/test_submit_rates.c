/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_queue */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "service/submit_rates.h"

#define NOW_MS INT64_C(1000000)
enum { PER_MINUTE = 6, STEP_MS = 10000, MANY = 1000 };

static struct submit_rates rates;

static void take(const char *submitter, int count, int64_t now_ms)
{
    for (int i = 0; i < count; i++) {
        assert_int_equal(submit_rates_wait_ms(&rates, submitter, PER_MINUTE, now_ms), 0);
        submit_rates_take(&rates, submitter, PER_MINUTE, now_ms);
    }
}

static void a_minutes_worth_may_come_at_once_and_no_more(void **state)
{
    (void)state;
    take("lms", PER_MINUTE, NOW_MS);

    assert_int_equal(submit_rates_wait_ms(&rates, "lms", PER_MINUTE, NOW_MS), STEP_MS);
    assert_int_equal(submit_rates_wait_ms(&rates, "lms", PER_MINUTE, NOW_MS + STEP_MS - 1), 1);
    assert_int_equal(submit_rates_wait_ms(&rates, "another", PER_MINUTE, NOW_MS), 0);
}

static void it_fills_evenly_and_to_a_minutes_worth(void **state)
{
    (void)state;
    take("lms", PER_MINUTE, NOW_MS);

    take("lms", 1, NOW_MS + STEP_MS);
    assert_int_equal(submit_rates_wait_ms(&rates, "lms", PER_MINUTE, NOW_MS + STEP_MS), STEP_MS);
    take("lms", PER_MINUTE, NOW_MS + INT64_C(1000000));
    assert_int_equal(submit_rates_wait_ms(&rates, "lms", PER_MINUTE, NOW_MS + INT64_C(1000000)), STEP_MS);
}

static void over_a_long_time_it_is_the_rate(void **state)
{
    (void)state;
    int taken = 0;
    for (int64_t at_ms = 0; at_ms < INT64_C(600000); at_ms += 100) {
        if (submit_rates_wait_ms(&rates, "lms", PER_MINUTE, NOW_MS + at_ms) == 0) {
            submit_rates_take(&rates, "lms", PER_MINUTE, NOW_MS + at_ms);
            taken++;
        }
    }
    assert_int_equal(taken, PER_MINUTE + 10 * PER_MINUTE - 1);
}

static void another_rate_holds_at_once(void **state)
{
    (void)state;
    take("lms", PER_MINUTE, NOW_MS);

    assert_int_equal(submit_rates_wait_ms(&rates, "lms", 60, NOW_MS), 1000);
    assert_int_equal(submit_rates_wait_ms(&rates, "lms", 1000000, NOW_MS), 1);
    assert_int_equal(submit_rates_wait_ms(&rates, "lms", 1, NOW_MS), 60000);
}

static void what_is_full_again_is_forgotten(void **state)
{
    (void)state;
    for (int i = 0; i < MANY; i++) {
        char submitter[32];
        snprintf(submitter, sizeof submitter, "user %d", i);
        take(submitter, 1, NOW_MS + (int64_t)i * STEP_MS);
    }

    assert_true(map_count(&rates.by_submitter) <= 3);
    submit_rates_clear(&rates);
    assert_int_equal(map_count(&rates.by_submitter), 0);
}

static int set_up(void **state)
{
    (void)state;
    submit_rates_init(&rates);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    submit_rates_finish(&rates);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
        TEST(a_minutes_worth_may_come_at_once_and_no_more),
        TEST(it_fills_evenly_and_to_a_minutes_worth),
        TEST(over_a_long_time_it_is_the_rate),
        TEST(another_rate_holds_at_once),
        TEST(what_is_full_again_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
