/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_server_test_support */
/*
 * An LMS that takes its results itself: conversations on Deliveries.Stream with the real server, in virtual time.
 */
#include <xqueue/v1/deliveries.pb-c.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service/delivery_session.h"
#include "service/methods/delivery_stream.h"
#include "tests/support/server_fixture.h"

#define CHANNEL      "results-of-lms"
#define STATE(name_) XQUEUE__V1__DELIVERY_STATE__DELIVERY_STATE_##name_
enum { PING_MS = 590000, DELIVERY_LEASE_MS = 60000, RETRY_MS = 300000, KEY_MAX = 64 };

static const struct rpc_client_method stream_method = {"/xqueue.v1.Deliveries/Stream", &xqueue__v1__delivery__descriptor};

/* What a test keeps of a delivery. */
struct got {
    uint64_t id;
    char key[KEY_MAX];
    uint32_t attempt;
    char result[KEY_MAX];
    char header[KEY_MAX];
};

/* ---- submitting and grading ---- */

static uint64_t hands_in(struct server_fixture *server, Xqueue__V1__SubmitRequest *request)
{
    static const struct rpc_client_method method = {"/xqueue.v1.Submissions/Submit", &xqueue__v1__submit_response__descriptor};
    struct rpc_message *reply = NULL;
    request->queue = (char *)(uintptr_t) "demo";
    assert_int_equal(server_calls(server, "lms", &method, &request->base, &reply), STATUS_OK);
    uint64_t id = ((const Xqueue__V1__SubmitResponse *)rpc_message_body(reply))->submission_id;
    rpc_message_free(reply);
    return id;
}

static uint64_t hands_in_for(struct server_fixture *server, const char *channel, const char *replace_key)
{
    Xqueue__V1__SubmitRequest request = XQUEUE__V1__SUBMIT_REQUEST__INIT;
    request.results_channel = (char *)(uintptr_t)channel;
    request.header = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t) "mine", .len = 4};
    request.replace_key = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)replace_key, .len = strlen(replace_key)};
    return hands_in(server, &request);
}

/* The next submission of the queue is graded with that result. */
static void grades_one_with(struct server_fixture *server, const char *bytes, size_t length)
{
    static const struct rpc_client_method lease = {"/xqueue.v1.Graders/Lease", &xqueue__v1__lease_response__descriptor};
    static const struct rpc_client_method complete = {"/xqueue.v1.Graders/Complete",
                                                      &xqueue__v1__complete_response__descriptor};
    Xqueue__V1__LeaseRequest ask = XQUEUE__V1__LEASE_REQUEST__INIT;
    Xqueue__V1__CompleteRequest answer = XQUEUE__V1__COMPLETE_REQUEST__INIT;
    struct rpc_message *reply = NULL;
    ask.queue = (char *)(uintptr_t) "demo";
    ask.grader = (char *)(uintptr_t) "g";
    assert_int_equal(server_calls(server, "grader", &lease, &ask.base, &reply), STATUS_OK);
    const Xqueue__V1__LeaseResponse *leases = (const Xqueue__V1__LeaseResponse *)rpc_message_body(reply);
    assert_int_equal(leases->n_grants, 1);
    answer.lease = leases->grants[0]->lease;
    answer.result = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)bytes, .len = length};
    assert_int_equal(server_calls(server, "grader", &complete, &answer.base, NULL), STATUS_OK);
    rpc_message_free(reply);
}

static void grades_one(struct server_fixture *server)
{
    grades_one_with(server, "right", 5);
}

static uint64_t is_graded(struct server_fixture *server)
{
    uint64_t id = hands_in_for(server, CHANNEL, "");
    grades_one(server);
    return id;
}

/* ---- the LMS on its stream ---- */

struct opening {
    const char *courier; /* NULL: "lms-1" */
    const char *instance;
    const char *channel; /* NULL: CHANNEL */
    uint32_t credit;     /* 0: 10 */
    const struct got *held;
};

static const char *or_else(const char *text, const char *fallback)
{
    return text ? text : fallback;
}

