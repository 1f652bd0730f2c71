/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_queue_test_support */
/*
 * One connected grader: credit, limits, turns with others, coming back, draining, pings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/queue_fixture.h"

enum { LEASE_MS = 60000, PING_MS = 10000, LEASES_MAX = 4 };

static const char yaml[] = "service: {ping_period_ms: 10000, grader_leases_max: 4}\n"
                           "queues:\n"
                           "  demo: {lease_ms: 60000, hard_limit_ms: 60000, attempts_max: 3}\n"
                           "  other: {lease_ms: 30000}\n";
static char demo[] = "demo";
static char other[] = "other";

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

static void submit_many(struct queue_fixture *queue, int count)
{
    for (int at = 0; at < count; at++)
        lms_submits(queue, "demo", "1234567890");
}

static size_t count_grants(struct scripted_grader *grader)
{
    size_t count = 0;
    while (grader->first != grader->count) {
        grader_hears(grader, GRADER_NOTICE_GRANT);
        count++;
    }
    return count;
}

static void nothing_is_granted_without_credit(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    submit_many(queue, 3);
    grader_connects(queue, &grader, "g", "1", 4);

    clock_advances(queue, 1000);
    grader_hears_nothing(&grader);
    grader_gives_credit(queue, &grader, 2);
    assert_int_equal(count_grants(&grader), 2);
    clock_advances(queue, 1000);
    grader_hears_nothing(&grader);

    grader_gives_credit(queue, &grader, 1);
    assert_int_equal(count_grants(&grader), 1);
}

static void credit_is_absolute(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    grader_connects(queue, &grader, "g", "1", 4);
    grader_gives_credit(queue, &grader, 3);
    grader_gives_credit(queue, &grader, 1);

    submit_many(queue, 3);

    assert_int_equal(count_grants(&grader), 1);
}

static void credit_in_bytes_ends_when_it_is_used_up(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    submit_many(queue, 4);
    grader_connects(queue, &grader, "g", "1", 4);

    turn_begins(queue);
    work_session_credit(queue->queues, grader.session, 4, 15);
    turn_ends(queue);

    assert_int_equal(count_grants(&grader), 2);
    turn_begins(queue);
    work_session_credit(queue->queues, grader.session, 2, 10);
    turn_ends(queue);
    assert_int_equal(count_grants(&grader), 1);
}

static void a_grader_never_holds_more_than_its_slots_over_stream_and_unary_together(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    grader_connects(queue, &grader, "g", "1", 3);
    grader_gives_credit(queue, &grader, 100);
    submit_many(queue, 1);
    struct lease streamed = grader_takes(queue, &grader);

    turn_begins(queue);
    submit_many(queue, 4);
    struct lease unary = poller_leases(queue, "g", 0);
    assert_int_not_equal(unary.id, 0);
    assert_int_not_equal(poller_leases(queue, "g", 0).id, 0);
    assert_int_equal(poller_leases(queue, "g", 0).id, 0);
    turn_ends(queue);

    grader_hears_nothing(&grader);
    assert_int_equal(grader_completes(queue, unary, "x"), STATUS_OK);
    assert_int_equal(count_grants(&grader), 1);
    assert_int_equal(grader_completes(queue, streamed, "x"), STATUS_OK);
    assert_int_equal(count_grants(&grader), 1);
    assert_int_equal(poller_leases(queue, "g", 0).id, 0);
}

static void the_configured_limit_bounds_every_grader(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    submit_many(queue, 9);
    grader_connects(queue, &grader, "g", "1", 100);
    grader_gives_credit(queue, &grader, 100);

    assert_int_equal(count_grants(&grader), LEASES_MAX);
    for (int at = 0; at < LEASES_MAX; at++)
        assert_int_not_equal(poller_leases(queue, "p", 0).id, 0);
    assert_int_equal(poller_leases(queue, "p", 0).id, 0);
}

static void a_poller_names_a_smaller_limit_of_its_own(void **state)
{
    struct queue_fixture *queue = *state;
    submit_many(queue, 3);

    assert_int_not_equal(poller_leases(queue, "p", 1).id, 0);
    assert_int_equal(poller_leases(queue, "p", 1).id, 0);
    assert_int_not_equal(poller_leases(queue, "p", 2).id, 0);
}

static void waiting_graders_take_turns(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader graders[3];
    grader_connects(queue, &graders[0], "a", "1", 4);
    grader_connects(queue, &graders[1], "b", "1", 4);
    grader_connects(queue, &graders[2], "c", "1", 4);
    for (size_t at = 0; at < 3; at++)
        grader_gives_credit(queue, &graders[at], 4);

    for (int round = 0; round < 2; round++) {
        for (size_t at = 0; at < 3; at++) {
            submit_many(queue, 1);
            for (size_t who = 0; who < 3; who++)
                assert_int_equal(count_grants(&graders[who]), who == at);
        }
    }
    submit_many(queue, 3);
    for (size_t who = 0; who < 3; who++)
        assert_int_equal(count_grants(&graders[who]), 1);
}

static enum status hello_again(struct queue_fixture *queue, struct scripted_grader *grader, const char *instance,
                               const struct lease *held, size_t count, struct held_answer *answers)
{
    char *const queues[] = {demo};
    struct lease_name names[8];
    for (size_t at = 0; at < count; at++)
        names[at] = (struct lease_name){.submission_id = held[at].id, .key = held[at].key};
    const struct work_hello hello = {.grader = "g",
                                     .instance = instance,
                                     .queues = queues,
                                     .queue_count = 1,
                                     .slots = 4,
                                     .held = names,
                                     .held_count = count};
    return grader_tries_hello(queue, grader, &hello, answers);
}

static void who_comes_back_keeps_what_is_still_his_and_hears_what_is_lost(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    struct held_answer answers[5] = {0};
    struct lease held[5];
    grader_connects(queue, &grader, "g", "1", 4);
    grader_gives_credit(queue, &grader, 4);
    lms_submits(queue, "demo", "x");
    lms_submits_with_key(queue, "demo", "key");
    lms_submits(queue, "demo", "x");
    lms_submits(queue, "demo", "x");
    for (size_t at = 0; at < 4; at++)
        held[at] = grader_takes(queue, &grader);
    held[4] = (struct lease){.id = 77, .key = "0123456789abcdef0123456789abcdef"};
    grader_vanishes(queue, &grader);
    lms_submits_with_key(queue, "demo", "key");
    assert_int_equal(grader_completes(queue, held[2], "done"), STATUS_OK);
    turn_begins(queue);
    struct live_lease *live = lease_table_find(&queue->queues->leases, held[3].id);
    assert_int_equal(grading_expire(queue->queues, live, LOST_EXPIRED), STATUS_OK);
    turn_ends(queue);
    clock_advances(queue, 1000);

    assert_int_equal(hello_again(queue, &grader, "1", held, 5, answers), STATUS_OK);

    assert_true(answers[0].kept);
    assert_false(answers[1].kept);
    assert_int_equal(answers[1].reason, LOST_SUPERSEDED);
    assert_false(answers[2].kept);
    assert_int_equal(answers[2].reason, LOST_STALE);
    assert_false(answers[3].kept);
    assert_int_equal(answers[3].reason, LOST_EXPIRED);
    assert_false(answers[4].kept);
    assert_int_equal(answers[4].reason, LOST_STALE);
    clock_advances(queue, LEASE_MS);
    while (grader.first != grader.count && grader.told[grader.first].notice.kind != GRADER_NOTICE_LOST)
        grader_hears(&grader, grader.told[grader.first].notice.kind);
    assert_int_equal(grader_hears(&grader, GRADER_NOTICE_LOST).lease.id, held[0].id);
}

static void a_lease_past_its_hard_limit_is_not_resumed(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    struct held_answer answer = {0};
    submit_many(queue, 1);
    grader_connects(queue, &grader, "g", "1", 4);
    grader_gives_credit(queue, &grader, 1);
    struct lease lease = grader_takes(queue, &grader);
    grader_vanishes(queue, &grader);
    queue->now_ms += LEASE_MS;

    assert_int_equal(hello_again(queue, &grader, "1", &lease, 1, &answer), STATUS_OK);

    assert_false(answer.kept);
    assert_int_equal(answer.reason, LOST_HARD_LIMIT);
}

static void resuming_accepts_a_grant_that_was_under_way(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    struct held_answer answer = {0};
    submit_many(queue, 1);
    grader_connects(queue, &grader, "g", "1", 4);
    grader_gives_credit(queue, &grader, 1);
    struct lease lease = grader_hears(&grader, GRADER_NOTICE_GRANT).lease;
    grader_vanishes(queue, &grader);

    assert_int_equal(hello_again(queue, &grader, "1", &lease, 1, &answer), STATUS_OK);
    assert_true(answer.kept);

    clock_advances(queue, 30000);
    assert_int_equal(state_of(queue, lease.id), SUBMISSION_LEASED);
}

static void a_grant_that_went_down_with_the_stream_is_not_waited_for(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader first;
    struct scripted_grader second;
    submit_many(queue, 1);
    grader_connects(queue, &first, "g", "1", 4);
    grader_gives_credit(queue, &first, 1);
    struct lease lease = grader_hears(&first, GRADER_NOTICE_GRANT).lease;

    grader_connects(queue, &second, "g", "1", 4);

    grader_hears_nothing(&second);
    assert_int_equal(state_of(queue, lease.id), SUBMISSION_READY);
    assert_int_equal(submission_now(queue, lease.id).failures, 0);
    grader_gives_credit(queue, &second, 1);
    assert_int_equal(grader_takes(queue, &second).id, lease.id);
}

static void a_new_start_of_a_grader_gives_back_what_the_earlier_one_held_and_it_counts(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader first;
    struct scripted_grader second;
    submit_many(queue, 2);
    grader_connects(queue, &first, "g", "1", 4);
    grader_gives_credit(queue, &first, 2);
    struct lease accepted = grader_takes(queue, &first);
    struct lease offered = grader_hears(&first, GRADER_NOTICE_GRANT).lease;

    grader_connects(queue, &second, "g", "2", 4);

    assert_string_equal(grader_hears(&first, GRADER_NOTICE_GO_AWAY).notice.error.reason, "SESSION_REPLACED");
    struct told end = grader_hears(&first, GRADER_NOTICE_FINISH);
    assert_int_equal(end.notice.status, STATUS_STALE);
    assert_string_equal(end.notice.error.reason, "SESSION_REPLACED");
    grader_hears_nothing(&second);
    assert_int_equal(submission_now(queue, accepted.id).failures, 1);
    assert_int_equal(submission_now(queue, offered.id).failures, 0);
    assert_int_equal(state_of(queue, accepted.id), SUBMISSION_READY);
    grader_gives_credit(queue, &second, 4);
    assert_int_equal(grader_takes(queue, &second).id, accepted.id);
    assert_int_equal(grader_takes(queue, &second).id, offered.id);
}

static void the_same_start_of_a_grader_keeps_what_it_holds_even_unnamed(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader first;
    struct scripted_grader second;
    submit_many(queue, 1);
    grader_connects(queue, &first, "g", "1", 4);
    grader_gives_credit(queue, &first, 2);
    struct lease lease = grader_takes(queue, &first);

    grader_connects(queue, &second, "g", "1", 4);

    grader_hears(&first, GRADER_NOTICE_GO_AWAY);
    grader_hears(&first, GRADER_NOTICE_FINISH);
    assert_int_equal(state_of(queue, lease.id), SUBMISSION_LEASED);
    assert_int_equal(grader_completes(queue, lease, "x"), STATUS_OK);
}

static void a_lost_stream_does_not_end_its_leases_nor_the_limit(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    submit_many(queue, 9);
    grader_connects(queue, &grader, "g", "1", 3);
    grader_gives_credit(queue, &grader, 2);
    struct lease lease = grader_takes(queue, &grader);
    grader_takes(queue, &grader);

    grader_vanishes(queue, &grader);

    assert_int_equal(state_of(queue, lease.id), SUBMISSION_LEASED);
    assert_int_not_equal(poller_leases(queue, "g", 3).id, 0);
    assert_int_equal(poller_leases(queue, "g", 3).id, 0);
}

static void a_draining_grader_gets_nothing_new_and_ends_with_its_last_lease(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    submit_many(queue, 2);
    grader_connects(queue, &grader, "g", "1", 4);
    grader_gives_credit(queue, &grader, 2);
    struct lease first = grader_takes(queue, &grader);
    struct lease second = grader_takes(queue, &grader);
    grader_gives_credit(queue, &grader, 4);

    turn_begins(queue);
    work_session_drain(queue->queues, grader.session);
    turn_ends(queue);
    submit_many(queue, 1);
    assert_int_equal(grader_completes(queue, first, "x"), STATUS_OK);
    grader_hears_nothing(&grader);
    assert_int_equal(grader_releases(queue, second, 0), STATUS_OK);

    assert_int_equal(grader_hears(&grader, GRADER_NOTICE_FINISH).notice.status, STATUS_OK);
}

static void who_drains_holding_nothing_is_sent_away_at_once_even_in_the_batch_of_its_hello(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    turn_begins(queue);
    grader_connects(queue, &grader, "g", "1", 4);

    work_session_drain(queue->queues, grader.session);
    /* Whoever answers Hello after the commit still looks at the grader. */
    assert_int_equal(grader.session->grader->leases_max, 4);
    turn_ends(queue);

    assert_int_equal(grader_hears(&grader, GRADER_NOTICE_FINISH).notice.status, STATUS_OK);
}

