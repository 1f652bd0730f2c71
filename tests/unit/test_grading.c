/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_queue_test_support */
/*
 * Results, failures, and what becomes of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "tests/support/queue_fixture.h"

#define RETRY_MS INT64_C(5000)
enum { LEASE_MS = 60000, ATTEMPTS_MAX = 3 };

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

static void assert_refused(struct queue_fixture *queue, enum status status, const char *reason)
{
    assert_int_equal(status, STATUS_STALE);
    assert_string_equal(queue->error.reason, reason);
}

static void assert_result(struct queue_fixture *queue, int64_t id, const char *body, int64_t generation)
{
    struct store_result result;
    turn_begins(queue);
    assert_int_equal(store_read_result(queue->store, id, true, &result), STATUS_OK);
    turn_ends(queue);
    assert_int_equal(result.body_length, strlen(body));
    assert_memory_equal(result.body, body, strlen(body));
    assert_int_equal(result.generation, generation);
    assert_string_equal(result.grader, "g");
    memory_free(result.body);
}

static void a_result_is_stored_and_its_delivery_is_due(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_submits(queue, "demo", "x");
    struct lease lease = poller_leases(queue, "g", 0);

    assert_int_equal(grader_completes(queue, lease, "right"), STATUS_OK);

    assert_int_equal(state_of(queue, id), SUBMISSION_GRADED);
    assert_result(queue, id, "right", 1);
    assert_delivery(queue, id, DELIVERY_PENDING, DELIVERY_OUTCOME_RESULT);
}

static void a_submission_without_destination_gets_no_delivery(void **state)
{
    struct queue_fixture *queue = *state;
    char none[] = "";
    struct submit_order order = submission_of("demo", "x");
    struct submit_receipt receipt = {0};
    struct store_delivery delivery;
    order.content.callback_url = none;
    assert_int_equal(lms_tries(queue, &order, &receipt), STATUS_OK);

    assert_int_equal(grader_completes(queue, poller_leases(queue, "g", 0), "right"), STATUS_OK);

    assert_int_equal(delivery_of(queue, receipt.submission_id, &delivery), STATUS_NOT_FOUND);
}

static void an_empty_result_is_a_result(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_submits(queue, "demo", "x");

    assert_int_equal(grader_completes(queue, poller_leases(queue, "g", 0), ""), STATUS_OK);

    assert_result(queue, id, "", 1);
}

static void the_same_result_again_is_fine_and_changes_nothing(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_submits(queue, "demo", "x");
    struct lease lease = poller_leases(queue, "g", 0);
    assert_int_equal(grader_completes(queue, lease, "right"), STATUS_OK);
    struct store_delivery delivery = courier_leases(queue, "1");
    assert_int_equal(courier_acknowledges(queue, &delivery), STATUS_OK);

    struct grading_completion again = {0};
    assert_int_equal(grader_amends(queue, lease, "right", &again), STATUS_OK);

    assert_true(again.already);
    assert_int_equal(again.generation, 1);
    assert_delivery(queue, id, DELIVERY_DELIVERED, DELIVERY_OUTCOME_RESULT);
}

static void another_result_of_the_same_lease_is_refused(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_submits(queue, "demo", "x");
    struct lease lease = poller_leases(queue, "g", 0);
    assert_int_equal(grader_completes(queue, lease, "right"), STATUS_OK);

    assert_refused(queue, grader_completes(queue, lease, "wrong"), "RESULT_EXISTS");

    assert_result(queue, id, "right", 1);
}

static void an_amended_result_is_a_new_generation_and_is_delivered_again(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_submits(queue, "demo", "x");
    struct lease lease = poller_leases(queue, "g", 0);
    assert_int_equal(grader_completes(queue, lease, "right"), STATUS_OK);
    struct store_delivery earlier = courier_leases(queue, "1");

    struct grading_completion amended = {0};
    assert_int_equal(grader_amends(queue, lease, "wrong", &amended), STATUS_OK);

    assert_false(amended.already);
    assert_int_equal(amended.generation, 2);
    assert_result(queue, id, "wrong", 2);
    assert_delivery(queue, id, DELIVERY_PENDING, DELIVERY_OUTCOME_RESULT);
    assert_refused(queue, courier_acknowledges(queue, &earlier), "DELIVERY_STALE");
    struct store_delivery later = courier_leases(queue, "1");
    assert_int_equal(later.generation, 2);
    assert_int_equal(courier_acknowledges(queue, &later), STATUS_OK);
}

static void a_result_larger_than_the_bound_is_refused(void **state)
{
    struct queue_fixture *queue = *state;
    lms_submits(queue, "demo", "x");
    struct lease lease = poller_leases(queue, "g", 0);
    char *large = memory_allocate(GRADING_RESULT_BYTES_MAX + 2);
    memset(large, 'x', GRADING_RESULT_BYTES_MAX + 1);

    assert_int_equal(grader_completes(queue, lease, large), STATUS_INVALID);
    assert_string_equal(queue->error.reason, "RESULT_TOO_LARGE");
    large[GRADING_RESULT_BYTES_MAX] = '\0';
    assert_int_equal(grader_completes(queue, lease, large), STATUS_OK);

    memory_free(large);
}

static void only_the_newest_key_can_complete(void **state)
{
    struct queue_fixture *queue = *state;
    struct lease none = {.id = 99, .key = "0123456789abcdef0123456789abcdef"};
    int64_t id = lms_submits(queue, "demo", "x");
    struct lease old = poller_leases(queue, "g", 0);
    clock_advances(queue, LEASE_MS);
    struct lease new = poller_leases(queue, "g", 0);

    assert_int_equal(grader_completes(queue, none, "x"), STATUS_NOT_FOUND);
    assert_string_equal(queue->error.reason, "SUBMISSION_NOT_FOUND");
    assert_refused(queue, grader_completes(queue, old, "old"), "LEASE_STALE");
    assert_refused(queue, grader_fails(queue, old, NULL), "LEASE_STALE");
    assert_refused(queue, grader_releases(queue, old, 0), "LEASE_STALE");
    assert_refused(queue, grader_renews(queue, old, NULL), "LEASE_STALE");
    assert_refused(queue, grader_accepts(queue, old), "LEASE_STALE");
    assert_int_equal(grader_completes(queue, new, "new"), STATUS_OK);

    assert_refused(queue, grader_completes(queue, old, "new"), "LEASE_STALE");
    assert_result(queue, id, "new", 1);
}

static void a_key_that_never_was_one_cannot_complete_a_submission_that_was_never_leased(void **state)
{
    struct queue_fixture *queue = *state;
    struct lease empty = {.id = lms_submits(queue, "demo", "x")};

    assert_refused(queue, grader_completes(queue, empty, "x"), "LEASE_STALE");
}

static void a_late_result_is_taken_unless_the_submission_was_granted_again(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_submits(queue, "demo", "x");
    struct lease lease = poller_leases(queue, "g", 0);
    clock_advances(queue, LEASE_MS);
    assert_int_equal(state_of(queue, id), SUBMISSION_READY);

    assert_int_equal(grader_completes(queue, lease, "late"), STATUS_OK);

    assert_int_equal(state_of(queue, id), SUBMISSION_GRADED);
    assert_result(queue, id, "late", 1);
    assert_int_equal(poller_leases(queue, "other", 0).id, 0);
}

static void a_transient_failure_is_tried_again_after_a_growing_pause(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_submits(queue, "demo", "x");
    int64_t longest_ms = RETRY_MS;
    for (int64_t failures = 1; failures < ATTEMPTS_MAX; failures++, longest_ms *= 2) {
        int64_t ready_after_ms = 0;
        assert_int_equal(grader_fails(queue, poller_leases(queue, "g", 0), &ready_after_ms), STATUS_OK);

        struct store_submission row = submission_now(queue, id);
        assert_in_range(ready_after_ms, longest_ms / 2, longest_ms);
        assert_int_equal(row.state, SUBMISSION_DELAYED);
        assert_int_equal(row.failures, failures);
        assert_string_equal(row.message, "the sandbox broke");
        assert_int_equal(row.ready_at_ms, queue->now_ms + ready_after_ms);
        clock_advances(queue, ready_after_ms - 1);
        assert_int_equal(poller_leases(queue, "g", 0).id, 0);
        clock_advances(queue, 1);
        assert_int_equal(state_of(queue, id), SUBMISSION_READY);
    }
}

static void a_failure_can_ask_for_a_longer_pause_but_not_for_more_than_a_day(void **state)
{
    struct queue_fixture *queue = *state;
    lms_submits(queue, "demo", "x");
    struct lease lease = poller_leases(queue, "g", 0);
    struct grading_failure failure = {.message = "", .retry_after_ms = INT64_MAX};
    struct lease_name name = {.submission_id = lease.id, .key = lease.key};

    turn_begins(queue);
    assert_int_equal(grading_fail(queue->queues, name, &failure, &queue->error), STATUS_OK);
    turn_ends(queue);

    assert_int_equal(failure.out_state, SUBMISSION_DELAYED);
    assert_int_equal(failure.out_ready_after_ms, GRADING_RETRY_MS_MAX);
}

static void who_failed_cannot_hand_in_a_result_any_more(void **state)
{
    struct queue_fixture *queue = *state;
    lms_submits(queue, "demo", "x");
    struct lease lease = poller_leases(queue, "g", 0);
    assert_int_equal(grader_fails(queue, lease, NULL), STATUS_OK);

    assert_refused(queue, grader_completes(queue, lease, "x"), "LEASE_STALE");
    assert_refused(queue, grader_fails(queue, lease, NULL), "LEASE_STALE");
}

static void when_the_attempts_are_used_up_it_is_dead_and_the_student_hears_of_it(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_submits(queue, "demo", "x");
    for (int at = 0; at < ATTEMPTS_MAX; at++) {
        clock_advances(queue, RETRY_MS * 4);
        assert_int_equal(grader_fails(queue, poller_leases(queue, "g", 0), NULL), STATUS_OK);
    }

    assert_int_equal(state_of(queue, id), SUBMISSION_DEAD);
    assert_delivery(queue, id, DELIVERY_PENDING, DELIVERY_OUTCOME_DEAD);
    clock_advances(queue, RETRY_MS * 100);
    assert_int_equal(poller_leases(queue, "g", 0).id, 0);
}

/* Leases and expires until it is dead; answers the last lease. */
static struct lease kill(struct queue_fixture *queue)
{
    struct lease lease = {0};
    for (int at = 0; at < ATTEMPTS_MAX; at++) {
        lease = poller_leases(queue, "g", 0);
        clock_advances(queue, LEASE_MS);
    }
    return lease;
}

