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
