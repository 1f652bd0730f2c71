/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rules */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/rules/submission.h"

/* One column per state to move to, in the order of the enum: READY LEASED DELAYED GRADED DEAD CANCELED SUPERSEDED UNGRADABLE */
static const char *const diagram[SUBMISSION_STATE_END] = {
    [SUBMISSION_READY] = "-L-GDCS-",      [SUBMISSION_LEASED] = "R-YGDCSU",     [SUBMISSION_DELAYED] = "R--GDCS-",
    [SUBMISSION_GRADED] = "R--G----",     [SUBMISSION_DEAD] = "R--G----",       [SUBMISSION_CANCELED] = "--------",
    [SUBMISSION_SUPERSEDED] = "--------", [SUBMISSION_UNGRADABLE] = "R-------",
};

static void the_moves_are_those_of_the_diagram_and_no_others(void **state)
{
    (void)state;
    for (unsigned from = SUBMISSION_READY; from < SUBMISSION_STATE_END; from++) {
        for (unsigned to = SUBMISSION_READY; to < SUBMISSION_STATE_END; to++) {
            bool expected = diagram[from][to - SUBMISSION_READY] != '-';
            bool legal = submission_move_is_legal((enum submission_state)from, (enum submission_state)to);
            if (legal != expected)
                fail_msg("%s to %s", submission_state_name((enum submission_state)from),
                         submission_state_name((enum submission_state)to));
        }
    }
}

static void nothing_moves_from_or_to_what_is_no_state(void **state)
{
    (void)state;
    assert_false(submission_move_is_legal((enum submission_state)0, SUBMISSION_READY));
    assert_false(submission_move_is_legal(SUBMISSION_READY, (enum submission_state)0));
    assert_false(submission_move_is_legal(SUBMISSION_STATE_END, SUBMISSION_READY));
    assert_false(submission_move_is_legal(SUBMISSION_READY, SUBMISSION_STATE_END));
}

static void ready_leased_and_delayed_are_live(void **state)
{
    (void)state;
    for (unsigned at = SUBMISSION_READY; at < SUBMISSION_STATE_END; at++)
        assert_int_equal(submission_is_live((enum submission_state)at), at <= SUBMISSION_DELAYED);
}

static void names_lead_back_to_their_states(void **state)
{
    (void)state;
    for (unsigned at = SUBMISSION_READY; at < SUBMISSION_STATE_END; at++)
        assert_int_equal(submission_state_from_name(submission_state_name((enum submission_state)at)), at);
    assert_string_equal(submission_state_name(SUBMISSION_READY), "READY");
    assert_string_equal(submission_state_name(SUBMISSION_UNGRADABLE), "UNGRADABLE");
    assert_int_equal(submission_state_from_name("ready"), 0);
    assert_int_equal(submission_state_from_name(""), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_moves_are_those_of_the_diagram_and_no_others),
        cmocka_unit_test(nothing_moves_from_or_to_what_is_no_state),
        cmocka_unit_test(ready_leased_and_delayed_are_live),
        cmocka_unit_test(names_lead_back_to_their_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
