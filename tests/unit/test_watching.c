/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_queue_test_support */
/*
 * What a watch sees and when it looks: places in the ready order, wake-ups, limits, and a disk that is full.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "service/rules/order.h"
#include "service/watching.h"
#include "tests/support/queue_fixture.h"

#define SECOND_MS INT64_C(1000)

/* One who watches, whose looks the test makes. */
struct watcher {
    struct engine_command command;
    struct watch watch;
    struct watch_view view;
};

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

static enum status opens(struct queue_fixture *queue, struct watcher *watcher, const char *user, int64_t id)
{
    const struct view_request request = {.id = id, .user = user, .may_see_all = true};
    memset(watcher, 0, sizeof *watcher);
    watcher->watch.command = &watcher->command;
    watcher->watch.user = user;
    bool entered = queue->in_turn;
    if (!entered)
        turn_begins(queue);
    enum status status = watch_open(queue->queues, &watcher->watch, &request, &queue->error);
    if (!entered)
        turn_ends(queue);
    return status;
}

/* A look, in the running turn. */
static bool looks(struct queue_fixture *queue, struct watcher *watcher)
{
    bool changed = false;
    assert_int_equal(watch_look(queue->queues, &watcher->watch, &watcher->view, &changed, &queue->error), STATUS_OK);
    return changed;
}

/* A turn with a look, whose outcome is told. */
static bool is_told(struct queue_fixture *queue, struct watcher *watcher)
{
    turn_begins(queue);
    bool changed = looks(queue, watcher);
    turn_ends(queue);
    if (changed)
        watch_told(&watcher->watch);
    return changed;
}

static void closes(struct queue_fixture *queue, struct watcher *watcher)
{
    watch_close(queue->queues, &watcher->watch);
    watch_close(queue->queues, &watcher->watch); /* twice is fine */
}

static int64_t submits_with_priority(struct queue_fixture *queue, uint32_t priority)
{
    struct submit_order order = submission_of("demo", "x");
    struct submit_receipt receipt = {0};
    order.priority = priority;
    assert_int_equal(lms_tries(queue, &order, &receipt), STATUS_OK);
    return receipt.submission_id;
}

static void the_place_follows_the_ready_order(void **state)
{
    struct queue_fixture *queue = *state;
    struct watcher watcher;
    submits_with_priority(queue, ORDER_PRIORITY_NORMAL);
    int64_t id = submits_with_priority(queue, ORDER_PRIORITY_NORMAL);
    submits_with_priority(queue, ORDER_PRIORITY_LOW);
    assert_int_equal(opens(queue, &watcher, "lms", id), STATUS_OK);
    assert_true(is_told(queue, &watcher));
    assert_int_equal(watcher.view.position, 1);
    assert_string_equal(watcher.view.queue, "demo");

    submits_with_priority(queue, ORDER_PRIORITY_HIGH);
    assert_false(is_told(queue, &watcher)); /* not yet: once a second */
    clock_advances(queue, 2 * SECOND_MS);
    assert_true(is_told(queue, &watcher));
    assert_int_equal(watcher.view.position, 2);
    submits_with_priority(queue, ORDER_PRIORITY_LOW); /* behind it */
    clock_advances(queue, 2 * SECOND_MS);
    assert_false(is_told(queue, &watcher));
    closes(queue, &watcher);
}

/* Woken by time alone. */
static bool rests(struct queue_fixture *queue, struct watcher *watcher)
{
    turn_begins(queue);
    bool resting = watch_rests(queue->queues, &watcher->watch);
    turn_ends(queue);
    return resting;
}

static void nothing_is_looked_for_while_the_queue_stands_still(void **state)
{
    struct queue_fixture *queue = *state;
    struct watcher watcher;
    int64_t id = lms_submits(queue, "demo", "x");
    assert_int_equal(opens(queue, &watcher, "lms", id), STATUS_OK);
    assert_true(is_told(queue, &watcher));

    for (int i = 0; i < 5; i++) {
        clock_advances(queue, 2 * SECOND_MS);
        assert_true(rests(queue, &watcher));
        assert_true(watcher.watch.refresh_at_ms >= queue->now_ms + SECOND_MS);
        assert_true(watcher.watch.refresh_at_ms <= queue->now_ms + 2 * SECOND_MS);
    }
    lms_submits(queue, "demo", "x");
    clock_advances(queue, 2 * SECOND_MS);
    assert_false(rests(queue, &watcher));
    closes(queue, &watcher);
}

