/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_queue_test_support */
/*
 * A batch that could not be stored: memory is what the store is afterwards, graders hear nothing that is not true, and it goes
 * on. With the disk full at every write of a batch.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "tests/support/faulty_vfs.h"
#include "tests/support/queue_fixture.h"

enum { LEASE_MS = 60000, ROUNDS_MAX = 500, BODY_BYTES = 40000 };

static int set_up(void **state)
{
    faulty_vfs_install();
    *state = queue_fixture_create(NULL);
    return 0;
}

static int tear_down(void **state)
{
    queue_fixture_check(*state);
    queue_fixture_destroy(*state);
    faulty_vfs_remove();
    return 0;
}

static void a_submission_that_was_not_stored_is_nowhere(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t kept = lms_submits_with_key(queue, "demo", "key");

    turn_begins(queue);
    lms_submits_with_key(queue, "demo", "key");
    turn_fails(queue);

    queue_fixture_check(queue);
    assert_int_equal(state_of(queue, kept), SUBMISSION_READY);
    assert_int_equal(queues_find(queue->queues, "demo")->ready_count, 1);
    assert_int_equal(poller_leases(queue, "g", 0).id, kept);
}

static void a_grant_that_was_not_stored_is_not_told_and_gives_its_credit_back(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    lms_submits(queue, "demo", "12345");
    grader_connects(queue, &grader, "g", "1", 4);

    turn_begins(queue);
    work_session_credit(queue->queues, grader.session, 1, 5);
    queues_tick(queue->queues);
    assert_int_equal(grader.session->credit, 0);
    turn_fails(queue);

    grader_hears_nothing(&grader);
    assert_int_equal(grader.session->credit, 1);
    assert_int_equal(grader.session->credit_bytes, 5);
    queue_fixture_check(queue);
    clock_advances(queue, 0);
    grader_takes(queue, &grader);
}

static void a_result_that_was_not_stored_leaves_its_lease_with_the_stream(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    lms_submits(queue, "demo", "x");
    grader_connects(queue, &grader, "g", "1", 4);
    grader_gives_credit(queue, &grader, 1);
    struct lease lease = grader_takes(queue, &grader);

    turn_begins(queue);
    assert_int_equal(grader_completes(queue, lease, "right"), STATUS_OK);
    turn_fails(queue);

    queue_fixture_check(queue);
    const struct live_lease *live = lease_table_find(&queue->queues->leases, lease.id);
    assert_true(live->streamed);
    assert_true(live->counted);
    assert_string_equal(live->instance, "1");
    turn_begins(queue);
    work_session_drain(queue->queues, grader.session);
    turn_ends(queue);
    grader_hears_nothing(&grader);
    assert_int_equal(grader_completes(queue, lease, "right"), STATUS_OK);
    assert_int_equal(grader_hears(&grader, GRADER_NOTICE_FINISH).notice.status, STATUS_OK);
}

static void a_lease_that_got_grace_has_it_after_a_failed_batch(void **state)
{
    struct queue_fixture *queue = *state;
    lms_submits(queue, "demo", "x");
    struct lease lease = poller_leases(queue, "g", 0);
    clock_advances(queue, LEASE_MS / 2);
    queue_fixture_restart(queue);
    int64_t good_until_ms = lease_table_find(&queue->queues->leases, lease.id)->expires_at_ms;
    assert_int_equal(good_until_ms, queue->now_ms + LEASE_MS);

    turn_begins(queue);
    assert_int_equal(grader_completes(queue, lease, "right"), STATUS_OK);
    turn_fails(queue);

    assert_int_equal(lease_table_find(&queue->queues->leases, lease.id)->expires_at_ms, good_until_ms);
    clock_advances(queue, LEASE_MS - 1);
    assert_int_equal(grader_completes(queue, lease, "right"), STATUS_OK);
}

static void a_polled_lease_stays_the_pollers_after_a_failed_batch(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    lms_submits(queue, "demo", "x");
    grader_connects(queue, &grader, "g", "1", 4);
    struct lease lease = poller_leases(queue, "g", 0);

    turn_begins(queue);
    assert_int_equal(grader_completes(queue, lease, "right"), STATUS_OK);
    turn_fails(queue);

    assert_false(lease_table_find(&queue->queues->leases, lease.id)->streamed);
    grader_vanishes(queue, &grader);
    struct scripted_grader next;
    grader_connects(queue, &next, "g", "2", 4); /* takes back what the stream of instance 1 held, which is nothing */
    assert_int_equal(state_of(queue, lease.id), SUBMISSION_LEASED);
    assert_int_equal(grader_completes(queue, lease, "right"), STATUS_OK);
}

