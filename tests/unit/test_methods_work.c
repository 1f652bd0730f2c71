/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_server_test_support */
/*
 * Conversations on a Work stream with the real server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "service/methods/work_stream.h"
#include "tests/support/server_fixture.h"

#define SERVER(kind_) XQUEUE__V1__SERVER_MESSAGE__KIND_##kind_
#define ITEM(item_)   XQUEUE__V1__ACK_ITEM__ACK_ITEM_##item_
#define ACK(outcome_) XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_##outcome_
#define LOST(reason_) XQUEUE__V1__LOST_REASON__LOST_REASON_##reason_
#define STATE(state_) XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_##state_
#define SAYS(message_, kind_, field_, value_)                            \
    do {                                                                 \
        (message_).kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_##kind_; \
        (message_).field_ = (value_);                                    \
    } while (0)

enum { LEASE_MS = SERVER_FIXTURE_LEASE_MS, ACCEPT_MS = 10000, PING_MS = 590000 };

/* A greeted grader with credit for three. */
static struct grader_stream *greeted(struct server_fixture *server, const char *name, const char *instance)
{
    struct grader_stream *grader = grader_opens(server, "grader");
    grader_says_hello(grader, name, instance, NULL);
    grader_awaits(grader, SERVER(WELCOME));
    grader_says_credit(grader, 3);
    return grader;
}

static void a_submission_goes_the_whole_way_on_a_stream(void **state)
{
    struct server_fixture *server = *state;
    struct held_lease lease;
    struct grader_stream *grader = grader_opens(server, "grader");
    grader_says_hello(grader, "g", "1", NULL);
    const Xqueue__V1__Welcome *welcome = grader_awaits(grader, SERVER(WELCOME))->welcome;
    assert_int_equal(welcome->ping_period_ms, PING_MS);
    assert_int_equal(welcome->lease_ms, LEASE_MS);
    assert_int_equal(welcome->leases_max, 3);
    assert_int_equal(welcome->result_bytes_max, 3145728);
    assert_true(strlen(welcome->session) > 0);
    grader_says_credit(grader, 1);

    uint64_t id = lms_hands_in(server, "print(1)");
    const Xqueue__V1__Grant *grant = grader_awaits(grader, SERVER(GRANT))->grant;
    assert_int_equal(grant->attempt, 1);
    assert_int_equal(grant->lease_ms, LEASE_MS);
    assert_int_equal(grant->accept_within_ms, ACCEPT_MS);
    assert_int_equal(grant->submission->id, id);
    assert_string_equal(grant->submission->queue, "demo");
    assert_int_equal(grant->submission->body.len, 8);
    assert_memory_equal(grant->submission->body.data, "print(1)", 8);
    xqueue__v1__lease_ref__init(&lease.ref);
    lease.ref.submission_id = id;
    snprintf(lease.key, sizeof lease.key, "%s", grant->lease->lease_key);
    lease.ref.lease_key = lease.key;
    assert_int_equal(lms_sees(server, id), STATE(LEASED));
    grader_says_complete(grader, &lease.ref, "right");
    grader_awaits_ack(grader, id, ITEM(COMPLETE), ACK(OK));
    grader_says_complete(grader, &lease.ref, "right");
    grader_awaits_ack(grader, id, ITEM(COMPLETE), ACK(ALREADY));
    grader_says_complete(grader, &lease.ref, "wrong");
    grader_awaits_ack(grader, id, ITEM(COMPLETE), ACK(STALE));

    assert_int_equal(lms_sees(server, id), STATE(GRADED));
    stream_closes(grader);
}