static void whether_anybody_can_grade_it_is_told_as_graders_come_and_go(void **state)
{
    struct queue_fixture *queue = *state;
    struct watcher watcher;
    struct scripted_grader grader;
    int64_t id = submits_with_priority(queue, ORDER_PRIORITY_NORMAL);
    assert_int_equal(opens(queue, &watcher, "lms", id), STATUS_OK);
    assert_true(is_told(queue, &watcher));
    assert_true(watcher.view.nobody_can_grade);

    grader_connects(queue, &grader, "g", "1", 1);
    clock_advances(queue, 2 * SECOND_MS);
    assert_false(rests(queue, &watcher));
    assert_true(is_told(queue, &watcher));
    assert_false(watcher.view.nobody_can_grade);
    grader_vanishes(queue, &grader);
    clock_advances(queue, 2 * SECOND_MS);
    assert_false(rests(queue, &watcher));
    assert_true(is_told(queue, &watcher));
    assert_true(watcher.view.nobody_can_grade);

    closes(queue, &watcher);
}

static void who_gets_no_turn_to_look_keeps_the_older_place_a_little_longer(void **state)
{
    struct queue_fixture *queue = *state;
    struct watcher watcher;
    lms_submits(queue, "demo", "x");
    int64_t id = lms_submits(queue, "demo", "x");
    assert_int_equal(opens(queue, &watcher, "lms", id), STATUS_OK);
    assert_true(is_told(queue, &watcher));
    poller_leases(queue, "g", 0);
    clock_advances(queue, 2 * SECOND_MS);

    queue->queues->watch_turn_ms = queue->now_ms;
    queue->queues->watch_spent_us = WATCHING_LOOK_US; /* others have used it up */
    assert_true(rests(queue, &watcher));
    assert_int_equal(watcher.watch.refresh_at_ms, queue->now_ms + WATCHING_TURN_MS);
    clock_advances(queue, WATCHING_TURN_MS);

    assert_false(rests(queue, &watcher));
    assert_true(is_told(queue, &watcher));
    assert_int_equal(watcher.view.position, 0);
    closes(queue, &watcher);
}

static void what_the_grader_says_is_seen_when_it_is_time(void **state)
{
    struct queue_fixture *queue = *state;
    struct watcher watcher;
    const struct progress progress = {.phase = "tests", .percent = 40, .note = "4 of 10"};
    int64_t id = lms_submits(queue, "demo", "x");
    struct lease lease = poller_leases(queue, "g", 0);
    struct lease_name name = {.submission_id = lease.id, .key = lease.key};
    assert_int_equal(opens(queue, &watcher, "lms", id), STATUS_OK);
    assert_true(is_told(queue, &watcher));
    assert_false(watcher.view.has_progress);
    queues_park(queue->queues, &watcher.command, &watcher.watch.parked, INT64_MAX);

    turn_begins(queue);
    assert_int_equal(grading_report(queue->queues, name, &progress, &queue->error), STATUS_OK);
    turn_ends(queue);
    assert_non_null(watcher.command.park); /* not at once */
    assert_int_equal(watcher.command.deadline.due_ms, watcher.watch.refresh_at_ms);
    queues_unpark(queue->queues, &watcher.command);
    list_remove(&queue->queues->unparked, &watcher.command.node); /* the test is the engine */

    assert_true(is_told(queue, &watcher));
    assert_true(watcher.view.has_progress);
    assert_string_equal(watcher.view.progress.note, "4 of 10");
    assert_int_equal(watcher.view.progress.percent, 40);
    assert_int_equal(grader_completes(queue, lease, "right"), STATUS_OK);
    assert_true(is_told(queue, &watcher));
    assert_false(watcher.view.has_progress);
    closes(queue, &watcher);
}