static void lms_says(struct grader_stream *stream, Xqueue__V1__DeliveryAnswer__KindCase kind, ProtobufCMessage *body)
{
    Xqueue__V1__DeliveryAnswer answer = XQUEUE__V1__DELIVERY_ANSWER__INIT;
    answer.kind_case = kind;
    switch (kind) {
    case XQUEUE__V1__DELIVERY_ANSWER__KIND_OPEN:
        answer.open = (Xqueue__V1__OpenDeliveries *)body;
        break;
    case XQUEUE__V1__DELIVERY_ANSWER__KIND_ACKNOWLEDGE:
        answer.acknowledge = (Xqueue__V1__AcknowledgeDeliveryRequest *)body;
        break;
    default:
        answer.fail = (Xqueue__V1__FailDeliveryRequest *)body;
        break;
    }
    stream_sends(stream, &answer.base);
}

static struct grader_stream *lms_opens(struct server_fixture *server, const struct opening *opening)
{
    struct grader_stream *stream = stream_opens(server, "courier", &stream_method);
    Xqueue__V1__OpenDeliveries open = XQUEUE__V1__OPEN_DELIVERIES__INIT;
    Xqueue__V1__DeliveryRef ref = XQUEUE__V1__DELIVERY_REF__INIT;
    Xqueue__V1__DeliveryRef *refs[] = {&ref};
    open.courier = (char *)(uintptr_t)or_else(opening->courier, "lms-1");
    open.instance = (char *)(uintptr_t)or_else(opening->instance, "start-1");
    open.results_channel = (char *)(uintptr_t)or_else(opening->channel, CHANNEL);
    open.credit = opening->credit > 0 ? opening->credit : 10;
    if (opening->held) {
        ref.submission_id = opening->held->id;
        ref.delivery_key = (char *)(uintptr_t)opening->held->key;
        open.held = refs;
        open.n_held = 1;
    }
    lms_says(stream, XQUEUE__V1__DELIVERY_ANSWER__KIND_OPEN, &open.base);
    return stream;
}

static struct got lms_gets(struct grader_stream *stream)
{
    struct got got = {0};
    const Xqueue__V1__Delivery *delivery = stream_awaits(stream);
    assert_non_null(delivery);
    assert_int_equal(delivery->ping_number, 0);
    got.id = delivery->submission_id;
    got.attempt = delivery->attempt;
    snprintf(got.key, sizeof got.key, "%s", delivery->delivery_key);
    snprintf(got.result, sizeof got.result, "%.*s", (int)delivery->result.len, (const char *)delivery->result.data);
    snprintf(got.header, sizeof got.header, "%.*s", (int)delivery->header.len, (const char *)delivery->header.data);
    return got;
}

static void lms_acknowledges(struct grader_stream *stream, const struct got *got)
{
    Xqueue__V1__AcknowledgeDeliveryRequest request = XQUEUE__V1__ACKNOWLEDGE_DELIVERY_REQUEST__INIT;
    request.submission_id = got->id;
    request.delivery_key = (char *)(uintptr_t)got->key;
    lms_says(stream, XQUEUE__V1__DELIVERY_ANSWER__KIND_ACKNOWLEDGE, &request.base);
}

/* retry_after_ms 0: for good. */
static void lms_fails(struct grader_stream *stream, const struct got *got, const char *message, int64_t retry_after_ms)
{
    Xqueue__V1__FailDeliveryRequest request = XQUEUE__V1__FAIL_DELIVERY_REQUEST__INIT;
    request.submission_id = got->id;
    request.delivery_key = (char *)(uintptr_t)got->key;
    request.message = (char *)(uintptr_t)message;
    request.permanent = retry_after_ms == 0;
    request.retry_after_ms = retry_after_ms;
    lms_says(stream, XQUEUE__V1__DELIVERY_ANSWER__KIND_FAIL, &request.base);
}

static void lms_pongs(struct grader_stream *stream, uint64_t number)
{
    Xqueue__V1__DeliveryAnswer answer = XQUEUE__V1__DELIVERY_ANSWER__INIT;
    answer.kind_case = XQUEUE__V1__DELIVERY_ANSWER__KIND_PONG;
    answer.pong = number;
    stream_sends(stream, &answer.base);
}

