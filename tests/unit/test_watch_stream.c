/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_server_test_support */
/*
 * Submissions.Watch with the real server, in virtual time.
 */
#include <xqueue/v1/admin.pb-c.h>
#include <xqueue/v1/deliveries.pb-c.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service/watching.h"
#include "tests/support/server_fixture.h"

#define STATE(name_)    XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_##name_
#define DELIVERY(name_) XQUEUE__V1__DELIVERY_STATE__DELIVERY_STATE_##name_
enum { SECOND_MS = 1000 };

/* ---- words ---- */

/* A server stream is opened as a bidirectional one that says one thing. */
static struct grader_stream *watches(struct server_fixture *server, const char *user, uint64_t id)
{
    static const struct rpc_client_method method = {"/xqueue.v1.Submissions/Watch", &xqueue__v1__watch_event__descriptor};
    struct grader_stream *stream = stream_opens(server, user, &method);
    Xqueue__V1__WatchRequest request = XQUEUE__V1__WATCH_REQUEST__INIT;
    request.submission_id = id;
    stream_sends(stream, &request.base);
    rpc_client_stream_half_close(stream->stream);
    return stream;
}

static const Xqueue__V1__WatchEvent *sees(struct grader_stream *watch, Xqueue__V1__SubmissionState state)
{
    const Xqueue__V1__WatchEvent *event = stream_awaits(watch);
    assert_non_null(event);
    assert_int_equal(event->submission->state, state);
    return event;
}

static void is_over(struct grader_stream *watch, enum status status, const char *reason)
{
    assert_null(stream_awaits(watch));
    assert_int_equal(watch->status, status);
    assert_string_equal(watch->error.reason, reason);
    stream_closes(watch);
}

static enum status calls(struct server_fixture *server, const char *user, const char *path, const ProtobufCMessage *request)
{
    const struct rpc_client_method method = {path, &xqueue__v1__cancel_response__descriptor}; /* whose reply nobody reads */
    return server_calls(server, user, &method, request, NULL);
}

static void cancels(struct server_fixture *server, uint64_t id)
{
    Xqueue__V1__CancelRequest request = XQUEUE__V1__CANCEL_REQUEST__INIT;
    request.submission_id = id;
    assert_int_equal(calls(server, "lms", "/xqueue.v1.Submissions/Cancel", &request.base), STATUS_OK);
}

static uint64_t hands_in_for(struct server_fixture *server, const char *channel)
{
    static const struct rpc_client_method method = {"/xqueue.v1.Submissions/Submit", &xqueue__v1__submit_response__descriptor};
    Xqueue__V1__SubmitRequest request = XQUEUE__V1__SUBMIT_REQUEST__INIT;
    struct rpc_message *reply = NULL;
    request.queue = (char *)(uintptr_t) "demo";
    request.results_channel = (char *)(uintptr_t)channel;
    assert_int_equal(server_calls(server, "lms", &method, &request.base, &reply), STATUS_OK);
    uint64_t id = ((const Xqueue__V1__SubmitResponse *)rpc_message_body(reply))->submission_id;
    rpc_message_free(reply);
    return id;
}

/* One lease of the queue "demo". */
static struct held_lease *takes(struct server_fixture *server, struct held_lease *out_lease)
{
    static const struct rpc_client_method method = {"/xqueue.v1.Graders/Lease", &xqueue__v1__lease_response__descriptor};
    Xqueue__V1__LeaseRequest request = XQUEUE__V1__LEASE_REQUEST__INIT;
    struct rpc_message *reply = NULL;
    request.queue = (char *)(uintptr_t) "demo";
    request.grader = (char *)(uintptr_t) "poller";
    assert_int_equal(server_calls(server, "grader", &method, &request.base, &reply), STATUS_OK);
    const Xqueue__V1__LeaseResponse *leases = (const Xqueue__V1__LeaseResponse *)rpc_message_body(reply);
    assert_int_equal(leases->n_grants, 1);
    xqueue__v1__lease_ref__init(&out_lease->ref);
    out_lease->ref.submission_id = leases->grants[0]->lease->submission_id;
    snprintf(out_lease->key, sizeof out_lease->key, "%s", leases->grants[0]->lease->lease_key);
    out_lease->ref.lease_key = out_lease->key;
    rpc_message_free(reply);
    return out_lease;
}

static void completes(struct server_fixture *server, struct held_lease *lease)
{
    Xqueue__V1__CompleteRequest request = XQUEUE__V1__COMPLETE_REQUEST__INIT;
    request.lease = &lease->ref;
    assert_int_equal(calls(server, "grader", "/xqueue.v1.Graders/Complete", &request.base), STATUS_OK);
}

static void goes_to_second(struct server_fixture *server, int64_t second)
{
    server_clock_moves_to(server, second * SECOND_MS);
}

/* ---- tests ---- */