static void a_change_wakes_those_who_watch_it_and_no_others(void **state)
{
    struct queue_fixture *queue = *state;
    struct watcher watchers[3];
    int64_t ids[2] = {lms_submits(queue, "demo", "x"), lms_submits(queue, "demo", "x")};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(opens(queue, &watchers[i], "lms", ids[i / 2]), STATUS_OK);
        queues_park(queue->queues, &watchers[i].command, &watchers[i].watch.parked, INT64_MAX);
    }

    turn_begins(queue);
    struct store_submission row;
    assert_int_equal(store_find_submission(queue->store, ids[0], &row), STATUS_OK);
    assert_int_equal(queues_move(queue->queues, &row, SUBMISSION_CANCELED), STATUS_OK);
    assert_null(watchers[0].command.park);
    assert_null(watchers[1].command.park);
    assert_ptr_equal(watchers[2].command.park, &watchers[2].watch.parked);
    list_remove(&queue->queues->unparked, &watchers[0].command.node); /* the test is the engine */
    list_remove(&queue->queues->unparked, &watchers[1].command.node);
    turn_ends(queue);

    for (int i = 0; i < 3; i++) {
        closes(queue, &watchers[i]);
        list_remove(&queue->queues->unparked, &watchers[i].command.node);
    }
}

static void what_was_rolled_back_is_not_told(void **state)
{
    struct queue_fixture *queue = *state;
    struct watcher watcher;
    int64_t id = lms_submits(queue, "demo", "x");
    assert_int_equal(opens(queue, &watcher, "lms", id), STATUS_OK);
    assert_true(is_told(queue, &watcher));

    turn_begins(queue);
    struct store_submission row;
    assert_int_equal(store_find_submission(queue->store, id, &row), STATUS_OK);
    assert_int_equal(queues_move(queue->queues, &row, SUBMISSION_CANCELED), STATUS_OK);
    assert_true(looks(queue, &watcher));
    turn_fails(queue);

    assert_false(is_told(queue, &watcher)); /* as it was told */
    assert_int_equal(watcher.view.row.state, SUBMISSION_READY);
    closes(queue, &watcher);
}

static void watches_are_bounded_for_all_and_for_one_user(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_submits(queue, "demo", "x");
    struct watcher *watchers = memory_allocate_array(WATCHING_MAX + 1, sizeof *watchers);
    struct watcher *extra = &watchers[WATCHING_MAX];
    turn_begins(queue);
    for (int i = 0; i < WATCHING_PER_USER_MAX; i++)
        assert_int_equal(opens(queue, &watchers[i], "a", id), STATUS_OK);
    assert_int_equal(opens(queue, extra, "a", id), STATUS_FULL);
    assert_string_equal(queue->error.reason, "WATCHES_FULL");
    assert_true(queue->error.retry_after_ms > 0);
    for (int i = WATCHING_PER_USER_MAX; i < WATCHING_MAX; i++)
        assert_int_equal(opens(queue, &watchers[i], "b", id), STATUS_OK);
    assert_int_equal(opens(queue, extra, "c", id), STATUS_FULL);
    closes(queue, &watchers[0]);
    assert_int_equal(opens(queue, extra, "c", id), STATUS_OK);
    turn_ends(queue);

    closes(queue, extra);
    for (int i = 0; i < WATCHING_MAX; i++)
        closes(queue, &watchers[i]);
    assert_int_equal(queue->queues->watch_count, 0);
    assert_int_equal(map_count(&queue->queues->watched), 0);
    memory_free(watchers);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_place_follows_the_ready_order),
        TEST(nothing_is_looked_for_while_the_queue_stands_still),
        TEST(whether_anybody_can_grade_it_is_told_as_graders_come_and_go),
        TEST(who_gets_no_turn_to_look_keeps_the_older_place_a_little_longer),
        TEST(what_the_grader_says_is_seen_when_it_is_time),
        TEST(a_change_wakes_those_who_watch_it_and_no_others),
        TEST(what_was_rolled_back_is_not_told),
        TEST(watches_are_bounded_for_all_and_for_one_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