static void stream_ends_with(struct grader_stream *stream, enum status status, const char *reason)
{
    assert_int_equal(stream_awaits_end(stream), status);
    assert_string_equal(stream->error.reason, reason);
    stream_closes(stream);
}

static Xqueue__V1__GetResponse view(struct server_fixture *server, uint64_t id)
{
    static const struct rpc_client_method method = {"/xqueue.v1.Submissions/Get", &xqueue__v1__get_response__descriptor};
    Xqueue__V1__GetRequest request = XQUEUE__V1__GET_REQUEST__INIT;
    struct rpc_message *reply = NULL;
    request.submission_id = id;
    assert_int_equal(server_calls(server, "lms", &method, &request.base, &reply), STATUS_OK);
    Xqueue__V1__GetResponse response = *(const Xqueue__V1__GetResponse *)rpc_message_body(reply);
    rpc_message_free(reply);
    return response; /* its numbers; the texts are gone */
}

/* Half-closes: then all that was said has been done. */
static void lms_ends(struct grader_stream *stream)
{
    rpc_client_stream_half_close(stream->stream);
    assert_int_equal(stream_awaits_end(stream), STATUS_OK);
    stream_closes(stream);
}

/* ---- tests ---- */

static void results_come_as_they_are_there_and_are_acknowledged_on_the_stream(void **state)
{
    struct server_fixture *server = *state;
    uint64_t before = is_graded(server);
    struct grader_stream *lms = lms_opens(server, &(struct opening){0});

    struct got first = lms_gets(lms);
    assert_int_equal(first.id, before);
    assert_int_equal(first.attempt, 1);
    assert_string_equal(first.result, "right");
    assert_string_equal(first.header, "mine");
    assert_int_equal(strlen(first.key), LEASE_KEY_LENGTH);
    assert_int_equal(view(server, before).delivery_state, STATE(IN_FLIGHT));
    uint64_t later = is_graded(server);
    struct got second = lms_gets(lms);
    assert_int_equal(second.id, later);
    lms_acknowledges(lms, &second);
    lms_acknowledges(lms, &first);
    lms_acknowledges(lms, &first); /* twice is harmless */
    lms_ends(lms);

    assert_int_equal(view(server, before).delivery_state, STATE(DELIVERED));
    assert_int_equal(view(server, later).delivery_state, STATE(DELIVERED));
}

static void a_channel_has_its_own_results_only(void **state)
{
    struct server_fixture *server = *state;
    uint64_t foreign = hands_in_for(server, "another", "");
    grades_one(server);
    uint64_t nowhere = hands_in_for(server, "", "");
    grades_one(server);
    uint64_t own = is_graded(server);
    struct grader_stream *lms = lms_opens(server, &(struct opening){0});

    assert_int_equal(lms_gets(lms).id, own);
    lms_ends(lms);

    assert_int_equal(view(server, foreign).delivery_state, STATE(PENDING));
    assert_int_equal(view(server, nowhere).delivery_state, STATE(NONE));
}

static void no_more_than_the_credit_is_unanswered(void **state)
{
    struct server_fixture *server = *state;
    uint64_t ids[4];
    for (int i = 0; i < 4; i++)
        ids[i] = is_graded(server);
    struct grader_stream *lms = lms_opens(server, &(struct opening){.credit = 2});
    struct got first = lms_gets(lms);
    struct got second = lms_gets(lms);
    assert_int_equal(view(server, ids[2]).delivery_state, STATE(PENDING));

    lms_fails(lms, &second, "not now", 0);
    struct got third = lms_gets(lms);
    assert_int_equal(third.id, ids[2]);
    assert_int_equal(view(server, ids[1]).delivery_state, STATE(UNDELIVERABLE));
    assert_int_equal(view(server, ids[3]).delivery_state, STATE(PENDING));
    lms_acknowledges(lms, &first);

    assert_int_equal(lms_gets(lms).id, ids[3]);
    stream_closes(lms);
}