static void check_handed_back(struct queue_fixture *queue, bool ends)
{
    struct scripted_grader before;
    struct scripted_grader heir;
    static char demo[] = "demo";
    char *const queues[] = {demo};
    struct held_answer answer = {0};
    lms_submits(queue, "demo", "x");
    grader_connects(queue, &before, "a", "1", 4);
    grader_gives_credit(queue, &before, 1);
    struct lease lease = grader_takes(queue, &before);
    const struct lease_name name = {.submission_id = lease.id, .key = lease.key};
    const struct work_hello hello = {
        .grader = "b", .instance = "7", .queues = queues, .queue_count = 1, .slots = 1, .held = &name, .held_count = 1};

    turn_begins(queue);
    assert_int_equal(grader_tries_hello(queue, &heir, &hello, &answer), STATUS_OK);
    if (ends)
        assert_int_equal(grader_completes(queue, lease, "right"), STATUS_OK);
    turn_fails(queue);

    queue_fixture_check(queue);
    assert_string_equal(lease_table_find(&queue->queues->leases, lease.id)->grader->name, "a");
    grader_vanishes(queue, &before);
    grader_connects(queue, &before, "a", "1", 4);
    grader_vanishes(queue, &heir);
    grader_connects(queue, &heir, "b", "8", 4); /* another start of who does not have it */
    assert_int_equal(state_of(queue, lease.id), SUBMISSION_LEASED);
    assert_int_equal(grader_completes(queue, lease, "right"), STATUS_OK);
}

static void a_lease_taken_over_in_a_failed_batch_is_handed_back(void **state)
{
    check_handed_back(*state, false);
}

static void a_lease_taken_over_and_ended_in_a_failed_batch_is_handed_back(void **state)
{
    check_handed_back(*state, true);
}

static void a_drain_that_ended_with_an_unstored_result_is_not_told_as_done(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    lms_submits(queue, "demo", "x");
    grader_connects(queue, &grader, "g", "1", 4);
    grader_gives_credit(queue, &grader, 1);
    struct lease lease = grader_takes(queue, &grader);
    turn_begins(queue);
    work_session_drain(queue->queues, grader.session);
    turn_ends(queue);

    turn_begins(queue);
    assert_int_equal(grader_completes(queue, lease, "right"), STATUS_OK);
    turn_fails(queue);

    struct told end = grader_hears(&grader, GRADER_NOTICE_FINISH);
    assert_int_equal(end.notice.status, STATUS_UNAVAILABLE);
    assert_string_equal(end.notice.error.reason, "STORAGE_FULL");
    assert_int_equal(state_of(queue, lease.id), SUBMISSION_LEASED);
    assert_int_equal(grader_completes(queue, lease, "right"), STATUS_OK);
}

static void a_loss_that_was_not_stored_is_not_told(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    lms_submits_with_key(queue, "demo", "key");
    grader_connects(queue, &grader, "g", "1", 4);
    grader_gives_credit(queue, &grader, 1);
    struct lease lease = grader_takes(queue, &grader);

    turn_begins(queue);
    lms_submits_with_key(queue, "demo", "key");
    turn_fails(queue);

    grader_hears_nothing(&grader);
    queue_fixture_check(queue);
    assert_int_equal(grader_completes(queue, lease, "right"), STATUS_OK);
}

static void a_renewal_that_was_not_stored_is_stored_next_time(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_submits(queue, "demo", "x");
    struct lease lease = poller_leases(queue, "g", 0);
    int64_t stored_ms = submission_now(queue, id).lease_expires_at_ms;
    queue->now_ms += 1000;

    turn_begins(queue);
    assert_int_equal(grader_renews(queue, lease, NULL), STATUS_OK);
    turn_fails(queue);
    assert_int_equal(submission_now(queue, id).lease_expires_at_ms, stored_ms);
    queue_fixture_check(queue);
    assert_int_equal(grader_renews(queue, lease, NULL), STATUS_OK);

    assert_true(submission_now(queue, id).lease_expires_at_ms >= queue->now_ms + LEASE_MS);
}

static void a_session_opened_in_a_failed_batch_can_be_abandoned(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;

    turn_begins(queue);
    grader_connects(queue, &grader, "g", "1", 4);
    turn_fails(queue);

    grader_vanishes(queue, &grader);
    assert_int_equal(map_count(&queue->queues->graders.by_name), 0);
}

