/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rules */
/* When a grader that keeps failing is left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/rules/quarantine.h"

static const struct quarantine_bounds bounds = {.failures_max = 3, .first_ms = 1000, .period_ms_max = 3000};

/* At another submission each time. */
static bool fails(struct quarantine *quarantine, int64_t submission_id, int64_t now_ms)
{
    const struct quarantine_failure failure = {.submission_id = submission_id, .granted_at_ms = now_ms, .now_ms = now_ms};
    return quarantine_on_failure(quarantine, &bounds, &failure);
}

static bool loses(struct quarantine *quarantine, int64_t submission_id, int64_t granted_at_ms, int64_t now_ms)
{
    const struct quarantine_failure failure = {
        .submission_id = submission_id, .granted_at_ms = granted_at_ms, .lost = true, .now_ms = now_ms};
    return quarantine_on_failure(quarantine, &bounds, &failure);
}

static void so_many_failures_in_a_row_make_it_quiet(void **state)
{
    (void)state;
    struct quarantine grader = {0};

    assert_false(fails(&grader, 1, 10));
    assert_false(fails(&grader, 2, 20));
    assert_int_equal(quarantine_leases_max(&grader, 5), 5);
    assert_true(fails(&grader, 3, 30));

    assert_true(quarantine_is_quiet(&grader));
    assert_int_equal(grader.until_ms, 1030);
    assert_int_equal(quarantine_leases_max(&grader, 5), 0);
}

static void a_success_between_starts_the_count_again(void **state)
{
    (void)state;
    struct quarantine grader = {0};

    for (int64_t id = 1; id < 20; id += 2) {
        assert_false(fails(&grader, id, 10));
        assert_false(fails(&grader, id + 1, 10));
        assert_false(quarantine_on_success(&grader));
        assert_true(quarantine_is_clean(&grader));
    }
}

static void failing_at_one_submission_again_and_again_is_one_failure(void **state)
{
    (void)state;
    struct quarantine grader = {0};

    for (int64_t i = 0; i < 20; i++)
        assert_false(fails(&grader, 7, 10 + i));

    assert_int_equal(grader.failures, 1);
}

static void all_that_was_lost_with_one_crash_is_one_failure(void **state)
{
    (void)state;
    struct quarantine grader = {0};

    for (int64_t id = 1; id < 20; id++)
        assert_false(loses(&grader, id, 90 + id % 3, 100));

    assert_int_equal(grader.failures, 1);
    assert_false(loses(&grader, 30, 101, 200));
    assert_true(loses(&grader, 31, 201, 300));
}

static void each_quiet_period_is_longer_until_one_result_makes_all_as_before(void **state)
{
    (void)state;
    struct quarantine grader = {0};
    static const int64_t periods_ms[] = {1000, 2000, 3000, 3000};
    int64_t now_ms = 100;
    (void)fails(&grader, 1, now_ms);
    (void)fails(&grader, 2, now_ms);

    for (int64_t round = 0; round < 4; round++) {
        assert_true(fails(&grader, 3 + round, now_ms));
        assert_int_equal(grader.until_ms, now_ms + periods_ms[round]);
        assert_false(fails(&grader, 100 + round, now_ms)); /* what it held before */
        now_ms = grader.until_ms;
        quarantine_end_period(&grader);
        assert_int_equal(quarantine_leases_max(&grader, 5), 1); /* on trial */
    }

    assert_false(quarantine_on_success(&grader));
    assert_int_equal(quarantine_leases_max(&grader, 5), 5);
    assert_false(fails(&grader, 50, now_ms));
}

static void a_result_ends_the_quiet_period(void **state)
{
    (void)state;
    struct quarantine grader = {0};
    for (int64_t id = 1; id <= 3; id++)
        (void)fails(&grader, id, 10);

    assert_true(quarantine_on_success(&grader));

    assert_false(quarantine_is_quiet(&grader));
    assert_true(quarantine_is_clean(&grader));
}

static void where_it_is_switched_off_nobody_is_ever_quiet(void **state)
{
    (void)state;
    struct quarantine grader = {0};
    const struct quarantine_bounds off = {.failures_max = 0, .first_ms = 1000, .period_ms_max = 3000};

    for (int64_t id = 1; id < 50; id++) {
        const struct quarantine_failure failure = {.submission_id = id, .granted_at_ms = id, .lost = true, .now_ms = id};
        assert_false(quarantine_on_failure(&grader, &off, &failure));
    }

    assert_true(quarantine_is_clean(&grader));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_failures_in_a_row_make_it_quiet),
        cmocka_unit_test(a_success_between_starts_the_count_again),
        cmocka_unit_test(failing_at_one_submission_again_and_again_is_one_failure),
        cmocka_unit_test(all_that_was_lost_with_one_crash_is_one_failure),
        cmocka_unit_test(each_quiet_period_is_longer_until_one_result_makes_all_as_before),
        cmocka_unit_test(a_result_ends_the_quiet_period),
        cmocka_unit_test(where_it_is_switched_off_nobody_is_ever_quiet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
