/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_server_test_support */
/*
 * A user with every role for one queue: what it does there, that other queues are closed to it in every method and in every
 * message of a stream, and that a change of its roles holds at once.
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
#include "service/methods/methods.h"
#include "tests/support/server_fixture.h"

#define METHOD(service_, name_, reply_) \
    static const struct rpc_client_method name_ = {"/xqueue.v1." service_, &xqueue__v1__##reply_##__descriptor}
#define BODY(type_, message_)                   ((const Xqueue__V1__##type_ *)rpc_message_body(message_))
#define SERVER(kind_)                           XQUEUE__V1__SERVER_MESSAGE__KIND_##kind_
#define CALL(server_, user_, method_, request_) server_calls(server_, user_, &(method_), &(request_).base, NULL)

METHOD("Submissions/Submit", submit, submit_response);
METHOD("Submissions/Get", get, get_response);
METHOD("Submissions/List", list, list_response);
METHOD("Submissions/Cancel", cancel, cancel_response);
METHOD("Submissions/GetQueue", get_queue, get_queue_response);
METHOD("Submissions/ListQueues", list_queues, list_queues_response);
METHOD("Graders/Lease", lease, lease_response);
METHOD("Graders/Extend", extend, extend_response);
METHOD("Graders/Complete", complete, complete_response);
METHOD("Graders/Fail", fail_lease, fail_response);
METHOD("Graders/Release", release, release_response);
METHOD("Deliveries/Lease", lease_deliveries, lease_deliveries_response);
METHOD("Deliveries/Acknowledge", acknowledge, acknowledge_delivery_response);
METHOD("Deliveries/Fail", fail_delivery, fail_delivery_response);
METHOD("Sessions/WhoAmI", who_am_i, who_am_iresponse);
METHOD("Admin/GetStatistics", statistics, statistics);
METHOD("Admin/ListGraders", list_graders, list_graders_response);
METHOD("Admin/Search", search, list_response);
METHOD("Admin/Retire", retire, bulk_response);
METHOD("Admin/CreateUser", create_user, user);
METHOD("Admin/UpdateUser", update_user, user);
METHOD("Admin/ListUsers", list_users, list_users_response);

static char small[] = "small";
static char demo[] = "demo";
static char nowhere[] = "nowhere";
static char poller[] = "poller";
static char carrier[] = "carrier";
static char instance[] = "1";
static char secret[] = "secret";
static char nina[] = "nina";
static char channel[] = "results";

static void check_denied(const struct server_fixture *server, enum status status)
{
    assert_int_equal(status, STATUS_DENIED);
    assert_string_equal(server->error.reason, "ROLE_MISSING");
}

/* The id, or 0. */
static uint64_t submits(struct server_fixture *server, const char *user, char *queue)
{
    static uint8_t body[] = "x";
    struct rpc_message *reply = NULL;
    Xqueue__V1__SubmitRequest request = XQUEUE__V1__SUBMIT_REQUEST__INIT;
    request.queue = queue;
    request.body.data = body;
    request.body.len = 1;
    request.results_channel = channel;
    if (server_calls(server, user, &submit, &request.base, &reply) != STATUS_OK)
        return 0;
    uint64_t id = BODY(SubmitResponse, reply)->submission_id;
    rpc_message_free(reply);
    return id;
}

static void leases(struct server_fixture *server, const char *user, char *queue, struct held_lease *out_lease)
{
    struct rpc_message *reply = NULL;
    Xqueue__V1__LeaseRequest request = XQUEUE__V1__LEASE_REQUEST__INIT;
    request.queue = queue;
    request.grader = poller;
    assert_int_equal(server_calls(server, user, &lease, &request.base, &reply), STATUS_OK);
    assert_int_equal(BODY(LeaseResponse, reply)->n_grants, 1);
    const Xqueue__V1__LeaseRef *ref = BODY(LeaseResponse, reply)->grants[0]->lease;
    xqueue__v1__lease_ref__init(&out_lease->ref);
    snprintf(out_lease->key, sizeof out_lease->key, "%s", ref->lease_key);
    out_lease->ref.submission_id = ref->submission_id;
    out_lease->ref.lease_key = out_lease->key;
    rpc_message_free(reply);
}

static enum status completes(struct server_fixture *server, const char *user, struct held_lease *held)
{
    Xqueue__V1__CompleteRequest request = XQUEUE__V1__COMPLETE_REQUEST__INIT;
    request.lease = &held->ref;
    return CALL(server, user, complete, request);
}

