/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_queue_test_support */
/*
 * The order in which submissions are granted: fairness keys, costs, priorities, and times.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service/rules/order.h"
#include "tests/support/queue_fixture.h"

enum { UNIT_MS = ORDER_GRADING_MS_DEFAULT, GREEDY = 2000, ROUNDS = 300 };

/* ---- the words of these conversations ---- */

static struct submit_order of_student(const char *key)
{
    struct submit_order order = submission_of("demo", "x");
    order.request.fairness_key = key;
    return order;
}

static int64_t takes_in(struct queue_fixture *queue, const struct submit_order *order)
{
    struct submit_receipt receipt = {0};
    assert_int_equal(lms_tries(queue, order, &receipt), STATUS_OK);
    return receipt.submission_id;
}

static int64_t student_submits(struct queue_fixture *queue, const char *key)
{
    struct submit_order order = of_student(key);
    return takes_in(queue, &order);
}

/* In one turn. Returns the id of the first; the others follow. */
static int64_t student_submits_many(struct queue_fixture *queue, const char *key, int count)
{
    struct submit_order order = of_student(key);
    int64_t first = 0;
    turn_begins(queue);
    for (int i = 0; i < count; i++) {
        int64_t id = takes_in(queue, &order);
        first = i == 0 ? id : first;
    }
    turn_ends(queue);
    return first;
}

/* One grading of so long. Returns whose. */
static int64_t grades_one(struct queue_fixture *queue, int64_t grading_ms)
{
    struct lease lease = poller_leases(queue, "g", 0);
    clock_advances(queue, grading_ms);
    if (lease.id != 0)
        assert_int_equal(grader_completes(queue, lease, "right"), STATUS_OK);
    return lease.id;
}

static int64_t virtual_of(struct queue_fixture *queue, int64_t id)
{
    return submission_now(queue, id).virtual_ms;
}

/* ---- fairness ---- */

static void without_keys_it_is_first_come_first_served(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t ids[50];
    for (size_t i = 0; i < 50; i++) {
        ids[i] = lms_submits(queue, "demo", "x");
        clock_advances(queue, (int64_t)(i % 3));
    }

    for (size_t i = 0; i < 50; i++)
        assert_int_equal(grades_one(queue, 1), ids[i]);
}

static void keys_that_come_once_change_nothing(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t ids[20];
    for (size_t i = 0; i < 20; i++) {
        char key[32];
        snprintf(key, sizeof key, "student %zu", i);
        ids[i] = i % 2 ? student_submits(queue, key) : lms_submits(queue, "demo", "x");
    }

    for (size_t i = 0; i < 20; i++)
        assert_int_equal(grades_one(queue, 1), ids[i]);
}

/*
 * One grader, whom the others keep busy for nine tenths of the time already. First come, first served, each of them would wait
 * for the whole heap.
 */
static void one_greedy_student_delays_the_others_by_a_bounded_amount(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t came_ms[ROUNDS] = {0};
    int64_t longest_ms = 0;
    int64_t others = 0;
    int64_t first = student_submits_many(queue, "greedy", GREEDY) + GREEDY;
    for (int round = 0; round < ROUNDS; round++) {
        char key[32];
        snprintf(key, sizeof key, "student %d", round);
        if (round % 10 != 0) {
            came_ms[others++] = queue->now_ms;
            student_submits(queue, key);
        }
        int64_t id = grades_one(queue, UNIT_MS);
        if (id >= first) {
            int64_t waited_ms = queue->now_ms - came_ms[id - first];
            longest_ms = waited_ms > longest_ms ? waited_ms : longest_ms;
        }
    }

    assert_true(longest_ms <= INT64_C(32) * UNIT_MS);
    assert_true(queues_find(queue->queues, "demo")->ready_count >= GREEDY - 60); /* they went on waiting */
}

/* It is served all the same, as soon as nobody else waits. */
static void nobody_is_kept_waiting_when_a_grader_has_nothing_else_to_do(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t first = student_submits_many(queue, "greedy", 200);

    for (int64_t i = 0; i < 200; i++)
        assert_int_equal(grades_one(queue, 1), first + i);
}

static void two_greedy_students_take_turns(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t ann = student_submits_many(queue, "ann", 100);
    int64_t ben = student_submits_many(queue, "ben", 100);

    for (int64_t i = 0; i < 50; i++) {
        assert_int_equal(grades_one(queue, UNIT_MS), ann + i);
        assert_int_equal(grades_one(queue, UNIT_MS), ben + i);
    }
}

