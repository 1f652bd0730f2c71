/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_queue_test_support */
/*
 * Handing in: repeated requests, full queues, times, and superseding.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "tests/support/queue_fixture.h"

static const char yaml[] = "queues:\n"
                           "  demo: {ready_max: 3, body_bytes_max: 10}\n"
                           "  other: {}\n"
                           "  slow: {submits_per_minute_max: 2, ready_max: 4, body_bytes_max: 10}\n";

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

static struct submit_order order_with_id(const char *request_id, uint8_t digest)
{
    struct submit_order order = submission_of("demo", "x");
    order.request.request_id = request_id;
    memset(order.request.digest, digest, sizeof order.request.digest);
    return order;
}

static int64_t ready_count(struct queue_fixture *queue)
{
    return queues_find(queue->queues, "demo")->ready_count;
}

static void a_repeated_request_answers_the_first_submission(void **state)
{
    struct queue_fixture *queue = *state;
    struct submit_order order = order_with_id("r1", 1);
    struct submit_receipt first = {0};
    struct submit_receipt second = {0};
    assert_int_equal(lms_tries(queue, &order, &first), STATUS_OK);

    assert_int_equal(lms_tries(queue, &order, &second), STATUS_OK);

    assert_false(first.already);
    assert_int_equal(first.ready_count, 1);
    assert_true(second.already);
    assert_int_equal(second.submission_id, first.submission_id);
    assert_int_equal(ready_count(queue), 1);
}

static void a_repeated_request_is_known_after_a_restart_and_within_one_batch(void **state)
{
    struct queue_fixture *queue = *state;
    struct submit_order order = order_with_id("r1", 1);
    struct submit_receipt receipts[3] = {0};
    turn_begins(queue);
    assert_int_equal(lms_tries(queue, &order, &receipts[0]), STATUS_OK);
    assert_int_equal(lms_tries(queue, &order, &receipts[1]), STATUS_OK);
    turn_ends(queue);
    queue_fixture_restart(queue);

    assert_int_equal(lms_tries(queue, &order, &receipts[2]), STATUS_OK);

    assert_true(receipts[1].already);
    assert_true(receipts[2].already);
    assert_int_equal(receipts[2].submission_id, receipts[0].submission_id);
}

static void a_request_id_with_other_content_is_refused(void **state)
{
    struct queue_fixture *queue = *state;
    struct submit_order order = order_with_id("r1", 1);
    struct submit_order reuse = order_with_id("r1", 2);
    struct submit_order foreign = order_with_id("r1", 2);
    struct submit_receipt receipt = {0};
    foreign.request.submitter = "another";
    assert_int_equal(lms_tries(queue, &order, &receipt), STATUS_OK);

    assert_int_equal(lms_tries(queue, &reuse, &receipt), STATUS_EXISTS);
    assert_string_equal(queue->error.reason, "REQUEST_ID_REUSED");
    assert_int_equal(lms_tries(queue, &foreign, &receipt), STATUS_OK);

    assert_false(receipt.already);
    assert_int_equal(ready_count(queue), 2);
}

static void a_full_queue_refuses_with_a_retry_delay_and_takes_again_when_there_is_room(void **state)
{
    struct queue_fixture *queue = *state;
    struct submit_order order = submission_of("demo", "x");
    struct submit_order delayed = submission_of("demo", "x");
    struct submit_order repeated = order_with_id("r1", 1);
    struct submit_receipt receipt = {0};
    delayed.not_before_ms = 1000;
    assert_int_equal(lms_tries(queue, &repeated, &receipt), STATUS_OK);
    assert_int_equal(lms_tries(queue, &order, &receipt), STATUS_OK);
    assert_int_equal(lms_tries(queue, &delayed, &receipt), STATUS_OK);

    assert_int_equal(lms_tries(queue, &order, &receipt), STATUS_FULL);
    assert_string_equal(queue->error.reason, "QUEUE_FULL");
    assert_true(queue->error.retry_after_ms > 0);
    assert_int_equal(lms_tries(queue, &repeated, &receipt), STATUS_OK);
    lms_submits(queue, "other", "x");

    poller_leases(queue, "g", 0);
    assert_int_equal(lms_tries(queue, &order, &receipt), STATUS_OK);
}

static void a_full_queue_takes_what_replaces_one_that_waits_in_it(void **state)
{
    struct queue_fixture *queue = *state;
    static const uint8_t key[] = {1, 2, 3};
    struct submit_order plain = submission_of("demo", "x");
    struct submit_order keyed = submission_of("demo", "x");
    struct submit_order elsewhere = submission_of("other", "x");
    struct submit_receipt receipt = {0};
    keyed.replace_key = key;
    keyed.replace_key_length = sizeof key;
    elsewhere.replace_key = key;
    elsewhere.replace_key_length = sizeof key;
    assert_int_equal(lms_tries(queue, &keyed, &receipt), STATUS_OK);
    assert_int_equal(lms_tries(queue, &plain, &receipt), STATUS_OK);
    assert_int_equal(lms_tries(queue, &plain, &receipt), STATUS_OK);

    assert_int_equal(lms_tries(queue, &plain, &receipt), STATUS_FULL);
    assert_int_equal(lms_tries(queue, &keyed, &receipt), STATUS_OK);
    assert_int_equal(receipt.ready_count, 3);
    assert_int_equal(receipt.superseded_count, 1);
    memory_free(receipt.superseded_ids);

    /* One that waits in another queue makes no room in this one. */
    assert_int_equal(lms_tries(queue, &elsewhere, &receipt), STATUS_OK);
    memory_free(receipt.superseded_ids);
    assert_int_equal(lms_tries(queue, &plain, &receipt), STATUS_OK);
    assert_int_equal(lms_tries(queue, &keyed, &receipt), STATUS_FULL);
}