/* The id and key of the one delivery, or 0. */
static uint64_t leases_delivery(struct server_fixture *server, const char *user, char out_key[64])
{
    struct rpc_message *reply = NULL;
    uint64_t id = 0;
    Xqueue__V1__LeaseDeliveriesRequest request = XQUEUE__V1__LEASE_DELIVERIES_REQUEST__INIT;
    request.courier = carrier;
    request.instance = instance;
    request.results_channel = channel;
    request.max = 10;
    assert_int_equal(server_calls(server, user, &lease_deliveries, &request.base, &reply), STATUS_OK);
    if (BODY(LeaseDeliveriesResponse, reply)->n_deliveries > 0) {
        assert_int_equal(BODY(LeaseDeliveriesResponse, reply)->n_deliveries, 1);
        const Xqueue__V1__Delivery *delivery = BODY(LeaseDeliveriesResponse, reply)->deliveries[0];
        id = delivery->submission_id;
        snprintf(out_key, 64, "%s", delivery->delivery_key);
    }
    rpc_message_free(reply);
    return id;
}

static void in_its_queue_a_user_goes_the_whole_way(void **state)
{
    struct server_fixture *server = *state;
    struct held_lease held;
    char key[64];
    uint64_t id = submits(server, "local", small);
    assert_int_not_equal(id, 0);
    leases(server, "local", small, &held);
    assert_int_equal(completes(server, "local", &held), STATUS_OK);
    assert_int_equal(leases_delivery(server, "local", key), id);
    Xqueue__V1__AcknowledgeDeliveryRequest done = XQUEUE__V1__ACKNOWLEDGE_DELIVERY_REQUEST__INIT;
    done.submission_id = id;
    done.delivery_key = key;

    assert_int_equal(CALL(server, "local", acknowledge, done), STATUS_OK);

    Xqueue__V1__GetRequest look = XQUEUE__V1__GET_REQUEST__INIT;
    look.submission_id = id;
    assert_int_equal(CALL(server, "local", get, look), STATUS_OK);
}

static void other_queues_are_closed_whether_they_exist_or_not(void **state)
{
    struct server_fixture *server = *state;
    char *const others[] = {demo, nowhere};
    for (size_t at = 0; at < 2; at++) {
        Xqueue__V1__GetQueueRequest look = XQUEUE__V1__GET_QUEUE_REQUEST__INIT;
        Xqueue__V1__LeaseRequest poll = XQUEUE__V1__LEASE_REQUEST__INIT;
        Xqueue__V1__GetStatisticsRequest figures = XQUEUE__V1__GET_STATISTICS_REQUEST__INIT;
        Xqueue__V1__ListGradersRequest graders = XQUEUE__V1__LIST_GRADERS_REQUEST__INIT;
        Xqueue__V1__SubmissionFilter filter = XQUEUE__V1__SUBMISSION_FILTER__INIT;
        Xqueue__V1__SearchRequest find = XQUEUE__V1__SEARCH_REQUEST__INIT;
        Xqueue__V1__BulkRequest bulk = XQUEUE__V1__BULK_REQUEST__INIT;
        assert_int_equal(submits(server, "local", others[at]), 0);
        check_denied(server, STATUS_DENIED);
        Xqueue__V1__ListRequest own = XQUEUE__V1__LIST_REQUEST__INIT;
        own.queue = others[at];
        check_denied(server, CALL(server, "local", list, own));
        look.queue = poll.queue = figures.queue = graders.queue = filter.queue = others[at];
        poll.grader = poller;
        find.filter = bulk.filter = &filter;
        check_denied(server, CALL(server, "local", get_queue, look));
        check_denied(server, CALL(server, "local", lease, poll));
        check_denied(server, CALL(server, "local", statistics, figures));
        check_denied(server, CALL(server, "local", list_graders, graders));
        check_denied(server, CALL(server, "local", search, find));
        check_denied(server, CALL(server, "local", retire, bulk));
    }
}