static void a_key_counts_in_its_own_queue_only(void **state)
{
    struct queue_fixture *queue = *state;
    student_submits_many(queue, "ann", 10);
    struct submit_order elsewhere = submission_of("other", "x");
    elsewhere.request.fairness_key = "ann";

    assert_int_equal(virtual_of(queue, takes_in(queue, &elsewhere)), queue->now_ms);
}

static void what_a_key_has_used_is_known_after_a_restart_and_forgotten_with_a_rollback(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t began_ms = queue->now_ms;
    student_submits(queue, "ann");

    queue_fixture_restart(queue);
    assert_int_equal(virtual_of(queue, student_submits(queue, "ann")), began_ms + UNIT_MS);
    turn_begins(queue);
    student_submits(queue, "ann");
    student_submits(queue, "ben");
    turn_fails(queue);

    assert_int_equal(virtual_of(queue, student_submits(queue, "ann")),
                     began_ms + INT64_C(2) * UNIT_MS + UNIT_MS / ORDER_SHRINK_DIVISOR);
    assert_int_equal(virtual_of(queue, student_submits(queue, "ben")), began_ms);
}

static void a_costly_submission_holds_its_own_student_back_for_longer(void **state)
{
    struct queue_fixture *queue = *state;
    struct submit_order costly = of_student("ann");
    costly.request.cost = 7;
    for (int i = 0; i < RECENT_MAX; i++)
        lms_submits(queue, "demo", "x"); /* of the usual cost */

    int64_t first = takes_in(queue, &costly);
    int64_t second = student_submits(queue, "ann");

    assert_int_equal(virtual_of(queue, first), queue->now_ms);
    assert_int_equal(virtual_of(queue, second), queue->now_ms + INT64_C(7) * UNIT_MS);
}

static void a_cost_is_measured_by_what_gradings_take(void **state)
{
    struct queue_fixture *queue = *state;
    for (int i = 0; i < 5; i++) {
        lms_submits(queue, "demo", "x");
        grades_one(queue, 30000);
    }

    int64_t first = student_submits(queue, "ann");

    assert_int_equal(virtual_of(queue, student_submits(queue, "ann")), virtual_of(queue, first) + 30000);
}

static void a_submission_keeps_its_place_when_it_is_tried_again_or_requeued(void **state)
{
    struct queue_fixture *queue = *state;
    student_submits(queue, "ann");
    int64_t id = student_submits(queue, "ann");
    int64_t virtual_ms = virtual_of(queue, id);
    grades_one(queue, 0);
    struct lease lease = poller_leases(queue, "g", 0);
    assert_int_equal(lease.id, id);
    assert_int_equal(grader_releases(queue, lease, 0), STATUS_OK);
    assert_int_equal(virtual_of(queue, id), virtual_ms);

    lease = poller_leases(queue, "g", 0);
    assert_int_equal(grader_fails(queue, lease, NULL), STATUS_OK);
    clock_advances(queue, 3600000);

    assert_int_equal(state_of(queue, id), SUBMISSION_READY);
    assert_int_equal(virtual_of(queue, id), virtual_ms);
    int64_t later = lms_submits(queue, "demo", "x");
    assert_int_equal(poller_leases(queue, "another", 0).id, id);
    assert_int_equal(poller_leases(queue, "another", 0).id, later);
}

/* ---- priorities ---- */

static int64_t submits_with(struct queue_fixture *queue, uint32_t priority)
{
    struct submit_order order = submission_of("demo", "x");
    order.priority = priority;
    return takes_in(queue, &order);
}

static void a_class_is_served_before_the_next_on_a_stream_and_for_pollers(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    int64_t ids[6];
    static const uint32_t classes[6] = {ORDER_PRIORITY_LOW, ORDER_PRIORITY_NORMAL, ORDER_PRIORITY_HIGH,
                                        ORDER_PRIORITY_LOW, ORDER_PRIORITY_HIGH,   ORDER_PRIORITY_NORMAL};
    for (size_t i = 0; i < 6; i++)
        ids[i] = submits_with(queue, classes[i]);

    assert_int_equal(poller_leases(queue, "g", 0).id, ids[2]);
    grader_connects(queue, &grader, "s", "1", 10);
    grader_gives_credit(queue, &grader, 4);
    assert_int_equal(grader_takes(queue, &grader).id, ids[4]);
    assert_int_equal(grader_takes(queue, &grader).id, ids[1]);
    assert_int_equal(grader_takes(queue, &grader).id, ids[5]);
    assert_int_equal(grader_takes(queue, &grader).id, ids[0]);
    assert_int_equal(poller_leases(queue, "g", 0).id, ids[3]);
}

