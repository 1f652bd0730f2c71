/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_queue_test_support */
/*
 * What administrators do to many submissions at once, and see of them: what is meant, what becomes of it, in how many slices,
 * and on a disk that is full at every write.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "service/bulk.h"
#include "tests/support/faulty_vfs.h"
#include "tests/support/queue_fixture.h"

enum { MANY = 2500, ROUNDS_MAX = 500 };

static const char two_queues[] = "queues: {demo: {lease_ms: 60000, attempts_max: 2}, other: {lease_ms: 60000}}\n";

static int set_up(void **state)
{
    faulty_vfs_install();
    *state = queue_fixture_create(two_queues);
    return 0;
}

static int tear_down(void **state)
{
    queue_fixture_check(*state);
    queue_fixture_destroy(*state);
    faulty_vfs_remove();
    return 0;
}

/* Everything, from the start. */
static struct bulk_order order_of(enum bulk_kind kind)
{
    return (struct bulk_order){
        .kind = kind,
        .selection =
            {
                .queue = "",
                .states = SELECTION_ALL_STATES,
                .delivery_states = SELECTION_ALL_DELIVERIES,
                .submitted_until_ms = INT64_MAX,
                .grader = "",
                .fairness_key = "",
                .message_contains = "",
            },
        .from = selection_start(),
        .limit = BULK_PAGE_MAX,
        .reason = "",
    };
}

/* Begins in a turn of its own and goes on until it is over. Returns how many slices it took. */
static int run(struct queue_fixture *queue, struct bulk *bulk, const struct bulk_order *order)
{
    int slices = 0;
    turn_begins(queue);
    assert_int_equal(bulk_begin(queue->queues, bulk, order, &queue->error), STATUS_OK);
    for (;; slices++) {
        assert_int_equal(bulk_slice(queue->queues, bulk), STATUS_OK);
        turn_ends(queue);
        if (bulk->over)
            return slices;
        turn_begins(queue);
    }
}

/* What was done. */
static int64_t does(struct queue_fixture *queue, const struct bulk_order *order)
{
    struct bulk bulk;
    run(queue, &bulk, order);
    assert_true(bulk_finished(&bulk) || bulk.order.dry_run);
    int64_t done = bulk.progress.done;
    bulk_finish(&bulk);
    return done;
}

static enum status find(struct queue_fixture *queue, int64_t id)
{
    struct store_submission row;
    turn_begins(queue);
    enum status status = store_find_submission(queue->store, id, &row);
    turn_ends(queue);
    return status;
}

static int64_t submits_many(struct queue_fixture *queue, int count)
{
    int64_t last = 0;
    turn_begins(queue);
    for (int i = 0; i < count; i++)
        last = lms_submits(queue, "demo", "x");
    turn_ends(queue);
    return last;
}

static int64_t dies(struct queue_fixture *queue)
{
    int64_t id = lms_submits(queue, "demo", "x");
    struct bulk_order retire = order_of(BULK_RETIRE);
    retire.selection.ids = &id;
    retire.selection.id_count = 1;
    assert_int_equal(does(queue, &retire), 1);
    return id;
}

static void is_delivered(struct queue_fixture *queue, int64_t id)
{
    struct store_delivery delivery = courier_leases(queue, "1");
    assert_int_equal(delivery.submission_id, id);
    assert_int_equal(courier_acknowledges(queue, &delivery), STATUS_OK);
}

static void is_undeliverable(struct queue_fixture *queue, int64_t id)
{
    struct delivery_failure failure = {.message = "gone", .permanent = true};
    struct store_delivery delivery = courier_leases(queue, "1");
    assert_int_equal(delivery.submission_id, id);
    assert_int_equal(courier_fails(queue, &delivery, &failure), STATUS_OK);
}

/* ---- Retire ---- */

