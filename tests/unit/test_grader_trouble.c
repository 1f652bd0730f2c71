/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_queue_test_support */
/*
 * Submissions that take graders down with them, and graders that fail at everything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/queue_fixture.h"

enum { LEASE_MS = 60000, ATTEMPTS_MAX = 5, POISON_GRADERS_MAX = 3 };

static const char yaml[] = "queues:\n  demo: {lease_ms: 60000, attempts_max: 5, poison_graders_max: 3, retry_delay_ms: 0}\n";

static int set_up(void **state)
{
    *state = queue_fixture_create(yaml);
    return 0;
}

static int tear_down(void **state)
{
    queue_fixture_check(*state);
    queue_fixture_destroy(*state);
    return 0;
}

/* ---- poison ---- */

/* The grader takes what is next and is never heard of again. */
static void is_lost(struct queue_fixture *queue, const char *grader)
{
    assert_int_not_equal(poller_leases(queue, grader, 0).id, 0);
    clock_advances(queue, LEASE_MS);
}

static void a_submission_on_which_several_graders_are_lost_is_dead_before_its_attempts_are_used_up(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_submits(queue, "demo", "poison");

    is_lost(queue, "a");
    is_lost(queue, "b");
    is_lost(queue, "a"); /* is no news */
    assert_int_equal(state_of(queue, id), SUBMISSION_READY);
    is_lost(queue, "c");

    struct store_submission row = submission_now(queue, id);
    assert_int_equal(row.state, SUBMISSION_DEAD);
    assert_int_equal(row.failures, 4);
    assert_string_equal(row.message, "several graders were lost while they graded it");
    assert_delivery(queue, id, DELIVERY_PENDING, DELIVERY_OUTCOME_DEAD);
}

static void lost_graders_are_remembered_over_a_restart_of_the_service(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_submits(queue, "demo", "poison");

    is_lost(queue, "a");
    is_lost(queue, "b");
    queue_fixture_restart(queue);
    is_lost(queue, "c");

    assert_int_equal(state_of(queue, id), SUBMISSION_DEAD);
}

static void one_grader_that_is_lost_again_and_again_is_no_sign_of_poison(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_submits(queue, "demo", "x");

    for (int i = 1; i < ATTEMPTS_MAX; i++) {
        is_lost(queue, "a");
        assert_int_equal(state_of(queue, id), SUBMISSION_READY);
    }
    is_lost(queue, "a");

    assert_int_equal(state_of(queue, id), SUBMISSION_DEAD);
    assert_string_equal(submission_now(queue, id).message, "the grader did not renew its lease in time");
}

static void a_grader_that_says_that_it_failed_is_not_lost(void **state)
{
    struct queue_fixture *queue = *state;
    static const char *const names[] = {"a", "b", "c", "d"};
    int64_t id = lms_submits(queue, "demo", "x");

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(grader_fails(queue, poller_leases(queue, names[i], 0), NULL), STATUS_OK);
        clock_advances(queue, 1);
    }

    assert_int_equal(state_of(queue, id), SUBMISSION_READY);
    assert_int_equal(submission_now(queue, id).failures, 4);
}

static void a_loss_that_was_not_stored_does_not_count(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    int64_t id = lms_submits(queue, "demo", "x");
    is_lost(queue, "a");
    is_lost(queue, "b");
    grader_connects(queue, &grader, "c", "1", 1);
    grader_gives_credit(queue, &grader, 1);
    assert_int_equal(grader_takes(queue, &grader).id, id);

    turn_begins(queue);
    queue->now_ms += LEASE_MS;
    queue->queues->now_ms = queue->now_ms;
    queues_tick(queue->queues);
    assert_int_equal(lease_table_count(&queue->queues->leases), 0);
    turn_fails(queue); /* the disk is full */

    assert_int_equal(state_of(queue, id), SUBMISSION_LEASED);
    clock_advances(queue, 0);
    assert_int_equal(state_of(queue, id), SUBMISSION_DEAD);
    assert_int_equal(submission_now(queue, id).failures, 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_submission_on_which_several_graders_are_lost_is_dead_before_its_attempts_are_used_up),
        TEST(lost_graders_are_remembered_over_a_restart_of_the_service),
        TEST(one_grader_that_is_lost_again_and_again_is_no_sign_of_poison),
        TEST(a_grader_that_says_that_it_failed_is_not_lost),
        TEST(a_loss_that_was_not_stored_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