static void a_session_that_ends_with_its_last_lease_in_one_batch_is_no_trouble(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    submit_many(queue, 1);
    grader_connects(queue, &grader, "g", "1", 4);
    grader_gives_credit(queue, &grader, 1);
    struct lease lease = grader_takes(queue, &grader);

    turn_begins(queue);
    struct work_session *session = grader.session;
    grader_vanishes(queue, &grader);
    assert_int_equal(grader_completes(queue, lease, "x"), STATUS_OK);
    assert_string_equal(session->grader->name, "g");
    turn_ends(queue);

    assert_null(graders_find(&queue->queues->graders, "g"));
}

static void a_lease_that_another_grader_resumes_counts_there(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader drained;
    struct scripted_grader heir;
    struct held_answer answer = {0};
    char *const queues[] = {demo};
    submit_many(queue, 1);
    grader_connects(queue, &drained, "a", "1", 4);
    grader_gives_credit(queue, &drained, 1);
    struct lease lease = grader_takes(queue, &drained);
    turn_begins(queue);
    work_session_drain(queue->queues, drained.session);
    turn_ends(queue);
    const struct lease_name name = {.submission_id = lease.id, .key = lease.key};
    const struct work_hello hello = {
        .grader = "b", .instance = "1", .queues = queues, .queue_count = 1, .slots = 1, .held = &name, .held_count = 1};

    assert_int_equal(grader_tries_hello(queue, &heir, &hello, &answer), STATUS_OK);

    assert_true(answer.kept);
    assert_int_equal(grader_hears(&drained, GRADER_NOTICE_FINISH).notice.status, STATUS_OK);
    grader_gives_credit(queue, &heir, 1);
    submit_many(queue, 1);
    grader_hears_nothing(&heir);
    assert_int_equal(grader_completes(queue, lease, "x"), STATUS_OK);
    assert_int_equal(count_grants(&heir), 1);
    struct store_result result;
    turn_begins(queue);
    assert_int_equal(store_read_result(queue->store, lease.id, false, &result), STATUS_OK);
    turn_ends(queue);
    assert_string_equal(result.grader, "b");
}