static void what_waits_or_is_held_is_retired_and_its_people_are_told(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    struct bulk_order retire = order_of(BULK_RETIRE);
    int64_t held = lms_submits(queue, "demo", "x");
    grader_connects(queue, &grader, "g", "1", 5);
    grader_gives_credit(queue, &grader, 1);
    struct lease lease = grader_takes(queue, &grader);
    assert_int_equal(lease.id, held);
    int64_t delayed = lms_submits(queue, "demo", "x");
    assert_int_equal(grader_fails(queue, poller_leases(queue, "p", 0), NULL), STATUS_OK);
    int64_t ready = lms_submits(queue, "demo", "x");
    int64_t other = lms_submits(queue, "other", "x");
    assert_int_equal(state_of(queue, delayed), SUBMISSION_DELAYED);
    retire.selection.queue = "demo";
    retire.reason = "the course is over";

    assert_int_equal(does(queue, &retire), 3);

    const int64_t ids[] = {held, delayed, ready};
    for (size_t at = 0; at < 3; at++) {
        assert_int_equal(state_of(queue, ids[at]), SUBMISSION_DEAD);
        assert_string_equal(submission_now(queue, ids[at]).message, "the course is over");
        assert_delivery(queue, ids[at], DELIVERY_PENDING, DELIVERY_OUTCOME_DEAD);
    }
    struct told told = grader_hears(&grader, GRADER_NOTICE_LOST);
    assert_int_equal(told.lease.id, held);
    assert_int_equal(told.notice.reason, LOST_ADMIN);
    assert_int_equal(state_of(queue, other), SUBMISSION_READY);
    assert_int_equal(queues_find(queue->queues, "demo")->dead_count, 3);
    assert_int_equal(does(queue, &retire), 0);
}

static void whoever_is_not_to_be_told_is_not(void **state)
{
    struct queue_fixture *queue = *state;
    struct bulk_order retire = order_of(BULK_RETIRE);
    struct store_delivery delivery;
    int64_t id = lms_submits(queue, "demo", "x");
    retire.tell_nobody = true;

    assert_int_equal(does(queue, &retire), 1);

    assert_int_equal(state_of(queue, id), SUBMISSION_DEAD);
    assert_true(strlen(submission_now(queue, id).message) > 0);
    assert_int_equal(delivery_of(queue, id, &delivery), STATUS_NOT_FOUND);
}

/* ---- what is meant ---- */

static int64_t count_of(struct queue_fixture *queue, const struct selection *selection)
{
    struct bulk bulk;
    struct bulk_order order = order_of(BULK_RETIRE);
    order.selection = *selection;
    order.dry_run = true;
    run(queue, &bulk, &order);
    assert_int_equal(bulk.progress.done, 0);
    int64_t matched = bulk.progress.matched;
    bulk_finish(&bulk);
    return matched;
}

static void every_part_of_a_filter_must_fit(void **state)
{
    struct queue_fixture *queue = *state;
    struct submit_order nina = submission_of("demo", "x");
    struct submit_receipt receipt;
    int64_t failed = lms_submits(queue, "demo", "x"); /* at the start, by p, failed once */
    assert_int_equal(grader_fails(queue, poller_leases(queue, "p", 0), NULL), STATUS_OK);
    clock_advances(queue, 1000);
    nina.request.fairness_key = "nina";
    assert_int_equal(lms_tries(queue, &nina, &receipt), STATUS_OK);
    clock_advances(queue, 1000);
    int64_t other = lms_submits(queue, "other", "x");
    const int64_t ids[] = {failed, other, 4711};
    struct selection parts[16];
    for (size_t at = 0; at < 16; at++)
        parts[at] = order_of(BULK_RETIRE).selection;
    parts[1].queue = "other";
    parts[2].submitted_from_ms = QUEUE_FIXTURE_START_MS + 1000;
    parts[3].submitted_until_ms = QUEUE_FIXTURE_START_MS + 999;
    parts[4].grader = "p";
    parts[5].failures_min = 1;
    parts[6].failures_min = 2;
    parts[7].fairness_key = "nina";
    parts[8].states = 1 << SUBMISSION_DELAYED | 1 << SUBMISSION_GRADED;
    parts[9].states = 1 << SUBMISSION_READY;
    parts[10].ids = ids;
    parts[10].id_count = 3;
    parts[11] = parts[10];
    parts[11].queue = "demo";
    parts[12].message_contains = "no luck";
    parts[13].delivery_states = 1 << DELIVERY_NONE;
    parts[14].delivery_states = 1 << DELIVERY_PENDING;
    parts[15].states = 1 << SUBMISSION_GRADED;
    const int64_t counts[16] = {3, 1, 2, 1, 1, 1, 0, 1, 1, 2, 2, 1, 0, 3, 0, 0};

    for (size_t at = 0; at < 16; at++) {
        if (count_of(queue, &parts[at]) != counts[at])
            fail_msg("filter %zu fits %lld, not %lld", at, (long long)count_of(queue, &parts[at]), (long long)counts[at]);
    }
}

