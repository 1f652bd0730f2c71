/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_queue_test_support */
/*
 * Submissions that are graded once more: they wait behind the others, keep their result until there is a new one, and are
 * counted, also over restarts and rollbacks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "service/bulk.h"
#include "service/regrading.h"
#include "service/roster.h"
#include "tests/support/queue_fixture.h"

static const char yaml[] = "queues: {demo: {lease_ms: 60000, attempts_max: 1}}\n";

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

static struct bulk_order regrade_of_all(void)
{
    return (struct bulk_order){
        .kind = BULK_REGRADE,
        .selection = {.queue = "",
                      .states = SELECTION_ALL_STATES,
                      .delivery_states = SELECTION_ALL_DELIVERIES,
                      .submitted_until_ms = INT64_MAX,
                      .grader = "",
                      .fairness_key = "",
                      .message_contains = ""},
        .from = selection_start(),
        .limit = BULK_LIMIT_MAX,
        .reason = "",
    };
}

struct outcome {
    int64_t matched;
    int64_t done;
    int64_t regrade_id;
};

static struct outcome regrades(struct queue_fixture *fixture, const struct bulk_order *order)
{
    struct bulk bulk;
    turn_begins(fixture);
    assert_int_equal(bulk_begin(fixture->queues, &bulk, order, &fixture->error), STATUS_OK);
    while (!bulk.over)
        assert_int_equal(bulk_slice(fixture->queues, &bulk), STATUS_OK);
    turn_ends(fixture);
    struct outcome outcome = {bulk.progress.matched, bulk.progress.done, bulk.progress.regrade_id};
    bulk_finish(&bulk);
    return outcome;
}

static struct outcome regrades_all(struct queue_fixture *fixture)
{
    const struct bulk_order order = regrade_of_all();
    return regrades(fixture, &order);
}

static struct store_regrade progress_of(struct queue_fixture *fixture, int64_t id)
{
    struct store_regrade regrade = {0};
    turn_begins(fixture);
    assert_int_equal(regrading_find(fixture->queues, id, &regrade, &fixture->error), STATUS_OK);
    turn_ends(fixture);
    return regrade;
}

static void assert_progress(struct queue_fixture *fixture, int64_t id, int64_t total, int64_t graded, int64_t failed)
{
    const struct store_regrade regrade = progress_of(fixture, id);
    assert_int_equal(regrade.total, total);
    assert_int_equal(regrade.graded, graded);
    assert_int_equal(regrade.failed, failed);
}

static int64_t graded_submission(struct queue_fixture *fixture, const char *result)
{
    int64_t id = lms_submits(fixture, "demo", "x");
    const struct lease lease = poller_leases(fixture, "p", 0);
    assert_int_equal(lease.id, id);
    assert_int_equal(grader_completes(fixture, lease, result), STATUS_OK);
    return id;
}

static void result_is(struct queue_fixture *fixture, int64_t id, const char *text, int64_t generation)
{
    struct store_result result;
    turn_begins(fixture);
    assert_int_equal(store_read_result(fixture->store, id, true, &result), STATUS_OK);
    turn_ends(fixture);
    assert_int_equal(result.generation, generation);
    assert_int_equal(result.body_length, strlen(text));
    assert_memory_equal(result.body, text, strlen(text));
    memory_free(result.body);
}

static void a_new_result_takes_the_place_of_the_old_one_and_is_delivered(void **state)
{
    struct queue_fixture *fixture = *state;
    int64_t id = graded_submission(fixture, "old");
    struct store_delivery delivery = courier_leases(fixture, "c");
    assert_int_equal(courier_acknowledges(fixture, &delivery), STATUS_OK);

    const struct outcome outcome = regrades_all(fixture);
    assert_int_equal(outcome.done, 1);
    assert_true(outcome.regrade_id > 0);
    assert_int_equal(state_of(fixture, id), SUBMISSION_READY);
    result_is(fixture, id, "old", 1);
    assert_delivery(fixture, id, DELIVERY_DELIVERED, DELIVERY_OUTCOME_RESULT);
    assert_progress(fixture, outcome.regrade_id, 1, 0, 0);

    queue_fixture_restart(fixture);
    const struct lease lease = poller_leases(fixture, "p", 0);
    assert_int_equal(lease.id, id);
    assert_int_equal(grader_completes(fixture, lease, "new"), STATUS_OK);
    result_is(fixture, id, "new", 2);
    assert_delivery(fixture, id, DELIVERY_PENDING, DELIVERY_OUTCOME_RESULT);
    assert_progress(fixture, outcome.regrade_id, 1, 1, 0);
    delivery = courier_leases(fixture, "c");
    assert_int_equal(delivery.submission_id, id);
    assert_int_equal(delivery.generation, 2);
}

static void it_waits_behind_everything_else(void **state)
{
    struct queue_fixture *fixture = *state;
    int64_t old = graded_submission(fixture, "old");
    assert_int_equal(regrades_all(fixture).done, 1);
    int64_t fresh = lms_submits(fixture, "demo", "x");

    assert_int_equal(poller_leases(fixture, "p", 0).id, fresh);
    assert_int_equal(poller_leases(fixture, "q", 0).id, old);
}

static void what_cannot_be_graded_again_keeps_its_result_and_nobody_is_told(void **state)
{
    struct queue_fixture *fixture = *state;
    int64_t dead = graded_submission(fixture, "old");
    int64_t ungradable = graded_submission(fixture, "old");
    struct store_delivery first = courier_leases(fixture, "c");
    struct store_delivery second = courier_leases(fixture, "c");
    assert_int_equal(courier_acknowledges(fixture, &first), STATUS_OK);
    assert_int_equal(courier_acknowledges(fixture, &second), STATUS_OK);
    const struct outcome outcome = regrades_all(fixture);
    assert_int_equal(outcome.done, 2);

    assert_int_equal(grader_fails(fixture, poller_leases(fixture, "p", 0), NULL), STATUS_OK);
    assert_int_equal(grader_gives_up(fixture, poller_leases(fixture, "p", 0), "no"), STATUS_OK);

    assert_int_equal(state_of(fixture, dead), SUBMISSION_DEAD);
    assert_int_equal(state_of(fixture, ungradable), SUBMISSION_UNGRADABLE);
    result_is(fixture, dead, "old", 1);
    assert_delivery(fixture, dead, DELIVERY_DELIVERED, DELIVERY_OUTCOME_RESULT);
    assert_delivery(fixture, ungradable, DELIVERY_DELIVERED, DELIVERY_OUTCOME_RESULT);
    assert_progress(fixture, outcome.regrade_id, 2, 0, 2);
}

static void an_outcome_that_is_on_its_way_still_arrives(void **state)
{
    struct queue_fixture *fixture = *state;
    int64_t id = graded_submission(fixture, "old");
    assert_int_equal(regrades_all(fixture).done, 1);
    assert_int_equal(grader_fails(fixture, poller_leases(fixture, "p", 0), NULL), STATUS_OK);
    assert_delivery(fixture, id, DELIVERY_PENDING, DELIVERY_OUTCOME_RESULT);

    struct bulk_order order = regrade_of_all();
    order.kind = BULK_REQUEUE;
    assert_int_equal(regrades(fixture, &order).done, 1); /* the dead one is tried once more */

    const struct store_delivery delivery = courier_leases(fixture, "c");
    assert_int_equal(delivery.submission_id, id);
    assert_int_equal(delivery.generation, 1);
}