/* ---- times ---- */

static void what_waits_for_its_time_stands_where_it_would_if_it_came_then(void **state)
{
    struct queue_fixture *queue = *state;
    struct submit_order order = submission_of("demo", "x");
    order.not_before_ms = 5000;
    int64_t delayed = takes_in(queue, &order);
    clock_advances(queue, 4000);
    int64_t before = lms_submits(queue, "demo", "x");
    clock_advances(queue, 2000);
    int64_t after = lms_submits(queue, "demo", "x");

    assert_int_equal(grades_one(queue, 1), before);
    assert_int_equal(grades_one(queue, 1), delayed);
    assert_int_equal(grades_one(queue, 1), after);
}

static void what_waits_for_its_time_does_not_hold_its_student_back(void **state)
{
    struct queue_fixture *queue = *state;
    struct submit_order order = of_student("ann");
    order.not_before_ms = 3600000;
    takes_in(queue, &order);

    assert_int_equal(virtual_of(queue, student_submits(queue, "ann")), queue->now_ms + UNIT_MS);
}

static int64_t submits_to_expire(struct queue_fixture *queue, int64_t not_before_ms)
{
    struct submit_order order = submission_of("demo", "x");
    order.not_before_ms = not_before_ms;
    order.expire_after_ms = 5000;
    return takes_in(queue, &order);
}

static void times_hold_over_a_restart(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t delayed = submits_to_expire(queue, 3000);
    int64_t never_ready = submits_to_expire(queue, 8000);
    int64_t leased = submits_to_expire(queue, 0);
    struct lease lease = poller_leases(queue, "g", 0);
    assert_int_equal(lease.id, leased);

    queue_fixture_restart(queue);
    clock_advances(queue, 3000);
    assert_int_equal(state_of(queue, delayed), SUBMISSION_READY);
    queue_fixture_restart(queue);
    clock_advances(queue, 2000);

    assert_int_equal(state_of(queue, delayed), SUBMISSION_DEAD);
    assert_int_equal(state_of(queue, never_ready), SUBMISSION_DEAD);
    assert_int_equal(state_of(queue, leased), SUBMISSION_DEAD);
    assert_delivery(queue, leased, DELIVERY_PENDING, DELIVERY_OUTCOME_DEAD);
    assert_string_equal(submission_now(queue, leased).message, "not graded within the time that its submitter gave it");
    assert_int_equal(grader_renews(queue, lease, NULL), STATUS_STALE);
}

/* The poller may come in the very turn whose tick would give the submission up. */
static void what_is_over_is_granted_to_nobody_any_more(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t over[3] = {submits_to_expire(queue, 0), submits_to_expire(queue, 0), submits_to_expire(queue, 0)};
    int64_t id = lms_submits(queue, "demo", "x");
    queue->now_ms += 5000;

    assert_int_equal(poller_leases(queue, "g", 0).id, id);

    for (size_t i = 0; i < 3; i++)
        assert_delivery(queue, over[i], DELIVERY_PENDING, DELIVERY_OUTCOME_DEAD);
}

static int set_up(void **state)
{
    *state = queue_fixture_create("queues:\n  demo: {lease_ms: 60000, attempts_max: 3, retry_delay_ms: 5000}\n  other: {}\n");
    return 0;
}

static int tear_down(void **state)
{
    queue_fixture_check(*state);
    queue_fixture_destroy(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
        TEST(without_keys_it_is_first_come_first_served),
        TEST(keys_that_come_once_change_nothing),
        TEST(one_greedy_student_delays_the_others_by_a_bounded_amount),
        TEST(nobody_is_kept_waiting_when_a_grader_has_nothing_else_to_do),
        TEST(two_greedy_students_take_turns),
        TEST(a_key_counts_in_its_own_queue_only),
        TEST(what_a_key_has_used_is_known_after_a_restart_and_forgotten_with_a_rollback),
        TEST(a_costly_submission_holds_its_own_student_back_for_longer),
        TEST(a_cost_is_measured_by_what_gradings_take),
        TEST(a_submission_keeps_its_place_when_it_is_tried_again_or_requeued),
        TEST(a_class_is_served_before_the_next_on_a_stream_and_for_pollers),
        TEST(what_waits_for_its_time_stands_where_it_would_if_it_came_then),
        TEST(what_waits_for_its_time_does_not_hold_its_student_back),
        TEST(times_hold_over_a_restart),
        TEST(what_is_over_is_granted_to_nobody_any_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