static void a_message_can_be_looked_for(void **state)
{
    struct queue_fixture *queue = *state;
    struct bulk_order requeue = order_of(BULK_REQUEUE);
    struct bulk_order retire = order_of(BULK_RETIRE);
    retire.reason = "the disk of the grader was full";
    lms_submits(queue, "demo", "x");
    assert_int_equal(does(queue, &retire), 1);
    int64_t other = dies(queue);
    requeue.selection.message_contains = "disk of";

    assert_int_equal(does(queue, &requeue), 1);

    assert_int_equal(state_of(queue, other), SUBMISSION_DEAD);
}

static void a_queue_that_never_was_is_told(void **state)
{
    struct queue_fixture *queue = *state;
    struct bulk bulk;
    struct bulk_order retire = order_of(BULK_RETIRE);
    retire.selection.queue = "nowhere";

    turn_begins(queue);
    assert_int_equal(bulk_begin(queue->queues, &bulk, &retire, &queue->error), STATUS_NOT_FOUND);
    turn_ends(queue);

    assert_string_equal(queue->error.reason, "QUEUE_NOT_FOUND");
    bulk_finish(&bulk);
}

/* Starts again with a configuration that has the queue "other" alone. */
static void forget_demo(struct queue_fixture *queue)
{
    static const char yaml[] = "queues: {other: {}}\n";
    struct config *old = queue->config;
    assert_int_equal(config_parse("test.yml", "/tmp", yaml, sizeof yaml - 1, &queue->config, &queue->error), STATUS_OK);
    queue_fixture_restart(queue);
    config_destroy(old);
}

static void a_queue_that_is_not_configured_any_more_can_be_cleared(void **state)
{
    struct queue_fixture *queue = *state;
    struct bulk bulk;
    struct bulk_order search = order_of(BULK_SEARCH);
    struct bulk_order retire = order_of(BULK_RETIRE);
    struct bulk_order purge = order_of(BULK_PURGE);
    int64_t ready = lms_submits(queue, "demo", "x");
    int64_t held = lms_submits(queue, "demo", "x");
    assert_int_equal(poller_leases(queue, "g", 0).id, ready);
    forget_demo(queue);
    search.selection.queue = retire.selection.queue = purge.selection.queue = "demo";
    retire.tell_nobody = true;

    run(queue, &bulk, &search);
    assert_int_equal(bulk.progress.done, 2);
    assert_string_equal(bulk.items[0].queue, "demo");
    bulk_finish(&bulk);
    assert_int_equal(does(queue, &retire), 2);
    assert_int_equal(does(queue, &purge), 2);

    assert_int_equal(find(queue, ready), STATUS_NOT_FOUND);
    assert_int_equal(find(queue, held), STATUS_NOT_FOUND);
}

/* ---- Requeue ---- */

static void a_requeued_submission_is_not_held_to_the_graders_that_it_lost_before(void **state)
{
    struct queue_fixture *queue = *state;
    struct bulk_order requeue = order_of(BULK_REQUEUE);
    int64_t lost = 0;
    int64_t id = lms_submits(queue, "demo", "x");
    for (int i = 0; i < 2; i++) {
        poller_leases(queue, i == 0 ? "a" : "b", 0);
        clock_advances(queue, 60000);
    }
    assert_int_equal(state_of(queue, id), SUBMISSION_DEAD);

    assert_int_equal(does(queue, &requeue), 1);

    turn_begins(queue);
    assert_int_equal(store_note_lost_grader(queue->store, id, "c", &lost), STATUS_OK);
    turn_ends(queue);
    assert_int_equal(lost, 1);
}

