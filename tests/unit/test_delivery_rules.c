/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rules */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/rules/delivery.h"

/* One column per state to move to, in the order of the enum: NONE PENDING IN_FLIGHT DELIVERED UNDELIVERABLE */
static const char *const diagram[DELIVERY_STATE_END] = {
    [DELIVERY_NONE] = "-----",      [DELIVERY_PENDING] = "-PFD-",       [DELIVERY_IN_FLIGHT] = "-P-DU",
    [DELIVERY_DELIVERED] = "-P---", [DELIVERY_UNDELIVERABLE] = "-P---",
};

static void the_moves_are_those_of_the_diagram_and_no_others(void **state)
{
    (void)state;
    for (unsigned from = DELIVERY_NONE; from < DELIVERY_STATE_END; from++) {
        for (unsigned to = DELIVERY_NONE; to < DELIVERY_STATE_END; to++) {
            bool expected = diagram[from][to - DELIVERY_NONE] != '-';
            bool legal = delivery_move_is_legal((enum delivery_state)from, (enum delivery_state)to);
            if (legal != expected)
                fail_msg("%s to %s", delivery_state_name((enum delivery_state)from),
                         delivery_state_name((enum delivery_state)to));
        }
    }
}

static void nothing_moves_from_or_to_what_is_no_state(void **state)
{
    (void)state;
    assert_false(delivery_move_is_legal((enum delivery_state)0, DELIVERY_PENDING));
    assert_false(delivery_move_is_legal(DELIVERY_PENDING, (enum delivery_state)0));
    assert_false(delivery_move_is_legal(DELIVERY_STATE_END, DELIVERY_PENDING));
    assert_false(delivery_move_is_legal(DELIVERY_PENDING, DELIVERY_STATE_END));
}

static void names_lead_back_to_what_they_name(void **state)
{
    (void)state;
    for (unsigned at = DELIVERY_NONE; at < DELIVERY_STATE_END; at++)
        assert_int_equal(delivery_state_from_name(delivery_state_name((enum delivery_state)at)), at);
    for (unsigned at = DELIVERY_OUTCOME_RESULT; at < DELIVERY_OUTCOME_END; at++)
        assert_int_equal(delivery_outcome_from_name(delivery_outcome_name((enum delivery_outcome)at)), at);
    assert_string_equal(delivery_state_name(DELIVERY_IN_FLIGHT), "IN_FLIGHT");
    assert_string_equal(delivery_outcome_name(DELIVERY_OUTCOME_RESULT), "RESULT");
    assert_int_equal(delivery_state_from_name("RESULT"), 0);
    assert_int_equal(delivery_outcome_from_name("PENDING"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_moves_are_those_of_the_diagram_and_no_others),
        cmocka_unit_test(nothing_moves_from_or_to_what_is_no_state),
        cmocka_unit_test(names_lead_back_to_what_they_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
