/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_queue_test_support */
/*
 * Who gets which submission, and until when it is his.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "tests/support/queue_fixture.h"

#define LEASE_MS INT64_C(60000)
enum { ACCEPT_MS = 10000, HARD_LIMIT_MS = 150000 };

static const char yaml[] = "queues:\n"
                           "  demo: {lease_ms: 60000, accept_within_ms: 10000, hard_limit_ms: 150000, attempts_max: 3,"
                           " retry_delay_ms: 5000}\n";

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

static void submissions_are_granted_in_the_order_in_which_they_came(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t ids[3];
    for (size_t at = 0; at < 3; at++)
        ids[at] = lms_submits(queue, "demo", "x");

    for (size_t at = 0; at < 3; at++)
        assert_int_equal(poller_leases(queue, "g", 0).id, ids[at]);
    assert_int_equal(poller_leases(queue, "g", 0).id, 0);
}

static void a_class_of_priority_goes_before_the_order_of_coming(void **state)
{
    struct queue_fixture *queue = *state;
    struct submit_receipt receipts[3];
    const uint32_t priorities[3] = {2, 0, 1};
    for (size_t at = 0; at < 3; at++) {
        struct submit_order order = submission_of("demo", "x");
        order.priority = priorities[at];
        assert_int_equal(lms_tries(queue, &order, &receipts[at]), STATUS_OK);
    }

    assert_int_equal(poller_leases(queue, "g", 0).id, receipts[2].submission_id);
    assert_int_equal(poller_leases(queue, "g", 0).id, receipts[1].submission_id);
    assert_int_equal(poller_leases(queue, "g", 0).id, receipts[0].submission_id);
}

static void a_waiting_grader_is_granted_a_submission_in_the_turn_that_stores_it(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    grader_connects(queue, &grader, "g", "1", 5);
    grader_gives_credit(queue, &grader, 2);

    int64_t id = lms_submits(queue, "demo", "four");

    struct told grant = grader_hears(&grader, GRADER_NOTICE_GRANT);
    assert_int_equal(grant.lease.id, id);
    assert_int_equal(grant.attempt, 1);
    assert_int_equal(grant.body_length, 4);
    assert_int_equal(state_of(queue, id), SUBMISSION_LEASED);
    assert_int_equal(submission_now(queue, id).lease_expires_at_ms, QUEUE_FIXTURE_START_MS + LEASE_MS);
}

/* Each way back: the first submission is granted, comes back, and is granted again before the second. */
static void check_back_in_place(struct queue_fixture *queue, int64_t id, int64_t failures)
{
    struct store_submission row = submission_now(queue, id);
    assert_int_equal(row.state, SUBMISSION_READY);
    assert_int_equal(row.failures, failures);
    struct lease lease = poller_leases(queue, "other", 0);
    assert_int_equal(lease.id, id);
    assert_int_equal(submission_now(queue, id).attempt, 2);
    assert_int_equal(grader_completes(queue, lease, "done"), STATUS_OK);
}

static void an_expired_lease_returns_to_its_place_and_counts(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_submits(queue, "demo", "first");
    lms_submits(queue, "demo", "second");
    poller_leases(queue, "g", 0);

    clock_advances(queue, LEASE_MS - 1);
    assert_int_equal(state_of(queue, id), SUBMISSION_LEASED);
    clock_advances(queue, 1);

    assert_string_equal(submission_now(queue, id).message, "the grader did not renew its lease in time");
    check_back_in_place(queue, id, 1);
}

static void a_grant_that_is_not_accepted_returns_to_its_place_uncounted(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    int64_t id = lms_submits(queue, "demo", "first");
    lms_submits(queue, "demo", "second");
    grader_connects(queue, &grader, "g", "1", 5);
    grader_gives_credit(queue, &grader, 1);
    struct lease lease = grader_hears(&grader, GRADER_NOTICE_GRANT).lease;

    clock_advances(queue, ACCEPT_MS - 1);
    grader_hears_nothing(&grader);
    clock_advances(queue, 1);

    struct told lost = grader_hears(&grader, GRADER_NOTICE_LOST);
    assert_int_equal(lost.notice.reason, LOST_NOT_ACCEPTED);
    assert_string_equal(lost.lease.key, lease.key);
    assert_int_equal(grader_accepts(queue, lease), STATUS_STALE);
    check_back_in_place(queue, id, 0);
}

