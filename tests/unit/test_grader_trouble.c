/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_queue_test_support */
/*
 * Submissions that take graders down with them, and graders that fail at everything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service/grader_standing.h"
#include "tests/support/queue_fixture.h"

#define QUIET_MS INT64_C(10000)
enum { LEASE_MS = 60000, ATTEMPTS_MAX = 5, FAILURES_MAX = 3, SLOTS = 5 };

static const char yaml[] =
    "service: {grader_failures_max: 3, grader_quiet_ms: 10000, grader_quiet_ms_max: 15000, ping_period_ms: 600000}\n"
    "queues:\n  demo: {lease_ms: 60000, attempts_max: 5, poison_graders_max: 3, retry_delay_ms: 3600000, retry_delay_ms_max: "
    "3600000}\n";

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
        clock_advances(queue, 3600000);
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

/* ---- quiet ---- */

static void are_there(struct queue_fixture *queue, int count)
{
    for (int i = 0; i < count; i++) {
        lms_submits(queue, "demo", "x");
    }
}

/* The connected grader fails at one after the other; what it failed at does not come back within the test. */
static void fails_at(struct queue_fixture *queue, struct scripted_grader *grader, int count)
{
    for (int i = 0; i < count; i++) {
        assert_int_equal(grader_fails(queue, grader_takes(queue, grader), NULL), STATUS_OK);
    }
}

static void hears_quiet(struct scripted_grader *grader, int64_t for_ms)
{
    const struct told told = grader_hears(grader, GRADER_NOTICE_QUIET);
    assert_int_equal(told.notice.duration_ms, for_ms);
    assert_string_equal(told.notice.error.reason, for_ms > 0 ? "GRADER_QUIET" : "");
    assert_string_equal(told.notice.queue, "");
}

static enum status asks_by_a_call(struct queue_fixture *queue, const char *name)
{
    turn_begins(queue);
    enum status status = graders_check_quiet(queue->queues, name, &queue->error);
    turn_ends(queue);
    return status;
}

static void a_grader_that_keeps_failing_is_left_alone_and_then_on_trial(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    are_there(queue, 8);
    grader_connects(queue, &grader, "g", "1", SLOTS);
    grader_gives_credit(queue, &grader, FAILURES_MAX);

    fails_at(queue, &grader, FAILURES_MAX);
    hears_quiet(&grader, QUIET_MS);
    grader_gives_credit(queue, &grader, SLOTS);
    grader_hears_nothing(&grader);
    assert_int_equal(poller_leases(queue, "g", 0).id, 0); /* nor by another way */
    assert_int_equal(asks_by_a_call(queue, "g"), STATUS_FULL);
    assert_string_equal(queue->error.reason, "GRADER_QUIET");
    assert_int_equal(queue->error.retry_after_ms, QUIET_MS);
    assert_int_equal(asks_by_a_call(queue, "other"), STATUS_OK);

    clock_advances_to_due(queue, QUIET_MS * 2);
    assert_int_equal(queue->now_ms, QUEUE_FIXTURE_START_MS + QUIET_MS);
    hears_quiet(&grader, 0);
    struct lease lease = grader_takes(queue, &grader);
    grader_hears_nothing(&grader); /* one at a time */
    assert_int_equal(grader_completes(queue, lease, "right"), STATUS_OK);

    for (int i = 0; i < SLOTS - 1; i++) { /* what is left of its credit */
        grader_takes(queue, &grader);
    }
}

static void each_time_it_is_left_alone_for_longer(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    are_there(queue, 12);
    grader_connects(queue, &grader, "g", "1", 1);
    grader_gives_credit(queue, &grader, 100);

    fails_at(queue, &grader, FAILURES_MAX);
    hears_quiet(&grader, QUIET_MS);
    clock_advances(queue, QUIET_MS);
    hears_quiet(&grader, 0);
    fails_at(queue, &grader, 1);
    hears_quiet(&grader, QUIET_MS * 3 / 2); /* the bound */
    grader_hears_nothing(&grader);
}

static void a_result_that_comes_while_it_is_left_alone_ends_that(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    are_there(queue, 8);
    grader_connects(queue, &grader, "g", "1", SLOTS);
    grader_gives_credit(queue, &grader, FAILURES_MAX + 1);
    struct lease good = grader_takes(queue, &grader);
    fails_at(queue, &grader, FAILURES_MAX);
    hears_quiet(&grader, QUIET_MS);
    grader_gives_credit(queue, &grader, 1);

    assert_int_equal(grader_completes(queue, good, "right"), STATUS_OK);

    hears_quiet(&grader, 0);
    grader_takes(queue, &grader);
}