static void what_names_no_queue_needs_the_role_for_all(void **state)
{
    struct server_fixture *server = *state;
    const Xqueue__V1__GetStatisticsRequest figures = XQUEUE__V1__GET_STATISTICS_REQUEST__INIT;
    const Xqueue__V1__ListGradersRequest graders = XQUEUE__V1__LIST_GRADERS_REQUEST__INIT;
    const Xqueue__V1__SearchRequest find = XQUEUE__V1__SEARCH_REQUEST__INIT;
    const Xqueue__V1__BulkRequest bulk = XQUEUE__V1__BULK_REQUEST__INIT;
    const Xqueue__V1__ListUsersRequest users = XQUEUE__V1__LIST_USERS_REQUEST__INIT;

    check_denied(server, CALL(server, "local", statistics, figures));
    check_denied(server, CALL(server, "local", list_graders, graders));
    check_denied(server, CALL(server, "local", search, find));
    check_denied(server, CALL(server, "local", retire, bulk));
    check_denied(server, CALL(server, "local", list_users, users));
}

static void an_administrator_of_one_queue_looks_after_it(void **state)
{
    struct server_fixture *server = *state;
    Xqueue__V1__GetStatisticsRequest figures = XQUEUE__V1__GET_STATISTICS_REQUEST__INIT;
    Xqueue__V1__ListGradersRequest graders = XQUEUE__V1__LIST_GRADERS_REQUEST__INIT;
    Xqueue__V1__SubmissionFilter filter = XQUEUE__V1__SUBMISSION_FILTER__INIT;
    Xqueue__V1__SearchRequest find = XQUEUE__V1__SEARCH_REQUEST__INIT;
    Xqueue__V1__BulkRequest bulk = XQUEUE__V1__BULK_REQUEST__INIT;
    Xqueue__V1__GetRequest look = XQUEUE__V1__GET_REQUEST__INIT;
    struct rpc_message *reply = NULL;
    uint64_t foreign = lms_hands_in(server, "foreign");
    look.submission_id = submits(server, "lms", small);
    figures.queue = graders.queue = filter.queue = small;
    find.filter = bulk.filter = &filter;

    assert_int_equal(CALL(server, "local", statistics, figures), STATUS_OK);
    assert_int_equal(CALL(server, "local", list_graders, graders), STATUS_OK);
    assert_int_equal(server_calls(server, "local", &search, &find.base, &reply), STATUS_OK);
    assert_int_equal(BODY(ListResponse, reply)->n_submissions, 1);
    assert_int_equal(BODY(ListResponse, reply)->submissions[0]->submission_id, look.submission_id);
    rpc_message_free(reply);
    assert_int_equal(CALL(server, "local", get, look), STATUS_OK);
    assert_int_equal(server_calls(server, "local", &retire, &bulk.base, &reply), STATUS_OK);
    assert_int_equal(BODY(BulkResponse, reply)->done, 1);
    rpc_message_free(reply);
    assert_int_equal(lms_sees(server, foreign), XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_READY);
    look.submission_id = foreign;
    check_denied(server, CALL(server, "local", get, look));
    Xqueue__V1__CancelRequest back = XQUEUE__V1__CANCEL_REQUEST__INIT;
    back.submission_id = foreign;
    check_denied(server, CALL(server, "local", cancel, back));
    back.submission_id = submits(server, "lms", small);
    assert_int_equal(CALL(server, "local", cancel, back), STATUS_OK);
}

static void nothing_is_done_to_a_lease_of_another_queue(void **state)
{
    struct server_fixture *server = *state;
    struct held_lease held;
    Xqueue__V1__ExtendRequest more = XQUEUE__V1__EXTEND_REQUEST__INIT;
    Xqueue__V1__FailRequest failure = XQUEUE__V1__FAIL_REQUEST__INIT;
    Xqueue__V1__ReleaseRequest back = XQUEUE__V1__RELEASE_REQUEST__INIT;
    uint64_t id = lms_hands_in(server, "x");
    leases(server, "grader", demo, &held);
    more.lease = failure.lease = back.lease = &held.ref;
    failure.kind = XQUEUE__V1__FAIL_KIND__FAIL_KIND_TRANSIENT;

    check_denied(server, CALL(server, "local", extend, more));
    check_denied(server, CALL(server, "local", fail_lease, failure));
    check_denied(server, CALL(server, "local", release, back));
    check_denied(server, completes(server, "local", &held));

    assert_int_equal(lms_sees(server, id), XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_LEASED);
    assert_int_equal(CALL(server, "grader", release, back), STATUS_OK);
    check_denied(server, completes(server, "local", &held)); /* not live any more: as its row says */
}