static void a_released_submission_returns_to_its_place_uncounted(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_submits(queue, "demo", "first");
    lms_submits(queue, "demo", "second");
    struct lease lease = poller_leases(queue, "g", 0);

    assert_int_equal(grader_releases(queue, lease, 0), STATUS_OK);

    assert_int_equal(grader_completes(queue, lease, "late"), STATUS_STALE);
    check_back_in_place(queue, id, 0);
}

static void a_submission_released_with_a_delay_is_kept_from_all_graders_for_so_long(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_submits(queue, "demo", "first");
    struct lease lease = poller_leases(queue, "g", 0);

    assert_int_equal(grader_releases(queue, lease, 7000), STATUS_OK);

    assert_int_equal(state_of(queue, id), SUBMISSION_DELAYED);
    clock_advances(queue, 6999);
    assert_int_equal(poller_leases(queue, "g", 0).id, 0);
    clock_advances(queue, 1);
    check_back_in_place(queue, id, 0);
}

static void a_release_delay_is_cut_to_an_hour(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_submits(queue, "demo", "first");

    assert_int_equal(grader_releases(queue, poller_leases(queue, "g", 0), INT64_MAX), STATUS_OK);

    assert_int_equal(submission_now(queue, id).ready_at_ms, QUEUE_FIXTURE_START_MS + GRADING_RELEASE_MS_MAX);
}

static void an_accepted_grant_that_is_not_renewed_expires_and_counts(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    int64_t id = lms_submits(queue, "demo", "first");
    grader_connects(queue, &grader, "g", "1", 5);
    grader_gives_credit(queue, &grader, 1);
    grader_takes(queue, &grader);
    grader_vanishes(queue, &grader);

    clock_advances(queue, LEASE_MS);

    check_back_in_place(queue, id, 1);
}

static void the_holder_is_warned_once_before_the_lease_ends_and_told_when_it_has(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    lms_submits(queue, "demo", "first");
    grader_connects(queue, &grader, "g", "1", 5);
    grader_gives_credit(queue, &grader, 1);
    struct lease lease = grader_takes(queue, &grader);

    clock_advances(queue, LEASE_MS * 3 / 4 - 1);
    work_session_heard(queue->queues, grader.session);
    while (grader.first != grader.count)
        grader_hears(&grader, GRADER_NOTICE_PING);
    clock_advances(queue, 1);
    struct told soon = grader_hears(&grader, GRADER_NOTICE_SOON);
    clock_advances(queue, 1000);
    grader_hears_nothing(&grader);
    clock_advances(queue, LEASE_MS / 4 - 1000);

    assert_string_equal(soon.lease.key, lease.key);
    assert_int_equal(soon.notice.duration_ms, LEASE_MS / 4);
    assert_int_equal(grader_hears(&grader, GRADER_NOTICE_LOST).notice.reason, LOST_EXPIRED);
}

static void renewing_gives_a_full_length_from_now_until_the_hard_limit_ends_it(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t expires_in_ms = 0;
    int64_t id = lms_submits(queue, "demo", "first");
    struct lease lease = poller_leases(queue, "g", 0);

    clock_advances(queue, 50000);
    assert_int_equal(grader_renews(queue, lease, &expires_in_ms), STATUS_OK);
    assert_int_equal(expires_in_ms, LEASE_MS);
    clock_advances(queue, 50000);
    assert_int_equal(grader_renews(queue, lease, &expires_in_ms), STATUS_OK);
    assert_int_equal(expires_in_ms, HARD_LIMIT_MS - 100000);
    clock_advances(queue, 49999);
    assert_int_equal(grader_renews(queue, lease, &expires_in_ms), STATUS_OK);
    assert_int_equal(expires_in_ms, 1);

    clock_advances(queue, 1);

    assert_int_equal(grader_renews(queue, lease, NULL), STATUS_STALE);
    check_back_in_place(queue, id, 1);
}

static void nothing_is_renewed_at_the_hard_limit_even_before_the_tick_has_seen_it(void **state)
{
    struct queue_fixture *queue = *state;
    lms_submits(queue, "demo", "first");
    struct lease lease = poller_leases(queue, "g", 0);
    clock_advances(queue, 50000);
    assert_int_equal(grader_renews(queue, lease, NULL), STATUS_OK);
    clock_advances(queue, 50000);
    assert_int_equal(grader_renews(queue, lease, NULL), STATUS_OK);

    queue->now_ms += 50000;

    assert_int_equal(grader_renews(queue, lease, NULL), STATUS_STALE);
    assert_string_equal(queue->error.reason, "LEASE_STALE");
}

