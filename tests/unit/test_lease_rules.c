/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rules */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/rules/lease.h"

static enum lease_verdict judge(enum submission_state state, bool key_matches, bool same_result, bool may_amend)
{
    const struct lease_facts facts = {state, key_matches, same_result, may_amend};
    return lease_judge_result(&facts);
}

static void the_holder_of_the_newest_lease_is_heard(void **state)
{
    (void)state;
    assert_int_equal(judge(SUBMISSION_LEASED, true, false, false), LEASE_ACCEPT);
}

static void a_late_result_is_taken_while_nobody_else_was_granted_the_work(void **state)
{
    (void)state;
    assert_int_equal(judge(SUBMISSION_READY, true, false, false), LEASE_ACCEPT);
    assert_int_equal(judge(SUBMISSION_DELAYED, true, false, false), LEASE_ACCEPT);
    assert_int_equal(judge(SUBMISSION_DEAD, true, false, false), LEASE_ACCEPT);
}

static void an_older_lease_is_stale_in_every_state(void **state)
{
    (void)state;
    for (unsigned at = SUBMISSION_READY; at < SUBMISSION_STATE_END; at++) {
        assert_int_equal(judge((enum submission_state)at, false, false, true), LEASE_STALE);
        assert_int_equal(judge((enum submission_state)at, false, true, true), LEASE_STALE);
    }
}

static void the_same_result_again_is_no_error(void **state)
{
    (void)state;
    assert_int_equal(judge(SUBMISSION_GRADED, true, true, false), LEASE_ALREADY);
    assert_int_equal(judge(SUBMISSION_GRADED, true, true, true), LEASE_ALREADY);
}

static void another_result_needs_the_right_to_amend(void **state)
{
    (void)state;
    assert_int_equal(judge(SUBMISSION_GRADED, true, false, true), LEASE_AMEND);
    assert_int_equal(judge(SUBMISSION_GRADED, true, false, false), LEASE_RESULT_EXISTS);
}

static void nobody_wants_the_result_of_what_was_withdrawn(void **state)
{
    (void)state;
    assert_int_equal(judge(SUBMISSION_CANCELED, true, false, true), LEASE_UNWANTED);
    assert_int_equal(judge(SUBMISSION_SUPERSEDED, true, false, true), LEASE_UNWANTED);
}

static void a_grader_that_found_it_ungradable_has_had_its_say(void **state)
{
    (void)state;
    assert_int_equal(judge(SUBMISSION_UNGRADABLE, true, false, true), LEASE_STALE);
}

static void what_is_accepted_is_also_a_legal_move(void **state)
{
    (void)state;
    for (unsigned at = SUBMISSION_READY; at < SUBMISSION_STATE_END; at++) {
        enum lease_verdict verdict = judge((enum submission_state)at, true, false, true);
        if (verdict == LEASE_ACCEPT || verdict == LEASE_AMEND)
            assert_true(submission_move_is_legal((enum submission_state)at, SUBMISSION_GRADED));
    }
}

static void only_a_live_lease_with_its_key_is_held(void **state)
{
    (void)state;
    for (unsigned at = SUBMISSION_READY; at < SUBMISSION_STATE_END; at++) {
        const struct lease_facts mine = {.state = (enum submission_state)at, .key_matches = true};
        const struct lease_facts other = {.state = (enum submission_state)at, .key_matches = false};
        assert_int_equal(lease_is_held(&mine), at == SUBMISSION_LEASED);
        assert_false(lease_is_held(&other));
    }
}

static void a_lease_runs_no_longer_than_its_hard_limit(void **state)
{
    (void)state;
    assert_int_equal(lease_expiry_ms(1000, 60, 2000), 1060);
    assert_int_equal(lease_expiry_ms(1000, 60, 1060), 1060);
    assert_int_equal(lease_expiry_ms(1000, 60, 1059), 1059);
    assert_true(lease_expiry_ms(1000, INT64_MAX, INT64_MAX) == INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_holder_of_the_newest_lease_is_heard),
        cmocka_unit_test(a_late_result_is_taken_while_nobody_else_was_granted_the_work),
        cmocka_unit_test(an_older_lease_is_stale_in_every_state),
        cmocka_unit_test(the_same_result_again_is_no_error),
        cmocka_unit_test(another_result_needs_the_right_to_amend),
        cmocka_unit_test(nobody_wants_the_result_of_what_was_withdrawn),
        cmocka_unit_test(a_grader_that_found_it_ungradable_has_had_its_say),
        cmocka_unit_test(what_is_accepted_is_also_a_legal_move),
        cmocka_unit_test(only_a_live_lease_with_its_key_is_held),
        cmocka_unit_test(a_lease_runs_no_longer_than_its_hard_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