static void the_dead_are_ready_again_with_all_attempts(void **state)
{
    struct queue_fixture *queue = *state;
    struct bulk_order requeue = order_of(BULK_REQUEUE);
    struct store_delivery delivery;
    int64_t dead = lms_submits(queue, "demo", "x");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(grader_fails(queue, poller_leases(queue, "g", 0), NULL), STATUS_OK);
        clock_advances(queue, 600000);
    }
    assert_int_equal(state_of(queue, dead), SUBMISSION_DEAD);
    int64_t ungradable = lms_submits(queue, "demo", "x");
    assert_int_equal(grader_gives_up(queue, poller_leases(queue, "g", 0), "nonsense"), STATUS_OK);
    is_delivered(queue, dead);
    is_undeliverable(queue, ungradable);

    assert_int_equal(does(queue, &requeue), 2);

    assert_int_equal(state_of(queue, dead), SUBMISSION_READY);
    assert_int_equal(submission_now(queue, dead).failures, 0);
    assert_int_equal(submission_now(queue, dead).attempt, 2);
    assert_int_equal(queues_find(queue->queues, "demo")->dead_count, 0);
    assert_int_equal(state_of(queue, ungradable), SUBMISSION_READY);
    assert_delivery(queue, dead, DELIVERY_DELIVERED, DELIVERY_OUTCOME_DEAD);
    assert_int_equal(delivery_of(queue, ungradable, &delivery), STATUS_NOT_FOUND);
    assert_int_equal(grader_fails(queue, poller_leases(queue, "g", 0), NULL), STATUS_OK);
    assert_int_equal(state_of(queue, dead), SUBMISSION_DELAYED);
    assert_int_equal(grader_completes(queue, poller_leases(queue, "g", 0), "right"), STATUS_OK);
    assert_delivery(queue, ungradable, DELIVERY_PENDING, DELIVERY_OUTCOME_RESULT);
}

static void an_outcome_that_nobody_was_told_is_withdrawn(void **state)
{
    struct queue_fixture *queue = *state;
    struct bulk_order requeue = order_of(BULK_REQUEUE);
    int64_t id = dies(queue);

    assert_int_equal(does(queue, &requeue), 1);

    assert_int_equal(courier_leases(queue, "1").submission_id, 0);
    assert_int_equal(grader_completes(queue, poller_leases(queue, "g", 0), "right"), STATUS_OK);
    assert_delivery(queue, id, DELIVERY_PENDING, DELIVERY_OUTCOME_RESULT);
}

static void what_expired_as_a_whole_does_not_expire_again(void **state)
{
    struct queue_fixture *queue = *state;
    struct bulk_order requeue = order_of(BULK_REQUEUE);
    struct submit_order order = submission_of("demo", "x");
    struct submit_receipt receipt;
    order.expire_after_ms = 1000;
    assert_int_equal(lms_tries(queue, &order, &receipt), STATUS_OK);
    clock_advances(queue, 1000);
    assert_int_equal(state_of(queue, receipt.submission_id), SUBMISSION_DEAD);

    assert_int_equal(does(queue, &requeue), 1);
    clock_advances(queue, 1000);

    assert_int_equal(state_of(queue, receipt.submission_id), SUBMISSION_READY);
}

static void what_another_took_the_place_of_stays_dead(void **state)
{
    struct queue_fixture *queue = *state;
    struct bulk_order requeue = order_of(BULK_REQUEUE);
    struct bulk_order retire = order_of(BULK_RETIRE);
    int64_t old = lms_submits_with_key(queue, "demo", "nina's");
    assert_int_equal(does(queue, &retire), 1);
    int64_t new = lms_submits_with_key(queue, "demo", "nina's");

    assert_int_equal(does(queue, &requeue), 0);
    assert_int_equal(state_of(queue, old), SUBMISSION_DEAD);
    assert_int_equal(state_of(queue, new), SUBMISSION_READY);
    assert_int_equal(grader_completes(queue, poller_leases(queue, "g", 0), "right"), STATUS_OK);

    assert_int_equal(does(queue, &requeue), 1);
}

/* ---- Purge ---- */

static void what_is_over_is_deleted_with_all_that_belongs_to_it(void **state)
{
    struct queue_fixture *queue = *state;
    struct bulk_order purge = order_of(BULK_PURGE);
    struct store_content content;
    struct store_result result;
    struct store_delivery delivery;
    int64_t delivered = lms_submits(queue, "demo", "x");
    assert_int_equal(grader_completes(queue, poller_leases(queue, "g", 0), "right"), STATUS_OK);
    is_delivered(queue, delivered);
    int64_t undeliverable = dies(queue);
    is_undeliverable(queue, undeliverable);
    int64_t pending = dies(queue);
    int64_t ready = lms_submits(queue, "demo", "x");

    assert_int_equal(does(queue, &purge), 2);

    turn_begins(queue);
    assert_int_equal(store_read_content(queue->store, delivered, &content), STATUS_NOT_FOUND);
    assert_int_equal(store_read_result(queue->store, delivered, false, &result), STATUS_NOT_FOUND);
    assert_int_equal(store_find_delivery(queue->store, delivered, &delivery), STATUS_NOT_FOUND);
    turn_ends(queue);
    assert_int_equal(find(queue, delivered), STATUS_NOT_FOUND);
    assert_int_equal(find(queue, undeliverable), STATUS_NOT_FOUND);
    assert_int_equal(state_of(queue, pending), SUBMISSION_DEAD);
    assert_int_equal(state_of(queue, ready), SUBMISSION_READY);
    assert_int_equal(queues_find(queue->queues, "demo")->dead_count, 1);
}