static struct told hear_not_ping(struct scripted_grader *grader)
{
    while (grader->first != grader->count && grader->told[grader->first].notice.kind == GRADER_NOTICE_PING)
        grader_hears(grader, GRADER_NOTICE_PING);
    assert_true(grader->first != grader->count);
    return grader_hears(grader, grader->told[grader->first].notice.kind);
}

static void the_holder_is_warned_once_of_the_hard_limit_however_often_it_renews(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    lms_submits(queue, "demo", "first");
    grader_connects(queue, &grader, "g", "1", 5);
    grader_gives_credit(queue, &grader, 1);
    struct lease lease = grader_takes(queue, &grader);
    int soon = 0;

    for (int64_t ms = 5000; ms <= HARD_LIMIT_MS; ms += 5000) {
        work_session_heard(queue->queues, grader.session);
        clock_advances(queue, 5000);
        /* A gap, after which it has been warned of the end of an ordinary lease already. */
        if ((ms < 40000 || ms > 85000) && ms < HARD_LIMIT_MS)
            assert_int_equal(grader_renews(queue, lease, NULL), STATUS_OK);
        while (grader.first != grader.count) {
            enum grader_notice_kind kind = grader.told[grader.first].notice.kind;
            if (kind == GRADER_NOTICE_LOST)
                break;
            grader_hears(&grader, kind);
            soon += kind == GRADER_NOTICE_SOON;
        }
    }

    assert_int_equal(soon, 2);
    assert_int_equal(hear_not_ping(&grader).notice.reason, LOST_HARD_LIMIT);
}

static enum status grader_reports(struct queue_fixture *queue, struct lease lease, const struct progress *progress)
{
    turn_begins(queue);
    enum status status = grading_report(queue->queues, (struct lease_name){.submission_id = lease.id, .key = lease.key},
                                        progress, &queue->error);
    turn_ends(queue);
    return status;
}

static void the_latest_note_of_a_holder_is_kept_as_long_as_it_holds(void **state)
{
    struct queue_fixture *queue = *state;
    const struct progress early = {.phase = "compiling", .percent = 10, .note = "3 files"};
    const struct progress late = {.phase = "testing", .percent = 60, .note = "test 6 of 10"};
    lms_submits(queue, "demo", "first");
    struct lease lease = poller_leases(queue, "g", 0);
    int64_t expires_at_ms = lease_table_find(&queue->queues->leases, lease.id)->expires_at_ms;
    assert_null(grading_progress(queue->queues, lease.id));

    clock_advances(queue, 1000);
    assert_int_equal(grader_reports(queue, lease, &early), STATUS_OK);
    assert_int_equal(grader_reports(queue, lease, &late), STATUS_OK);

    const struct progress *kept = grading_progress(queue->queues, lease.id);
    assert_string_equal(kept->phase, "testing");
    assert_int_equal(kept->percent, 60);
    assert_string_equal(kept->note, "test 6 of 10");
    assert_int_equal(lease_table_find(&queue->queues->leases, lease.id)->expires_at_ms, expires_at_ms); /* not renewed */
    struct lease another = lease;
    another.key[0] = another.key[0] == 'x' ? 'y' : 'x';
    assert_int_equal(grader_reports(queue, another, &early), STATUS_STALE);
    assert_int_equal(grading_progress(queue->queues, lease.id)->percent, 60);
    assert_int_equal(grader_releases(queue, lease, 0), STATUS_OK);
    assert_null(grading_progress(queue->queues, lease.id));
    assert_int_equal(grader_reports(queue, lease, &late), STATUS_STALE);
}