static void who_connects_while_it_is_left_alone_hears_so(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    are_there(queue, FAILURES_MAX + 1);
    for (int i = 0; i < FAILURES_MAX; i++) { /* a poller, who is neither connected nor holds anything between */
        assert_int_equal(grader_fails(queue, poller_leases(queue, "g", 0), NULL), STATUS_OK);
    }

    clock_advances(queue, 1000);
    grader_connects(queue, &grader, "g", "1", SLOTS);
    grader_gives_credit(queue, &grader, 1);

    hears_quiet(&grader, QUIET_MS - 1000);
    grader_hears_nothing(&grader);
}

static void what_one_crash_takes_down_is_one_failure(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    struct scripted_grader again;
    are_there(queue, SLOTS * 2);
    grader_connects(queue, &grader, "g", "1", SLOTS);
    grader_gives_credit(queue, &grader, SLOTS);
    for (int i = 0; i < SLOTS; i++) {
        grader_takes(queue, &grader);
    }

    clock_advances(queue, 1);
    grader_connects(queue, &again, "g", "2", SLOTS); /* counts all that it held */
    grader_gives_credit(queue, &again, SLOTS);

    for (int i = 0; i < SLOTS; i++) {
        grader_takes(queue, &again);
    }
    assert_int_equal(grader_hears(&grader, GRADER_NOTICE_GO_AWAY).notice.status, STATUS_OK);
}

static void failures_that_were_not_stored_do_not_make_it_quiet(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    are_there(queue, FAILURES_MAX * 2);
    grader_connects(queue, &grader, "g", "1", SLOTS);
    grader_gives_credit(queue, &grader, FAILURES_MAX);
    struct lease leases[FAILURES_MAX];
    for (int i = 0; i < FAILURES_MAX; i++) {
        leases[i] = grader_takes(queue, &grader);
    }

    turn_begins(queue);
    for (int i = 0; i < FAILURES_MAX; i++) {
        assert_int_equal(grader_fails(queue, leases[i], NULL), STATUS_OK);
    }
    turn_fails(queue); /* the disk is full */

    grader_hears_nothing(&grader);
    assert_int_equal(asks_by_a_call(queue, "g"), STATUS_OK);
    assert_int_equal(graders_next_due_ms(queue->queues), CLOCK_NEVER);
    for (int i = 0; i < FAILURES_MAX; i++) {
        assert_int_equal(grader_fails(queue, leases[i], NULL), STATUS_OK);
    }
    hears_quiet(&grader, QUIET_MS);
    turn_begins(queue);
    queue->queues->now_ms = queue->now_ms += QUIET_MS;
    queues_tick(queue->queues);
    turn_fails(queue);
    grader_hears_nothing(&grader);
    clock_advances(queue, 0);
    hears_quiet(&grader, 0);
}

static void of_those_that_failed_and_left_only_so_many_are_remembered(void **state)
{
    struct queue_fixture *queue = *state;
    char name[32];

    for (int i = 0; i <= GRADERS_REMEMBERED_MAX; i++) {
        snprintf(name, sizeof name, "g%d", i);
        lms_submits(queue, "demo", "x");
        assert_int_equal(grader_fails(queue, poller_leases(queue, name, 0), NULL), STATUS_OK);
    }

    assert_int_equal(map_count(&queue->queues->graders.by_name), GRADERS_REMEMBERED_MAX);
    assert_null(graders_find(&queue->queues->graders, "g0"));
    assert_non_null(graders_find(&queue->queues->graders, "g1"));
    assert_non_null(graders_find(&queue->queues->graders, name));
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
        TEST(a_grader_that_keeps_failing_is_left_alone_and_then_on_trial),
        TEST(each_time_it_is_left_alone_for_longer),
        TEST(a_result_that_comes_while_it_is_left_alone_ends_that),
        TEST(who_connects_while_it_is_left_alone_hears_so),
        TEST(what_one_crash_takes_down_is_one_failure),
        TEST(failures_that_were_not_stored_do_not_make_it_quiet),
        TEST(of_those_that_failed_and_left_only_so_many_are_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
