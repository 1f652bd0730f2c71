/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/backoff.h"

enum { FIRST_MS = 100, LONGEST_MS = 15000, TRIES = 200 };

static void pauses_double_up_to_the_longest(void **state)
{
    (void)state;
    struct backoff backoff;
    backoff_init(&backoff, FIRST_MS, LONGEST_MS, 1);

    int64_t upper_ms = FIRST_MS;
    for (int i = 0; i < TRIES; i++) {
        int64_t pause_ms = backoff_next_ms(&backoff);
        assert_in_range(pause_ms, upper_ms / 2, upper_ms);
        upper_ms = upper_ms * 2 > LONGEST_MS ? LONGEST_MS : upper_ms * 2;
    }
    assert_int_equal(upper_ms, LONGEST_MS);
}

static void a_reset_makes_the_next_pause_a_first_one(void **state)
{
    (void)state;
    struct backoff backoff;
    backoff_init(&backoff, FIRST_MS, LONGEST_MS, 2);
    for (int i = 0; i < TRIES; i++)
        (void)backoff_next_ms(&backoff);

    backoff_reset(&backoff);

    assert_in_range(backoff_next_ms(&backoff), FIRST_MS / 2, FIRST_MS);
}

static void graders_with_other_seeds_do_not_wait_alike(void **state)
{
    (void)state;
    int alike = 0;
    for (uint64_t seed = 0; seed < TRIES; seed++) {
        struct backoff a;
        struct backoff b;
        backoff_init(&a, LONGEST_MS, LONGEST_MS, seed);
        backoff_init(&b, LONGEST_MS, LONGEST_MS, seed + 1);
        (void)backoff_next_ms(&a);
        (void)backoff_next_ms(&b);
        if (backoff_next_ms(&a) == backoff_next_ms(&b))
            alike++;
    }
    assert_in_range(alike, 0, TRIES / 10);
}

static void pauses_spread_over_the_upper_half(void **state)
{
    (void)state;
    struct backoff backoff;
    backoff_init(&backoff, LONGEST_MS, LONGEST_MS, 3);
    int64_t least_ms = INT64_MAX;
    int64_t most_ms = 0;

    for (int i = 0; i < TRIES; i++) {
        int64_t pause_ms = backoff_next_ms(&backoff);
        least_ms = pause_ms < least_ms ? pause_ms : least_ms;
        most_ms = pause_ms > most_ms ? pause_ms : most_ms;
    }

    assert_in_range(least_ms, LONGEST_MS / 2, LONGEST_MS / 2 + LONGEST_MS / 20);
    assert_in_range(most_ms, LONGEST_MS - LONGEST_MS / 20, LONGEST_MS);
}

static void a_pause_of_one_millisecond_is_possible(void **state)
{
    (void)state;
    struct backoff backoff;
    backoff_init(&backoff, 1, 1, 0);

    assert_int_equal(backoff_next_ms(&backoff), 1);
    assert_int_equal(backoff_next_ms(&backoff), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_double_up_to_the_longest),
        cmocka_unit_test(a_reset_makes_the_next_pause_a_first_one),
        cmocka_unit_test(graders_with_other_seeds_do_not_wait_alike),
        cmocka_unit_test(pauses_spread_over_the_upper_half),
        cmocka_unit_test(a_pause_of_one_millisecond_is_possible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