static void who_hands_in_too_fast_is_told_when_to_come_again(void **state)
{
    struct queue_fixture *queue = *state;
    struct submit_order order = submission_of("slow", "x");
    struct submit_order another = submission_of("slow", "x");
    struct submit_order elsewhere = submission_of("other", "x");
    struct submit_receipt receipt = {0};
    another.request.submitter = "another";
    assert_int_equal(lms_tries(queue, &order, &receipt), STATUS_OK);
    assert_int_equal(lms_tries(queue, &order, &receipt), STATUS_OK);

    assert_int_equal(lms_tries(queue, &order, &receipt), STATUS_FULL);
    assert_string_equal(queue->error.reason, "RATE_LIMITED");
    assert_int_equal(queue->error.retry_after_ms, 30000);
    assert_int_equal(lms_tries(queue, &elsewhere, &receipt), STATUS_OK);
    assert_int_equal(lms_tries(queue, &another, &receipt), STATUS_OK);
    clock_advances(queue, 29999);
    assert_int_equal(lms_tries(queue, &order, &receipt), STATUS_FULL);
    assert_int_equal(queue->error.retry_after_ms, 1);
    clock_advances(queue, 1);

    assert_int_equal(lms_tries(queue, &order, &receipt), STATUS_OK);
    assert_int_equal(lms_tries(queue, &order, &receipt), STATUS_FULL);
}

static void only_what_is_stored_counts_for_the_rate(void **state)
{
    struct queue_fixture *queue = *state;
    struct submit_order order = submission_of("slow", "x");
    struct submit_order repeated = submission_of("slow", "x");
    struct submit_order large = submission_of("slow", "much too large");
    struct submit_receipt receipt = {0};
    repeated.request.request_id = "r1";
    assert_int_equal(lms_tries(queue, &repeated, &receipt), STATUS_OK);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(lms_tries(queue, &repeated, &receipt), STATUS_OK);
        assert_int_equal(lms_tries(queue, &large, &receipt), STATUS_INVALID);
    }
    turn_begins(queue);
    assert_int_equal(lms_tries(queue, &order, &receipt), STATUS_OK);
    turn_fails(queue);

    assert_int_equal(lms_tries(queue, &order, &receipt), STATUS_OK);
    assert_int_equal(lms_tries(queue, &order, &receipt), STATUS_OK); /* after a rollback every bucket is full */
    assert_int_equal(lms_tries(queue, &order, &receipt), STATUS_FULL);
    assert_string_equal(queue->error.reason, "RATE_LIMITED");
    assert_int_equal(lms_tries(queue, &repeated, &receipt), STATUS_OK);
}

