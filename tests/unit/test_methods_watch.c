/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_server_test_support */
/*
 * Streams that look again after a while: statistics, and how far a regrade is.
 */
#include <xqueue/v1/admin.pb-c.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service/methods/periodic.h"
#include "tests/support/server_fixture.h"

#define METHOD(service_, name_, reply_) \
    static const struct rpc_client_method name_ = {"/xqueue.v1." service_, &xqueue__v1__##reply_##__descriptor}
#define SERVER(kind_) XQUEUE__V1__SERVER_MESSAGE__KIND_##kind_

METHOD("Admin/WatchStatistics", watch_statistics, statistics);
METHOD("Admin/GetStatistics", get_statistics, statistics);
METHOD("Admin/WatchBulk", watch_bulk, bulk_response);
METHOD("Admin/Regrade", regrade, bulk_response);

static struct grader_stream *watch_opens(struct server_fixture *server, int64_t period_ms, char *queue)
{
    Xqueue__V1__WatchStatisticsRequest request = XQUEUE__V1__WATCH_STATISTICS_REQUEST__INIT;
    struct grader_stream *stream = stream_opens(server, "admin", &watch_statistics);
    request.period_ms = period_ms;
    request.queue = queue;
    stream_sends(stream, &request.base);
    rpc_client_stream_half_close(stream->stream);
    return stream;
}

static void statistics_come_at_once_and_after_each_period(void **state)
{
    static char all[] = "";
    struct server_fixture *server = *state;
    struct grader_stream *watch = watch_opens(server, 2000, all);

    const Xqueue__V1__Statistics *first = stream_awaits(watch);
    assert_non_null(first);
    assert_int_equal(first->at_ms, SERVER_FIXTURE_START_MS);
    assert_int_equal(first->queues[0]->ready_count, 0);
    assert_int_equal(first->queues[0]->last_minute->submitted, 0);
    lms_hands_in(server, "x");
    server_clock_moves_to(server, 2000);

    const Xqueue__V1__Statistics *second = stream_awaits(watch);
    assert_non_null(second);
    assert_int_equal(second->at_ms, SERVER_FIXTURE_START_MS + 2000);
    assert_int_equal(second->queues[0]->ready_count, 1);
    assert_int_equal(second->queues[0]->last_minute->submitted, 1);
    assert_int_equal(second->queues[0]->last_hour->submitted, 1);
    assert_true(second->queues[0]->configured);
    server_clock_moves_to(server, 4000);
    assert_non_null(stream_awaits(watch));
    stream_closes(watch);
}

static void a_stream_that_is_left_holds_nothing_up(void **state)
{
    static char all[] = "";
    struct server_fixture *server = *state;
    const Xqueue__V1__GetStatisticsRequest request = XQUEUE__V1__GET_STATISTICS_REQUEST__INIT;
    /* Each has a period that no test outlives: only its end can make room for the next. */
    for (int at = 0; at < PERIODIC_STREAMS_MAX + 20; at++) {
        struct grader_stream *watch = watch_opens(server, 3600000, all);
        assert_non_null(stream_awaits(watch));
        stream_closes(watch);
        assert_int_equal(server_calls(server, "admin", &get_statistics, &request.base, NULL), STATUS_OK);
    }
}

static void more_streams_than_there_may_be_are_refused(void **state)
{
    static char all[] = "";
    struct server_fixture *server = *state;
    struct grader_stream *watches[PERIODIC_STREAMS_MAX];
    for (int at = 0; at < PERIODIC_STREAMS_MAX; at++) {
        watches[at] = watch_opens(server, 0, all);
        assert_non_null(stream_awaits(watches[at]));
    }

    struct grader_stream *one_more = watch_opens(server, 0, all);

    assert_int_equal(stream_awaits_end(one_more), STATUS_FULL);
    assert_string_equal(one_more->error.reason, "WATCHES_FULL");
    stream_closes(one_more);
    for (int at = 0; at < PERIODIC_STREAMS_MAX; at++)
        stream_closes(watches[at]);
}

static void what_is_wrong_is_told(void **state)
{
    static char nowhere[] = "nowhere";
    static char all[] = "";
    struct server_fixture *server = *state;
    struct grader_stream *watch = watch_opens(server, 0, nowhere);
    assert_int_equal(stream_awaits_end(watch), STATUS_NOT_FOUND);
    stream_closes(watch);
    watch = watch_opens(server, 10, all);
    assert_int_equal(stream_awaits_end(watch), STATUS_INVALID);
    stream_closes(watch);
    watch = watch_opens(server, -1, all);
    assert_int_equal(stream_awaits_end(watch), STATUS_INVALID);
    stream_closes(watch);
}

static void streams_end_with_the_service(void **state)
{
    static char all[] = "";
    struct server_fixture *server = *state;
    struct grader_stream *watch = watch_opens(server, 3600000, all);
    assert_non_null(stream_awaits(watch));

    server_stop(server->server);

    assert_int_equal(stream_awaits_end(watch), STATUS_UNAVAILABLE);
    assert_string_equal(watch->error.reason, "DRAINING");
    stream_closes(watch);
}

/* ---- a regrade ---- */

static struct grader_stream *bulk_watch_opens(struct server_fixture *server, char *bulk_id)
{
    Xqueue__V1__WatchBulkRequest request = XQUEUE__V1__WATCH_BULK_REQUEST__INIT;
    struct grader_stream *stream = stream_opens(server, "admin", &watch_bulk);
    request.bulk_id = bulk_id;
    stream_sends(stream, &request.base);
    rpc_client_stream_half_close(stream->stream);
    return stream;
}

static void the_progress_of_a_regrade_is_told_until_all_are_graded(void **state)
{
    struct server_fixture *server = *state;
    struct held_lease lease;
    struct rpc_message *reply = NULL;
    char bulk_id[32];
    const Xqueue__V1__BulkRequest request = XQUEUE__V1__BULK_REQUEST__INIT;
    struct grader_stream *grader = grader_opens(server, "grader");
    grader_says_hello(grader, "g", "1", NULL);
    grader_awaits(grader, SERVER(WELCOME));
    grader_says_credit(grader, 1);
    uint64_t id = lms_hands_in(server, "x");
    grader_takes_grant(grader, &lease);
    grader_says_complete(grader, &lease.ref, "old");
    grader_awaits_ack(grader, id, XQUEUE__V1__ACK_ITEM__ACK_ITEM_COMPLETE, XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_OK);

    assert_int_equal(server_calls(server, "admin", &regrade, &request.base, &reply), STATUS_OK);
    const Xqueue__V1__BulkResponse *outcome = (const Xqueue__V1__BulkResponse *)rpc_message_body(reply);
    assert_int_equal(outcome->done, 1);
    assert_true(outcome->finished);
    assert_true(strlen(outcome->bulk_id) > 0 && strlen(outcome->bulk_id) < sizeof bulk_id);
    (void)snprintf(bulk_id, sizeof bulk_id, "%s", outcome->bulk_id);
    rpc_message_free(reply);
    struct grader_stream *watch = bulk_watch_opens(server, bulk_id);
    const Xqueue__V1__BulkResponse *progress = stream_awaits(watch);
    assert_non_null(progress);
    assert_int_equal(progress->matched, 1);
    assert_int_equal(progress->done, 0);
    assert_false(progress->finished);

    grader_says_credit(grader, 1);
    grader_takes_grant(grader, &lease);
    grader_says_complete(grader, &lease.ref, "new");
    grader_awaits_ack(grader, id, XQUEUE__V1__ACK_ITEM__ACK_ITEM_COMPLETE, XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_OK);
    server_clock_moves_to(server, 1000);
    progress = stream_awaits(watch);
    assert_non_null(progress);
    assert_int_equal(progress->done, 1);
    assert_int_equal(progress->failed, 0);
    assert_true(progress->finished);
    assert_string_equal(progress->bulk_id, bulk_id);
    assert_int_equal(stream_awaits_end(watch), STATUS_OK);
    stream_closes(watch);
    stream_closes(grader);
}

static void a_regrade_that_nobody_knows_is_not_found(void **state)
{
    static char unknown[] = "4711";
    static char nonsense[] = "nonsense";
    struct server_fixture *server = *state;
    Xqueue__V1__BulkRequest request = XQUEUE__V1__BULK_REQUEST__INIT;
    struct grader_stream *watch = bulk_watch_opens(server, unknown);
    assert_int_equal(stream_awaits_end(watch), STATUS_NOT_FOUND);
    assert_string_equal(watch->error.reason, "BULK_NOT_FOUND");
    stream_closes(watch);
    watch = bulk_watch_opens(server, nonsense);
    assert_int_equal(stream_awaits_end(watch), STATUS_NOT_FOUND);
    stream_closes(watch);
    request.bulk_id = unknown;
    assert_int_equal(server_calls(server, "admin", &regrade, &request.base, NULL), STATUS_NOT_FOUND);
    request.bulk_id = nonsense;
    assert_int_equal(server_calls(server, "admin", &regrade, &request.base, NULL), STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, server_fixture_setup, server_fixture_teardown)
        TEST(statistics_come_at_once_and_after_each_period),
        TEST(a_stream_that_is_left_holds_nothing_up),
        TEST(more_streams_than_there_may_be_are_refused),
        TEST(what_is_wrong_is_told),
        TEST(streams_end_with_the_service),
        TEST(the_progress_of_a_regrade_is_told_until_all_are_graded),
        TEST(a_regrade_that_nobody_knows_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
