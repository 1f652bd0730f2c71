/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_server_test_support */
/*
 * Statistics, settings, search and bulk calls over gRPC: what comes back, who hears of it, and what is refused.
 */
#include <xqueue/v1/admin.pb-c.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "service/bulk.h"
#include "tests/support/server_fixture.h"

#define METHOD(service_, name_, reply_) \
    static const struct rpc_client_method name_ = {"/xqueue.v1." service_, &xqueue__v1__##reply_##__descriptor}
#define SERVER(kind_) XQUEUE__V1__SERVER_MESSAGE__KIND_##kind_
#define STATE(state_) XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_##state_

METHOD("Admin/GetStatistics", get_statistics, statistics);
METHOD("Admin/ListQueueSettings", list_settings, list_queue_settings_response);
METHOD("Admin/ListGraders", list_graders, list_graders_response);
METHOD("Admin/Search", search, list_response);
METHOD("Admin/Requeue", requeue, bulk_response);
METHOD("Admin/Retire", retire, bulk_response);
METHOD("Admin/Purge", purge, bulk_response);
METHOD("Admin/RequeueDeliveries", requeue_deliveries, bulk_response);
METHOD("Deliveries/Lease", lease_deliveries, lease_deliveries_response);
METHOD("Submissions/Get", get, get_response);

static char demo[] = "demo";

/* An admin's call of the method, answered OK; the reply is the caller's. */
static struct rpc_message *asks(struct server_fixture *server, const struct rpc_client_method *method,
                                const ProtobufCMessage *request)
{
    struct rpc_message *reply = NULL;
    enum status status = server_calls(server, "admin", method, request, &reply);
    if (status != STATUS_OK)
        fail_msg("%s: %s", method->path, server->error.text);
    return reply;
}

struct outcome {
    uint64_t matched;
    uint64_t done;
    bool finished;
    char token[SELECTION_TOKEN_MAX];
};

static struct outcome changes(struct server_fixture *server, const struct rpc_client_method *method,
                              const Xqueue__V1__BulkRequest *request)
{
    struct rpc_message *reply = asks(server, method, &request->base);
    const Xqueue__V1__BulkResponse *body = (const Xqueue__V1__BulkResponse *)rpc_message_body(reply);
    struct outcome outcome = {.matched = body->matched, .done = body->done, .finished = body->finished};
    assert_string_equal(body->bulk_id, "");
    snprintf(outcome.token, sizeof outcome.token, "%s", body->next_page_token);
    rpc_message_free(reply);
    return outcome;
}

static void statistics_come_for_each_queue(void **state)
{
    struct server_fixture *server = *state;
    struct held_lease lease;
    Xqueue__V1__GetStatisticsRequest request = XQUEUE__V1__GET_STATISTICS_REQUEST__INIT;
    struct grader_stream *grader = grader_opens(server, "grader");
    grader_says_hello(grader, "g", "1", NULL);
    grader_awaits(grader, SERVER(WELCOME));
    grader_says_credit(grader, 1);
    lms_hands_in(server, "a");
    grader_takes_grant(grader, &lease);
    lms_hands_in(server, "b");
    lms_hands_in(server, "c");

    struct rpc_message *reply = asks(server, &get_statistics, &request.base);

    const Xqueue__V1__Statistics *body = (const Xqueue__V1__Statistics *)rpc_message_body(reply);
    assert_int_equal(body->at_ms, SERVER_FIXTURE_START_MS);
    assert_int_equal(body->graders, 1);
    assert_true(body->n_queues >= 1);
    assert_string_equal(body->queues[0]->queue, "demo");
    assert_true(body->queues[0]->configured);
    assert_int_equal(body->queues[0]->ready_count, 2);
    assert_int_equal(body->queues[0]->leased_count, 1);
    assert_int_equal(body->queues[0]->submitted_total, 3);
    rpc_message_free(reply);
    request.queue = demo;
    reply = asks(server, &get_statistics, &request.base);
    assert_int_equal(((const Xqueue__V1__Statistics *)rpc_message_body(reply))->n_queues, 1);
    rpc_message_free(reply);
    stream_closes(grader);
}

static void settings_are_those_of_the_configuration(void **state)
{
    struct server_fixture *server = *state;
    const Xqueue__V1__ListQueueSettingsRequest request = XQUEUE__V1__LIST_QUEUE_SETTINGS_REQUEST__INIT;

    struct rpc_message *reply = asks(server, &list_settings, &request.base);

    const Xqueue__V1__ListQueueSettingsResponse *body = (const Xqueue__V1__ListQueueSettingsResponse *)rpc_message_body(reply);
    assert_int_equal(body->n_queues, server->config->queue_count);
    assert_string_equal(body->queues[0]->name, "demo");
    assert_int_equal(body->queues[0]->lease_ms, SERVER_FIXTURE_LEASE_MS);
    assert_int_equal(body->queues[0]->attempts_max, server->config->queues[0].attempts_max);
    assert_int_equal(body->queues[0]->poison_graders_max, server->config->queues[0].poison_graders_max);
    assert_true(body->queues[0]->configured);
    rpc_message_free(reply);
}

static void connected_graders_are_listed(void **state)
{
    struct server_fixture *server = *state;
    struct held_lease lease;
    static char nowhere[] = "nowhere";
    Xqueue__V1__ListGradersRequest request = XQUEUE__V1__LIST_GRADERS_REQUEST__INIT;
    struct rpc_message *reply = asks(server, &list_graders, &request.base);
    assert_int_equal(((const Xqueue__V1__ListGradersResponse *)rpc_message_body(reply))->n_graders, 0);
    rpc_message_free(reply);
    struct grader_stream *grader = grader_opens(server, "grader");
    grader_says_hello(grader, "g", "start-1", NULL);
    grader_awaits(grader, SERVER(WELCOME));
    grader_says_credit(grader, 3);
    lms_hands_in(server, "x");
    grader_takes_grant(grader, &lease);
    request.queue = demo;

    reply = asks(server, &list_graders, &request.base);

    const Xqueue__V1__ListGradersResponse *body = (const Xqueue__V1__ListGradersResponse *)rpc_message_body(reply);
    assert_int_equal(body->n_graders, 1);
    const Xqueue__V1__GraderInfo *info = body->graders[0];
    assert_string_equal(info->grader, "g");
    assert_string_equal(info->instance, "start-1");
    assert_int_equal(info->n_queues, 1);
    assert_string_equal(info->queues[0], "demo");
    assert_memory_equal(info->peer, "ipv4:127.0.0.1:", 15);
    assert_int_equal(info->credit, 2);
    assert_int_equal(info->in_flight, 1);
    assert_true(info->slots > 0);
    assert_int_equal(info->connected_at_ms, SERVER_FIXTURE_START_MS);
    assert_int_equal(info->heard_at_ms, SERVER_FIXTURE_START_MS);
    rpc_message_free(reply);
    request.queue = nowhere;
    assert_int_equal(server_calls(server, "admin", &list_graders, &request.base, NULL), STATUS_NOT_FOUND);
    stream_closes(grader);
}

static void a_search_shows_page_after_page(void **state)
{
    struct server_fixture *server = *state;
    Xqueue__V1__SearchRequest request = XQUEUE__V1__SEARCH_REQUEST__INIT;
    Xqueue__V1__SubmissionFilter filter = XQUEUE__V1__SUBMISSION_FILTER__INIT;
    char token[SELECTION_TOKEN_MAX] = "";
    for (int i = 0; i < 5; i++)
        lms_hands_in(server, "x");
    filter.queue = demo;
    request.filter = &filter;
    request.page_size = 2;
    request.page_token = token;

    for (uint64_t id = 1; id <= 5; id += 2) {
        struct rpc_message *reply = asks(server, &search, &request.base);
        const Xqueue__V1__ListResponse *body = (const Xqueue__V1__ListResponse *)rpc_message_body(reply);
        assert_int_equal(body->n_submissions, id < 5 ? 2 : 1);
        assert_int_equal(body->submissions[0]->submission_id, id);
        assert_string_equal(body->submissions[0]->queue, "demo");
        assert_int_equal(body->submissions[0]->state, STATE(READY));
        assert_int_equal(strlen(body->next_page_token) > 0, id < 5);
        snprintf(token, sizeof token, "%s", body->next_page_token);
        rpc_message_free(reply);
    }
}

static void whoever_holds_what_is_retired_hears_of_it(void **state)
{
    struct server_fixture *server = *state;
    static char reason[] = "the course is over";
    struct held_lease lease;
    Xqueue__V1__BulkRequest request = XQUEUE__V1__BULK_REQUEST__INIT;
    Xqueue__V1__GetRequest look = XQUEUE__V1__GET_REQUEST__INIT;
    struct grader_stream *grader = grader_opens(server, "grader");
    grader_says_hello(grader, "g", "1", NULL);
    grader_awaits(grader, SERVER(WELCOME));
    grader_says_credit(grader, 1);
    look.submission_id = lms_hands_in(server, "a");
    grader_takes_grant(grader, &lease);
    lms_hands_in(server, "b");
    request.reason = reason;

    struct outcome outcome = changes(server, &retire, &request);

    assert_int_equal(outcome.matched, 2);
    assert_int_equal(outcome.done, 2);
    assert_true(outcome.finished);
    assert_string_equal(outcome.token, "");
    const Xqueue__V1__LeaseLost *lost = grader_awaits(grader, SERVER(LEASE_LOST))->lease_lost;
    assert_int_equal(lost->reason, XQUEUE__V1__LOST_REASON__LOST_REASON_ADMIN);
    struct rpc_message *reply = asks(server, &get, &look.base);
    const Xqueue__V1__GetResponse *view = (const Xqueue__V1__GetResponse *)rpc_message_body(reply);
    assert_int_equal(view->state, STATE(DEAD));
    assert_string_equal(view->message, "the course is over");
    rpc_message_free(reply);
    stream_closes(grader);
}

/* A call that waits: its answer comes when something is done. */
struct pending {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* guarded by mutex */
    bool answered;
    size_t deliveries;
};

static void on_deliveries(void *context, enum status status, struct rpc_message *reply, const struct error *error)
{
    struct pending *pending = context;
    (void)error;
    pthread_mutex_lock(&pending->mutex);
    pending->answered = true;
    if (status == STATUS_OK)
        pending->deliveries = ((const Xqueue__V1__LeaseDeliveriesResponse *)rpc_message_body(reply))->n_deliveries;
    pthread_cond_broadcast(&pending->changed);
    pthread_mutex_unlock(&pending->mutex);
    rpc_message_free(reply);
}

/* Hands in with a callback, so that there is somebody to tell. */
static void hands_in_with_callback(struct server_fixture *server)
{
    METHOD("Submissions/Submit", submit, submit_response);
    static char url[] = "http://lms.example.org/";
    Xqueue__V1__SubmitRequest request = XQUEUE__V1__SUBMIT_REQUEST__INIT;
    request.queue = demo;
    request.callback_url = url;
    assert_int_equal(server_calls(server, "lms", &submit, &request.base, NULL), STATUS_OK);
}

static void a_waiting_courier_gets_what_was_retired_at_once(void **state)
{
    struct server_fixture *server = *state;
    static char courier[] = "c";
    static char instance[] = "1";
    const Xqueue__V1__BulkRequest request = XQUEUE__V1__BULK_REQUEST__INIT;
    Xqueue__V1__LeaseDeliveriesRequest lease = XQUEUE__V1__LEASE_DELIVERIES_REQUEST__INIT;
    struct pending pending = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    hands_in_with_callback(server);
    const struct rpc_call_options options = {
        .bearer = server_token(server, "courier"), .timeout_ms = SERVER_FIXTURE_PATIENCE_MS, .wait_for_ready = 1};
    lease.courier = courier;
    lease.instance = instance;
    lease.wait_ms = 60000;
    assert_int_equal(rpc_channel_start(server->channel, &lease_deliveries, &lease.base, &options, on_deliveries, &pending),
                     STATUS_OK);
    /* Parked: the engine sleeps until the poll's end. */
    fake_clock_await_deadline(server->clock, SERVER_FIXTURE_START_MS + 60000);

    assert_int_equal(changes(server, &retire, &request).done, 1);

    pthread_mutex_lock(&pending.mutex);
    while (!pending.answered)
        pthread_cond_wait(&pending.changed, &pending.mutex);
    pthread_mutex_unlock(&pending.mutex);
    assert_int_equal(pending.deliveries, 1);
}

static void what_was_given_up_waits_for_a_grader_again(void **state)
{
    struct server_fixture *server = *state;
    struct held_lease lease;
    const Xqueue__V1__BulkRequest request = XQUEUE__V1__BULK_REQUEST__INIT;
    uint64_t id = lms_hands_in(server, "a");
    assert_int_equal(changes(server, &retire, &request).done, 1);
    struct grader_stream *grader = grader_opens(server, "grader");
    grader_says_hello(grader, "g", "1", NULL);
    grader_awaits(grader, SERVER(WELCOME));
    grader_says_credit(grader, 1);

    assert_int_equal(changes(server, &requeue, &request).done, 1);

    grader_takes_grant(grader, &lease);
    assert_int_equal(lease.ref.submission_id, id);
    stream_closes(grader);
}

static void a_long_work_is_done_in_calls_of_the_given_size(void **state)
{
    struct server_fixture *server = *state;
    enum { COUNT = 50 };
    Xqueue__V1__BulkRequest request = XQUEUE__V1__BULK_REQUEST__INIT;
    struct outcome outcome = {0};
    uint64_t done = 0;
    for (int i = 0; i < COUNT; i++)
        lms_hands_in(server, "a");
    request.dry_run = true;
    request.unfinished_too = true;
    assert_int_equal(changes(server, &purge, &request).matched, COUNT);
    request.unfinished_too = false;
    assert_int_equal(changes(server, &purge, &request).matched, 0);
    request.unfinished_too = true;
    request.dry_run = false;
    request.limit = 20;

    for (int calls = 0; !outcome.finished; calls++) {
        request.page_token = outcome.token;
        outcome = changes(server, &purge, &request);
        assert_int_equal(outcome.matched, COUNT - done);
        done += outcome.done;
        assert_true(calls < 3);
    }

    assert_int_equal(done, COUNT);
    assert_int_equal(changes(server, &requeue_deliveries, &request).done, 0);
}

/* Puts submissions into the stopped server's database. */
static void fill_database(struct server_fixture *server, int count)
{
    static char nothing[] = "";
    const struct store_content content = {
        .callback_url = nothing, .results_channel = nothing, .trace_parent = nothing, .trace_state = nothing};
    const struct store_request request = {.submitter = "lms", .request_id = "", .fairness_key = ""};
    struct store *store = NULL;
    struct store_submission row = {.state = SUBMISSION_READY, .rank = 1};
    assert_int_equal(store_open(server->config->service.database, &store, &server->error), STATUS_OK);
    assert_int_equal(store_begin(store), STATUS_OK);
    assert_int_equal(store_queue_id(store, "demo", &row.queue_id), STATUS_OK);
    for (int i = 0; i < count; i++)
        assert_int_equal(store_insert_submission(store, &row, &content, &request), STATUS_OK);
    assert_int_equal(store_commit(store), STATUS_OK);
    store_close(store);
}

static void more_than_a_slice_is_done_by_one_call(void **state)
{
    enum { COUNT = 2 * BULK_SLICE_ROWS_MAX + 500 };
    struct server_fixture *server = *state;
    Xqueue__V1__BulkRequest request = XQUEUE__V1__BULK_REQUEST__INIT;
    server_fixture_stop(server);
    fill_database(server, COUNT);
    server_fixture_start(server);
    request.limit = BULK_LIMIT_MAX;

    struct outcome outcome = changes(server, &retire, &request);

    assert_int_equal(outcome.done, COUNT);
    assert_int_equal(outcome.matched, COUNT);
    assert_true(outcome.finished);
}

static void what_is_wrong_is_told(void **state)
{
    struct server_fixture *server = *state;
    static char long_text[SELECTION_MESSAGE_BYTES_MAX + 2];
    static char nonsense[] = "nonsense";
    static uint64_t ids[SELECTION_IDS_MAX + 1];
    Xqueue__V1__SubmissionState wrong_state = (Xqueue__V1__SubmissionState)9;
    Xqueue__V1__DeliveryState wrong_delivery = (Xqueue__V1__DeliveryState)0;
    Xqueue__V1__SubmissionFilter filters[7];
    memset(long_text, 'x', sizeof long_text - 1);
    for (size_t at = 0; at < 7; at++)
        xqueue__v1__submission_filter__init(&filters[at]);
    filters[0].message_contains = long_text;
    filters[1].queue = long_text;
    filters[2].grader = long_text;
    filters[3].states = &wrong_state;
    filters[3].n_states = 1;
    filters[4].delivery_states = &wrong_delivery;
    filters[4].n_delivery_states = 1;
    filters[5].submission_ids = ids;
    filters[5].n_submission_ids = SELECTION_IDS_MAX + 1;
    filters[6].submitted_until_ms = -1;

    for (size_t at = 0; at < 7; at++) {
        Xqueue__V1__BulkRequest bulk = XQUEUE__V1__BULK_REQUEST__INIT;
        Xqueue__V1__SearchRequest look = XQUEUE__V1__SEARCH_REQUEST__INIT;
        bulk.filter = look.filter = &filters[at];
        assert_int_equal(server_calls(server, "admin", &purge, &bulk.base, NULL), STATUS_INVALID);
        assert_string_equal(server->error.reason, "BULK_INVALID");
        assert_int_equal(server_calls(server, "admin", &search, &look.base, NULL), STATUS_INVALID);
        assert_string_equal(server->error.reason, "SEARCH_INVALID");
    }
    Xqueue__V1__BulkRequest bulk = XQUEUE__V1__BULK_REQUEST__INIT;
    bulk.limit = BULK_LIMIT_MAX + 1;
    assert_int_equal(server_calls(server, "admin", &purge, &bulk.base, NULL), STATUS_INVALID);
    bulk.limit = 0;
    bulk.page_token = nonsense;
    assert_int_equal(server_calls(server, "admin", &purge, &bulk.base, NULL), STATUS_INVALID);
    Xqueue__V1__SubmissionFilter nowhere = XQUEUE__V1__SUBMISSION_FILTER__INIT;
    nowhere.queue = nonsense;
    bulk.page_token = long_text + sizeof long_text - 1;
    bulk.filter = &nowhere;
    assert_int_equal(server_calls(server, "admin", &purge, &bulk.base, NULL), STATUS_NOT_FOUND);
    assert_string_equal(server->error.reason, "QUEUE_NOT_FOUND");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, server_fixture_setup, server_fixture_teardown)
        TEST(statistics_come_for_each_queue),
        TEST(settings_are_those_of_the_configuration),
        TEST(connected_graders_are_listed),
        TEST(a_search_shows_page_after_page),
        TEST(whoever_holds_what_is_retired_hears_of_it),
        TEST(a_waiting_courier_gets_what_was_retired_at_once),
        TEST(what_was_given_up_waits_for_a_grader_again),
        TEST(a_long_work_is_done_in_calls_of_the_given_size),
        TEST(more_than_a_slice_is_done_by_one_call),
        TEST(what_is_wrong_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
