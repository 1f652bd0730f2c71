/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_xqueued */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/grader_rig.h"

#define AWAIT(kind_) scripted_xqueued_await(rig->core, XQUEUE__V1__GRADER_MESSAGE__KIND_##kind_)
#define COUNT(kind_) scripted_xqueued_count(rig->core, XQUEUE__V1__GRADER_MESSAGE__KIND_##kind_)
#define ACK(id_, item_, outcome_)                                                  \
    scripted_xqueued_ack(rig->core, (id_), XQUEUE__V1__ACK_ITEM__ACK_ITEM_##item_, \
                         XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_##outcome_)

enum { RECONNECTS = 100 };

static int set_up(void **state)
{
    static struct grader_rig rig;
    grader_rig_init(&rig, NULL);
    *state = &rig;
    return 0;
}

static int tear_down(void **state)
{
    grader_rig_finish(*state);
    return 0;
}

/* The grader is connected, with its first credit given. */
static struct grader_rig *connected(void **state)
{
    struct grader_rig *rig = *state;
    grader_rig_start(rig);
    assert_non_null(AWAIT(HELLO));
    scripted_xqueued_welcome(rig->core, NULL);
    assert_non_null(AWAIT(CREDIT));
    return rig;
}

static const Xqueue__V1__Hello *reconnected(struct grader_rig *rig)
{
    const Xqueue__V1__GraderMessage *message = AWAIT(HELLO);
    assert_non_null(message);
    return message->hello;
}

static void a_lost_stream_keeps_its_leases_and_unconfirmed_answers_are_sent_again(void **state)
{
    struct grader_rig *rig = *state;
    rig->options.slots = 2;
    rig = connected(state);
    scripted_xqueued_grant(rig->core, 1, "wait");
    scripted_xqueued_grant(rig->core, 2, "echo");
    assert_non_null(AWAIT(COMPLETE));

    scripted_xqueued_end(rig->core, STATUS_UNAVAILABLE, NULL);
    const Xqueue__V1__Hello *hello = reconnected(rig);

    assert_int_equal(hello->n_held, 2);
    scripted_xqueued_welcome(rig->core, NULL);
    const Xqueue__V1__GraderMessage *message = AWAIT(COMPLETE);
    assert_non_null(message);
    assert_int_equal(message->complete->lease->submission_id, 2);
    ACK(2, COMPLETE, ALREADY);
    assert_true(grader_rig_await_log(rig, "submission 2: answer confirmed"));
    grader_rig_open(rig);
    message = AWAIT(COMPLETE);
    assert_non_null(message);
    assert_int_equal(message->complete->lease->submission_id, 1);
    assert_int_equal(rig->lost, 0);
}

static void a_lease_lost_while_away_is_seen_by_its_handler(void **state)
{
    struct grader_rig *rig = connected(state);
    char key[SCRIPTED_XQUEUED_KEY_MAX];
    Xqueue__V1__LeaseRef lease = XQUEUE__V1__LEASE_REF__INIT;
    lease.submission_id = 5;
    lease.lease_key = (char *)(uintptr_t)scripted_xqueued_key(5, key);
    Xqueue__V1__LeaseLost lost[2] = {XQUEUE__V1__LEASE_LOST__INIT, XQUEUE__V1__LEASE_LOST__INIT};
    lost[0].lease = &lease;
    lost[0].reason = XQUEUE__V1__LOST_REASON__LOST_REASON_SUPERSEDED;
    scripted_xqueued_grant(rig->core, 5, "until_lost");
    assert_true(grader_rig_await_running(rig, 1));

    scripted_xqueued_end(rig->core, STATUS_UNAVAILABLE, NULL);
    assert_int_equal(reconnected(rig)->n_held, 1);
    scripted_xqueued_welcome(rig->core, lost);

    assert_true(grader_rig_await_lost(rig, 1));
    assert_int_equal(rig->lost_reason, XQUEUE_LOST_SUPERSEDED);
    assert_true(grader_rig_await_returned(rig, 1));
    assert_int_equal(rig->last_answer, XQUEUE_STATUS_LOST);
    // The slot is free again, and nothing was answered.
    assert_non_null(AWAIT(CREDIT));
    assert_int_equal(COUNT(COMPLETE), 0);
}

static void an_unconfirmed_answer_of_a_canceled_lease_is_dropped(void **state)
{
    struct grader_rig *rig = connected(state);
    scripted_xqueued_grant(rig->core, 5, "echo");
    assert_non_null(AWAIT(COMPLETE));

    scripted_xqueued_lose(rig->core, 5, XQUEUE__V1__LOST_REASON__LOST_REASON_CANCELED);

    assert_true(grader_rig_await_log(rig, "submission 5: lease lost: canceled; its answer is dropped"));
    scripted_xqueued_end(rig->core, STATUS_UNAVAILABLE, NULL);
    assert_int_equal(reconnected(rig)->n_held, 0);
}

static void a_result_for_an_expired_lease_is_still_handed_in(void **state)
{
    struct grader_rig *rig = connected(state);
    scripted_xqueued_grant(rig->core, 5, "until_lost");
    assert_true(grader_rig_await_running(rig, 1));

    scripted_xqueued_lose(rig->core, 5, XQUEUE__V1__LOST_REASON__LOST_REASON_EXPIRED);

    const Xqueue__V1__GraderMessage *message = AWAIT(COMPLETE);
    assert_non_null(message);
    assert_int_equal(message->complete->lease->submission_id, 5);
    assert_true(grader_rig_await_returned(rig, 1));
    assert_int_equal(rig->last_answer, XQUEUE_STATUS_OK);
    ACK(5, COMPLETE, OK);
    assert_true(grader_rig_await_log(rig, "answer confirmed"));
}

static void an_answer_is_sent_again_when_the_service_asks_for_it(void **state)
{
    struct grader_rig *rig = connected(state);
    scripted_xqueued_grant(rig->core, 5, "echo");
    assert_non_null(AWAIT(COMPLETE));

    ACK(5, COMPLETE, RETRY);

    assert_non_null(AWAIT(COMPLETE));
    ACK(5, COMPLETE, OK);
    assert_true(grader_rig_await_log(rig, "answer confirmed"));
}

static void an_answer_that_came_too_late_is_dropped(void **state)
{
    struct grader_rig *rig = connected(state);
    scripted_xqueued_grant(rig->core, 5, "echo");
    assert_non_null(AWAIT(COMPLETE));

    ACK(5, COMPLETE, STALE);

    assert_true(grader_rig_await_log(rig, "submission 5: the answer came too late"));
    scripted_xqueued_end(rig->core, STATUS_UNAVAILABLE, NULL);
    assert_int_equal(reconnected(rig)->n_held, 0);
}

static void leases_are_renewed_three_times_within_their_length(void **state)
{
    struct grader_rig *rig = *state;
    grader_rig_start(rig);
    assert_non_null(AWAIT(HELLO));
    scripted_xqueued_welcome_with(rig->core, 0, 60);
    assert_non_null(AWAIT(CREDIT));
    scripted_xqueued_grant(rig->core, 5, "wait");

    for (int i = 0; i < 3; i++) {
        const Xqueue__V1__GraderMessage *message = AWAIT(HEARTBEAT);
        assert_non_null(message);
        assert_int_equal(message->heartbeat->n_leases, 1);
        assert_int_equal(message->heartbeat->leases[0]->lease->submission_id, 5);
        assert_null(message->heartbeat->leases[0]->progress);
    }
}

static void a_silent_service_is_left_and_asked_again(void **state)
{
    struct grader_rig *rig = *state;
    grader_rig_start(rig);
    assert_non_null(AWAIT(HELLO));
    scripted_xqueued_welcome_with(rig->core, 20, 0);

    assert_non_null(AWAIT(HELLO));

    assert_int_equal(grader_rig_count_log(rig, "has been silent"), 1);
    assert_true(scripted_xqueued_await_closed(rig->core, 1));
}

static void a_ping_is_answered(void **state)
{
    struct grader_rig *rig = connected(state);
    Xqueue__V1__Ping ping = XQUEUE__V1__PING__INIT;
    Xqueue__V1__ServerMessage message = XQUEUE__V1__SERVER_MESSAGE__INIT;
    ping.number = 17;
    message.kind_case = XQUEUE__V1__SERVER_MESSAGE__KIND_PING;
    message.ping = &ping;

    scripted_xqueued_send(rig->core, &message);

    const Xqueue__V1__GraderMessage *pong = AWAIT(PONG);
    assert_non_null(pong);
    assert_int_equal(pong->pong->number, 17);
}

static void a_grant_without_a_free_slot_is_rejected(void **state)
{
    struct grader_rig *rig = connected(state);
    scripted_xqueued_grant(rig->core, 1, "wait");
    assert_true(grader_rig_await_running(rig, 1));

    scripted_xqueued_grant(rig->core, 2, "echo");

    const Xqueue__V1__GraderMessage *message = AWAIT(REJECT);
    assert_non_null(message);
    assert_int_equal(message->reject->lease->submission_id, 2);
    grader_rig_open(rig);
    // Credit comes back when there is room, after a pause.
    message = AWAIT(CREDIT);
    assert_non_null(message);
    assert_int_equal(message->credit->submissions, 1);
}

static void a_grant_that_follows_an_answer_waits_for_the_handler_to_return(void **state)
{
    struct grader_rig *rig = connected(state);
    scripted_xqueued_grant(rig->core, 1, "linger");
    assert_non_null(AWAIT(COMPLETE));

    scripted_xqueued_grant(rig->core, 2, "echo");

    const Xqueue__V1__GraderMessage *message = AWAIT(ACCEPT);
    assert_non_null(message);
    assert_int_equal(message->accept->lease->submission_id, 2);
    assert_int_equal(COUNT(REJECT), 0);
    grader_rig_open(rig);
    message = AWAIT(COMPLETE);
    assert_non_null(message);
    assert_int_equal(message->complete->lease->submission_id, 2);
    assert_int_equal(rig->running_most, 1);
}

static void a_replaced_session_ends_the_grader(void **state)
{
    struct grader_rig *rig = connected(state);
    scripted_xqueued_grant(rig->core, 1, "until_lost");
    assert_true(grader_rig_await_running(rig, 1));

    scripted_xqueued_end(rig->core, STATUS_STALE, "SESSION_REPLACED");

    assert_int_equal(grader_rig_join(rig), XQUEUE_STATUS_REPLACED);
    assert_string_equal(rig->error.reason, "SESSION_REPLACED");
    assert_true(rig->error.fatal);
    assert_int_equal(rig->lost_reason, XQUEUE_LOST_STOPPED);
}

static void an_unknown_queue_at_the_start_ends_the_grader(void **state)
{
    struct grader_rig *rig = *state;
    grader_rig_start(rig);
    assert_non_null(AWAIT(HELLO));

    scripted_xqueued_end(rig->core, STATUS_NOT_FOUND, "QUEUE_NOT_FOUND");

    assert_int_equal(grader_rig_join(rig), XQUEUE_STATUS_NOT_FOUND);
    assert_string_equal(rig->error.reason, "QUEUE_NOT_FOUND");
    assert_false(rig->error.retriable);
}

static void a_refusal_after_a_welcome_is_tried_again(void **state)
{
    struct grader_rig *rig = connected(state);

    scripted_xqueued_end(rig->core, STATUS_NOT_FOUND, "QUEUE_NOT_FOUND");

    assert_non_null(AWAIT(HELLO));
}

static void a_service_that_arrives_later_is_found(void **state)
{
    struct grader_rig *rig = *state;
    char folder[] = "/tmp/xqueue-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char address[64];
    (void)snprintf(address, sizeof(address), "unix:%s/s", folder);
    rig->options.address = address;
    grader_rig_start(rig);
    assert_true(grader_rig_await_log(rig, "no connection to unix:"));

    struct scripted_xqueued *late = scripted_xqueued_start(address);
    assert_non_null(late);
    assert_non_null(scripted_xqueued_await(late, XQUEUE__V1__GRADER_MESSAGE__KIND_HELLO));
    scripted_xqueued_welcome(late, NULL);

    assert_true(grader_rig_await_log(rig, "connected to unix:"));
    assert_int_equal(grader_rig_count_log(rig, "no connection to unix:"), 1);
    xqueue_grader_stop(rig->grader);
    assert_non_null(scripted_xqueued_await(late, XQUEUE__V1__GRADER_MESSAGE__KIND_DRAIN));
    scripted_xqueued_end(late, STATUS_OK, NULL);
    assert_int_equal(grader_rig_join(rig), XQUEUE_STATUS_OK);
    scripted_xqueued_stop(late);
    (void)rmdir(folder);
}

static void a_service_that_restarts_is_found_again(void **state)
{
    struct grader_rig *rig = *state;
    char folder[] = "/tmp/xqueue-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char address[64];
    (void)snprintf(address, sizeof(address), "unix:%s/s", folder);
    scripted_xqueued_stop(rig->core);
    rig->core = scripted_xqueued_start(address);
    rig->options.address = address;
    rig = connected(state);
    scripted_xqueued_grant(rig->core, 3, "wait");
    assert_true(grader_rig_await_running(rig, 1));

    scripted_xqueued_stop(rig->core);
    rig->core = scripted_xqueued_start(address);
    assert_non_null(rig->core);

    const Xqueue__V1__Hello *hello = reconnected(rig);
    assert_int_equal(hello->n_held, 1);
    assert_int_equal(hello->held[0]->submission_id, 3);
    scripted_xqueued_welcome(rig->core, NULL);
    grader_rig_open(rig);
    assert_non_null(AWAIT(COMPLETE));
    grader_rig_finish(rig);
    (void)rmdir(folder);
    grader_rig_init(rig, NULL);
}

static void a_hundred_reconnects_lose_nothing(void **state)
{
    struct grader_rig *rig = connected(state);
    scripted_xqueued_grant(rig->core, 1, "wait");
    assert_true(grader_rig_await_running(rig, 1));

    for (int i = 0; i < RECONNECTS; i++) {
        scripted_xqueued_end(rig->core, STATUS_UNAVAILABLE, "DRAINING");
        const Xqueue__V1__Hello *hello = reconnected(rig);
        assert_int_equal(hello->n_held, 1);
        assert_int_equal(hello->held[0]->submission_id, 1);
        scripted_xqueued_welcome(rig->core, NULL);
    }

    grader_rig_open(rig);
    assert_non_null(AWAIT(COMPLETE));
    ACK(1, COMPLETE, OK);
    assert_true(grader_rig_await_log(rig, "submission 1: answer confirmed"));
    assert_int_equal(rig->returned, 1);
    assert_int_equal(rig->lost, 0);
    // One line when it is away and one when it is back, each time.
    assert_in_range(grader_rig_count_log(rig, "connected to "), 1, RECONNECTS + 1);
    assert_in_range(grader_rig_count_log(rig, "no connection to"), 1, RECONNECTS);
}

static void large_answers_do_not_all_travel_at_once_and_all_arrive(void **state)
{
    struct grader_rig *rig = *state;
    rig->options.slots = 6;
    rig = connected(state);
    for (uint64_t id = 1; id <= 6; id++)
        scripted_xqueued_grant(rig->core, id, "big");
    assert_true(grader_rig_await_returned(rig, 6));

    for (uint64_t i = 1; i <= 6; i++) {
        const Xqueue__V1__GraderMessage *message = AWAIT(COMPLETE);
        assert_non_null(message);
        assert_int_equal(message->complete->result.len, GRADER_RIG_BIG_BYTES);
        // Two of them are 6 MB; a third would pass the bound of 8 MiB.
        assert_in_range(COUNT(COMPLETE), 0, 1);
        ACK(message->complete->lease->submission_id, COMPLETE, OK);
    }
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_lost_stream_keeps_its_leases_and_unconfirmed_answers_are_sent_again),
        CASE(a_lease_lost_while_away_is_seen_by_its_handler),
        CASE(an_unconfirmed_answer_of_a_canceled_lease_is_dropped),
        CASE(a_result_for_an_expired_lease_is_still_handed_in),
        CASE(an_answer_is_sent_again_when_the_service_asks_for_it),
        CASE(an_answer_that_came_too_late_is_dropped),
        CASE(leases_are_renewed_three_times_within_their_length),
        CASE(a_silent_service_is_left_and_asked_again),
        CASE(a_ping_is_answered),
        CASE(a_grant_without_a_free_slot_is_rejected),
        CASE(a_grant_that_follows_an_answer_waits_for_the_handler_to_return),
        CASE(a_replaced_session_ends_the_grader),
        CASE(an_unknown_queue_at_the_start_ends_the_grader),
        CASE(a_refusal_after_a_welcome_is_tried_again),
        CASE(a_service_that_arrives_later_is_found),
        CASE(a_service_that_restarts_is_found_again),
        CASE(a_hundred_reconnects_lose_nothing),
        CASE(large_answers_do_not_all_travel_at_once_and_all_arrive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