static void a_submission_that_takes_its_graders_down_is_dead_after_its_attempts(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_submits(queue, "demo", "poison");
    int64_t next = lms_submits(queue, "demo", "x");

    kill(queue);

    struct store_submission row = submission_now(queue, id);
    assert_int_equal(row.state, SUBMISSION_DEAD);
    assert_int_equal(row.failures, ATTEMPTS_MAX);
    assert_int_equal(poller_leases(queue, "g", 0).id, next);
}

static void a_late_result_brings_a_dead_one_back_and_replaces_its_outcome(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_submits(queue, "demo", "x");
    struct lease lease = kill(queue);
    struct store_delivery dead = courier_leases(queue, "1");
    assert_int_equal(dead.outcome, DELIVERY_OUTCOME_DEAD);
    assert_int_equal(courier_acknowledges(queue, &dead), STATUS_OK);

    assert_int_equal(grader_completes(queue, lease, "late"), STATUS_OK);

    assert_int_equal(state_of(queue, id), SUBMISSION_GRADED);
    assert_delivery(queue, id, DELIVERY_PENDING, DELIVERY_OUTCOME_RESULT);
    assert_string_equal(submission_now(queue, id).message, "");
}

static void what_no_grader_can_grade_is_final_and_the_student_hears_why(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_submits(queue, "demo", "x");
    struct lease lease = poller_leases(queue, "g", 0);

    assert_int_equal(grader_gives_up(queue, lease, "no such problem"), STATUS_OK);

    assert_int_equal(state_of(queue, id), SUBMISSION_UNGRADABLE);
    assert_string_equal(submission_now(queue, id).message, "no such problem");
    assert_delivery(queue, id, DELIVERY_PENDING, DELIVERY_OUTCOME_UNGRADABLE);
    assert_refused(queue, grader_completes(queue, lease, "x"), "LEASE_STALE");
}

