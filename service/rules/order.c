/* SPDX-License-Identifier: Apache-2.0 */
#include "service/rules/order.h"

#include <assert.h>

int64_t order_rank(uint32_t priority)
{
    // The contract's numbers start with the default, so they are not in order themselves.
    static const int64_t ranks[ORDER_PRIORITY_END] = {
        [ORDER_PRIORITY_HIGH] = 0,
        [ORDER_PRIORITY_NORMAL] = 1,
        [ORDER_PRIORITY_LOW] = 2,
    };
    assert(priority < ORDER_PRIORITY_END);
    return ranks[priority];
}

bool order_comes_before(const struct order_place *a, const struct order_place *b)
{
    if (a->rank != b->rank)
        return a->rank < b->rank;
    if (a->virtual_ms != b->virtual_ms)
        return a->virtual_ms < b->virtual_ms;
    return a->id < b->id;
}

static int64_t between(int64_t least, int64_t value, int64_t most)
{
    value = value < most ? value : most;
    return value > least ? value : least;
}

int64_t order_cost_ms(int64_t cost, int64_t usual_cost, int64_t grading_ms)
{
    assert(cost >= 1 && cost <= ORDER_COST_MAX && usual_cost >= 1);
    int64_t usual_ms = grading_ms > 0 ? between(1, grading_ms, ORDER_BEHIND_MS_MAX) : ORDER_GRADING_MS_DEFAULT;
    return between(1, cost * usual_ms / usual_cost, ORDER_BEHIND_MS_MAX);
}

struct order_turn order_take_turn(int64_t now_ms, int64_t free_at_ms, int64_t cost_ms)
{
    int64_t last_ms = now_ms + ORDER_BEHIND_MS_MAX;
    int64_t virtual_ms = between(now_ms, free_at_ms, last_ms);
    int64_t next_ms = virtual_ms + cost_ms + (virtual_ms - now_ms) / ORDER_SHRINK_DIVISOR;
    return (struct order_turn){.virtual_ms = virtual_ms, .free_at_ms = between(now_ms, next_ms, last_ms)};
}