static void what_failed_comes_again_after_a_pause(void **state)
{
    struct server_fixture *server = *state;
    uint64_t id = is_graded(server);
    struct grader_stream *lms = lms_opens(server, &(struct opening){.credit = 1});
    struct got first = lms_gets(lms);

    lms_fails(lms, &first, "the course is closed", RETRY_MS);
    server_clock_moves_to(server, RETRY_MS);
    struct got again = lms_gets(lms);

    assert_int_equal(again.id, id);
    assert_int_equal(again.attempt, 2);
    assert_string_not_equal(again.key, first.key);
    lms_acknowledges(lms, &again);
    lms_ends(lms);
    assert_int_equal(view(server, id).delivery_state, STATE(DELIVERED));
}

static void one_that_is_not_answered_in_time_comes_again_and_the_old_key_is_worth_nothing(void **state)
{
    struct server_fixture *server = *state;
    uint64_t id = is_graded(server);
    struct grader_stream *lms = lms_opens(server, &(struct opening){0});
    struct got first = lms_gets(lms);

    server_clock_moves_to(server, DELIVERY_LEASE_MS);
    struct got again = lms_gets(lms);
    assert_int_equal(again.id, id);
    assert_int_equal(again.attempt, 2);
    lms_acknowledges(lms, &first); /* late: it changes nothing, and ends nothing */
    uint64_t next = is_graded(server);
    struct got second = lms_gets(lms);
    assert_int_equal(second.id, next);
    assert_int_equal(view(server, id).delivery_state, STATE(IN_FLIGHT));
    lms_acknowledges(lms, &again);
    lms_ends(lms);

    assert_int_equal(view(server, id).delivery_state, STATE(DELIVERED));
}

static void a_late_acknowledgement_counts_while_nobody_else_has_it(void **state)
{
    struct server_fixture *server = *state;
    uint64_t id = is_graded(server);
    struct grader_stream *lms = lms_opens(server, &(struct opening){.credit = 1});
    struct got first = lms_gets(lms); /* the credit is used up: it does not come again here */

    server_clock_moves_to(server, DELIVERY_LEASE_MS);
    assert_int_equal(view(server, id).delivery_state, STATE(PENDING));
    lms_acknowledges(lms, &first);
    lms_ends(lms);

    assert_int_equal(view(server, id).delivery_state, STATE(DELIVERED));
}

static void of_one_replace_key_only_the_oldest_is_on_its_way(void **state)
{
    struct server_fixture *server = *state;
    uint64_t old = hands_in_for(server, CHANNEL, "student");
    grades_one(server);
    uint64_t new = hands_in_for(server, CHANNEL, "student");
    grades_one(server);
    struct grader_stream *lms = lms_opens(server, &(struct opening){0});

    struct got first = lms_gets(lms);
    assert_int_equal(first.id, old);
    assert_int_equal(view(server, new).delivery_state, STATE(PENDING));
    lms_acknowledges(lms, &first);

    struct got second = lms_gets(lms);
    assert_int_equal(second.id, new);
    lms_acknowledges(lms, &second);
    lms_ends(lms);
}

static void after_a_lost_stream_the_same_instance_goes_on_with_what_it_has(void **state)
{
    struct server_fixture *server = *state;
    uint64_t kept = is_graded(server);
    uint64_t lost = is_graded(server);
    struct grader_stream *lms = lms_opens(server, &(struct opening){.credit = 2});
    struct got first = lms_gets(lms);
    struct got second = lms_gets(lms);
    assert_int_equal(first.id, kept);
    assert_int_equal(second.id, lost);
    stream_closes(lms); /* it breaks; the LMS has only seen the first */

    lms = lms_opens(server, &(struct opening){.credit = 2, .held = &first});
    struct got again = lms_gets(lms);
    assert_int_equal(again.id, lost);
    assert_string_not_equal(again.key, second.key);
    assert_int_equal(again.attempt, 1); /* it never arrived: not counted */
    assert_int_equal(view(server, kept).delivery_state, STATE(IN_FLIGHT));
    lms_acknowledges(lms, &first);
    lms_acknowledges(lms, &again);
    lms_ends(lms);

    assert_int_equal(view(server, kept).delivery_state, STATE(DELIVERED));
    assert_int_equal(view(server, lost).delivery_state, STATE(DELIVERED));
}