static void each_word_about_a_lease_is_answered(void **state)
{
    struct server_fixture *server = *state;
    struct held_lease lease;
    struct grader_stream *grader = greeted(server, "g", "1");
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    Xqueue__V1__Reject reject = XQUEUE__V1__REJECT__INIT;
    Xqueue__V1__ReleaseRequest release = XQUEUE__V1__RELEASE_REQUEST__INIT;
    Xqueue__V1__FailRequest fail = XQUEUE__V1__FAIL_REQUEST__INIT;
    Xqueue__V1__Accept accept = XQUEUE__V1__ACCEPT__INIT;
    uint64_t id = lms_hands_in(server, "x");

    grader_takes_grant(grader, &lease);
    reject.lease = &lease.ref;
    SAYS(message, REJECT, reject, &reject);
    grader_says(grader, &message);
    grader_awaits_ack(grader, id, ITEM(REJECT), ACK(OK));
    assert_int_equal(lms_sees(server, id), STATE(READY)); /* its credit is 0 now */
    accept.lease = &lease.ref;
    SAYS(message, ACCEPT, accept, &accept);
    grader_says(grader, &message);
    grader_awaits_ack(grader, id, ITEM(ACCEPT), ACK(STALE));

    grader_says_credit(grader, 1);
    grader_takes_grant(grader, &lease);
    release.lease = &lease.ref;
    SAYS(message, RELEASE, release, &release);
    grader_says(grader, &message);
    grader_awaits_ack(grader, id, ITEM(RELEASE), ACK(OK));

    grader_says_credit(grader, 1);
    grader_takes_grant(grader, &lease);
    fail.lease = &lease.ref;
    SAYS(message, FAIL, fail, &fail);
    grader_says(grader, &message);
    grader_awaits_ack(grader, id, ITEM(FAIL), ACK(INVALID));
    fail.kind = XQUEUE__V1__FAIL_KIND__FAIL_KIND_TRANSIENT;
    grader_says(grader, &message);
    grader_awaits_ack(grader, id, ITEM(FAIL), ACK(OK));
    assert_int_equal(lms_sees(server, id), STATE(DELAYED));
    grader_says(grader, &message);
    grader_awaits_ack(grader, id, ITEM(FAIL), ACK(STALE));
    stream_closes(grader);
}

static void pings_are_answered_both_ways(void **state)
{
    struct server_fixture *server = *state;
    struct grader_stream *grader = greeted(server, "g", "1");
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    Xqueue__V1__Ping ping = XQUEUE__V1__PING__INIT;
    Xqueue__V1__Pong pong = XQUEUE__V1__PONG__INIT;
    ping.number = 77;
    SAYS(message, PING, ping, &ping);

    grader_says(grader, &message);
    assert_int_equal(grader_awaits(grader, SERVER(PONG))->pong->number, 77);
    for (int period = 1; period <= 5; period++) {
        server_clock_moves_to(server, (int64_t)period * PING_MS);
        pong.number = grader_awaits(grader, SERVER(PING))->ping->number;
        assert_int_equal(pong.number, period);
        if (period == 1) {
            SAYS(message, PONG, pong, &pong);
            grader_says(grader, &message);
            message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_PING;
            message.ping = &ping;
            grader_says(grader, &message); /* its Pong says that ours has been read */
            grader_awaits(grader, SERVER(PONG));
        }
        if (period == 4)
            break;
    }
    server_clock_moves_to(server, INT64_C(5) * PING_MS);

    assert_int_equal(stream_awaits_end(grader), STATUS_TIMEOUT);
    assert_string_equal(grader->error.reason, "PING_LOST");
    stream_closes(grader);
}

static void a_grant_that_is_not_accepted_is_lost(void **state)
{
    struct server_fixture *server = *state;
    struct grader_stream *grader = greeted(server, "g", "1");
    grader_says_credit(grader, 1);
    uint64_t id = lms_hands_in(server, "x");
    grader_awaits(grader, SERVER(GRANT));

    server_clock_moves_to(server, ACCEPT_MS);

    const Xqueue__V1__LeaseLost *lost = grader_awaits(grader, SERVER(LEASE_LOST))->lease_lost;
    assert_int_equal(lost->reason, LOST(NOT_ACCEPTED));
    assert_int_equal(lost->lease->submission_id, id);
    stream_closes(grader);
}

static void says_heartbeat(struct grader_stream *grader, Xqueue__V1__LeaseRef *lease)
{
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    Xqueue__V1__Heartbeat heartbeat = XQUEUE__V1__HEARTBEAT__INIT;
    Xqueue__V1__LeaseProgress progress = XQUEUE__V1__LEASE_PROGRESS__INIT;
    Xqueue__V1__LeaseProgress *leases[] = {&progress};
    progress.lease = lease;
    heartbeat.leases = leases;
    heartbeat.n_leases = 1;
    SAYS(message, HEARTBEAT, heartbeat, &heartbeat);
    grader_says(grader, &message);
}