static void why_a_lease_is_lost_can_be_told_later(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_submits_with_key(queue, "demo", "k");
    struct lease lease = poller_leases(queue, "g", 0);
    struct lease_name name = {.submission_id = id, .key = lease.key};
    struct lease_name wrong = {.submission_id = id, .key = "0123456789abcdef0123456789abcdef"};
    struct lease_name none = {.submission_id = id + 50, .key = lease.key};

    clock_advances(queue, LEASE_MS);
    turn_begins(queue);
    assert_int_equal(grading_lost_reason(queue->queues, name), LOST_EXPIRED);
    assert_int_equal(grading_lost_reason(queue->queues, wrong), LOST_STALE);
    assert_int_equal(grading_lost_reason(queue->queues, none), LOST_STALE);
    turn_ends(queue);
    lms_submits_with_key(queue, "demo", "k");
    turn_begins(queue);
    assert_int_equal(grading_lost_reason(queue->queues, name), LOST_SUPERSEDED);
    turn_ends(queue);
}

static void a_call_leases_no_more_than_its_bytes_allow(void **state)
{
    struct queue_fixture *queue = *state;
    struct grant grants[GRADING_LEASES_PER_CALL_MAX] = {0};
    const struct lease_order order = {.grader = "g", .max = GRADING_LEASES_PER_CALL_MAX};
    char *body = memory_allocate(GRADING_LEASE_BYTES_MAX / 2 + 1);
    size_t count = 0;
    memset(body, 'x', GRADING_LEASE_BYTES_MAX / 2);
    for (int at = 0; at < 4; at++)
        lms_submits(queue, "demo", body);

    turn_begins(queue);
    assert_int_equal(grading_lease(queue->queues, queues_find(queue->queues, "demo"), &order, grants, &count), STATUS_OK);
    turn_ends(queue);

    assert_int_equal(count, 2);
    for (size_t at = 0; at < count; at++)
        grant_finish(&grants[at]);
    memory_free(body);
}