static void another_instance_gets_all_again_at_once(void **state)
{
    struct server_fixture *server = *state;
    uint64_t id = is_graded(server);
    struct grader_stream *lms = lms_opens(server, &(struct opening){.instance = "start-1"});
    struct got first = lms_gets(lms);
    stream_closes(lms);

    lms = lms_opens(server, &(struct opening){.instance = "start-2"});
    struct got again = lms_gets(lms);
    assert_int_equal(again.id, id);
    assert_int_equal(again.attempt, 2); /* it may be what brought the LMS down */
    lms_acknowledges(lms, &first);      /* of the earlier start */
    lms_acknowledges(lms, &again);
    lms_ends(lms);
    assert_int_equal(view(server, id).delivery_state, STATE(DELIVERED));
}

static void a_stream_that_was_lost_without_a_word_is_replaced(void **state)
{
    struct server_fixture *server = *state;
    struct grader_stream *old = lms_opens(server, &(struct opening){0});
    struct grader_stream *other = lms_opens(server, &(struct opening){.courier = "lms-2"});
    struct grader_stream *elsewhere = lms_opens(server, &(struct opening){.channel = "another"});
    struct grader_stream *new = lms_opens(server, &(struct opening){0});

    stream_ends_with(old, STATUS_STALE, "SESSION_REPLACED");

    uint64_t id = is_graded(server);
    lms_ends(other); /* the others are still there */
    lms_ends(elsewhere);
    struct got got = lms_gets(new); /* from the one that ended, or at once */
    assert_int_equal(got.id, id);
    lms_acknowledges(new, &got);
    lms_ends(new);
}

static void who_half_closes_gives_back_what_is_not_answered(void **state)
{
    struct server_fixture *server = *state;
    uint64_t id = is_graded(server);
    struct grader_stream *lms = lms_opens(server, &(struct opening){0});
    lms_gets(lms);

    lms_ends(lms);

    assert_int_equal(view(server, id).delivery_state, STATE(PENDING));
    struct grader_stream *other = lms_opens(server, &(struct opening){.courier = "lms-2"});
    struct got got = lms_gets(other);
    assert_int_equal(got.id, id);
    assert_int_equal(got.attempt, 1);
    stream_closes(other);
}

static void an_idle_stream_is_pinged_and_ends_when_nobody_answers(void **state)
{
    struct server_fixture *server = *state;
    struct grader_stream *lms = lms_opens(server, &(struct opening){0});
    uint64_t number = 0;
    for (int i = 1; i <= 5; i++) {
        server_clock_moves_to(server, (int64_t)i * PING_MS);
        const Xqueue__V1__Delivery *ping = stream_awaits(lms);
        assert_non_null(ping);
        assert_true(ping->ping_number > number);
        assert_int_equal(ping->submission_id, 0);
        number = ping->ping_number;
        if (i <= 2) {
            lms_pongs(lms, number);
            is_graded(server); /* the pong has come when the answer to this has */
            struct got got = lms_gets(lms);
            lms_acknowledges(lms, &got);
            while (view(server, got.id).delivery_state != STATE(DELIVERED)) {
            }
        }
    }
    server_clock_moves_to(server, 6 * (int64_t)PING_MS);

    stream_ends_with(lms, STATUS_TIMEOUT, "PING_LOST");
}

