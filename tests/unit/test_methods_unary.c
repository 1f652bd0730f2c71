/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_server_test_support */
/*
 * The unary methods: graders that poll, long polls, deliveries, sessions, and requests that break their bounds.
 */
#include <xqueue/v1/server.pb-c.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "tests/support/server_fixture.h"

#define METHOD(service_, name_, reply_) \
    static const struct rpc_client_method name_ = {"/xqueue.v1." service_, &xqueue__v1__##reply_##__descriptor}
#define BODY(type_, message_) ((const Xqueue__V1__##type_ *)rpc_message_body(message_))

METHOD("Submissions/Submit", submit, submit_response);
METHOD("Submissions/Get", get, get_response);
METHOD("Submissions/GetQueue", get_queue, get_queue_response);
METHOD("Submissions/ListQueues", list_queues, list_queues_response);
METHOD("Graders/Lease", lease, lease_response);
METHOD("Graders/Extend", extend, extend_response);
METHOD("Graders/Complete", complete, complete_response);
METHOD("Graders/Fail", fail_lease, fail_response);
METHOD("Graders/Release", release, release_response);
METHOD("Graders/Report", report, report_response);
METHOD("Deliveries/Lease", lease_deliveries, lease_deliveries_response);
METHOD("Deliveries/Acknowledge", acknowledge, acknowledge_delivery_response);
METHOD("Deliveries/Fail", fail_delivery, fail_delivery_response);
METHOD("Sessions/Login", login, login_response);
METHOD("Sessions/Logout", logout, logout_response);
METHOD("Sessions/WhoAmI", who_am_i, who_am_iresponse);
METHOD("Server/GetServerInfo", server_info, get_server_info_response);

static char demo[] = "demo";
static char poller[] = "poller";
static char courier[] = "courier";
static char instance[] = "1";
static char empty[] = "";

/* ---- calls that the test does not wait for ---- */

struct pending {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* guarded by mutex */
    bool answered;
    enum status status;
    struct rpc_message *reply;
};

static void on_reply(void *context, enum status status, struct rpc_message *reply, const struct error *error)
{
    struct pending *pending = context;
    (void)error;
    pthread_mutex_lock(&pending->mutex);
    pending->answered = true;
    pending->status = status;
    pending->reply = reply;
    pthread_cond_broadcast(&pending->changed);
    pthread_mutex_unlock(&pending->mutex);
}

static void begin(struct server_fixture *server, struct pending *pending, const char *user,
                  const struct rpc_client_method *method, const ProtobufCMessage *request)
{
    const struct rpc_call_options options = {
        .bearer = server_token(server, user), .timeout_ms = SERVER_FIXTURE_PATIENCE_MS, .wait_for_ready = 1};
    memset(pending, 0, sizeof *pending);
    pthread_mutex_init(&pending->mutex, NULL);
    pthread_cond_init(&pending->changed, NULL);
    assert_int_equal(rpc_channel_start(server->channel, method, request, &options, on_reply, pending), STATUS_OK);
}

static enum status finish(struct pending *pending)
{
    pthread_mutex_lock(&pending->mutex);
    while (!pending->answered)
        pthread_cond_wait(&pending->changed, &pending->mutex);
    pthread_mutex_unlock(&pending->mutex);
    pthread_cond_destroy(&pending->changed);
    pthread_mutex_destroy(&pending->mutex);
    return pending->status;
}

/* ---- graders ---- */

static Xqueue__V1__LeaseRequest lease_request(int64_t wait_ms)
{
    Xqueue__V1__LeaseRequest request = XQUEUE__V1__LEASE_REQUEST__INIT;
    request.queue = demo;
    request.grader = poller;
    request.wait_ms = wait_ms;
    return request;
}

/* One lease, which must be there. */
static void poll(struct server_fixture *server, struct held_lease *out_lease)
{
    const Xqueue__V1__LeaseRequest request = lease_request(0);
    struct rpc_message *reply = NULL;
    assert_int_equal(server_calls(server, "grader", &lease, &request.base, &reply), STATUS_OK);
    assert_int_equal(BODY(LeaseResponse, reply)->n_grants, 1);
    const Xqueue__V1__LeaseRef *ref = BODY(LeaseResponse, reply)->grants[0]->lease;
    xqueue__v1__lease_ref__init(&out_lease->ref);
    snprintf(out_lease->key, sizeof out_lease->key, "%s", ref->lease_key);
    out_lease->ref.submission_id = ref->submission_id;
    out_lease->ref.lease_key = out_lease->key;
    rpc_message_free(reply);
}

static void a_poller_leases_extends_and_completes(void **state)
{
    struct server_fixture *server = *state;
    struct held_lease held;
    struct rpc_message *reply = NULL;
    Xqueue__V1__ExtendRequest more = XQUEUE__V1__EXTEND_REQUEST__INIT;
    Xqueue__V1__CompleteRequest done = XQUEUE__V1__COMPLETE_REQUEST__INIT;
    static uint8_t result[] = "right";
    uint64_t id = lms_hands_in(server, "x");
    poll(server, &held);
    assert_int_equal(held.ref.submission_id, id);
    more.lease = &held.ref;
    done.lease = &held.ref;
    done.result.data = result;
    done.result.len = 5;

    fake_clock_advance(server->clock, 1000);
    assert_int_equal(server_calls(server, "grader", &extend, &more.base, &reply), STATUS_OK);
    assert_int_equal(BODY(ExtendResponse, reply)->expires_in_ms, SERVER_FIXTURE_LEASE_MS);
    rpc_message_free(reply);
    assert_int_equal(server_calls(server, "grader", &complete, &done.base, &reply), STATUS_OK);
    assert_int_equal(BODY(CompleteResponse, reply)->generation, 1);
    assert_false(BODY(CompleteResponse, reply)->already);
    rpc_message_free(reply);
    assert_int_equal(server_calls(server, "grader", &complete, &done.base, &reply), STATUS_OK);
    assert_true(BODY(CompleteResponse, reply)->already);
    rpc_message_free(reply);
    done.result.len = 4;
    assert_int_equal(server_calls(server, "grader", &complete, &done.base, NULL), STATUS_STALE);
    assert_string_equal(server->error.reason, "RESULT_EXISTS");

    Xqueue__V1__GetRequest look = XQUEUE__V1__GET_REQUEST__INIT;
    look.submission_id = id;
    look.with_submission = true;
    look.with_result = true;
    assert_int_equal(server_calls(server, "lms", &get, &look.base, &reply), STATUS_OK);
    const Xqueue__V1__GetResponse *view = BODY(GetResponse, reply);
    assert_int_equal(view->state, XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_GRADED);
    assert_int_equal(view->delivery_state, XQUEUE__V1__DELIVERY_STATE__DELIVERY_STATE_PENDING);
    assert_string_equal(view->grader, "poller");
    assert_memory_equal(view->result->body.data, "right", 5);
    assert_int_equal(view->submission->body.len, 1);
    rpc_message_free(reply);
    assert_int_equal(server_calls(server, "other", &get, &look.base, NULL), STATUS_NOT_FOUND);
    assert_int_equal(server_calls(server, "admin", &get, &look.base, NULL), STATUS_OK);
}

static void a_poller_reports_how_far_it_is_within_the_bounds_of_a_note(void **state)
{
    struct server_fixture *server = *state;
    struct held_lease held;
    static char text[600];
    static char lines[] = "1 of 3\n2 of 3";
    memset(text, 'x', sizeof text - 1);
    Xqueue__V1__Progress fine = XQUEUE__V1__PROGRESS__INIT;
    fine.percent = 100;
    fine.phase = lines;
    fine.note = text + sizeof text - 1 - 512; /* 512 bytes */
    Xqueue__V1__Progress bad[3] = {fine, fine, fine};
    bad[0].percent = 101;
    bad[1].note = text + sizeof text - 1 - 513;
    bad[2].phase = text + sizeof text - 1 - 65;
    lms_hands_in(server, "x");
    poll(server, &held);
    Xqueue__V1__ReportRequest request = XQUEUE__V1__REPORT_REQUEST__INIT;
    Xqueue__V1__ExtendRequest more = XQUEUE__V1__EXTEND_REQUEST__INIT;
    request.lease = &held.ref;
    more.lease = &held.ref;

    assert_int_equal(server_calls(server, "grader", &report, &request.base, NULL), STATUS_INVALID);
    for (size_t at = 0; at < sizeof bad / sizeof bad[0]; at++) {
        request.progress = &bad[at];
        more.progress = &bad[at];
        assert_int_equal(server_calls(server, "grader", &report, &request.base, NULL), STATUS_INVALID);
        assert_string_equal(server->error.reason, "PROGRESS_INVALID");
        assert_int_equal(server_calls(server, "grader", &extend, &more.base, NULL), STATUS_INVALID);
    }
    request.progress = &fine;
    more.progress = &fine;
    assert_int_equal(server_calls(server, "grader", &report, &request.base, NULL), STATUS_OK);
    assert_int_equal(server_calls(server, "grader", &extend, &more.base, NULL), STATUS_OK);

    held.key[0] = held.key[0] == 'x' ? 'y' : 'x';
    assert_int_equal(server_calls(server, "grader", &report, &request.base, NULL), STATUS_STALE);
    assert_string_equal(server->error.reason, "LEASE_STALE");
    held.ref.submission_id = 999;
    assert_int_equal(server_calls(server, "grader", &report, &request.base, NULL), STATUS_NOT_FOUND);
    request.lease = NULL;
    assert_int_equal(server_calls(server, "grader", &report, &request.base, NULL), STATUS_INVALID);
}

static void a_poller_fails_and_releases(void **state)
{
    struct server_fixture *server = *state;
    struct held_lease held;
    struct rpc_message *reply = NULL;
    Xqueue__V1__FailRequest failure = XQUEUE__V1__FAIL_REQUEST__INIT;
    Xqueue__V1__ReleaseRequest back = XQUEUE__V1__RELEASE_REQUEST__INIT;
    lms_hands_in(server, "x");
    poll(server, &held);
    back.lease = &held.ref;
    assert_int_equal(server_calls(server, "grader", &release, &back.base, NULL), STATUS_OK);
    assert_int_equal(server_calls(server, "grader", &release, &back.base, NULL), STATUS_STALE);
    poll(server, &held);
    failure.lease = &held.ref;

    assert_int_equal(server_calls(server, "grader", &fail_lease, &failure.base, NULL), STATUS_INVALID);
    failure.kind = XQUEUE__V1__FAIL_KIND__FAIL_KIND_TRANSIENT;
    failure.retry_after_ms = 100000;
    assert_int_equal(server_calls(server, "grader", &fail_lease, &failure.base, &reply), STATUS_OK);

    assert_int_equal(BODY(FailResponse, reply)->state, XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_DELAYED);
    assert_int_equal(BODY(FailResponse, reply)->ready_after_ms, 100000);
    rpc_message_free(reply);
}

static void a_long_poll_is_answered_when_something_comes(void **state)
{
    struct server_fixture *server = *state;
    struct pending pending;
    const Xqueue__V1__LeaseRequest request = lease_request(60000);
    begin(server, &pending, "grader", &lease, &request.base);
    fake_clock_await_deadline(server->clock, SERVER_FIXTURE_START_MS + 60000);

    uint64_t id = lms_hands_in(server, "x");

    assert_int_equal(finish(&pending), STATUS_OK);
    assert_int_equal(BODY(LeaseResponse, pending.reply)->n_grants, 1);
    assert_int_equal(BODY(LeaseResponse, pending.reply)->grants[0]->lease->submission_id, id);
    rpc_message_free(pending.reply);
}

static void a_long_poll_ends_empty_when_its_time_is_over(void **state)
{
    struct server_fixture *server = *state;
    struct pending pending;
    const Xqueue__V1__LeaseRequest request = lease_request(30000);
    begin(server, &pending, "grader", &lease, &request.base);

    server_clock_moves_to(server, 30000);

    assert_int_equal(finish(&pending), STATUS_OK);
    assert_int_equal(BODY(LeaseResponse, pending.reply)->n_grants, 0);
    rpc_message_free(pending.reply);
}

/* The engine waits for the earliest end of a poll: for the second one's, once the first has been given up. */
static void a_long_poll_that_is_given_up_waits_no_longer(void **state)
{
    struct server_fixture *server = *state;
    struct pending pending;
    const Xqueue__V1__LeaseRequest first = lease_request(30000);
    const Xqueue__V1__LeaseRequest second = lease_request(60000);
    struct grader_stream *poll = stream_opens(server, "grader", &lease);
    stream_sends(poll, &first.base);
    rpc_client_stream_half_close(poll->stream);
    fake_clock_await_deadline(server->clock, SERVER_FIXTURE_START_MS + 30000);
    begin(server, &pending, "grader", &lease, &second.base);

    stream_closes(poll);

    fake_clock_await_deadline(server->clock, SERVER_FIXTURE_START_MS + 60000);
    uint64_t id = lms_hands_in(server, "x");
    assert_int_equal(finish(&pending), STATUS_OK);
    assert_int_equal(BODY(LeaseResponse, pending.reply)->grants[0]->lease->submission_id, id);
    assert_int_equal(BODY(LeaseResponse, pending.reply)->grants[0]->attempt, 1);
    rpc_message_free(pending.reply);
}

/* ---- deliveries ---- */

static Xqueue__V1__LeaseDeliveriesRequest delivery_request(int64_t wait_ms)
{
    Xqueue__V1__LeaseDeliveriesRequest request = XQUEUE__V1__LEASE_DELIVERIES_REQUEST__INIT;
    request.courier = courier;
    request.instance = instance;
    request.wait_ms = wait_ms;
    return request;
}

static void a_poll_for_deliveries_that_is_given_up_waits_no_longer(void **state)
{
    struct server_fixture *server = *state;
    struct pending pending;
    const Xqueue__V1__LeaseDeliveriesRequest first = delivery_request(30000);
    const Xqueue__V1__LeaseDeliveriesRequest second = delivery_request(60000);
    struct grader_stream *poll = stream_opens(server, "courier", &lease_deliveries);
    stream_sends(poll, &first.base);
    rpc_client_stream_half_close(poll->stream);
    fake_clock_await_deadline(server->clock, SERVER_FIXTURE_START_MS + 30000);
    begin(server, &pending, "courier", &lease_deliveries, &second.base);

    stream_closes(poll);

    server_clock_moves_to(server, 60000);
    assert_int_equal(finish(&pending), STATUS_OK);
    assert_int_equal(BODY(LeaseDeliveriesResponse, pending.reply)->n_deliveries, 0);
    rpc_message_free(pending.reply);
}

static void grade_one(struct server_fixture *server)
{
    struct held_lease held;
    Xqueue__V1__CompleteRequest done = XQUEUE__V1__COMPLETE_REQUEST__INIT;
    static uint8_t result[] = "right";
    poll(server, &held);
    done.lease = &held.ref;
    done.result.data = result;
    done.result.len = 5;
    assert_int_equal(server_calls(server, "grader", &complete, &done.base, NULL), STATUS_OK);
}

static void a_courier_that_waits_gets_a_result_as_soon_as_there_is_one(void **state)
{
    struct server_fixture *server = *state;
    struct pending pending;
    struct rpc_message *reply = NULL;
    const Xqueue__V1__LeaseDeliveriesRequest request = delivery_request(45000);
    Xqueue__V1__AcknowledgeDeliveryRequest done = XQUEUE__V1__ACKNOWLEDGE_DELIVERY_REQUEST__INIT;
    Xqueue__V1__FailDeliveryRequest failure = XQUEUE__V1__FAIL_DELIVERY_REQUEST__INIT;
    begin(server, &pending, "courier", &lease_deliveries, &request.base);
    fake_clock_await_deadline(server->clock, SERVER_FIXTURE_START_MS + 45000);

    uint64_t id = lms_hands_in(server, "x");
    grade_one(server);

    assert_int_equal(finish(&pending), STATUS_OK);
    assert_int_equal(BODY(LeaseDeliveriesResponse, pending.reply)->n_deliveries, 1);
    const Xqueue__V1__Delivery *delivery = BODY(LeaseDeliveriesResponse, pending.reply)->deliveries[0];
    assert_int_equal(delivery->submission_id, id);
    assert_string_equal(delivery->callback_url, "http://lms.example.org/callback");
    assert_memory_equal(delivery->result.data, "right", 5);
    assert_int_equal(delivery->outcome, XQUEUE__V1__OUTCOME__OUTCOME_RESULT);
    failure.submission_id = id;
    failure.delivery_key = delivery->delivery_key;
    failure.message = empty;
    failure.uncounted = true;
    assert_int_equal(server_calls(server, "courier", &fail_delivery, &failure.base, &reply), STATUS_OK);
    assert_int_equal(BODY(FailDeliveryResponse, reply)->retry_after_ms, 0);
    rpc_message_free(reply);
    done.submission_id = id;
    done.delivery_key = delivery->delivery_key;
    assert_int_equal(server_calls(server, "courier", &acknowledge, &done.base, NULL), STATUS_OK);
    assert_int_equal(server_calls(server, "courier", &acknowledge, &done.base, &reply), STATUS_OK);
    assert_true(BODY(AcknowledgeDeliveryResponse, reply)->already);
    rpc_message_free(reply);
    done.submission_id = UINT64_MAX;
    assert_int_equal(server_calls(server, "courier", &acknowledge, &done.base, NULL), STATUS_NOT_FOUND);
    rpc_message_free(pending.reply);
}

static void a_courier_that_waits_in_vain_gets_nothing(void **state)
{
    struct server_fixture *server = *state;
    struct pending pending;
    const Xqueue__V1__LeaseDeliveriesRequest request = delivery_request(45000);
    begin(server, &pending, "courier", &lease_deliveries, &request.base);

    server_clock_moves_to(server, 45000);

    assert_int_equal(finish(&pending), STATUS_OK);
    assert_int_equal(BODY(LeaseDeliveriesResponse, pending.reply)->n_deliveries, 0);
    rpc_message_free(pending.reply);
}

/* ---- submitters ---- */

static void requests_that_break_their_bounds_are_refused(void **state)
{
    struct server_fixture *server = *state;
    static char long_text[9000];
    static char url[] = "http://x";
    static char ftp[] = "ftp://x";
    static uint8_t bytes[70000];
    memset(long_text, 'x', sizeof long_text - 1);
    Xqueue__V1__SubmitRequest fine = XQUEUE__V1__SUBMIT_REQUEST__INIT;
    fine.queue = demo;
    Xqueue__V1__SubmitRequest bad[14];
    for (size_t at = 0; at < sizeof bad / sizeof bad[0]; at++)
        bad[at] = fine;
    bad[0].queue = empty;
    bad[1].request_id = long_text;
    bad[2].header = (ProtobufCBinaryData){.data = bytes, .len = sizeof bytes};
    bad[3].callback_url = long_text;
    bad[4].results_channel = long_text;
    bad[5].replace_key = (ProtobufCBinaryData){.data = bytes, .len = 65};
    bad[6].priority = 3;
    bad[7].not_before_ms = -1;
    bad[8].expire_after_ms = INT64_MAX;
    bad[9].trace_parent = long_text;
    bad[10].trace_state = long_text;
    bad[11].cost = 1000001;
    bad[12].callback_url = url;
    bad[12].results_channel = url;
    bad[13].callback_url = ftp;

    for (size_t at = 0; at < sizeof bad / sizeof bad[0]; at++) {
        assert_int_equal(server_calls(server, "lms", &submit, &bad[at].base, NULL), STATUS_INVALID);
        assert_string_equal(server->error.reason, "SUBMIT_INVALID");
    }
    assert_int_equal(server_calls(server, "lms", &submit, &fine.base, NULL), STATUS_OK);
    fine.queue = url;
    assert_int_equal(server_calls(server, "lms", &submit, &fine.base, NULL), STATUS_NOT_FOUND);
}

static void a_queue_of_bounds_says_which_one(void **state)
{
    struct server_fixture *server = *state;
    static char small[] = "small";
    static uint8_t body[11];
    struct rpc_message *reply = NULL;
    Xqueue__V1__SubmitRequest request = XQUEUE__V1__SUBMIT_REQUEST__INIT;
    Xqueue__V1__GetQueueRequest look = XQUEUE__V1__GET_QUEUE_REQUEST__INIT;
    Xqueue__V1__ListQueuesRequest list = XQUEUE__V1__LIST_QUEUES_REQUEST__INIT;
    request.queue = small;
    request.body = (ProtobufCBinaryData){.data = body, .len = 11};
    assert_int_equal(server_calls(server, "lms", &submit, &request.base, NULL), STATUS_INVALID);
    assert_string_equal(server->error.reason, "BODY_TOO_LARGE");
    request.body.len = 10;
    assert_int_equal(server_calls(server, "lms", &submit, &request.base, NULL), STATUS_OK);

    assert_int_equal(server_calls(server, "lms", &submit, &request.base, NULL), STATUS_FULL);
    assert_string_equal(server->error.reason, "QUEUE_FULL");
    assert_true(server->error.retry_after_ms > 0);

    look.queue = small;
    assert_int_equal(server_calls(server, "courier", &get_queue, &look.base, &reply), STATUS_OK);
    assert_int_equal(BODY(GetQueueResponse, reply)->ready_count, 1);
    rpc_message_free(reply);
    assert_int_equal(server_calls(server, "courier", &list_queues, &list.base, &reply), STATUS_OK);
    assert_int_equal(BODY(ListQueuesResponse, reply)->n_queues, 2);
    assert_string_equal(BODY(ListQueuesResponse, reply)->queues[0], "demo");
    rpc_message_free(reply);
}

static void a_repeated_submit_answers_the_first(void **state)
{
    struct server_fixture *server = *state;
    static char request_id[] = "r1";
    static uint8_t body[] = "x";
    struct rpc_message *first = NULL;
    struct rpc_message *second = NULL;
    Xqueue__V1__SubmitRequest request = XQUEUE__V1__SUBMIT_REQUEST__INIT;
    request.queue = demo;
    request.request_id = request_id;

    assert_int_equal(server_calls(server, "lms", &submit, &request.base, &first), STATUS_OK);
    assert_int_equal(server_calls(server, "lms", &submit, &request.base, &second), STATUS_OK);
    assert_true(BODY(SubmitResponse, second)->already);
    assert_int_equal(BODY(SubmitResponse, second)->submission_id, BODY(SubmitResponse, first)->submission_id);
    request.body = (ProtobufCBinaryData){.data = body, .len = 1};
    assert_int_equal(server_calls(server, "lms", &submit, &request.base, NULL), STATUS_EXISTS);
    assert_string_equal(server->error.reason, "REQUEST_ID_REUSED");
    assert_int_equal(server_calls(server, "other", &submit, &request.base, NULL), STATUS_OK);
    rpc_message_free(first);
    rpc_message_free(second);
}

/* ---- sessions ---- */

static enum status log_in(struct server_fixture *server, const char *user, const char *password, struct rpc_message **reply)
{
    Xqueue__V1__LoginRequest request = XQUEUE__V1__LOGIN_REQUEST__INIT;
    request.user = (char *)(uintptr_t)user;
    request.password = (char *)(uintptr_t)password;
    return server_calls(server, NULL, &login, &request.base, reply);
}

static void unknown_users_and_wrong_passwords_are_refused_alike(void **state)
{
    struct server_fixture *server = *state;
    struct error unknown;
    assert_int_equal(log_in(server, "nobody", "secret", NULL), STATUS_UNAUTHENTICATED);
    unknown = server->error;

    assert_int_equal(log_in(server, "lms", "wrong", NULL), STATUS_UNAUTHENTICATED);

    assert_string_equal(server->error.reason, "WRONG_CREDENTIALS");
    assert_string_equal(server->error.reason, unknown.reason);
    assert_string_equal(server->error.text, unknown.text);
    assert_int_equal(log_in(server, "", "secret", NULL), STATUS_INVALID);
    assert_int_equal(log_in(server, "lms", "", NULL), STATUS_UNAUTHENTICATED);
}

static void a_session_lasts_until_logout_or_its_end(void **state)
{
    struct server_fixture *server = *state;
    char token[64];
    char other[64];
    struct rpc_message *reply = NULL;
    const Xqueue__V1__WhoAmIRequest who = XQUEUE__V1__WHO_AM_IREQUEST__INIT;
    const Xqueue__V1__LogoutRequest out = XQUEUE__V1__LOGOUT_REQUEST__INIT;
    snprintf(token, sizeof token, "=%s", server_token(server, "grader"));
    snprintf(other, sizeof other, "=%s", server_token(server, "grader"));
    assert_string_not_equal(token, other);

    fake_clock_advance(server->clock, 1000);
    assert_int_equal(server_calls(server, token, &who_am_i, &who.base, &reply), STATUS_OK);
    assert_string_equal(BODY(WhoAmIResponse, reply)->user, "grader");
    assert_int_equal(BODY(WhoAmIResponse, reply)->n_roles, 1);
    assert_int_equal(BODY(WhoAmIResponse, reply)->roles[0], XQUEUE__V1__ROLE__ROLE_GRADE);
    assert_int_equal(BODY(WhoAmIResponse, reply)->expires_in_ms, INT64_C(1209600000) - 1000);
    rpc_message_free(reply);
    assert_int_equal(server_calls(server, token, &logout, &out.base, NULL), STATUS_OK);
    assert_int_equal(server_calls(server, token, &who_am_i, &who.base, NULL), STATUS_UNAUTHENTICATED);
    assert_string_equal(server->error.reason, "SESSION_OVER");
    assert_int_equal(server_calls(server, other, &who_am_i, &who.base, NULL), STATUS_OK);
    fake_clock_advance(server->clock, INT64_C(1209600000) - 1000);

    assert_int_equal(server_calls(server, other, &who_am_i, &who.base, NULL), STATUS_UNAUTHENTICATED);
}

static void the_server_says_what_it_is_to_everybody(void **state)
{
    struct server_fixture *server = *state;
    struct rpc_message *reply = NULL;
    const Xqueue__V1__GetServerInfoRequest request = XQUEUE__V1__GET_SERVER_INFO_REQUEST__INIT;

    assert_int_equal(server_calls(server, NULL, &server_info, &request.base, &reply), STATUS_OK);

    assert_string_equal(BODY(GetServerInfoResponse, reply)->version, XQUEUE_VERSION);
    assert_int_equal(BODY(GetServerInfoResponse, reply)->body_bytes_max, 3145728);
    rpc_message_free(reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, server_fixture_setup, server_fixture_teardown)
        TEST(a_poller_leases_extends_and_completes),
        TEST(a_poller_reports_how_far_it_is_within_the_bounds_of_a_note),
        TEST(a_poller_fails_and_releases),
        TEST(a_long_poll_is_answered_when_something_comes),
        TEST(a_long_poll_ends_empty_when_its_time_is_over),
        TEST(a_long_poll_that_is_given_up_waits_no_longer),
        TEST(a_poll_for_deliveries_that_is_given_up_waits_no_longer),
        TEST(a_courier_that_waits_gets_a_result_as_soon_as_there_is_one),
        TEST(a_courier_that_waits_in_vain_gets_nothing),
        TEST(requests_that_break_their_bounds_are_refused),
        TEST(a_queue_of_bounds_says_which_one),
        TEST(a_repeated_submit_answers_the_first),
        TEST(unknown_users_and_wrong_passwords_are_refused_alike),
        TEST(a_session_lasts_until_logout_or_its_end),
        TEST(the_server_says_what_it_is_to_everybody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