static void renewing_writes_the_store_rarely(void **state)
{
    struct queue_fixture *queue = *state;
    lms_submits(queue, "demo", "first");
    struct lease lease = poller_leases(queue, "g", 0);
    int64_t stored_ms = submission_now(queue, lease.id).lease_expires_at_ms;
    int writes = 0;

    for (int step = 0; step < 9; step++) {
        clock_advances(queue, 10000);
        assert_int_equal(grader_renews(queue, lease, NULL), STATUS_OK);
        int64_t now_stored_ms = submission_now(queue, lease.id).lease_expires_at_ms;
        writes += now_stored_ms != stored_ms;
        stored_ms = now_stored_ms;
        int64_t promised_ms = queue->now_ms + LEASE_MS < QUEUE_FIXTURE_START_MS + HARD_LIMIT_MS
                                  ? queue->now_ms + LEASE_MS
                                  : QUEUE_FIXTURE_START_MS + HARD_LIMIT_MS;
        assert_true(stored_ms >= promised_ms);
    }

    assert_in_range(writes, 1, 3);
}

static void after_a_restart_every_live_lease_gets_a_full_length_and_its_expiry_is_not_counted(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_submits(queue, "demo", "first");
    poller_leases(queue, "g", 0);

    queue->now_ms += LEASE_MS * 10;
    queue_fixture_restart(queue);
    clock_advances(queue, LEASE_MS - 1);
    assert_int_equal(state_of(queue, id), SUBMISSION_LEASED);
    clock_advances(queue, 1);

    check_back_in_place(queue, id, 0);
}

static void after_a_restart_who_is_heard_of_counts_again(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_submits(queue, "demo", "first");
    struct lease lease = poller_leases(queue, "g", 0);
    queue_fixture_restart(queue);

    clock_advances(queue, 1000);
    assert_int_equal(grader_renews(queue, lease, NULL), STATUS_OK);
    clock_advances(queue, LEASE_MS);

    check_back_in_place(queue, id, 1);
}

static void a_result_that_comes_after_a_restart_is_taken(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_submits(queue, "demo", "first");
    struct lease lease = poller_leases(queue, "g", 0);

    queue_fixture_restart(queue);

    assert_int_equal(grader_completes(queue, lease, "done"), STATUS_OK);
    assert_int_equal(state_of(queue, id), SUBMISSION_GRADED);
}

static void time_that_stood_still_for_us_does_not_count_against_graders(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_submits(queue, "demo", "first");
    poller_leases(queue, "g", 0);

    queue->now_ms += LEASE_MS * 2;
    lease_table_give_grace(&queue->queues->leases, queue->now_ms);
    clock_advances(queue, LEASE_MS - 1);
    assert_int_equal(state_of(queue, id), SUBMISSION_LEASED);
    clock_advances(queue, 1);

    check_back_in_place(queue, id, 1);
}

static void a_clock_that_was_set_back_does_not_keep_a_lease_for_longer(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_submits(queue, "demo", "first");
    struct lease lease = poller_leases(queue, "g", 0);

    queue->now_ms -= LEASE_MS * 5;
    queue_fixture_restart(queue);
    clock_advances(queue, LEASE_MS - 1);
    assert_int_equal(state_of(queue, id), SUBMISSION_LEASED);
    assert_int_equal(grader_renews(queue, lease, NULL), STATUS_OK);
    clock_advances(queue, LEASE_MS);

    assert_int_equal(state_of(queue, id), SUBMISSION_READY);
}

static void a_lease_in_a_queue_that_is_gone_from_the_configuration_waits_for_it(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_submits(queue, "demo", "first");
    struct lease lease = poller_leases(queue, "g", 0);
    char *name = queue->config->queues[0].name;
    char other[] = "other";

    queue->config->queues[0].name = other;
    queue_fixture_restart(queue);
    clock_advances(queue, LEASE_MS * 2);
    assert_int_equal(lease_table_count(&queue->queues->leases), 0);
    assert_int_equal(state_of(queue, id), SUBMISSION_LEASED);
    assert_int_equal(grader_fails(queue, lease, NULL), STATUS_NOT_FOUND);
    queue->config->queues[0].name = name;
    queue_fixture_restart(queue);

    assert_int_equal(lease_table_count(&queue->queues->leases), 1);
    assert_int_equal(grader_completes(queue, lease, "done"), STATUS_OK);
}

static void the_next_due_time_is_never_missed(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_submits(queue, "demo", "first");
    poller_leases(queue, "g", 0);

    clock_advances_to_due(queue, INT64_C(1) << 40);
    assert_int_equal(queue->now_ms, QUEUE_FIXTURE_START_MS + LEASE_MS * 3 / 4);
    clock_advances_to_due(queue, INT64_C(1) << 40);

    assert_int_equal(queue->now_ms, QUEUE_FIXTURE_START_MS + LEASE_MS);
    check_back_in_place(queue, id, 1);
    turn_begins(queue);
    assert_int_equal(queues_next_due_ms(queue->queues), CLOCK_NEVER);
    turn_ends(queue);
}

