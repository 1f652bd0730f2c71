/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_queue_test_support */
/*
 * Bringing outcomes to the LMS.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "tests/support/queue_fixture.h"

#define LEASE_MS INT64_C(20000)
enum { RETRY_MS = 1000, ATTEMPTS_MAX = 3 };

static const char yaml[] = "delivery: {lease_ms: 20000, attempts_max: 3, retry_delay_ms: 1000}\n"
                           "callbacks: {timeout_ms: 10000}\n"
                           "queues:\n"
                           "  demo: {}\n";

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

static int64_t graded_with_key(struct queue_fixture *queue, const char *replace_key)
{
    int64_t id = lms_submits_with_key(queue, "demo", replace_key);
    assert_int_equal(grader_completes(queue, poller_leases(queue, "g", 0), "right"), STATUS_OK);
    return id;
}

static int64_t graded(struct queue_fixture *queue)
{
    return graded_with_key(queue, "");
}

static void a_delivery_brings_what_was_handed_in_and_what_was_answered(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = graded(queue);
    struct delivery_lease lease = {0};
    size_t count = 0;
    const struct delivery_order order = {.courier = "courier", .instance = "1", .channel = "", .max = 1, .bytes_max = 1};

    turn_begins(queue);
    assert_int_equal(delivering_lease(queue->queues, &order, &lease, &count), STATUS_OK);
    turn_ends(queue);

    assert_int_equal(count, 1);
    assert_int_equal(lease.row.submission_id, id);
    assert_int_equal(lease.row.attempt, 1);
    assert_string_equal(lease.queue, "demo");
    assert_string_equal(lease.content.callback_url, "http://lms.example.org/callback");
    assert_memory_equal(lease.result.body, "right", 5);
    delivery_lease_finish(&lease);
    assert_delivery(queue, id, DELIVERY_IN_FLIGHT, DELIVERY_OUTCOME_RESULT);
    assert_int_equal(courier_leases(queue, "1").submission_id, 0);
}

static void an_outcome_without_result_brings_its_message(void **state)
{
    struct queue_fixture *queue = *state;
    lms_submits(queue, "demo", "x");
    assert_int_equal(grader_gives_up(queue, poller_leases(queue, "g", 0), "no such problem"), STATUS_OK);
    struct delivery_lease lease = {0};
    size_t count = 0;
    const struct delivery_order order = {.courier = "courier", .instance = "1", .channel = "", .max = 1, .bytes_max = 1};

    turn_begins(queue);
    assert_int_equal(delivering_lease(queue->queues, &order, &lease, &count), STATUS_OK);
    turn_ends(queue);

    assert_int_equal(lease.row.outcome, DELIVERY_OUTCOME_UNGRADABLE);
    assert_string_equal(lease.message, "no such problem");
    assert_null(lease.result.body);
    delivery_lease_finish(&lease);
}

static void a_call_leases_no_more_than_its_number_and_its_bytes(void **state)
{
    struct queue_fixture *queue = *state;
    struct delivery_lease leases[5] = {0};
    size_t count = 0;
    struct delivery_order order = {.courier = "courier", .instance = "1", .channel = "", .max = 2, .bytes_max = 100000};
    for (int at = 0; at < 5; at++)
        graded(queue);

    turn_begins(queue);
    assert_int_equal(delivering_lease(queue->queues, &order, leases, &count), STATUS_OK);
    turn_ends(queue);
    assert_int_equal(count, 2);
    delivery_lease_finish(&leases[0]);
    delivery_lease_finish(&leases[1]);
    size_t size = strlen("http://lms.example.org/callback") + strlen("{\"queue\": \"demo\"}") + strlen("right");
    order.max = 5;
    order.bytes_max = size * 2 + 1;
    turn_begins(queue);
    assert_int_equal(delivering_lease(queue->queues, &order, leases, &count), STATUS_OK);
    turn_ends(queue);

    assert_int_equal(count, 2);
    delivery_lease_finish(&leases[0]);
    delivery_lease_finish(&leases[1]);
}

static void deliveries_of_another_channel_are_not_seen(void **state)
{
    struct queue_fixture *queue = *state;
    char none[] = "";
    char channel[] = "results";
    struct submit_order order = submission_of("demo", "x");
    struct submit_receipt receipt = {0};
    order.content.callback_url = none;
    order.content.results_channel = channel;
    assert_int_equal(lms_tries(queue, &order, &receipt), STATUS_OK);
    assert_int_equal(grader_completes(queue, poller_leases(queue, "g", 0), "x"), STATUS_OK);

    assert_int_equal(courier_leases(queue, "1").submission_id, 0);
    assert_delivery(queue, receipt.submission_id, DELIVERY_PENDING, DELIVERY_OUTCOME_RESULT);
}

static void deliveries_of_one_replace_key_go_out_in_order(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t older = graded_with_key(queue, "key");
    int64_t newer = graded_with_key(queue, "key");
    int64_t foreign = graded_with_key(queue, "key2");
    struct delivery_failure failure = {.message = "LMS down"};

    struct store_delivery first = courier_leases(queue, "1");
    assert_int_equal(first.submission_id, older);
    struct store_delivery other = courier_leases(queue, "1");
    assert_int_equal(other.submission_id, foreign);
    assert_int_equal(courier_leases(queue, "1").submission_id, 0);
    assert_int_equal(courier_fails(queue, &first, &failure), STATUS_OK);
    assert_int_equal(courier_leases(queue, "1").submission_id, 0);
    clock_advances(queue, RETRY_MS);
    first = courier_leases(queue, "1");
    assert_int_equal(first.submission_id, older);
    assert_int_equal(courier_acknowledges(queue, &first), STATUS_OK);

    assert_int_equal(courier_leases(queue, "1").submission_id, newer);
}

static void an_acknowledged_delivery_is_final_and_saying_it_again_is_fine(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = graded(queue);
    struct store_delivery delivery = courier_leases(queue, "1");

    assert_int_equal(courier_acknowledges(queue, &delivery), STATUS_OK);
    assert_int_equal(courier_acknowledges(queue, &delivery), STATUS_OK);

    assert_delivery(queue, id, DELIVERY_DELIVERED, DELIVERY_OUTCOME_RESULT);
    struct delivery_failure failure = {.message = ""};
    assert_int_equal(courier_fails(queue, &delivery, &failure), STATUS_STALE);
    clock_advances(queue, LEASE_MS * 10);
    assert_int_equal(courier_leases(queue, "1").submission_id, 0);
}

static void only_the_newest_key_of_a_delivery_counts(void **state)
{
    struct queue_fixture *queue = *state;
    graded(queue);
    struct store_delivery none = {.submission_id = 99};
    struct store_delivery old = courier_leases(queue, "1");
    clock_advances(queue, LEASE_MS);
    struct store_delivery new = courier_leases(queue, "1");
    struct delivery_failure failure = {.message = ""};

    assert_int_equal(courier_acknowledges(queue, &none), STATUS_NOT_FOUND);
    assert_int_equal(courier_acknowledges(queue, &old), STATUS_STALE);
    assert_int_equal(courier_fails(queue, &old, &failure), STATUS_STALE);
    assert_string_equal(queue->error.reason, "DELIVERY_STALE");
    assert_int_equal(courier_acknowledges(queue, &new), STATUS_OK);
}

static void an_empty_key_acknowledges_nothing(void **state)
{
    struct queue_fixture *queue = *state;
    struct store_delivery guessed = {.submission_id = graded(queue)};

    assert_int_equal(courier_acknowledges(queue, &guessed), STATUS_STALE);
}

static void a_failed_delivery_is_tried_again_after_growing_pauses_until_it_is_given_up(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = graded(queue);
    int64_t longest_ms = RETRY_MS;
    for (int64_t attempt = 1; attempt < ATTEMPTS_MAX; attempt++, longest_ms *= 2) {
        struct delivery_failure failure = {.message = "LMS down"};
        struct store_delivery delivery = courier_leases(queue, "1");
        assert_int_equal(delivery.attempt, attempt);
        assert_int_equal(courier_fails(queue, &delivery, &failure), STATUS_OK);
        assert_false(failure.out_undeliverable);
        assert_in_range(failure.out_retry_after_ms, longest_ms / 2, longest_ms);
        clock_advances(queue, failure.out_retry_after_ms - 1);
        assert_int_equal(courier_leases(queue, "1").submission_id, 0);
        clock_advances(queue, 1);
    }
    struct delivery_failure last = {.message = "LMS gone"};
    struct store_delivery delivery = courier_leases(queue, "1");
    assert_int_equal(courier_fails(queue, &delivery, &last), STATUS_OK);

    assert_true(last.out_undeliverable);
    assert_delivery(queue, id, DELIVERY_UNDELIVERABLE, DELIVERY_OUTCOME_RESULT);
    assert_int_equal(courier_acknowledges(queue, &delivery), STATUS_STALE);
    assert_int_equal(state_of(queue, id), SUBMISSION_GRADED);
}

static void a_permanent_failure_is_given_up_at_once(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = graded(queue);
    struct store_delivery delivery = courier_leases(queue, "1");
    struct delivery_failure failure = {.message = "no such host", .permanent = true};

    assert_int_equal(courier_fails(queue, &delivery, &failure), STATUS_OK);

    assert_true(failure.out_undeliverable);
    assert_delivery(queue, id, DELIVERY_UNDELIVERABLE, DELIVERY_OUTCOME_RESULT);
}

static void an_uncounted_failure_is_due_again_at_once(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = graded(queue);
    for (int at = 0; at < ATTEMPTS_MAX * 2; at++) {
        struct delivery_failure failure = {.message = "stopping", .uncounted = true};
        struct store_delivery delivery = courier_leases(queue, "1");
        assert_int_equal(delivery.submission_id, id);
        assert_int_equal(delivery.attempt, 1);
        assert_int_equal(courier_fails(queue, &delivery, &failure), STATUS_OK);
        assert_false(failure.out_undeliverable);
    }
}

static void a_failure_can_ask_for_a_longer_pause_but_not_for_more_than_a_day(void **state)
{
    struct queue_fixture *queue = *state;
    graded(queue);
    struct store_delivery delivery = courier_leases(queue, "1");
    struct delivery_failure failure = {.message = "", .retry_after_ms = INT64_MAX};

    assert_int_equal(courier_fails(queue, &delivery, &failure), STATUS_OK);

    assert_int_equal(failure.out_retry_after_ms, DELIVERING_RETRY_MS_MAX);
}

static void a_delivery_whose_courier_vanished_is_due_again_and_a_late_word_still_counts(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = graded(queue);
    struct store_delivery delivery = courier_leases(queue, "1");
    clock_advances(queue, LEASE_MS - 1);
    assert_delivery(queue, id, DELIVERY_IN_FLIGHT, DELIVERY_OUTCOME_RESULT);

    clock_advances(queue, 1);
    assert_delivery(queue, id, DELIVERY_PENDING, DELIVERY_OUTCOME_RESULT);
    assert_int_equal(courier_acknowledges(queue, &delivery), STATUS_OK);

    assert_delivery(queue, id, DELIVERY_DELIVERED, DELIVERY_OUTCOME_RESULT);
}

static void a_new_instance_of_the_courier_gets_what_the_earlier_one_still_held(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t ids[2] = {graded(queue), graded(queue)};
    struct store_delivery old = courier_leases(queue, "1");
    courier_leases(queue, "1");
    assert_int_equal(courier_leases(queue, "1").submission_id, 0);

    struct store_delivery first = courier_leases(queue, "2");
    struct store_delivery second = courier_leases(queue, "2");

    assert_int_equal(first.submission_id, ids[0]);
    assert_int_equal(second.submission_id, ids[1]);
    assert_int_equal(first.attempt, 2);
    assert_int_equal(courier_acknowledges(queue, &old), STATUS_STALE);
    assert_int_equal(courier_acknowledges(queue, &first), STATUS_OK);
}

static void deliveries_survive_a_restart(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = graded(queue);
    struct store_delivery delivery = courier_leases(queue, "1");

    queue_fixture_restart(queue);

    assert_int_equal(courier_acknowledges(queue, &delivery), STATUS_OK);
    assert_delivery(queue, id, DELIVERY_DELIVERED, DELIVERY_OUTCOME_RESULT);
}

static void the_next_due_time_knows_overdue_couriers(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = graded(queue);
    courier_leases(queue, "1");

    clock_advances_to_due(queue, INT64_C(1) << 40);

    assert_int_equal(queue->now_ms, QUEUE_FIXTURE_START_MS + LEASE_MS);
    assert_delivery(queue, id, DELIVERY_PENDING, DELIVERY_OUTCOME_RESULT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
        TEST(a_delivery_brings_what_was_handed_in_and_what_was_answered),
        TEST(an_outcome_without_result_brings_its_message),
        TEST(a_call_leases_no_more_than_its_number_and_its_bytes),
        TEST(deliveries_of_another_channel_are_not_seen),
        TEST(deliveries_of_one_replace_key_go_out_in_order),
        TEST(an_acknowledged_delivery_is_final_and_saying_it_again_is_fine),
        TEST(only_the_newest_key_of_a_delivery_counts),
        TEST(an_empty_key_acknowledges_nothing),
        TEST(a_failed_delivery_is_tried_again_after_growing_pauses_until_it_is_given_up),
        TEST(a_permanent_failure_is_given_up_at_once),
        TEST(an_uncounted_failure_is_due_again_at_once),
        TEST(a_failure_can_ask_for_a_longer_pause_but_not_for_more_than_a_day),
        TEST(a_delivery_whose_courier_vanished_is_due_again_and_a_late_word_still_counts),
        TEST(a_new_instance_of_the_courier_gets_what_the_earlier_one_still_held),
        TEST(deliveries_survive_a_restart),
        TEST(the_next_due_time_knows_overdue_couriers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