/* Everything that was said before has been heard. */
static void is_heard(struct grader_stream *grader)
{
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    Xqueue__V1__Ping ping = XQUEUE__V1__PING__INIT;
    SAYS(message, PING, ping, &ping);
    grader_says(grader, &message);
    grader_awaits(grader, SERVER(PONG));
}

static void a_heartbeat_renews_and_says_what_is_lost(void **state)
{
    struct server_fixture *server = *state;
    struct held_lease lease;
    struct grader_stream *grader = greeted(server, "g", "1");
    grader_says_credit(grader, 1);
    uint64_t id = lms_hands_in(server, "x");
    grader_takes_grant(grader, &lease);
    says_heartbeat(grader, &lease.ref);
    is_heard(grader);

    server_clock_moves_to(server, LEASE_MS * 3 / 4);
    const Xqueue__V1__DeadlineSoon *soon = grader_awaits(grader, SERVER(DEADLINE_SOON))->deadline_soon;
    assert_int_equal(soon->expires_in_ms, LEASE_MS / 4);
    assert_int_equal(soon->lease->submission_id, id);
    says_heartbeat(grader, &lease.ref);
    server_clock_moves_to(server, LEASE_MS * 3 / 4 + LEASE_MS * 3 / 4);
    grader_awaits(grader, SERVER(DEADLINE_SOON));
    assert_int_equal(lms_sees(server, id), STATE(LEASED));
    server_clock_moves_to(server, LEASE_MS * 3 / 4 + LEASE_MS);
    assert_int_equal(grader_awaits(grader, SERVER(LEASE_LOST))->lease_lost->reason, LOST(EXPIRED));
    says_heartbeat(grader, &lease.ref);

    assert_int_equal(grader_awaits(grader, SERVER(LEASE_LOST))->lease_lost->reason, LOST(EXPIRED));
    grader_says_complete(grader, &lease.ref, "late");
    grader_awaits_ack(grader, id, ITEM(COMPLETE), ACK(OK));
    stream_closes(grader);
}

static void after_a_lost_stream_a_grader_resumes_what_it_holds(void **state)
{
    struct server_fixture *server = *state;
    struct held_lease lease;
    struct grader_stream *first = greeted(server, "g", "1");
    uint64_t id = lms_hands_in(server, "x");
    grader_takes_grant(first, &lease);
    stream_closes(first);

    struct grader_stream *second = grader_opens(server, "grader");
    grader_says_hello(second, "g", "1", &lease.ref);
    const Xqueue__V1__Welcome *welcome = grader_awaits(second, SERVER(WELCOME))->welcome;
    assert_int_equal(welcome->n_kept, 1);
    assert_int_equal(welcome->n_lost, 0);
    assert_int_equal(welcome->kept[0]->submission_id, id);
    grader_says_complete(second, &lease.ref, "right");
    grader_awaits_ack(second, id, ITEM(COMPLETE), ACK(OK));
    struct grader_stream *third = grader_opens(server, "grader");
    grader_says_hello(third, "g", "2", &lease.ref);
    welcome = grader_awaits(third, SERVER(WELCOME))->welcome;
    assert_int_equal(welcome->n_kept, 0);
    assert_int_equal(welcome->n_lost, 1);
    assert_int_equal(welcome->lost[0]->reason, LOST(STALE));

    assert_int_equal(stream_awaits_end(second), STATUS_STALE);
    assert_string_equal(second->error.reason, "SESSION_REPLACED");
    stream_closes(second);
    stream_closes(third);
}

static void a_draining_grader_is_sent_away_when_it_holds_nothing(void **state)
{
    struct server_fixture *server = *state;
    struct held_lease lease;
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    Xqueue__V1__Drain drain = XQUEUE__V1__DRAIN__INIT;
    struct grader_stream *grader = greeted(server, "g", "1");
    uint64_t id = lms_hands_in(server, "x");
    grader_takes_grant(grader, &lease);
    SAYS(message, DRAIN, drain, &drain);

    grader_says(grader, &message);
    grader_says_complete(grader, &lease.ref, "right");

    grader_awaits_ack(grader, id, ITEM(COMPLETE), ACK(OK));
    assert_null(stream_awaits(grader));
    assert_int_equal(grader->status, STATUS_OK);
    stream_closes(grader);
}