static void a_body_over_the_queues_limit_is_refused(void **state)
{
    struct queue_fixture *queue = *state;
    struct submit_order fits = submission_of("demo", "0123456789");
    struct submit_order large = submission_of("demo", "0123456789+");
    struct submit_receipt receipt = {0};

    assert_int_equal(lms_tries(queue, &large, &receipt), STATUS_INVALID);
    assert_string_equal(queue->error.reason, "BODY_TOO_LARGE");
    assert_int_equal(lms_tries(queue, &fits, &receipt), STATUS_OK);
    lms_submits(queue, "other", "0123456789+");
}

static void an_unknown_queue_is_not_found(void **state)
{
    struct queue_fixture *queue = *state;
    struct submit_order order = submission_of("none", "x");
    struct submit_receipt receipt = {0};

    assert_int_equal(lms_tries(queue, &order, &receipt), STATUS_NOT_FOUND);
    assert_string_equal(queue->error.reason, "QUEUE_NOT_FOUND");
}

static void a_stopping_service_takes_nothing(void **state)
{
    struct queue_fixture *queue = *state;
    struct submit_order order = submission_of("demo", "x");
    struct submit_receipt receipt = {0};
    lms_submits(queue, "demo", "x");
    turn_begins(queue);
    queues_stop(queue->queues);
    turn_ends(queue);

    assert_int_equal(lms_tries(queue, &order, &receipt), STATUS_UNAVAILABLE);
    assert_string_equal(queue->error.reason, "DRAINING");
    assert_int_equal(poller_leases(queue, "g", 0).id, 0);
}

static void not_before_keeps_a_submission_back_for_so_long(void **state)
{
    struct queue_fixture *queue = *state;
    struct submit_order order = submission_of("demo", "x");
    struct submit_receipt receipt = {0};
    order.not_before_ms = 5000;
    assert_int_equal(lms_tries(queue, &order, &receipt), STATUS_OK);

    assert_int_equal(receipt.ready_count, 0);
    assert_int_equal(state_of(queue, receipt.submission_id), SUBMISSION_DELAYED);
    clock_advances(queue, 4999);
    assert_int_equal(poller_leases(queue, "g", 0).id, 0);
    clock_advances(queue, 1);

    assert_int_equal(poller_leases(queue, "g", 0).id, receipt.submission_id);
}

static int64_t submit_to_expire(struct queue_fixture *queue)
{
    struct submit_order order = submission_of("demo", "x");
    struct submit_receipt receipt = {0};
    order.expire_after_ms = 5000;
    assert_int_equal(lms_tries(queue, &order, &receipt), STATUS_OK);
    return receipt.submission_id;
}

