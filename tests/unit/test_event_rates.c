/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_queue */
/* Counts of the last minute and hour: what happened is in them as long as it should be, and no longer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/event_rates.h"

#define START_MS  INT64_C(1700000040000) /* begins a slot of both rings */
#define MINUTE_MS INT64_C(60000)

static void what_happened_just_now_counts_everywhere(void **state)
{
    (void)state;
    struct event_rates rates = {0};
    assert_int_equal(START_MS % MINUTE_MS, 0);
    event_rates_add(&rates, START_MS, 2);
    event_rates_add(&rates, START_MS + 4999, 3);

    assert_int_equal(event_rates_last_minute(&rates, START_MS + 4999), 5);
    assert_int_equal(event_rates_last_minutes(&rates, START_MS + 4999, 10), 5);
    assert_int_equal(event_rates_last_minutes(&rates, START_MS + 4999, 60), 5);
}

static void it_leaves_each_window_when_its_time_is_over(void **state)
{
    (void)state;
    struct event_rates rates = {0};
    event_rates_add(&rates, START_MS, 7);

    assert_int_equal(event_rates_last_minute(&rates, START_MS + 59999), 7);
    assert_int_equal(event_rates_last_minute(&rates, START_MS + MINUTE_MS), 0);
    assert_int_equal(event_rates_last_minutes(&rates, START_MS + 10 * MINUTE_MS - 1, 10), 7);
    assert_int_equal(event_rates_last_minutes(&rates, START_MS + 10 * MINUTE_MS, 10), 0);
    assert_int_equal(event_rates_last_minutes(&rates, START_MS + 60 * MINUTE_MS - 1, 60), 7);
    assert_int_equal(event_rates_last_minutes(&rates, START_MS + 60 * MINUTE_MS, 60), 0);
}

static void an_old_slot_is_emptied_before_it_counts_again(void **state)
{
    (void)state;
    struct event_rates rates = {0};
    for (int64_t at_ms = START_MS; at_ms < START_MS + 120 * MINUTE_MS; at_ms += EVENT_RATES_SHORT_MS)
        event_rates_add(&rates, at_ms, 1);
    const int64_t now_ms = START_MS + 120 * MINUTE_MS - 1;

    assert_int_equal(event_rates_last_minute(&rates, now_ms), 12);
    assert_int_equal(event_rates_last_minutes(&rates, now_ms, 60), 720);
    event_rates_add(&rates, now_ms + 1000 * MINUTE_MS, 1); /* a long silence */
    assert_int_equal(event_rates_last_minute(&rates, now_ms + 1000 * MINUTE_MS), 1);
    assert_int_equal(event_rates_last_minutes(&rates, now_ms + 1000 * MINUTE_MS, 60), 1);
}

static void the_beginning_of_time_and_many_events_do_no_harm(void **state)
{
    (void)state;
    struct event_rates rates = {0};
    assert_int_equal(event_rates_last_minute(&rates, 0), 0);
    event_rates_add(&rates, 0, 1);
    assert_int_equal(event_rates_last_minute(&rates, 0), 1);
    event_rates_add(&rates, 0, INT64_MAX);
    assert_int_equal(event_rates_last_minute(&rates, 0), UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_happened_just_now_counts_everywhere),
        cmocka_unit_test(it_leaves_each_window_when_its_time_is_over),
        cmocka_unit_test(an_old_slot_is_emptied_before_it_counts_again),
        cmocka_unit_test(the_beginning_of_time_and_many_events_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