static void hello_and_drain_in_one_breath_are_fine(void **state)
{
    struct server_fixture *server = *state;
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    Xqueue__V1__Drain drain = XQUEUE__V1__DRAIN__INIT;
    SAYS(message, DRAIN, drain, &drain);
    for (int round = 0; round < 20; round++) {
        struct grader_stream *grader = grader_opens(server, "grader");
        grader_says_hello(grader, "g", "1", NULL);
        grader_says(grader, &message);
        assert_int_equal(stream_awaits_end(grader), STATUS_OK);
        stream_closes(grader);
    }
}

static void who_closes_its_side_gets_its_answers_and_the_end(void **state)
{
    struct server_fixture *server = *state;
    struct held_lease lease;
    struct grader_stream *grader = greeted(server, "g", "1");
    uint64_t id = lms_hands_in(server, "x");
    grader_takes_grant(grader, &lease);

    grader_says_complete(grader, &lease.ref, "right");
    rpc_client_stream_half_close(grader->stream);

    grader_awaits_ack(grader, id, ITEM(COMPLETE), ACK(OK));
    assert_int_equal(stream_awaits_end(grader), STATUS_OK);
    stream_closes(grader);
}

static void check_breach(struct server_fixture *server, bool greets, const Xqueue__V1__GraderMessage *message,
                         enum status status)
{
    struct grader_stream *grader = grader_opens(server, "grader");
    if (greets) {
        grader_says_hello(grader, "g", "1", NULL);
        grader_awaits(grader, SERVER(WELCOME));
    }
    grader_says(grader, message);
    assert_int_equal(stream_awaits_end(grader), status);
    stream_closes(grader);
}

static void a_breach_of_the_rules_ends_the_stream(void **state)
{
    struct server_fixture *server = *state;
    static char none[] = "none";
    static char name[] = "g";
    static char short_key[] = "abc";
    char *queues[] = {none};
    Xqueue__V1__GraderMessage empty = XQUEUE__V1__GRADER_MESSAGE__INIT;
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    Xqueue__V1__Credit credit = XQUEUE__V1__CREDIT__INIT;
    Xqueue__V1__Hello hello = XQUEUE__V1__HELLO__INIT;
    Xqueue__V1__Accept accept = XQUEUE__V1__ACCEPT__INIT;
    Xqueue__V1__LeaseRef lease = XQUEUE__V1__LEASE_REF__INIT;

    check_breach(server, true, &empty, STATUS_INVALID);
    SAYS(message, CREDIT, credit, &credit);
    check_breach(server, false, &message, STATUS_INVALID);
    SAYS(message, HELLO, hello, &hello);
    check_breach(server, false, &message, STATUS_INVALID);
    check_breach(server, true, &message, STATUS_INVALID);
    hello.grader = name;
    hello.instance = name;
    hello.slots = 1;
    hello.queues = queues;
    hello.n_queues = 1;
    check_breach(server, false, &message, STATUS_NOT_FOUND);
    static char long_sdk[WORK_STREAM_SDK_BYTES_MAX + 2];
    memset(long_sdk, 'x', sizeof long_sdk - 1);
    hello.sdk = long_sdk;
    check_breach(server, false, &message, STATUS_INVALID);
    SAYS(message, ACCEPT, accept, &accept);
    check_breach(server, true, &message, STATUS_INVALID);
    accept.lease = &lease;
    lease.submission_id = 1;
    lease.lease_key = short_key;
    check_breach(server, true, &message, STATUS_INVALID);
    Xqueue__V1__Heartbeat heartbeat = XQUEUE__V1__HEARTBEAT__INIT;
    Xqueue__V1__LeaseProgress entry = XQUEUE__V1__LEASE_PROGRESS__INIT;
    Xqueue__V1__LeaseProgress *entries[] = {&entry};
    Xqueue__V1__Progress progress = XQUEUE__V1__PROGRESS__INIT;
    static char key[] = "0123456789abcdef0123456789abcdef";
    progress.percent = 101;
    lease.lease_key = key;
    entry.lease = &lease;
    entry.progress = &progress;
    heartbeat.leases = entries;
    heartbeat.n_leases = 1;
    SAYS(message, HEARTBEAT, heartbeat, &heartbeat);
    check_breach(server, true, &message, STATUS_INVALID);
}