static void what_is_not_graded_within_its_time_is_dead_and_the_student_hears_of_it(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    int64_t leased = submit_to_expire(queue);
    grader_connects(queue, &grader, "g", "1", 1);
    grader_gives_credit(queue, &grader, 1);
    struct lease lease = grader_takes(queue, &grader);
    int64_t graded = submit_to_expire(queue);
    assert_int_equal(grader_completes(queue, poller_leases(queue, "p", 0), "x"), STATUS_OK);
    int64_t ready = submit_to_expire(queue);

    clock_advances(queue, 4999);
    assert_int_equal(state_of(queue, ready), SUBMISSION_READY);
    clock_advances(queue, 1);

    assert_int_equal(state_of(queue, ready), SUBMISSION_DEAD);
    assert_int_equal(state_of(queue, leased), SUBMISSION_DEAD);
    assert_int_equal(state_of(queue, graded), SUBMISSION_GRADED);
    assert_delivery(queue, ready, DELIVERY_PENDING, DELIVERY_OUTCOME_DEAD);
    assert_delivery(queue, leased, DELIVERY_PENDING, DELIVERY_OUTCOME_DEAD);
    struct told lost = grader_hears(&grader, GRADER_NOTICE_LOST);
    assert_int_equal(lost.lease.id, leased);
    assert_int_equal(lost.notice.reason, LOST_EXPIRED);
    assert_int_equal(grader_completes(queue, lease, "late"), STATUS_OK);
    assert_delivery(queue, leased, DELIVERY_PENDING, DELIVERY_OUTCOME_RESULT);
}

static enum status supersede(struct queue_fixture *queue, struct submit_receipt *out_receipt)
{
    struct submit_order order = submission_of("demo", "x");
    order.replace_key = (const uint8_t *)"key";
    order.replace_key_length = 3;
    return lms_tries(queue, &order, out_receipt);
}

static void a_new_submission_supersedes_those_with_its_replace_key_in_every_live_state(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    struct submit_receipt receipt = {0};
    struct submit_order delayed = submission_of("other", "x");
    grader_connects(queue, &grader, "g", "1", 1);
    int64_t graded = lms_submits_with_key(queue, "demo", "key");
    assert_int_equal(grader_completes(queue, poller_leases(queue, "p", 0), "x"), STATUS_OK);
    int64_t leased = lms_submits_with_key(queue, "demo", "key");
    grader_gives_credit(queue, &grader, 1);
    struct lease lease = grader_takes(queue, &grader);
    int64_t foreign = lms_submits_with_key(queue, "demo", "key2");

    assert_int_equal(supersede(queue, &receipt), STATUS_OK);
    assert_int_equal(receipt.superseded_count, 1);
    assert_int_equal(receipt.superseded_ids[0], leased);
    memory_free(receipt.superseded_ids);
    delayed.replace_key = (const uint8_t *)"key";
    delayed.replace_key_length = 3;
    delayed.not_before_ms = 1000;
    int64_t ready = receipt.submission_id;
    assert_int_equal(lms_tries(queue, &delayed, &receipt), STATUS_OK);
    assert_int_equal(receipt.superseded_ids[0], ready);
    memory_free(receipt.superseded_ids);
    int64_t waiting = receipt.submission_id;
    assert_int_equal(supersede(queue, &receipt), STATUS_OK);
    assert_int_equal(receipt.superseded_ids[0], waiting);
    memory_free(receipt.superseded_ids);

    assert_int_equal(state_of(queue, graded), SUBMISSION_GRADED);
    assert_int_equal(state_of(queue, foreign), SUBMISSION_READY);
    assert_int_equal(state_of(queue, leased), SUBMISSION_SUPERSEDED);
    assert_int_equal(submission_now(queue, leased).superseded_by_id, ready);
    assert_int_equal(state_of(queue, waiting), SUBMISSION_SUPERSEDED);
    struct told lost = grader_hears(&grader, GRADER_NOTICE_LOST);
    assert_int_equal(lost.lease.id, leased);
    assert_int_equal(lost.notice.reason, LOST_SUPERSEDED);
    assert_int_equal(grader_completes(queue, lease, "x"), STATUS_STALE);
    assert_string_equal(queue->error.reason, "LEASE_SUPERSEDED");
    assert_int_equal(grader_renews(queue, lease, NULL), STATUS_STALE);
    assert_string_equal(queue->error.reason, "LEASE_SUPERSEDED");
    struct store_delivery none;
    assert_int_equal(delivery_of(queue, leased, &none), STATUS_NOT_FOUND);
}