static void a_lease_that_another_grader_resumed_counts_there_after_a_restart(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader heir;
    struct held_answer answer = {0};
    char *const queues[] = {demo};
    submit_many(queue, 1);
    struct lease lease = poller_leases(queue, "a", 0);
    const struct lease_name name = {.submission_id = lease.id, .key = lease.key};
    const struct work_hello hello = {
        .grader = "b", .instance = "1", .queues = queues, .queue_count = 1, .slots = 1, .held = &name, .held_count = 1};
    assert_int_equal(grader_tries_hello(queue, &heir, &hello, &answer), STATUS_OK);

    queue_fixture_restart(queue);

    assert_string_equal(lease_table_find(&queue->queues->leases, lease.id)->grader->name, "b");
}

static void three_unanswered_pings_end_the_session_and_any_word_is_an_answer(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    grader_connects(queue, &grader, "g", "1", 4);
    for (uint64_t number = 1; number <= 5; number++) {
        clock_advances(queue, PING_MS);
        assert_int_equal(grader_hears(&grader, GRADER_NOTICE_PING).notice.number, number);
        if (number <= 2)
            work_session_heard(queue->queues, grader.session);
    }

    clock_advances(queue, PING_MS - 1);
    grader_hears_nothing(&grader);
    clock_advances(queue, 1);

    struct told end = grader_hears(&grader, GRADER_NOTICE_FINISH);
    assert_int_equal(end.notice.status, STATUS_TIMEOUT);
    assert_string_equal(end.notice.error.reason, "PING_LOST");
}