static void an_old_lease_is_no_way_to_hand_in_the_new_result(void **state)
{
    struct queue_fixture *fixture = *state;
    int64_t id = lms_submits(fixture, "demo", "x");
    const struct lease lease = poller_leases(fixture, "p", 0);
    assert_int_equal(grader_completes(fixture, lease, "old"), STATUS_OK);
    const struct outcome outcome = regrades_all(fixture);

    assert_int_equal(grader_completes(fixture, lease, "old"), STATUS_STALE);

    assert_int_equal(state_of(fixture, id), SUBMISSION_READY);
    assert_progress(fixture, outcome.regrade_id, 1, 0, 0);
}

static void a_dry_run_and_nothing_to_do_begin_no_regrade(void **state)
{
    struct queue_fixture *fixture = *state;
    struct bulk_order order = regrade_of_all();
    assert_int_equal(regrades(fixture, &order).regrade_id, 0);
    int64_t id = graded_submission(fixture, "old");
    order.dry_run = true;

    const struct outcome outcome = regrades(fixture, &order);

    assert_int_equal(outcome.matched, 1);
    assert_int_equal(outcome.done, 0);
    assert_int_equal(outcome.regrade_id, 0);
    assert_int_equal(state_of(fixture, id), SUBMISSION_GRADED);
}

static void several_calls_can_be_one_regrade(void **state)
{
    struct queue_fixture *fixture = *state;
    struct bulk bulk;
    for (int i = 0; i < 3; i++)
        graded_submission(fixture, "old");
    struct bulk_order order = regrade_of_all();
    order.limit = 2;
    const struct outcome first = regrades(fixture, &order);
    order.regrade_id = first.regrade_id;
    order.limit = 10;

    const struct outcome second = regrades(fixture, &order);

    assert_int_equal(first.done, 2);
    assert_int_equal(second.done, 1);
    assert_int_equal(second.regrade_id, first.regrade_id);
    assert_progress(fixture, first.regrade_id, 3, 0, 0);
    order.regrade_id = 999;
    turn_begins(fixture);
    assert_int_equal(bulk_begin(fixture->queues, &bulk, &order, &fixture->error), STATUS_NOT_FOUND);
    turn_ends(fixture);
    bulk_finish(&bulk);
    assert_string_equal(fixture->error.reason, "BULK_NOT_FOUND");
}