static void several_are_superseded_at_once(void **state)
{
    struct queue_fixture *queue = *state;
    struct submit_receipt receipt = {0};
    struct store_submission row;
    /* Two live ones with one key exist only when a late requeue brought one back; made here by hand. */
    int64_t ids[2] = {lms_submits_with_key(queue, "demo", "key"), 0};
    turn_begins(queue);
    assert_int_equal(store_find_submission(queue->store, ids[0], &row), STATUS_OK);
    struct submit_order order = submission_of("demo", "x");
    row.id = 0;
    assert_int_equal(store_insert_submission(queue->store, &row, &order.content, &order.request), STATUS_OK);
    queues_count_move(queue->queues, &row, 0, SUBMISSION_READY);
    ids[1] = row.id;
    turn_ends(queue);

    assert_int_equal(supersede(queue, &receipt), STATUS_OK);

    assert_int_equal(receipt.superseded_count, 2);
    assert_int_equal(receipt.superseded_ids[0], ids[0]);
    assert_int_equal(receipt.superseded_ids[1], ids[1]);
    assert_int_equal(receipt.ready_count, 1);
    memory_free(receipt.superseded_ids);
}

static void a_view_shows_the_submitters_own_and_an_admin_all(void **state)
{
    struct queue_fixture *queue = *state;
    struct submission_view view = {0};
    int64_t id = lms_submits(queue, "demo", "body");
    assert_int_equal(grader_completes(queue, poller_leases(queue, "g", 0), "right"), STATUS_OK);
    struct view_request own = {.id = id, .user = "lms", .with_content = true, .with_result = true};
    struct view_request foreign = {.id = id, .user = "another"};
    struct view_request admin = {.id = id, .user = "another", .may_see_all = true};
    struct view_request none = {.id = id + 1, .user = "lms", .may_see_all = true};

    turn_begins(queue);
    assert_int_equal(submitting_view(queue->queues, &foreign, &view, &queue->error), STATUS_NOT_FOUND);
    assert_string_equal(queue->error.reason, "SUBMISSION_NOT_FOUND");
    assert_int_equal(submitting_view(queue->queues, &none, &view, &queue->error), STATUS_NOT_FOUND);
    assert_int_equal(submitting_view(queue->queues, &admin, &view, &queue->error), STATUS_OK);
    assert_false(view.has_content);
    assert_false(view.has_result);
    assert_true(view.has_delivery);
    submission_view_finish(&view);
    assert_int_equal(submitting_view(queue->queues, &own, &view, &queue->error), STATUS_OK);
    turn_ends(queue);

    assert_string_equal(view.queue, "demo");
    assert_int_equal(view.row.state, SUBMISSION_GRADED);
    assert_memory_equal(view.content.body, "body", 4);
    assert_memory_equal(view.result.body, "right", 5);
    submission_view_finish(&view);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
        TEST(a_repeated_request_answers_the_first_submission),
        TEST(a_repeated_request_is_known_after_a_restart_and_within_one_batch),
        TEST(a_request_id_with_other_content_is_refused),
        TEST(a_full_queue_refuses_with_a_retry_delay_and_takes_again_when_there_is_room),
        TEST(a_full_queue_takes_what_replaces_one_that_waits_in_it),
        TEST(who_hands_in_too_fast_is_told_when_to_come_again),
        TEST(only_what_is_stored_counts_for_the_rate),
        TEST(a_body_over_the_queues_limit_is_refused),
        TEST(an_unknown_queue_is_not_found),
        TEST(a_stopping_service_takes_nothing),
        TEST(not_before_keeps_a_submission_back_for_so_long),
        TEST(what_is_not_graded_within_its_time_is_dead_and_the_student_hears_of_it),
        TEST(a_new_submission_supersedes_those_with_its_replace_key_in_every_live_state),
        TEST(several_are_superseded_at_once),
        TEST(a_view_shows_the_submitters_own_and_an_admin_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