static void the_unfinished_are_deleted_when_asked_for(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    struct bulk_order purge = order_of(BULK_PURGE);
    int64_t held = lms_submits(queue, "demo", "x");
    grader_connects(queue, &grader, "g", "1", 5);
    grader_gives_credit(queue, &grader, 1);
    struct lease lease = grader_takes(queue, &grader);
    dies(queue);
    lms_submits(queue, "demo", "x");
    purge.unfinished_too = true;

    assert_int_equal(does(queue, &purge), 3);

    assert_int_equal(grader_hears(&grader, GRADER_NOTICE_LOST).notice.reason, LOST_ADMIN);
    assert_int_equal(find(queue, held), STATUS_NOT_FOUND);
    assert_int_equal(lease_table_count(&queue->queues->leases), 0);
    assert_int_equal(queues_find(queue->queues, "demo")->ready_count, 0);
    assert_int_equal(queues_find(queue->queues, "demo")->leased_count, 0);
    assert_int_equal(grader_completes(queue, lease, "right"), STATUS_NOT_FOUND);
}

/* ---- RequeueDeliveries ---- */

static void what_was_undeliverable_is_tried_again(void **state)
{
    struct queue_fixture *queue = *state;
    struct bulk_order again = order_of(BULK_REQUEUE_DELIVERIES);
    struct store_delivery delivery;
    int64_t id = dies(queue);
    is_undeliverable(queue, id);
    assert_int_equal(courier_leases(queue, "1").submission_id, 0);

    assert_int_equal(does(queue, &again), 1);

    assert_int_equal(delivery_of(queue, id, &delivery), STATUS_OK);
    assert_int_equal(delivery.attempt, 0);
    assert_string_equal(delivery.message, "");
    is_delivered(queue, id);
    assert_int_equal(does(queue, &again), 0);
}

/* ---- how much at once ---- */

static void a_limit_leaves_the_rest_to_the_next_call(void **state)
{
    struct queue_fixture *queue = *state;
    struct bulk_order retire = order_of(BULK_RETIRE);
    struct bulk bulk;
    const int64_t left[] = {25, 15, 5};
    submits_many(queue, 25);
    retire.limit = 10;

    for (size_t at = 0; at < 3; at++) {
        char token[SELECTION_TOKEN_MAX];
        run(queue, &bulk, &retire);
        bulk_write_token(&bulk, token);

        assert_int_equal(bulk.progress.matched, left[at]);
        assert_int_equal(bulk.progress.done, left[at] < 10 ? left[at] : 10);
        assert_int_equal(bulk_finished(&bulk), at == 2);
        assert_int_equal(strlen(token) > 0, at < 2);
        assert_int_equal(queues_find(queue->queues, "demo")->ready_count, left[at] < 10 ? 0 : left[at] - 10);
        assert_true(selection_read_place(token, &retire.from));
    }
}

static void a_dry_run_counts_all_and_changes_nothing(void **state)
{
    struct queue_fixture *queue = *state;
    struct bulk_order retire = order_of(BULK_RETIRE);
    struct bulk bulk;
    char token[SELECTION_TOKEN_MAX];
    submits_many(queue, MANY);
    retire.limit = 1;
    retire.dry_run = true;

    run(queue, &bulk, &retire);

    bulk_write_token(&bulk, token);
    assert_int_equal(bulk.progress.matched, MANY);
    assert_int_equal(bulk.progress.done, 0);
    assert_false(bulk_finished(&bulk));
    assert_string_equal(token, "");
    assert_int_equal(queues_find(queue->queues, "demo")->ready_count, MANY);
}