static void a_stopping_service_sends_graders_away_and_takes_no_new_ones(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    submit_many(queue, 2);
    grader_connects(queue, &grader, "g", "1", 4);
    grader_gives_credit(queue, &grader, 1);
    struct lease lease = grader_takes(queue, &grader);

    turn_begins(queue);
    queues_stop(queue->queues);
    turn_ends(queue);

    assert_string_equal(grader_hears(&grader, GRADER_NOTICE_GO_AWAY).notice.error.reason, "DRAINING");
    assert_int_equal(grader_hears(&grader, GRADER_NOTICE_FINISH).notice.status, STATUS_UNAVAILABLE);
    assert_int_equal(hello_again(queue, &grader, "1", NULL, 0, NULL), STATUS_UNAVAILABLE);
    assert_int_equal(grader_completes(queue, lease, "x"), STATUS_OK);
}

static void a_hello_that_breaks_its_bounds_is_refused_and_leaves_nothing(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    char none[] = "none";
    char long_name[STORE_NAME_MAX + 1];
    memset(long_name, 'g', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    char *const good[] = {demo, other};
    char *const twice[] = {demo, demo};
    char *const unknown[] = {demo, none};
    const struct work_hello fine = {.grader = "g", .instance = "1", .queues = good, .queue_count = 2, .slots = 1};
    struct work_hello bad[8];
    for (size_t at = 0; at < 8; at++)
        bad[at] = fine;
    bad[0].grader = "";
    bad[1].grader = long_name;
    bad[2].instance = "a\nb";
    bad[3].queue_count = 0;
    bad[4].queues = twice;
    bad[5].slots = 0;
    bad[6].slots = WORK_SESSION_SLOTS_MAX + 1;
    bad[7].held_count = WORK_SESSION_HELD_MAX + 1;
    struct work_hello missing = fine;
    missing.queues = unknown;

    for (size_t at = 0; at < 8; at++) {
        assert_int_equal(grader_tries_hello(queue, &grader, &bad[at], NULL), STATUS_INVALID);
        assert_string_equal(queue->error.reason, "HELLO_INVALID");
    }
    assert_int_equal(grader_tries_hello(queue, &grader, &missing, NULL), STATUS_NOT_FOUND);
    assert_int_equal(map_count(&queue->queues->graders.by_name), 0);
    assert_int_equal(grader_tries_hello(queue, &grader, &fine, NULL), STATUS_OK);
    assert_int_equal(work_session_lease_ms(grader.session), 30000);
}

static void one_credit_serves_several_queues(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    char *const queues[] = {demo, other};
    const struct work_hello hello = {.grader = "g", .instance = "1", .queues = queues, .queue_count = 2, .slots = 4};
    assert_int_equal(grader_tries_hello(queue, &grader, &hello, NULL), STATUS_OK);
    lms_submits(queue, "other", "x");
    lms_submits(queue, "demo", "x");

    grader_gives_credit(queue, &grader, 1);
    assert_int_equal(count_grants(&grader), 1);
    grader_gives_credit(queue, &grader, 1);
    assert_int_equal(count_grants(&grader), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
        TEST(nothing_is_granted_without_credit),
        TEST(credit_is_absolute),
        TEST(credit_in_bytes_ends_when_it_is_used_up),
        TEST(a_grader_never_holds_more_than_its_slots_over_stream_and_unary_together),
        TEST(the_configured_limit_bounds_every_grader),
        TEST(a_poller_names_a_smaller_limit_of_its_own),
        TEST(waiting_graders_take_turns),
        TEST(who_comes_back_keeps_what_is_still_his_and_hears_what_is_lost),
        TEST(a_lease_past_its_hard_limit_is_not_resumed),
        TEST(resuming_accepts_a_grant_that_was_under_way),
        TEST(a_grant_that_went_down_with_the_stream_is_not_waited_for),
        TEST(a_new_start_of_a_grader_gives_back_what_the_earlier_one_held_and_it_counts),
        TEST(the_same_start_of_a_grader_keeps_what_it_holds_even_unnamed),
        TEST(a_lost_stream_does_not_end_its_leases_nor_the_limit),
        TEST(a_draining_grader_gets_nothing_new_and_ends_with_its_last_lease),
        TEST(who_drains_holding_nothing_is_sent_away_at_once_even_in_the_batch_of_its_hello),
        TEST(a_session_that_ends_with_its_last_lease_in_one_batch_is_no_trouble),
        TEST(a_lease_that_another_grader_resumes_counts_there),
        TEST(a_lease_that_another_grader_resumed_counts_there_after_a_restart),
        TEST(three_unanswered_pings_end_the_session_and_any_word_is_an_answer),
        TEST(a_stopping_service_sends_graders_away_and_takes_no_new_ones),
        TEST(a_hello_that_breaks_its_bounds_is_refused_and_leaves_nothing),
        TEST(one_credit_serves_several_queues),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