static void a_courier_of_one_queue_is_given_no_other_results(void **state)
{
    struct server_fixture *server = *state;
    struct held_lease held;
    char key[64];
    uint64_t foreign = submits(server, "lms", demo);
    leases(server, "grader", demo, &held);
    assert_int_equal(completes(server, "grader", &held), STATUS_OK);

    assert_int_equal(leases_delivery(server, "local", key), 0);
    uint64_t own = submits(server, "lms", small);
    leases(server, "grader", small, &held);
    assert_int_equal(completes(server, "grader", &held), STATUS_OK);
    assert_int_equal(leases_delivery(server, "local", key), own);

    assert_int_equal(leases_delivery(server, "courier", key), foreign);
    Xqueue__V1__AcknowledgeDeliveryRequest done = XQUEUE__V1__ACKNOWLEDGE_DELIVERY_REQUEST__INIT;
    Xqueue__V1__FailDeliveryRequest failure = XQUEUE__V1__FAIL_DELIVERY_REQUEST__INIT;
    done.submission_id = failure.submission_id = foreign;
    done.delivery_key = failure.delivery_key = key;
    check_denied(server, CALL(server, "local", acknowledge, done));
    check_denied(server, CALL(server, "local", fail_delivery, failure));
    assert_int_equal(CALL(server, "courier", acknowledge, done), STATUS_OK);
}

static void only_usable_queues_are_listed(void **state)
{
    struct server_fixture *server = *state;
    const Xqueue__V1__ListQueuesRequest request = XQUEUE__V1__LIST_QUEUES_REQUEST__INIT;
    struct rpc_message *reply = NULL;

    assert_int_equal(server_calls(server, "local", &list_queues, &request.base, &reply), STATUS_OK);
    assert_int_equal(BODY(ListQueuesResponse, reply)->n_queues, 1);
    assert_string_equal(BODY(ListQueuesResponse, reply)->queues[0], "small");
    rpc_message_free(reply);
    assert_int_equal(server_calls(server, "lms", &list_queues, &request.base, &reply), STATUS_OK);
    assert_int_equal(BODY(ListQueuesResponse, reply)->n_queues, 2);
    rpc_message_free(reply);
}

static void who_am_i_tells_the_queues(void **state)
{
    struct server_fixture *server = *state;
    const Xqueue__V1__WhoAmIRequest request = XQUEUE__V1__WHO_AM_IREQUEST__INIT;
    struct rpc_message *reply = NULL;

    assert_int_equal(server_calls(server, "local", &who_am_i, &request.base, &reply), STATUS_OK);

    assert_int_equal(BODY(WhoAmIResponse, reply)->n_roles, 0);
    assert_int_equal(BODY(WhoAmIResponse, reply)->n_grants, 4);
    assert_int_equal(BODY(WhoAmIResponse, reply)->grants[1]->role, XQUEUE__V1__ROLE__ROLE_GRADE);
    assert_string_equal(BODY(WhoAmIResponse, reply)->grants[1]->queue, "small");
    rpc_message_free(reply);
}

/* ---- every method ---- */

/* What a method that needs a role for all queues, or that looks at its request first, answers to an empty request. */
static void no_method_forgets_the_queue(void **state)
{
    /* An empty request names no queue, so nothing but these can be let in: what they answer is their own. */
    static const char *const open_ones[] = {
        "/xqueue.v1.Submissions/Submit",   "/xqueue.v1.Submissions/Get",    "/xqueue.v1.Submissions/ListQueues",
        "/xqueue.v1.Submissions/List",     "/xqueue.v1.Submissions/Cancel", "/xqueue.v1.Graders/Work",
        "/xqueue.v1.Graders/Lease",        "/xqueue.v1.Graders/Extend",     "/xqueue.v1.Graders/Complete",
        "/xqueue.v1.Graders/Fail",         "/xqueue.v1.Graders/Release",    "/xqueue.v1.Deliveries/Lease",
        "/xqueue.v1.Graders/Report",       "/xqueue.v1.Deliveries/Fail",    "/xqueue.v1.Deliveries/Acknowledge",
        "/xqueue.v1.Sessions/Login",       "/xqueue.v1.Sessions/Logout",    "/xqueue.v1.Sessions/WhoAmI",
        "/xqueue.v1.Server/GetServerInfo", "/grpc.health.v1.Health/Check",  "/grpc.health.v1.Health/Watch",
    };
    struct server_fixture *server = *state;
    const Xqueue__V1__LogoutRequest empty = XQUEUE__V1__LOGOUT_REQUEST__INIT;
    struct rpc_method *methods = methods_join();
    for (const struct rpc_method *method = methods; method->path; method++) {
        const struct rpc_client_method client = {method->path, &xqueue__v1__logout_response__descriptor};
        bool is_open = false;
        for (size_t at = 0; at < sizeof open_ones / sizeof open_ones[0]; at++)
            is_open = is_open || strcmp(open_ones[at], method->path) == 0;
        if (is_open || method->kind != RPC_UNARY)
            continue;
        if (server_calls(server, "local", &client, &empty.base, NULL) != STATUS_DENIED)
            fail_msg("%s lets in who has its role for one queue", method->path);
    }
    memory_free(methods);
}