static void others_are_served_between_two_slices(void **state)
{
    struct queue_fixture *queue = *state;
    struct bulk_order retire = order_of(BULK_RETIRE);
    struct bulk bulk;
    int slices = 0;
    int64_t first = submits_many(queue, MANY) - MANY + 1;
    retire.limit = MANY;
    turn_begins(queue);
    assert_int_equal(bulk_begin(queue->queues, &bulk, &retire, &queue->error), STATUS_OK);

    for (; !bulk.over; slices++) {
        int64_t before = bulk.progress.matched;
        assert_int_equal(bulk_slice(queue->queues, &bulk), STATUS_OK);
        assert_true(bulk.progress.matched - before <= BULK_SLICE_ROWS_MAX);
        turn_ends(queue);
        if (slices == 0) {
            lms_submits(queue, "other", "in between");
            assert_int_equal(state_of(queue, first), SUBMISSION_DEAD);
        }
        turn_begins(queue);
    }
    turn_ends(queue);

    assert_true(slices > MANY / BULK_SLICE_ROWS_MAX);
    assert_true(bulk.progress.done >= MANY);
    assert_int_equal(queues_find(queue->queues, "demo")->ready_count, 0);
}

static void a_slice_that_was_not_stored_is_done_again(void **state)
{
    struct queue_fixture *queue = *state;
    struct bulk_order retire = order_of(BULK_RETIRE);
    struct bulk bulk;
    submits_many(queue, MANY);
    retire.limit = MANY;
    turn_begins(queue);
    assert_int_equal(bulk_begin(queue->queues, &bulk, &retire, &queue->error), STATUS_OK);
    assert_int_equal(bulk_slice(queue->queues, &bulk), STATUS_OK);
    turn_fails(queue);
    queue_fixture_check(queue);
    assert_int_equal(queues_find(queue->queues, "demo")->ready_count, MANY);

    for (int slices = 0; !bulk.over; slices++) {
        turn_begins(queue);
        assert_int_equal(bulk_slice(queue->queues, &bulk), STATUS_OK);
        if (slices % 3 == 1)
            turn_fails(queue);
        else
            turn_ends(queue);
        bulk.over = bulk.over && slices % 3 != 1;
    }

    assert_int_equal(bulk.progress.done, MANY);
    assert_int_equal(bulk.progress.matched, MANY);
    assert_true(bulk_finished(&bulk));
    assert_int_equal(queues_find(queue->queues, "demo")->dead_count, MANY);
}

/* The disk is full at the n-th write of a bulk's transaction: memory is as the store is, and the rest can be done later. */
static void check_full_disk(struct queue_fixture *queue, const struct bulk_order *order, int64_t expected)
{
    int failures = 0;
    for (int nth = 1; nth < ROUNDS_MAX; nth++) {
        struct bulk bulk;
        turn_begins(queue);
        faulty_vfs_fail(FAULTY_WRITE_FULL, nth);
        assert_int_equal(bulk_begin(queue->queues, &bulk, order, &queue->error), STATUS_OK);
        enum status status = bulk_slice(queue->queues, &bulk);
        status = status == STATUS_OK ? store_commit(queue->store) : status;
        faulty_vfs_heal();
        int64_t done = bulk.progress.done;
        bulk_finish(&bulk);
        if (status == STATUS_OK) {
            queues_apply_effects(queue->queues);
            queue->in_turn = false;
            assert_int_equal(done, expected);
            assert_true(failures > 0);
            return;
        }
        failures++;
        assert_true(status == STATUS_FULL || status == STATUS_UNAVAILABLE);
        turn_fails(queue);
        queue_fixture_check(queue);
    }
    fail_msg("it never succeeded");
}

static void a_full_disk_at_any_write_leaves_everything_as_it_was(void **state)
{
    struct queue_fixture *queue = *state;
    struct bulk_order retire = order_of(BULK_RETIRE);
    struct bulk_order requeue = order_of(BULK_REQUEUE);
    struct bulk_order purge = order_of(BULK_PURGE);
    submits_many(queue, 5);
    purge.unfinished_too = true;

    check_full_disk(queue, &retire, 5);
    check_full_disk(queue, &requeue, 5);
    check_full_disk(queue, &purge, 5);
}

/* ---- Search ---- */

static void a_search_goes_on_page_by_page(void **state)
{
    struct queue_fixture *queue = *state;
    struct bulk_order search = order_of(BULK_SEARCH);
    int64_t seen = 0;
    char token[SELECTION_TOKEN_MAX];
    int64_t dead = dies(queue);
    int64_t last = submits_many(queue, 6);
    search.limit = 3;

    do {
        struct bulk bulk;
        run(queue, &bulk, &search);
        for (int64_t at = 0; at < bulk.progress.done; at++) {
            const struct bulk_item *item = &bulk.items[at];
            assert_int_equal(item->row.id, dead + seen++);
            assert_string_equal(item->queue, "demo");
            assert_int_equal(item->has_delivery, item->row.id == dead);
        }
        bulk_write_token(&bulk, token);
        bulk_finish(&bulk);
        assert_true(selection_read_place(token, &search.from));
    } while (token[0] != '\0');

    assert_int_equal(dead + seen - 1, last);
}