/* Three large ones are waiting; the grader has credit for all. */
static char *large_submissions_wait(struct queue_fixture *queue, struct scripted_grader *grader)
{
    const size_t length = GRADER_UNACCEPTED_BYTES_MAX * 5 / 8;
    char *body = memory_allocate(length + 1);
    memset(body, 'x', length);
    body[length] = '\0';
    for (int at = 0; at < 3; at++)
        lms_submits(queue, "demo", body);
    grader_connects(queue, grader, "g", "1", 5);
    grader_gives_credit(queue, grader, 5);
    return body;
}

static void a_grader_is_sent_no_more_than_its_stream_can_hold_before_it_accepts(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    char *body = large_submissions_wait(queue, &grader);
    struct told first = grader_hears(&grader, GRADER_NOTICE_GRANT);
    (void)grader_hears(&grader, GRADER_NOTICE_GRANT);
    grader_hears_nothing(&grader);

    assert_int_equal(grader_accepts(queue, first.lease), STATUS_OK);

    (void)grader_hears(&grader, GRADER_NOTICE_GRANT);
    memory_free(body);
}

static void a_grant_that_is_handed_back_or_not_accepted_makes_room_on_the_stream(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    char *body = large_submissions_wait(queue, &grader);
    struct told first = grader_hears(&grader, GRADER_NOTICE_GRANT);
    struct told second = grader_hears(&grader, GRADER_NOTICE_GRANT);

    assert_int_equal(grader_releases(queue, first.lease, LEASE_MS), STATUS_OK);
    struct told third = grader_hears(&grader, GRADER_NOTICE_GRANT);
    assert_int_not_equal(third.lease.id, second.lease.id);
    clock_advances(queue, ACCEPT_MS);

    (void)grader_hears(&grader, GRADER_NOTICE_LOST);
    (void)grader_hears(&grader, GRADER_NOTICE_LOST);
    (void)grader_hears(&grader, GRADER_NOTICE_PING);
    (void)grader_hears(&grader, GRADER_NOTICE_GRANT);
    (void)grader_hears(&grader, GRADER_NOTICE_GRANT);
    memory_free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
        TEST(submissions_are_granted_in_the_order_in_which_they_came),
        TEST(a_class_of_priority_goes_before_the_order_of_coming),
        TEST(a_waiting_grader_is_granted_a_submission_in_the_turn_that_stores_it),
        TEST(an_expired_lease_returns_to_its_place_and_counts),
        TEST(a_grant_that_is_not_accepted_returns_to_its_place_uncounted),
        TEST(a_released_submission_returns_to_its_place_uncounted),
        TEST(a_submission_released_with_a_delay_is_kept_from_all_graders_for_so_long),
        TEST(a_release_delay_is_cut_to_an_hour),
        TEST(an_accepted_grant_that_is_not_renewed_expires_and_counts),
        TEST(the_holder_is_warned_once_before_the_lease_ends_and_told_when_it_has),
        TEST(renewing_gives_a_full_length_from_now_until_the_hard_limit_ends_it),
        TEST(nothing_is_renewed_at_the_hard_limit_even_before_the_tick_has_seen_it),
        TEST(the_holder_is_warned_once_of_the_hard_limit_however_often_it_renews),
        TEST(the_latest_note_of_a_holder_is_kept_as_long_as_it_holds),
        TEST(renewing_writes_the_store_rarely),
        TEST(after_a_restart_every_live_lease_gets_a_full_length_and_its_expiry_is_not_counted),
        TEST(after_a_restart_who_is_heard_of_counts_again),
        TEST(a_result_that_comes_after_a_restart_is_taken),
        TEST(time_that_stood_still_for_us_does_not_count_against_graders),
        TEST(a_clock_that_was_set_back_does_not_keep_a_lease_for_longer),
        TEST(a_lease_in_a_queue_that_is_gone_from_the_configuration_waits_for_it),
        TEST(the_next_due_time_is_never_missed),
        TEST(a_grader_is_sent_no_more_than_its_stream_can_hold_before_it_accepts),
        TEST(a_grant_that_is_handed_back_or_not_accepted_makes_room_on_the_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
