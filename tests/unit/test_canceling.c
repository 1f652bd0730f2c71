/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_queue_test_support */
/*
 * Taking a submission back: by whom, in which state, and what its grader hears.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/queue_fixture.h"

static int set_up(void **state)
{
    *state = queue_fixture_create(NULL);
    return 0;
}

static int tear_down(void **state)
{
    queue_fixture_check(*state);
    queue_fixture_destroy(*state);
    return 0;
}

static enum status cancels(struct queue_fixture *queue, const struct cancel_order *order)
{
    turn_begins(queue);
    enum status status = submitting_cancel(queue->queues, order, &queue->error);
    turn_ends(queue);
    return status;
}

static enum status lms_cancels(struct queue_fixture *queue, int64_t id, const char *reason)
{
    return cancels(queue, &(struct cancel_order){.id = id, .user = "lms", .reason = reason});
}

static void what_waits_is_canceled_and_nobody_is_granted_it(void **state)
{
    struct queue_fixture *queue = *state;
    struct submit_order order = submission_of("demo", "x");
    struct submit_receipt delayed = {0};
    struct store_delivery none;
    int64_t ready = lms_submits(queue, "demo", "x");
    order.not_before_ms = 1000;
    assert_int_equal(lms_tries(queue, &order, &delayed), STATUS_OK);

    assert_int_equal(lms_cancels(queue, ready, "the exam is over"), STATUS_OK);
    assert_int_equal(lms_cancels(queue, delayed.submission_id, ""), STATUS_OK);

    clock_advances(queue, 1000);
    assert_int_equal(poller_leases(queue, "g", 0).id, 0);
    assert_int_equal(state_of(queue, ready), SUBMISSION_CANCELED);
    assert_string_equal(submission_now(queue, ready).message, "the exam is over");
    assert_int_equal(state_of(queue, delayed.submission_id), SUBMISSION_CANCELED);
    assert_string_equal(submission_now(queue, delayed.submission_id).message, "taken back by its submitter");
    assert_int_equal(delivery_of(queue, ready, &none), STATUS_NOT_FOUND);
}

static void the_grader_at_work_hears_of_it_and_its_late_result_is_unwanted(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    int64_t id = lms_submits(queue, "demo", "x");
    grader_connects(queue, &grader, "g", "1", 1);
    grader_gives_credit(queue, &grader, 1);
    struct lease lease = grader_takes(queue, &grader);

    assert_int_equal(lms_cancels(queue, id, "no"), STATUS_OK);

    struct told lost = grader_hears(&grader, GRADER_NOTICE_LOST);
    assert_int_equal(lost.lease.id, id);
    assert_int_equal(lost.notice.reason, LOST_CANCELED);
    assert_int_equal(grader_completes(queue, lease, "late"), STATUS_STALE);
    assert_string_equal(queue->error.reason, "LEASE_SUPERSEDED");
    assert_int_equal(grader_renews(queue, lease, NULL), STATUS_STALE);
    assert_string_equal(queue->error.reason, "LEASE_SUPERSEDED");
    assert_int_equal(state_of(queue, id), SUBMISSION_CANCELED);

    /* The place is free: with credit again the next one comes. */
    int64_t next = lms_submits(queue, "demo", "y");
    grader_gives_credit(queue, &grader, 1);
    assert_int_equal(grader_takes(queue, &grader).id, next);
}

static void a_canceled_lease_is_lost_to_a_grader_that_comes_back_after_a_restart(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    struct held_answer answer = {0};
    int64_t id = lms_submits(queue, "demo", "x");
    struct lease lease = poller_leases(queue, "g", 0);
    assert_int_equal(lms_cancels(queue, id, ""), STATUS_OK);
    queue_fixture_restart(queue);

    struct lease_name held = {.submission_id = lease.id, .key = lease.key};
    char *queues[] = {"demo"};
    struct work_hello hello = {
        .grader = "g", .instance = "1", .queues = queues, .queue_count = 1, .slots = 1, .held = &held, .held_count = 1};
    assert_int_equal(grader_tries_hello(queue, &grader, &hello, &answer), STATUS_OK);

    assert_false(answer.kept);
    assert_int_equal(answer.reason, LOST_CANCELED);
    grader_vanishes(queue, &grader);
}