static void a_search_by_states_finds_each_once(void **state)
{
    struct queue_fixture *queue = *state;
    struct bulk_order search = order_of(BULK_SEARCH);
    struct bulk bulk;
    int64_t graded = lms_submits(queue, "demo", "x");
    assert_int_equal(grader_completes(queue, poller_leases(queue, "g", 0), "right"), STATUS_OK);
    int64_t held = lms_submits(queue, "demo", "x");
    assert_int_equal(poller_leases(queue, "g", 0).id, held);
    int64_t dead[2] = {dies(queue), dies(queue)};
    int64_t ready = lms_submits(queue, "other", "x");
    search.selection.states = SELECTION_LIVE_STATES | 1 << SUBMISSION_DEAD;

    run(queue, &bulk, &search);

    const int64_t expected[] = {ready, held, dead[0], dead[1]};
    assert_int_equal(bulk.progress.done, 4);
    for (size_t at = 0; at < 4; at++)
        assert_int_equal(bulk.items[at].row.id, expected[at]);
    bulk_finish(&bulk);
    search.selection.states |= 1 << SUBMISSION_GRADED;
    run(queue, &bulk, &search);
    assert_int_equal(bulk.progress.done, 5);
    assert_int_equal(bulk.items[0].row.id, graded);
    bulk_finish(&bulk);
}

static void a_place_survives_being_text(void **state)
{
    (void)state;
    static const char *const wrong[] = {"x",
                                        "0.1.1.1.1.1",
                                        "8.1.1.1.1.1",
                                        "1",
                                        "1.2.3.4.5",
                                        "1.2.3.4.5.6.7",
                                        "1.2.3.4.5.",
                                        "1..3.4.5.6",
                                        "1.2.3.4.5.9223372036854775808",
                                        " 1.2.3.4.5.6",
                                        "1.2.3.4.5.6 ",
                                        "1.+2.3.4.5.6"};
    struct selection_place place = {.walk = STORE_WALK_UNDELIVERABLE, .at = {.keys = {INT64_MIN, INT64_MAX, -1, INT64_MIN}}};
    struct selection_place again;
    char text[SELECTION_TOKEN_MAX];

    selection_write_place(&place, text);

    assert_true(selection_read_place(text, &again));
    assert_int_equal(again.walk, place.walk);
    assert_memory_equal(again.at.keys, place.at.keys, sizeof place.at.keys);
    for (size_t at = 0; at < sizeof wrong / sizeof wrong[0]; at++)
        assert_false(selection_read_place(wrong[at], &again));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
        TEST(what_waits_or_is_held_is_retired_and_its_people_are_told),
        TEST(whoever_is_not_to_be_told_is_not),
        TEST(every_part_of_a_filter_must_fit),
        TEST(a_message_can_be_looked_for),
        TEST(a_queue_that_never_was_is_told),
        TEST(a_queue_that_is_not_configured_any_more_can_be_cleared),
        TEST(a_requeued_submission_is_not_held_to_the_graders_that_it_lost_before),
        TEST(the_dead_are_ready_again_with_all_attempts),
        TEST(an_outcome_that_nobody_was_told_is_withdrawn),
        TEST(what_expired_as_a_whole_does_not_expire_again),
        TEST(what_another_took_the_place_of_stays_dead),
        TEST(what_is_over_is_deleted_with_all_that_belongs_to_it),
        TEST(the_unfinished_are_deleted_when_asked_for),
        TEST(what_was_undeliverable_is_tried_again),
        TEST(a_limit_leaves_the_rest_to_the_next_call),
        TEST(a_dry_run_counts_all_and_changes_nothing),
        TEST(others_are_served_between_two_slices),
        TEST(a_slice_that_was_not_stored_is_done_again),
        TEST(a_full_disk_at_any_write_leaves_everything_as_it_was),
        TEST(a_search_goes_on_page_by_page),
        TEST(a_search_by_states_finds_each_once),
        cmocka_unit_test(a_place_survives_being_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
