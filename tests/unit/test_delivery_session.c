/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_queue_test_support */
/*
 * A courier on a results channel, without its stream: what a full disk and a restart leave of it, and whom news wake.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service/delivery_session.h"
#include "tests/support/queue_fixture.h"

/* A courier whose looks the test makes. */
struct courier {
    struct engine_command command;
    struct delivery_session session;
    struct delivery_name last; /* what it got last */
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

static int64_t is_graded(struct queue_fixture *queue)
{
    struct submit_order order = submission_of("demo", "x");
    struct submit_receipt receipt = {0};
    order.content.callback_url = (char *)(uintptr_t) "";
    order.content.results_channel = (char *)(uintptr_t) "channel";
    assert_int_equal(lms_tries(queue, &order, &receipt), STATUS_OK);
    assert_int_equal(grader_completes(queue, poller_leases(queue, "g", 0), "right"), STATUS_OK);
    return receipt.submission_id;
}

static void opens(struct queue_fixture *queue, struct courier *courier, const struct delivery_name *held)
{
    const struct delivery_greeting greeting = {
        .courier = "lms", .instance = "1", .channel = "channel", .credit = 1, .held = held, .held_count = held ? 1 : 0};
    memset(courier, 0, sizeof *courier);
    courier->session.command = &courier->command;
    turn_begins(queue);
    assert_int_equal(delivery_session_open(queue->queues, &courier->session, &greeting, &queue->error), STATUS_OK);
    turn_ends(queue);
}

/* In the running turn; the id, or 0. */
static int64_t leases(struct queue_fixture *queue, struct courier *courier, struct store_delivery *out_row)
{
    struct delivery_lease out[DELIVERY_SESSION_LEASES_MAX];
    size_t count = 0;
    assert_int_equal(delivery_session_lease(queue->queues, &courier->session, out, &count), STATUS_OK);
    assert_true(count <= 1); /* its credit */
    if (count == 0)
        return 0;
    *out_row = out[0].row;
    delivery_lease_finish(&out[0]);
    return out_row->submission_id;
}

/* A turn in which it gets one, and its sending. */
static int64_t gets(struct queue_fixture *queue, struct courier *courier)
{
    struct store_delivery row;
    turn_begins(queue);
    int64_t id = leases(queue, courier, &row);
    turn_ends(queue);
    if (id != 0) {
        delivery_session_sent(&courier->session, &row);
        courier->last.submission_id = id;
        memcpy(courier->last.key, row.lease_key, sizeof courier->last.key);
    }
    return id;
}

static enum status acknowledges(struct queue_fixture *queue, const struct delivery_name *name)
{
    bool already = false;
    return delivering_acknowledge(queue->queues, name->submission_id, name->key, &already, &queue->error);
}

static enum delivery_state delivery_state_of(struct queue_fixture *queue, int64_t id)
{
    struct store_delivery row = {.state = DELIVERY_NONE};
    assert_int_equal(delivery_of(queue, id, &row), STATUS_OK);
    return row.state;
}

static void a_lease_that_was_not_stored_is_due_as_before(void **state)
{
    struct queue_fixture *queue = *state;
    struct courier courier;
    struct store_delivery row;
    int64_t id = is_graded(queue);
    opens(queue, &courier, NULL);

    turn_begins(queue);
    assert_int_equal(leases(queue, &courier, &row), id);
    turn_fails(queue); /* so it is not sent */

    assert_int_equal(delivery_state_of(queue, id), DELIVERY_PENDING);
    assert_int_equal(gets(queue, &courier), id);
    assert_int_equal(gets(queue, &courier), 0); /* its credit is used up */
    delivery_session_close(queue->queues, &courier.session);
}

static void an_acknowledgement_that_was_not_stored_counts_when_it_comes_again(void **state)
{
    struct queue_fixture *queue = *state;
    struct courier courier;
    int64_t id = is_graded(queue);
    opens(queue, &courier, NULL);
    assert_int_equal(gets(queue, &courier), id);
    struct delivery_name name = courier.last;

    turn_begins(queue);
    assert_int_equal(acknowledges(queue, &name), STATUS_OK);
    turn_fails(queue);
    assert_int_equal(delivery_state_of(queue, id), DELIVERY_IN_FLIGHT);
    delivery_session_close(queue->queues, &courier.session); /* its stream ends with that */

    opens(queue, &courier, &name);
    assert_int_equal(gets(queue, &courier), 0); /* it has it */
    turn_begins(queue);
    assert_int_equal(acknowledges(queue, &name), STATUS_OK);
    turn_ends(queue);
    assert_int_equal(delivery_state_of(queue, id), DELIVERY_DELIVERED);
    delivery_session_close(queue->queues, &courier.session);
}

static void after_a_restart_the_instance_goes_on(void **state)
{
    struct queue_fixture *queue = *state;
    struct courier courier;
    int64_t id = is_graded(queue);
    opens(queue, &courier, NULL);
    assert_int_equal(gets(queue, &courier), id);
    struct delivery_name name = courier.last;
    delivery_session_close(queue->queues, &courier.session);
    queue_fixture_restart(queue);

    opens(queue, &courier, NULL); /* it did not arrive */

    assert_int_equal(gets(queue, &courier), id);
    assert_string_not_equal(courier.last.key, name.key);
    struct store_delivery row;
    assert_int_equal(delivery_of(queue, id, &row), STATUS_OK);
    assert_int_equal(row.attempt, 1);
    delivery_session_close(queue->queues, &courier.session);
}

/* Is one who waits asked to look, now? */
static bool is_woken(struct queue_fixture *queue)
{
    struct engine_command waiting = {0};
    turn_begins(queue);
    queues_park(queue->queues, &waiting, &queue->queues->delivery_polls, INT64_MAX);
    delivering_tick(queue->queues);
    bool woken = waiting.park == NULL;
    queues_unpark(queue->queues, &waiting);
    list_remove(&queue->queues->unparked, &waiting.node); /* the test is the engine */
    turn_ends(queue);
    return woken;
}

static void couriers_are_woken_by_news_only(void **state)
{
    struct queue_fixture *queue = *state;
    assert_false(is_woken(queue));

    is_graded(queue);
    assert_true(is_woken(queue)); /* for another channel, perhaps: it looks */
    clock_advances(queue, 1000);
    assert_false(is_woken(queue)); /* nothing new, though it is still due */
    is_graded(queue);
    assert_true(is_woken(queue));

    turn_begins(queue);
    turn_fails(queue);
    assert_true(is_woken(queue)); /* after a rollback nobody knows who was asked: once more */
    assert_false(is_woken(queue));
}

static void a_retry_wakes_when_it_is_due(void **state)
{
    struct queue_fixture *queue = *state;
    struct courier courier;
    struct delivery_failure failure = {.message = "", .uncounted = true, .retry_after_ms = 5000};
    int64_t id = is_graded(queue);
    opens(queue, &courier, NULL);
    assert_int_equal(gets(queue, &courier), id);
    turn_begins(queue);
    assert_int_equal(delivering_fail(queue->queues, id, courier.last.key, &failure, &queue->error), STATUS_OK);
    turn_ends(queue);
    assert_false(is_woken(queue));

    clock_advances(queue, 4999);
    assert_false(is_woken(queue));
    clock_advances(queue, 1);
    assert_true(is_woken(queue));
    delivery_session_close(queue->queues, &courier.session);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_lease_that_was_not_stored_is_due_as_before),
        TEST(an_acknowledgement_that_was_not_stored_counts_when_it_comes_again),
        TEST(after_a_restart_the_instance_goes_on),
        TEST(couriers_are_woken_by_news_only),
        TEST(a_retry_wakes_when_it_is_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
