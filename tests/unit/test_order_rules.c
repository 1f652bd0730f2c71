/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rules */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/rules/order.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(high_comes_before_normal_before_low),
        cmocka_unit_test(a_priority_that_nobody_names_is_normal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