static void canceling_again_changes_nothing(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_submits(queue, "demo", "x");
    assert_int_equal(lms_cancels(queue, id, "first"), STATUS_OK);
    int64_t at_ms = submission_now(queue, id).state_at_ms;
    clock_advances(queue, 500);

    assert_int_equal(lms_cancels(queue, id, "second"), STATUS_OK);

    assert_string_equal(submission_now(queue, id).message, "first");
    assert_int_equal(submission_now(queue, id).state_at_ms, at_ms);
}

static void other_final_states_stay(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t graded = lms_submits(queue, "demo", "x");
    assert_int_equal(grader_completes(queue, poller_leases(queue, "g", 0), "right"), STATUS_OK);
    int64_t superseded = lms_submits_with_key(queue, "demo", "key");
    lms_submits_with_key(queue, "demo", "key");

    assert_int_equal(lms_cancels(queue, graded, ""), STATUS_WRONG_STATE);
    assert_string_equal(queue->error.reason, "WRONG_STATE");
    assert_int_equal(lms_cancels(queue, superseded, ""), STATUS_WRONG_STATE);

    assert_int_equal(state_of(queue, graded), SUBMISSION_GRADED);
    assert_int_equal(state_of(queue, superseded), SUBMISSION_SUPERSEDED);
}

static void only_its_submitter_and_an_administrator_may(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_submits(queue, "demo", "x");
    struct cancel_order foreign = {.id = id, .user = "another", .reason = ""};
    struct cancel_order admin = {.id = id, .user = "admin", .may_cancel_all = true, .reason = ""};
    struct cancel_order none = {.id = id + 1, .user = "admin", .may_cancel_all = true, .reason = ""};

    assert_int_equal(cancels(queue, &foreign), STATUS_NOT_FOUND);
    assert_string_equal(queue->error.reason, "SUBMISSION_NOT_FOUND");
    assert_int_equal(cancels(queue, &none), STATUS_NOT_FOUND);
    assert_int_equal(state_of(queue, id), SUBMISSION_READY);

    assert_int_equal(cancels(queue, &admin), STATUS_OK);
    assert_int_equal(state_of(queue, id), SUBMISSION_CANCELED);
}

static void on_a_full_disk_the_grader_goes_on_and_hears_nothing(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    struct cancel_order order = {.user = "lms", .reason = ""};
    order.id = lms_submits(queue, "demo", "x");
    grader_connects(queue, &grader, "g", "1", 1);
    grader_gives_credit(queue, &grader, 1);
    struct lease lease = grader_takes(queue, &grader);

    turn_begins(queue);
    assert_int_equal(submitting_cancel(queue->queues, &order, &queue->error), STATUS_OK);
    turn_fails(queue);

    grader_hears_nothing(&grader);
    assert_int_equal(state_of(queue, order.id), SUBMISSION_LEASED);
    assert_int_equal(grader_completes(queue, lease, "right"), STATUS_OK);
}

static void a_canceled_submission_is_superseded_by_nothing(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_submits_with_key(queue, "demo", "key");
    assert_int_equal(lms_cancels(queue, id, ""), STATUS_OK);

    lms_submits_with_key(queue, "demo", "key");

    assert_int_equal(state_of(queue, id), SUBMISSION_CANCELED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_waits_is_canceled_and_nobody_is_granted_it),
        TEST(the_grader_at_work_hears_of_it_and_its_late_result_is_unwanted),
        TEST(a_canceled_lease_is_lost_to_a_grader_that_comes_back_after_a_restart),
        TEST(canceling_again_changes_nothing),
        TEST(other_final_states_stay),
        TEST(only_its_submitter_and_an_administrator_may),
        TEST(on_a_full_disk_the_grader_goes_on_and_hears_nothing),
        TEST(a_canceled_submission_is_superseded_by_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