/* ---- streams ---- */

static struct grader_stream *says_hello(struct server_fixture *server, const char *user, char *queue)
{
    struct grader_stream *grader = grader_opens(server, user);
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    Xqueue__V1__Hello hello = XQUEUE__V1__HELLO__INIT;
    hello.grader = poller;
    hello.instance = instance;
    hello.queues = &queue;
    hello.n_queues = 1;
    hello.slots = 3;
    message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_HELLO;
    message.hello = &hello;
    grader_says(grader, &message);
    return grader;
}

static void check_ends_denied(struct server_fixture *server, struct grader_stream *grader)
{
    assert_int_equal(stream_awaits_end(grader), STATUS_DENIED);
    assert_string_equal(grader->error.reason, "ROLE_MISSING");
    (void)server;
    stream_closes(grader);
}

static void a_stream_is_for_the_queues_of_its_user(void **state)
{
    struct server_fixture *server = *state;
    struct held_lease held;

    check_ends_denied(server, says_hello(server, "local", demo));
    check_ends_denied(server, says_hello(server, "local", nowhere));
    struct grader_stream *grader = says_hello(server, "local", small);
    grader_awaits(grader, SERVER(WELCOME));
    grader_says_credit(grader, 1);
    uint64_t id = submits(server, "local", small);
    grader_takes_grant(grader, &held);
    grader_says_complete(grader, &held.ref, "right");
    grader_awaits_ack(grader, id, XQUEUE__V1__ACK_ITEM__ACK_ITEM_COMPLETE, XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_OK);
    stream_closes(grader);
}

static void a_stream_that_speaks_of_a_foreign_lease_ends(void **state)
{
    struct server_fixture *server = *state;
    for (int kind = 0; kind < 6; kind++) {
        struct held_lease held;
        Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
        Xqueue__V1__Accept accept = XQUEUE__V1__ACCEPT__INIT;
        Xqueue__V1__Reject reject = XQUEUE__V1__REJECT__INIT;
        Xqueue__V1__LeaseProgress progress = XQUEUE__V1__LEASE_PROGRESS__INIT;
        Xqueue__V1__LeaseProgress *entries[] = {&progress};
        Xqueue__V1__Heartbeat heartbeat = XQUEUE__V1__HEARTBEAT__INIT;
        Xqueue__V1__CompleteRequest done = XQUEUE__V1__COMPLETE_REQUEST__INIT;
        Xqueue__V1__FailRequest failure = XQUEUE__V1__FAIL_REQUEST__INIT;
        Xqueue__V1__ReleaseRequest back = XQUEUE__V1__RELEASE_REQUEST__INIT;
        uint64_t id = lms_hands_in(server, "x");
        leases(server, "grader", demo, &held);
        accept.lease = reject.lease = progress.lease = done.lease = failure.lease = back.lease = &held.ref;
        failure.kind = XQUEUE__V1__FAIL_KIND__FAIL_KIND_TRANSIENT;
        heartbeat.leases = entries;
        heartbeat.n_leases = 1;
        switch (kind) {
        case 0:
            message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_ACCEPT;
            message.accept = &accept;
            break;
        case 1:
            message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_REJECT;
            message.reject = &reject;
            break;
        case 2:
            message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_HEARTBEAT;
            message.heartbeat = &heartbeat;
            break;
        case 3:
            message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_COMPLETE;
            message.complete = &done;
            break;
        case 4:
            message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_FAIL;
            message.fail = &failure;
            break;
        default:
            message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_RELEASE;
            message.release = &back;
        }
        struct grader_stream *grader = says_hello(server, "local", small);
        grader_awaits(grader, SERVER(WELCOME));
        grader_says(grader, &message);
        check_ends_denied(server, grader);
        assert_int_equal(lms_sees(server, id), XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_LEASED);
        assert_int_equal(completes(server, "grader", &held), STATUS_OK);
    }
}

/* ---- changes ---- */