static void breaches_end_the_stream(void **state)
{
    struct server_fixture *server = *state;
    struct got nothing = {.id = 1, .key = "00000000000000000000000000000000"};
    struct got no_key = {.id = 1, .key = "short"};
    const struct opening bad[] = {
        {.courier = ""}, {.instance = ""}, {.channel = ""}, {.credit = DELIVERY_SESSION_CREDIT_MAX + 1}, {.held = &no_key}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        stream_ends_with(lms_opens(server, &bad[i]), STATUS_INVALID, "DELIVERIES_INVALID");

    struct grader_stream *unopened = stream_opens(server, "courier", &stream_method);
    lms_acknowledges(unopened, &nothing);
    stream_ends_with(unopened, STATUS_INVALID, "DELIVERIES_INVALID");

    struct grader_stream *twice = lms_opens(server, &(struct opening){0});
    Xqueue__V1__OpenDeliveries open = XQUEUE__V1__OPEN_DELIVERIES__INIT;
    lms_says(twice, XQUEUE__V1__DELIVERY_ANSWER__KIND_OPEN, &open.base);
    stream_ends_with(twice, STATUS_INVALID, "DELIVERIES_INVALID");

    /* An answer to nothing is none. */
    struct grader_stream *stranger = lms_opens(server, &(struct opening){0});
    lms_acknowledges(stranger, &nothing);
    lms_ends(stranger);
}

static void who_never_opens_is_sent_away(void **state)
{
    struct server_fixture *server = *state;
    struct grader_stream *silent = stream_opens(server, "courier", &stream_method);

    server_clock_moves_to(server, DELIVERY_STREAM_OPEN_MS);

    stream_ends_with(silent, STATUS_TIMEOUT, "OPEN_MISSING");
}

static void a_stop_ends_the_stream_and_loses_nothing(void **state)
{
    struct server_fixture *server = *state;
    uint64_t id = is_graded(server);
    struct grader_stream *lms = lms_opens(server, &(struct opening){0});
    struct grader_stream *unopened = stream_opens(server, "courier", &stream_method);
    struct got first = lms_gets(lms);
    server_stop(server->server);
    assert_int_equal(stream_awaits_end(lms), STATUS_UNAVAILABLE);
    assert_string_equal(lms->error.reason, "DRAINING");
    assert_int_equal(stream_awaits_end(unopened), STATUS_UNAVAILABLE);
    stream_closes(lms);
    stream_closes(unopened);
    server_fixture_stop(server);
    server_fixture_start(server);

    lms = lms_opens(server, &(struct opening){.held = &first});
    lms_acknowledges(lms, &first);
    lms_ends(lms);

    assert_int_equal(view(server, id).delivery_state, STATE(DELIVERED));
}

/* More answers than are taken in at one time, and more deliveries than are leased at one time. */
static void many_flow(void **state)
{
    enum { MANY = 300 };
    struct server_fixture *server = *state;
    struct got got[MANY];
    for (int i = 0; i < MANY; i++)
        hands_in_for(server, CHANNEL, "");
    for (int i = 0; i < MANY; i++)
        grades_one(server);
    struct grader_stream *lms = lms_opens(server, &(struct opening){.credit = 50});

    for (int i = 0; i < MANY; i++) {
        got[i] = lms_gets(lms);
        assert_int_equal(got[i].id, i + 1);
        lms_acknowledges(lms, &got[i]);
    }
    lms_ends(lms);

    for (int i = 0; i < MANY; i++)
        assert_int_equal(view(server, got[i].id).delivery_state, STATE(DELIVERED));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, server_fixture_setup, server_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(results_come_as_they_are_there_and_are_acknowledged_on_the_stream),
        TEST(a_channel_has_its_own_results_only),
        TEST(no_more_than_the_credit_is_unanswered),
        TEST(what_failed_comes_again_after_a_pause),
        TEST(one_that_is_not_answered_in_time_comes_again_and_the_old_key_is_worth_nothing),
        TEST(a_late_acknowledgement_counts_while_nobody_else_has_it),
        TEST(of_one_replace_key_only_the_oldest_is_on_its_way),
        TEST(after_a_lost_stream_the_same_instance_goes_on_with_what_it_has),
        TEST(another_instance_gets_all_again_at_once),
        TEST(a_stream_that_was_lost_without_a_word_is_replaced),
        TEST(who_half_closes_gives_back_what_is_not_answered),
        TEST(an_idle_stream_is_pinged_and_ends_when_nobody_answers),
        TEST(breaches_end_the_stream),
        TEST(who_never_opens_is_sent_away),
        TEST(a_stop_ends_the_stream_and_loses_nothing),
        TEST(many_flow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