static void what_is_deleted_or_replaced_meanwhile_counts_as_over(void **state)
{
    struct queue_fixture *fixture = *state;
    int64_t id = lms_submits_with_key(fixture, "demo", "k");
    assert_int_equal(grader_completes(fixture, poller_leases(fixture, "p", 0), "old"), STATUS_OK);
    int64_t other = graded_submission(fixture, "old");
    const struct outcome outcome = regrades_all(fixture);
    assert_int_equal(outcome.done, 2);

    lms_submits_with_key(fixture, "demo", "k");
    assert_int_equal(state_of(fixture, id), SUBMISSION_SUPERSEDED);
    assert_progress(fixture, outcome.regrade_id, 2, 0, 1);
    struct bulk_order purge = regrade_of_all();
    purge.kind = BULK_PURGE;
    purge.unfinished_too = true;
    purge.selection.ids = &other;
    purge.selection.id_count = 1;
    assert_int_equal(regrades(fixture, &purge).done, 1);
    assert_progress(fixture, outcome.regrade_id, 2, 0, 2);
}

static void what_nobody_wants_or_could_grade_is_left_alone(void **state)
{
    struct queue_fixture *fixture = *state;
    lms_submits_with_key(fixture, "demo", "k");
    assert_int_equal(grader_completes(fixture, poller_leases(fixture, "p", 0), "old"), STATUS_OK);
    lms_submits_with_key(fixture, "demo", "k"); /* waits in its place */

    assert_int_equal(regrades_all(fixture).done, 0);

    char *name = fixture->config->queues[0].name;
    char elsewhere[] = "elsewhere";
    assert_int_equal(grader_completes(fixture, poller_leases(fixture, "p", 0), "old"), STATUS_OK);
    fixture->config->queues[0].name = elsewhere;
    queue_fixture_restart(fixture);
    assert_int_equal(regrades_all(fixture).done, 0);
    fixture->config->queues[0].name = name;
    queue_fixture_restart(fixture);
    assert_int_equal(regrades_all(fixture).done, 2); /* the older one gives way to the newer one in the end */
}

static void of_several_with_one_replace_key_the_last_is_graded_again(void **state)
{
    struct queue_fixture *fixture = *state;
    int64_t ids[3];
    for (int i = 0; i < 3; i++) {
        ids[i] = lms_submits_with_key(fixture, "demo", "k");
        assert_int_equal(grader_completes(fixture, poller_leases(fixture, "p", 0), "old"), STATUS_OK);
    }

    const struct outcome outcome = regrades_all(fixture);

    assert_int_equal(state_of(fixture, ids[0]), SUBMISSION_GRADED);
    assert_int_equal(state_of(fixture, ids[1]), SUBMISSION_GRADED);
    assert_int_equal(state_of(fixture, ids[2]), SUBMISSION_READY);
    assert_progress(fixture, outcome.regrade_id, 3, 0, 2);
    assert_int_equal(poller_leases(fixture, "p", 0).id, ids[2]);
    assert_int_equal(poller_leases(fixture, "p", 0).id, 0);
    result_is(fixture, ids[0], "old", 1);
}

static void a_slice_that_was_not_stored_is_done_again(void **state)
{
    struct queue_fixture *fixture = *state;
    struct bulk bulk;
    const struct bulk_order order = regrade_of_all();
    graded_submission(fixture, "old");
    turn_begins(fixture);
    assert_int_equal(bulk_begin(fixture->queues, &bulk, &order, &fixture->error), STATUS_OK);
    assert_int_equal(bulk_slice(fixture->queues, &bulk), STATUS_OK);
    turn_fails(fixture);

    turn_begins(fixture);
    while (!bulk.over)
        assert_int_equal(bulk_slice(fixture->queues, &bulk), STATUS_OK);
    turn_ends(fixture);

    assert_int_equal(bulk.progress.done, 1);
    assert_progress(fixture, bulk.progress.regrade_id, 1, 0, 0);
    bulk_finish(&bulk);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_new_result_takes_the_place_of_the_old_one_and_is_delivered),
        TEST(it_waits_behind_everything_else),
        TEST(what_cannot_be_graded_again_keeps_its_result_and_nobody_is_told),
        TEST(an_outcome_that_is_on_its_way_still_arrives),
        TEST(an_old_lease_is_no_way_to_hand_in_the_new_result),
        TEST(a_dry_run_and_nothing_to_do_begin_no_regrade),
        TEST(several_calls_can_be_one_regrade),
        TEST(what_is_deleted_or_replaced_meanwhile_counts_as_over),
        TEST(what_nobody_wants_or_could_grade_is_left_alone),
        TEST(of_several_with_one_replace_key_the_last_is_graded_again),
        TEST(a_slice_that_was_not_stored_is_done_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