/* nina gets (or is made with) grade for these queues; "" stands for all. */
static void nina_grades(struct server_fixture *server, bool is_new, char *const *queues, size_t count)
{
    Xqueue__V1__RoleGrant grants[4];
    Xqueue__V1__RoleGrant *pointers[4];
    Xqueue__V1__User user = XQUEUE__V1__USER__INIT;
    Xqueue__V1__CreateUserRequest create = XQUEUE__V1__CREATE_USER_REQUEST__INIT;
    Xqueue__V1__UpdateUserRequest update = XQUEUE__V1__UPDATE_USER_REQUEST__INIT;
    for (size_t at = 0; at < count; at++) {
        xqueue__v1__role_grant__init(&grants[at]);
        grants[at].role = XQUEUE__V1__ROLE__ROLE_GRADE;
        grants[at].queue = queues[at];
        pointers[at] = &grants[at];
    }
    user.name = nina;
    user.grants = pointers;
    user.n_grants = count;
    create.user = update.user = &user;
    create.password = secret;
    if (is_new)
        assert_int_equal(CALL(server, "admin", create_user, create), STATUS_OK);
    else
        assert_int_equal(CALL(server, "admin", update_user, update), STATUS_OK);
}

static void stored_roles_for_queues_survive_a_restart(void **state)
{
    struct server_fixture *server = *state;
    char *const queues[] = {small};
    Xqueue__V1__LeaseRequest poll = XQUEUE__V1__LEASE_REQUEST__INIT;
    const Xqueue__V1__ListUsersRequest all = XQUEUE__V1__LIST_USERS_REQUEST__INIT;
    struct rpc_message *reply = NULL;
    poll.grader = poller;
    nina_grades(server, true, queues, 1);

    server_fixture_stop(server);
    server_fixture_start(server);

    poll.queue = small;
    assert_int_equal(CALL(server, "nina", lease, poll), STATUS_OK);
    poll.queue = demo;
    check_denied(server, CALL(server, "nina", lease, poll));
    assert_int_equal(server_calls(server, "admin", &list_users, &all.base, &reply), STATUS_OK);
    const Xqueue__V1__ListUsersResponse *users = BODY(ListUsersResponse, reply);
    const Xqueue__V1__User *last = users->users[users->n_users - 1];
    for (size_t at = 0; at < users->n_users; at++)
        last = strcmp(users->users[at]->name, "nina") == 0 ? users->users[at] : last;
    assert_string_equal(last->name, "nina");
    assert_int_equal(last->n_grants, 1);
    assert_string_equal(last->grants[0]->queue, "small");
    rpc_message_free(reply);
}

static void a_stream_ends_with_the_next_message_when_a_queue_is_taken_from_its_user(void **state)
{
    struct server_fixture *server = *state;
    char *const both[] = {demo, small};
    char *const other[] = {demo};
    nina_grades(server, true, both, 2);
    struct grader_stream *grader = says_hello(server, "nina", small);
    grader_awaits(grader, SERVER(WELCOME));
    nina_grades(server, false, both, 2);
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    Xqueue__V1__Ping ping = XQUEUE__V1__PING__INIT;
    message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_PING;
    message.ping = &ping;
    grader_says(grader, &message);
    grader_awaits(grader, SERVER(PONG));

    nina_grades(server, false, other, 1);
    grader_says_credit(grader, 1);

    check_ends_denied(server, grader);
    struct grader_stream *again = says_hello(server, "nina", demo);
    grader_awaits(again, SERVER(WELCOME));
    stream_closes(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, server_fixture_setup, server_fixture_teardown)
        TEST(in_its_queue_a_user_goes_the_whole_way),
        TEST(other_queues_are_closed_whether_they_exist_or_not),
        TEST(what_names_no_queue_needs_the_role_for_all),
        TEST(an_administrator_of_one_queue_looks_after_it),
        TEST(nothing_is_done_to_a_lease_of_another_queue),
        TEST(a_courier_of_one_queue_is_given_no_other_results),
        TEST(only_usable_queues_are_listed),
        TEST(who_am_i_tells_the_queues),
        TEST(no_method_forgets_the_queue),
        TEST(a_stream_is_for_the_queues_of_its_user),
        TEST(a_stream_that_speaks_of_a_foreign_lease_ends),
        TEST(stored_roles_for_queues_survive_a_restart),
        TEST(a_stream_ends_with_the_next_message_when_a_queue_is_taken_from_its_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
