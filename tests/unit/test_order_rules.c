/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rules m */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/rules/order.h"

#define NOW_MS INT64_C(1000000)
enum { GRADING_MS = 2000, MANY = 5000 };

static void high_comes_before_normal_before_low(void **state)
{
    (void)state;
    assert_int_equal(order_rank(ORDER_PRIORITY_HIGH), 0);
    assert_int_equal(order_rank(ORDER_PRIORITY_NORMAL), 1);
    assert_int_equal(order_rank(ORDER_PRIORITY_LOW), 2);
}

static void a_priority_that_nobody_names_is_normal(void **state)
{
    (void)state;
    assert_int_equal(order_rank(0), 1);
}

static void rank_counts_before_virtual_time_before_id(void **state)
{
    (void)state;
    const struct order_place places[] = {{0, 9, 9}, {1, 5, 8}, {1, 6, 2}, {1, 6, 3}, {2, 1, 1}};

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        for (size_t k = 0; k < sizeof places / sizeof places[0]; k++)
            assert_int_equal(order_comes_before(&places[i], &places[k]), i < k);
}

static void the_first_of_a_key_stands_where_it_arrives(void **state)
{
    (void)state;
    assert_int_equal(order_take_turn(NOW_MS, 0, GRADING_MS).virtual_ms, NOW_MS);
    assert_int_equal(order_take_turn(NOW_MS, 0, GRADING_MS).free_at_ms, NOW_MS + GRADING_MS);
    assert_int_equal(order_take_turn(NOW_MS, NOW_MS - 1, GRADING_MS).virtual_ms, NOW_MS);
}

/* Of so many that one key hands in now, how many stand before somebody who arrives so much later? */
static int greedy_before(int64_t later_ms, int64_t cost_ms)
{
    int before = 0;
    int64_t free_at_ms = 0;
    for (int i = 0; i < MANY; i++) {
        struct order_turn turn = order_take_turn(NOW_MS, free_at_ms, cost_ms);
        before += turn.virtual_ms <= NOW_MS + later_ms;
        free_at_ms = turn.free_at_ms;
    }
    return before;
}

static void a_greedy_key_delays_a_newcomer_by_a_bounded_amount(void **state)
{
    (void)state;
    static const int64_t costs_ms[] = {10, 1000, 60000};

    for (size_t i = 0; i < sizeof costs_ms / sizeof costs_ms[0]; i++) {
        for (int64_t later_ms = 0; later_ms < ORDER_BEHIND_MS_MAX; later_ms = 2 * later_ms + 1) {
            double bound = 2 + 8.5 * log(1 + (double)later_ms / (8 * (double)(costs_ms[i] - 1)));
            assert_true(greedy_before(later_ms, costs_ms[i]) <= bound);
        }
    }
    assert_int_equal(greedy_before(0, 1000), 1);
    assert_true(greedy_before(3600000, 1000) <= 54);
    assert_true(greedy_before(ORDER_BEHIND_MS_MAX - 1, 1000) <= 80);
}

static void a_few_of_a_key_stand_close_together(void **state)
{
    (void)state;
    int64_t free_at_ms = 0;
    struct order_turn turn = {0};
    for (int i = 0; i < 5; i++) {
        turn = order_take_turn(NOW_MS, free_at_ms, GRADING_MS);
        free_at_ms = turn.free_at_ms;
    }
    assert_true(turn.virtual_ms <= NOW_MS + INT64_C(5) * GRADING_MS);
}

static void who_used_what_nobody_else_wanted_pays_for_no_longer_than_it_took(void **state)
{
    (void)state;
    struct order_turn turn = order_take_turn(NOW_MS, 0, GRADING_MS);

    turn = order_take_turn(NOW_MS + GRADING_MS, turn.free_at_ms, GRADING_MS);

    assert_int_equal(turn.virtual_ms, NOW_MS + GRADING_MS);
}

static void nothing_is_put_further_behind_than_a_day(void **state)
{
    (void)state;
    struct order_turn turn = order_take_turn(NOW_MS, INT64_MAX / 2, ORDER_BEHIND_MS_MAX);

    assert_int_equal(turn.virtual_ms, NOW_MS + ORDER_BEHIND_MS_MAX);
    assert_int_equal(turn.free_at_ms, NOW_MS + ORDER_BEHIND_MS_MAX);
}

static void what_is_usual_costs_as_long_as_gradings_take(void **state)
{
    (void)state;
    assert_int_equal(order_cost_ms(1, 1, GRADING_MS), GRADING_MS);
    assert_int_equal(order_cost_ms(60, 60, GRADING_MS), GRADING_MS);
    assert_int_equal(order_cost_ms(120, 60, GRADING_MS), 2 * GRADING_MS);
    assert_int_equal(order_cost_ms(30, 60, GRADING_MS), GRADING_MS / 2);
    assert_int_equal(order_cost_ms(3, 1, 0), 3 * ORDER_GRADING_MS_DEFAULT);
    assert_int_equal(order_cost_ms(3, 1, -5), 3 * ORDER_GRADING_MS_DEFAULT);
}

static void a_cost_is_a_millisecond_at_least_and_a_day_at_most(void **state)
{
    (void)state;
    assert_int_equal(order_cost_ms(1, ORDER_COST_MAX, 1), 1);
    assert_int_equal(order_cost_ms(ORDER_COST_MAX, 1, GRADING_MS), ORDER_BEHIND_MS_MAX);
    assert_int_equal(order_cost_ms(ORDER_COST_MAX, 1, INT64_MAX), ORDER_BEHIND_MS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(high_comes_before_normal_before_low),
        cmocka_unit_test(a_priority_that_nobody_names_is_normal),
        cmocka_unit_test(rank_counts_before_virtual_time_before_id),
        cmocka_unit_test(the_first_of_a_key_stands_where_it_arrives),
        cmocka_unit_test(a_greedy_key_delays_a_newcomer_by_a_bounded_amount),
        cmocka_unit_test(a_few_of_a_key_stand_close_together),
        cmocka_unit_test(who_used_what_nobody_else_wanted_pays_for_no_longer_than_it_took),
        cmocka_unit_test(nothing_is_put_further_behind_than_a_day),
        cmocka_unit_test(what_is_usual_costs_as_long_as_gradings_take),
        cmocka_unit_test(a_cost_is_a_millisecond_at_least_and_a_day_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