/* A batch of everything: submit, supersede, grant, complete, fail, renew. False: the disk was full. */
static bool run_batch(struct queue_fixture *queue, const struct lease held[3])
{
    static char body[BODY_BYTES];
    struct submit_order order = submission_of("demo", "x");
    struct submit_receipt receipt = {0};
    struct grading_failure failure = {.message = "broken"};
    struct grading_completion completion = {0};
    struct error error;
    const struct store_bytes result = {.data = body, .length = sizeof body};
    order.content.body = body;
    order.content.body_length = sizeof body;
    order.replace_key = (const uint8_t *)"key";
    order.replace_key_length = 3;
    struct queues *queues = queue->queues;
    enum status status = store_begin(queue->store);
    queues->now_ms = queue->now_ms;
    if (status == STATUS_OK)
        status = submitting_submit(queues, &order, &receipt, &error);
    memory_free(receipt.superseded_ids);
    if (status == STATUS_OK)
        status = grading_complete(queues, (struct lease_name){held[0].id, held[0].key}, result, false, &completion, &error);
    if (status == STATUS_OK)
        status = grading_fail(queues, (struct lease_name){held[1].id, held[1].key}, &failure, &error);
    if (status == STATUS_OK)
        queues_tick(queues);
    if (queues->failure != STATUS_OK)
        status = queues->failure;
    if (status == STATUS_OK)
        status = store_commit(queue->store);
    if (status == STATUS_OK) {
        queues_apply_effects(queues);
        return true;
    }
    assert_int_equal(status, STATUS_FULL);
    return false;
}

static void a_full_disk_at_any_write_leaves_memory_as_the_store_is(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    struct lease held[3];
    struct store_delivery delivery;
    int failures = 0;
    bool done = false;
    lms_submits(queue, "demo", "a");
    lms_submits(queue, "demo", "b");
    lms_submits_with_key(queue, "demo", "key");
    grader_connects(queue, &grader, "g", "1", 4);
    grader_gives_credit(queue, &grader, 3);
    for (size_t at = 0; at < 3; at++)
        held[at] = grader_takes(queue, &grader);
    grader_gives_credit(queue, &grader, 1);

    for (int nth = 1; nth < ROUNDS_MAX && !done; nth++) {
        faulty_vfs_fail(FAULTY_WRITE_FULL, nth);
        done = run_batch(queue, held);
        faulty_vfs_heal();
        if (done)
            break;
        failures++;
        turn_fails(queue);
        queue_fixture_check(queue);
        grader_hears_nothing(&grader);
        assert_int_equal(grader.session->credit, 1);
        assert_int_equal(lease_table_count(&queue->queues->leases), 3);
        assert_int_equal(state_of(queue, held[0].id), SUBMISSION_LEASED);
        assert_int_equal(delivery_of(queue, held[0].id, &delivery), STATUS_NOT_FOUND);
    }

    assert_true(done);
    assert_true(failures > BODY_BYTES / 4096);
    assert_int_equal(state_of(queue, held[0].id), SUBMISSION_GRADED);
    assert_int_equal(state_of(queue, held[1].id), SUBMISSION_DELAYED);
    assert_int_equal(submission_now(queue, held[1].id).failures, 1);
    assert_int_equal(state_of(queue, held[2].id), SUBMISSION_SUPERSEDED);
    assert_int_equal(grader_hears(&grader, GRADER_NOTICE_LOST).lease.id, held[2].id);
    grader_hears(&grader, GRADER_NOTICE_GRANT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
        TEST(a_submission_that_was_not_stored_is_nowhere),
        TEST(a_grant_that_was_not_stored_is_not_told_and_gives_its_credit_back),
        TEST(a_result_that_was_not_stored_leaves_its_lease_with_the_stream),
        TEST(a_lease_that_got_grace_has_it_after_a_failed_batch),
        TEST(a_polled_lease_stays_the_pollers_after_a_failed_batch),
        TEST(a_lease_taken_over_in_a_failed_batch_is_handed_back),
        TEST(a_lease_taken_over_and_ended_in_a_failed_batch_is_handed_back),
        TEST(a_drain_that_ended_with_an_unstored_result_is_not_told_as_done),
        TEST(a_loss_that_was_not_stored_is_not_told),
        TEST(a_renewal_that_was_not_stored_is_stored_next_time),
        TEST(a_session_opened_in_a_failed_batch_can_be_abandoned),
        TEST(a_full_disk_at_any_write_leaves_memory_as_the_store_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