static void a_watch_tells_the_whole_way_to_the_delivered_result(void **state)
{
    struct server_fixture *server = *state;
    static const struct rpc_client_method lease_method = {"/xqueue.v1.Deliveries/Lease",
                                                          &xqueue__v1__lease_deliveries_response__descriptor};
    struct held_lease lease;
    uint64_t id = hands_in_for(server, "channel");
    struct grader_stream *watch = watches(server, "lms", id);
    const Xqueue__V1__WatchEvent *event = sees(watch, STATE(READY));
    assert_int_equal(event->submission->submission_id, id);
    assert_string_equal(event->submission->queue, "demo");
    assert_int_equal(event->position, 0);
    assert_int_equal(event->estimate_ms, 0);

    takes(server, &lease);
    event = sees(watch, STATE(LEASED));
    assert_int_equal(event->submission->attempt, 1);
    assert_string_equal(event->submission->grader, "poller");
    completes(server, &lease);
    event = sees(watch, STATE(GRADED));
    assert_int_equal(event->submission->delivery_state, DELIVERY(PENDING));

    Xqueue__V1__LeaseDeliveriesRequest ask = XQUEUE__V1__LEASE_DELIVERIES_REQUEST__INIT;
    Xqueue__V1__AcknowledgeDeliveryRequest acknowledge = XQUEUE__V1__ACKNOWLEDGE_DELIVERY_REQUEST__INIT;
    struct rpc_message *reply = NULL;
    ask.courier = ask.instance = (char *)(uintptr_t) "lms";
    ask.results_channel = (char *)(uintptr_t) "channel";
    assert_int_equal(server_calls(server, "courier", &lease_method, &ask.base, &reply), STATUS_OK);
    assert_int_equal(sees(watch, STATE(GRADED))->submission->delivery_state, DELIVERY(IN_FLIGHT));
    acknowledge.submission_id = id;
    acknowledge.delivery_key =
        ((const Xqueue__V1__LeaseDeliveriesResponse *)rpc_message_body(reply))->deliveries[0]->delivery_key;
    assert_int_equal(calls(server, "courier", "/xqueue.v1.Deliveries/Acknowledge", &acknowledge.base), STATUS_OK);
    rpc_message_free(reply);

    assert_int_equal(sees(watch, STATE(GRADED))->submission->delivery_state, DELIVERY(DELIVERED));
    is_over(watch, STATUS_OK, "");
}

static void reports(struct server_fixture *server, struct held_lease *lease, uint32_t percent)
{
    Xqueue__V1__ReportRequest request = XQUEUE__V1__REPORT_REQUEST__INIT;
    Xqueue__V1__Progress progress = XQUEUE__V1__PROGRESS__INIT;
    progress.phase = (char *)(uintptr_t) "tests";
    progress.percent = percent;
    request.lease = &lease->ref;
    request.progress = &progress;
    assert_int_equal(calls(server, "grader", "/xqueue.v1.Graders/Report", &request.base), STATUS_OK);
}

static void how_far_the_grader_is_is_told_once_a_second(void **state)
{
    struct server_fixture *server = *state;
    struct held_lease lease;
    uint64_t id = hands_in_for(server, "");
    takes(server, &lease);
    struct grader_stream *watch = watches(server, "lms", id);
    assert_null(sees(watch, STATE(LEASED))->progress);

    for (uint32_t percent = 1; percent <= 30; percent++)
        reports(server, &lease, percent);
    goes_to_second(server, 2);
    const Xqueue__V1__WatchEvent *event = sees(watch, STATE(LEASED));
    assert_non_null(event->progress);
    assert_string_equal(event->progress->phase, "tests");
    assert_int_equal(event->progress->percent, 30); /* the newest */
    reports(server, &lease, 90);
    goes_to_second(server, 4);
    assert_int_equal(sees(watch, STATE(LEASED))->progress->percent, 90);

    completes(server, &lease);
    assert_null(sees(watch, STATE(GRADED))->progress);
    is_over(watch, STATUS_OK, "");
}

static void one_without_a_destination_is_over_when_it_is_graded(void **state)
{
    struct server_fixture *server = *state;
    struct held_lease lease;
    uint64_t id = hands_in_for(server, "");
    takes(server, &lease);
    completes(server, &lease);

    struct grader_stream *watch = watches(server, "lms", id);

    assert_int_equal(sees(watch, STATE(GRADED))->submission->delivery_state, DELIVERY(NONE));
    is_over(watch, STATUS_OK, "");
}

static void the_place_in_the_queue_is_told_once_a_second(void **state)
{
    struct server_fixture *server = *state;
    uint64_t ids[5];
    for (int i = 0; i < 5; i++)
        ids[i] = lms_hands_in(server, "x");
    struct grader_stream *watch = watches(server, "lms", ids[4]);
    assert_int_equal(sees(watch, STATE(READY))->position, 4);

    cancels(server, ids[0]);
    cancels(server, ids[1]);
    goes_to_second(server, 2);
    assert_int_equal(sees(watch, STATE(READY))->position, 2); /* both at once */
    goes_to_second(server, 4);                                /* nothing has changed: nothing is told */
    cancels(server, ids[2]);
    goes_to_second(server, 6);
    assert_int_equal(sees(watch, STATE(READY))->position, 1);

    cancels(server, ids[4]); /* what happens to itself is told at once */
    sees(watch, STATE(CANCELED));
    is_over(watch, STATUS_OK, "");
}