static void the_files_of_a_submission_count_among_the_bytes_of_a_call(void **state)
{
    struct queue_fixture *queue = *state;
    struct grant grants[GRADING_LEASES_PER_CALL_MAX] = {0};
    const struct lease_order lease_order = {.grader = "g", .max = GRADING_LEASES_PER_CALL_MAX};
    static char url[GRADING_LEASE_BYTES_MAX / 2 + 1];
    char name[] = "a";
    char none[] = "";
    struct store_file file = {.name = name, .url = url, .file_id = none, .filename = name};
    struct submit_order order = submission_of("demo", "");
    struct submit_receipt receipt = {0};
    size_t count = 0;
    memset(url, 'u', sizeof url - 1);
    order.content.files = &file;
    order.content.file_count = 1;
    for (int at = 0; at < 4; at++)
        assert_int_equal(lms_tries(queue, &order, &receipt), STATUS_OK);

    turn_begins(queue);
    assert_int_equal(grading_lease(queue->queues, queues_find(queue->queues, "demo"), &lease_order, grants, &count), STATUS_OK);
    turn_ends(queue);

    assert_int_equal(count, 2);
    for (size_t at = 0; at < count; at++)
        grant_finish(&grants[at]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
        TEST(a_result_is_stored_and_its_delivery_is_due),
        TEST(a_submission_without_destination_gets_no_delivery),
        TEST(an_empty_result_is_a_result),
        TEST(the_same_result_again_is_fine_and_changes_nothing),
        TEST(another_result_of_the_same_lease_is_refused),
        TEST(an_amended_result_is_a_new_generation_and_is_delivered_again),
        TEST(a_result_larger_than_the_bound_is_refused),
        TEST(only_the_newest_key_can_complete),
        TEST(a_key_that_never_was_one_cannot_complete_a_submission_that_was_never_leased),
        TEST(a_late_result_is_taken_unless_the_submission_was_granted_again),
        TEST(a_transient_failure_is_tried_again_after_a_growing_pause),
        TEST(a_failure_can_ask_for_a_longer_pause_but_not_for_more_than_a_day),
        TEST(who_failed_cannot_hand_in_a_result_any_more),
        TEST(when_the_attempts_are_used_up_it_is_dead_and_the_student_hears_of_it),
        TEST(a_submission_that_takes_its_graders_down_is_dead_after_its_attempts),
        TEST(a_late_result_brings_a_dead_one_back_and_replaces_its_outcome),
        TEST(what_no_grader_can_grade_is_final_and_the_student_hears_why),
        TEST(why_a_lease_is_lost_can_be_told_later),
        TEST(a_call_leases_no_more_than_its_bytes_allow),
        TEST(the_files_of_a_submission_count_among_the_bytes_of_a_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