static void a_stream_that_says_nothing_is_ended(void **state)
{
    struct server_fixture *server = *state;
    struct grader_stream *grader = grader_opens(server, "grader");

    server_clock_moves_to(server, WORK_STREAM_HELLO_MS);

    assert_int_equal(stream_awaits_end(grader), STATUS_TIMEOUT);
    assert_string_equal(grader->error.reason, "HELLO_MISSING");
    stream_closes(grader);
}

static void a_stream_that_says_nothing_does_not_hold_up_a_stop(void **state)
{
    struct server_fixture *server = *state;
    struct grader_stream *silent = grader_opens(server, "grader");
    struct grader_stream *other = grader_opens(server, "grader");
    grader_says_hello(other, "g", "1", NULL);
    grader_awaits(other, SERVER(WELCOME));

    server_stop(server->server); /* its grace is longer than the test's patience */

    assert_int_not_equal(stream_awaits_end(silent), STATUS_OK);
    assert_int_equal(stream_awaits_end(other), STATUS_UNAVAILABLE);
    stream_closes(silent);
    stream_closes(other);
}

static void a_superseded_submission_is_lost_to_its_grader_at_once(void **state)
{
    struct server_fixture *server = *state;
    static const struct rpc_client_method method = {"/xqueue.v1.Submissions/Submit", &xqueue__v1__submit_response__descriptor};
    static char queue[] = "demo";
    static uint8_t key[] = {1, 2, 3};
    struct held_lease lease;
    struct grader_stream *grader = greeted(server, "g", "1");
    Xqueue__V1__SubmitRequest request = XQUEUE__V1__SUBMIT_REQUEST__INIT;
    request.queue = queue;
    request.replace_key.data = key;
    request.replace_key.len = sizeof key;
    assert_int_equal(server_calls(server, "lms", &method, &request.base, NULL), STATUS_OK);
    grader_takes_grant(grader, &lease);
    grader_says_credit(grader, 0);

    assert_int_equal(server_calls(server, "lms", &method, &request.base, NULL), STATUS_OK);

    assert_int_equal(grader_awaits(grader, SERVER(LEASE_LOST))->lease_lost->reason, LOST(SUPERSEDED));
    grader_says_complete(grader, &lease.ref, "right");
    const Xqueue__V1__Ack *ack = grader_awaits(grader, SERVER(ACK))->ack;
    assert_int_equal(ack->outcome, ACK(STALE));
    assert_string_equal(ack->reason, "LEASE_SUPERSEDED");
    stream_closes(grader);
}

static void many_answers_at_once_come_in_order(void **state)
{
    enum { MANY = 400 };
    struct server_fixture *server = *state;
    struct grader_stream *grader = greeted(server, "g", "1");
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    Xqueue__V1__Ping ping = XQUEUE__V1__PING__INIT;
    SAYS(message, PING, ping, &ping);
    for (ping.number = 1; ping.number <= 20; ping.number++)
        grader_says(grader, &message);
    for (uint64_t number = 1; number <= MANY - 20; number++) {
        assert_int_equal(grader_awaits(grader, SERVER(PONG))->pong->number, number);
        grader_says(grader, &message);
        ping.number++;
    }
    stream_closes(grader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, server_fixture_setup, server_fixture_teardown)
        TEST(a_submission_goes_the_whole_way_on_a_stream),
        TEST(each_word_about_a_lease_is_answered),
        TEST(pings_are_answered_both_ways),
        TEST(a_grant_that_is_not_accepted_is_lost),
        TEST(a_heartbeat_renews_and_says_what_is_lost),
        TEST(after_a_lost_stream_a_grader_resumes_what_it_holds),
        TEST(a_draining_grader_is_sent_away_when_it_holds_nothing),
        TEST(hello_and_drain_in_one_breath_are_fine),
        TEST(who_closes_its_side_gets_its_answers_and_the_end),
        TEST(a_breach_of_the_rules_ends_the_stream),
        TEST(a_stream_that_says_nothing_is_ended),
        TEST(a_stream_that_says_nothing_does_not_hold_up_a_stop),
        TEST(a_superseded_submission_is_lost_to_its_grader_at_once),
        TEST(many_answers_at_once_come_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