static void an_estimate_comes_from_recent_gradings_and_the_graders_that_are_there(void **state)
{
    struct server_fixture *server = *state;
    struct held_lease lease;
    uint64_t ids[4];
    lms_hands_in(server, "x");
    takes(server, &lease);
    server_clock_moves_to(server, SERVER_FIXTURE_LEASE_MS * 3 / 4); /* the warning */
    completes(server, &lease);
    enum { TOOK_MS = SERVER_FIXTURE_LEASE_MS * 3 / 4 };
    for (int i = 0; i < 4; i++)
        ids[i] = lms_hands_in(server, "x");

    struct grader_stream *nobody = watches(server, "lms", ids[0]);
    assert_int_equal(sees(nobody, STATE(READY))->estimate_ms, 0); /* no grader is there */
    stream_closes(nobody);

    takes(server, &lease); /* one at work */
    struct grader_stream *last = watches(server, "lms", ids[3]);
    const Xqueue__V1__WatchEvent *event = sees(last, STATE(READY));
    assert_int_equal(event->position, 2);
    assert_int_equal(event->estimate_ms, 3 * TOOK_MS);
    struct grader_stream *leased = watches(server, "lms", ids[0]);
    assert_int_equal(sees(leased, STATE(LEASED))->estimate_ms, TOOK_MS);
    stream_closes(leased);
    stream_closes(last);
}

static void only_ones_own_and_an_administrators_are_watched(void **state)
{
    struct server_fixture *server = *state;
    uint64_t id = lms_hands_in(server, "x");

    is_over(watches(server, "other", id), STATUS_NOT_FOUND, "SUBMISSION_NOT_FOUND");
    is_over(watches(server, "lms", id + 1), STATUS_NOT_FOUND, "SUBMISSION_NOT_FOUND");
    is_over(watches(server, "admin", UINT64_MAX), STATUS_NOT_FOUND, "SUBMISSION_NOT_FOUND");
    struct grader_stream *admin = watches(server, "admin", id);
    sees(admin, STATE(READY));
    stream_closes(admin);
}

static void all_who_watch_the_same_are_told_and_one_that_leaves_leaves_nothing(void **state)
{
    struct server_fixture *server = *state;
    uint64_t id = lms_hands_in(server, "x");
    struct grader_stream *stays[3];
    for (int i = 0; i < 3; i++) {
        stays[i] = watches(server, "lms", id);
        struct grader_stream *leaves = watches(server, "lms", id);
        sees(stays[i], STATE(READY));
        sees(leaves, STATE(READY));
        stream_closes(leaves);
    }

    cancels(server, id);

    for (int i = 0; i < 3; i++) {
        sees(stays[i], STATE(CANCELED));
        is_over(stays[i], STATUS_OK, "");
    }
}

static void a_purged_submission_ends_its_watch(void **state)
{
    struct server_fixture *server = *state;
    uint64_t id = lms_hands_in(server, "x");
    struct grader_stream *watch = watches(server, "lms", id);
    sees(watch, STATE(READY));
    Xqueue__V1__BulkRequest purge = XQUEUE__V1__BULK_REQUEST__INIT;
    purge.unfinished_too = 1;

    assert_int_equal(calls(server, "admin", "/xqueue.v1.Admin/Purge", &purge.base), STATUS_OK);

    is_over(watch, STATUS_NOT_FOUND, "SUBMISSION_NOT_FOUND");
}

static void a_stop_ends_the_watch_and_a_new_one_goes_on(void **state)
{
    struct server_fixture *server = *state;
    uint64_t id = lms_hands_in(server, "x");
    struct grader_stream *watch = watches(server, "lms", id);
    sees(watch, STATE(READY));
    server_stop(server->server);
    is_over(watch, STATUS_UNAVAILABLE, "DRAINING");
    server_fixture_stop(server);
    server_fixture_start(server);

    watch = watches(server, "lms", id);
    sees(watch, STATE(READY));
    cancels(server, id);
    sees(watch, STATE(CANCELED));
    is_over(watch, STATUS_OK, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, server_fixture_setup, server_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_watch_tells_the_whole_way_to_the_delivered_result),
        TEST(how_far_the_grader_is_is_told_once_a_second),
        TEST(one_without_a_destination_is_over_when_it_is_graded),
        TEST(the_place_in_the_queue_is_told_once_a_second),
        TEST(an_estimate_comes_from_recent_gradings_and_the_graders_that_are_there),
        TEST(only_ones_own_and_an_administrators_are_watched),
        TEST(all_who_watch_the_same_are_told_and_one_that_leaves_leaves_nothing),
        TEST(a_purged_submission_ends_its_watch),
        TEST(a_stop_ends_the_watch_and_a_new_one_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
