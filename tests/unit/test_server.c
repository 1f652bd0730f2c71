/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_server_test_support */
/*
 * Starting, health, stopping while streams and polls are open, and starting again on the same database.
 */
#include <grpc/health/v1/health.pb-c.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/server_fixture.h"

#define HEALTH(status_) GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__##status_

#define LEASE_MS ((int64_t)SERVER_FIXTURE_LEASE_MS)

static const struct rpc_client_method check = {"/grpc.health.v1.Health/Check",
                                               &grpc__health__v1__health_check_response__descriptor};
static const struct rpc_client_method watch = {"/grpc.health.v1.Health/Watch",
                                               &grpc__health__v1__health_check_response__descriptor};
static const struct rpc_client_method who_am_i = {"/xqueue.v1.Sessions/WhoAmI", &xqueue__v1__who_am_iresponse__descriptor};
static const Xqueue__V1__WhoAmIRequest who = XQUEUE__V1__WHO_AM_IREQUEST__INIT;

static struct grader_stream *watches(struct server_fixture *server, const char *service)
{
    struct grader_stream *stream = stream_opens(server, NULL, &watch);
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    request.service = (char *)(uintptr_t)service;
    stream_sends(stream, &request.base);
    rpc_client_stream_half_close(stream->stream);
    return stream;
}

static int sees(struct grader_stream *stream)
{
    const Grpc__Health__V1__HealthCheckResponse *response = stream_awaits(stream);
    assert_non_null(response);
    return (int)response->status;
}

static void health_is_told_for_each_service_by_name(void **state)
{
    struct server_fixture *server = *state;
    static char none[] = "xqueue.v1.None";
    static char graders[] = "xqueue.v1.Graders";
    struct rpc_message *reply = NULL;
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;

    assert_int_equal(server_calls(server, NULL, &check, &request.base, &reply), STATUS_OK);
    assert_int_equal(((const Grpc__Health__V1__HealthCheckResponse *)rpc_message_body(reply))->status, HEALTH(SERVING));
    rpc_message_free(reply);
    request.service = graders;
    assert_int_equal(server_calls(server, NULL, &check, &request.base, NULL), STATUS_OK);
    request.service = none;
    assert_int_equal(server_calls(server, NULL, &check, &request.base, NULL), STATUS_NOT_FOUND);
    struct grader_stream *unknown = watches(server, none);
    assert_int_equal(sees(unknown), HEALTH(SERVICE_UNKNOWN));
    stream_closes(unknown);
}

/* Every service of the contract that has a method, and the standard ones. Files has nothing to serve yet. */
static void health_knows_every_service_that_is_served(void **state)
{
    struct server_fixture *server = *state;
    static const char *const names[] = {
        "",
        "xqueue.v1.Submissions",
        "xqueue.v1.Graders",
        "xqueue.v1.Deliveries",
        "xqueue.v1.Sessions",
        "xqueue.v1.Server",
        "xqueue.v1.Admin",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    };
    static const char *const unknown[] = {"xqueue.v1", "xqueue.v1.Grader", "xqueue.v1.Graders/", "Graders",
                                          "xqueue.v1.Graders/Work"};
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct rpc_message *reply = NULL;
        request.service = (char *)(uintptr_t)names[i];
        assert_int_equal(server_calls(server, NULL, &check, &request.base, &reply), STATUS_OK);
        assert_int_equal(((const Grpc__Health__V1__HealthCheckResponse *)rpc_message_body(reply))->status, HEALTH(SERVING));
        rpc_message_free(reply);
        struct grader_stream *watcher = watches(server, names[i]);
        assert_int_equal(sees(watcher), HEALTH(SERVING));
        stream_closes(watcher);
    }
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        request.service = (char *)(uintptr_t)unknown[i];
        assert_int_equal(server_calls(server, NULL, &check, &request.base, NULL), STATUS_NOT_FOUND);
        assert_string_equal(server->error.reason, "SERVICE_UNKNOWN");
    }
}

static void who_watches_the_health_hears_of_the_drain_before_the_end(void **state)
{
    struct server_fixture *server = *state;
    struct grader_stream *watcher = watches(server, "");
    assert_int_equal(sees(watcher), HEALTH(SERVING));

    server_stop(server->server);

    assert_int_equal(sees(watcher), HEALTH(NOT_SERVING));
    assert_int_equal(stream_awaits_end(watcher), STATUS_UNAVAILABLE);
    stream_closes(watcher);
}

static void a_stop_sends_graders_away_and_answers_polls(void **state)
{
    struct server_fixture *server = *state;
    static const struct rpc_client_method lease = {"/xqueue.v1.Graders/Lease", &xqueue__v1__lease_response__descriptor};
    static char queue[] = "demo";
    static char poller[] = "poller";
    struct held_lease held;
    struct grader_stream *grader = grader_opens(server, "grader");
    grader_says_hello(grader, "g", "1", NULL);
    grader_awaits(grader, XQUEUE__V1__SERVER_MESSAGE__KIND_WELCOME);
    grader_says_credit(grader, 1);
    lms_hands_in(server, "x");
    grader_takes_grant(grader, &held);
    Xqueue__V1__LeaseRequest request = XQUEUE__V1__LEASE_REQUEST__INIT;
    request.queue = queue;
    request.grader = poller;
    request.wait_ms = 20000;
    struct grader_stream *poll = stream_opens(server, "grader", &lease);
    stream_sends(poll, &request.base);
    rpc_client_stream_half_close(poll->stream);
    fake_clock_await_deadline(server->clock, SERVER_FIXTURE_START_MS + 20000);

    server_stop(server->server);

    assert_string_equal(grader_awaits(grader, XQUEUE__V1__SERVER_MESSAGE__KIND_GO_AWAY)->go_away->reason, "DRAINING");
    assert_int_equal(stream_awaits_end(grader), STATUS_UNAVAILABLE);
    assert_string_equal(grader->error.reason, "DRAINING");
    stream_closes(grader);
    const Xqueue__V1__LeaseResponse *nothing = stream_awaits(poll);
    assert_non_null(nothing);
    assert_int_equal(nothing->n_grants, 0);
    assert_int_equal(stream_awaits_end(poll), STATUS_OK);
    stream_closes(poll);
}

static void leases_are_kept_over_a_restart(void **state)
{
    struct server_fixture *server = *state;
    struct held_lease held;
    struct grader_stream *grader = grader_opens(server, "grader");
    grader_says_hello(grader, "g", "1", NULL);
    grader_awaits(grader, XQUEUE__V1__SERVER_MESSAGE__KIND_WELCOME);
    grader_says_credit(grader, 1);
    uint64_t id = lms_hands_in(server, "x");
    grader_takes_grant(grader, &held);
    assert_int_equal(lms_sees(server, id), XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_LEASED);

    server_stop(server->server);
    stream_closes(grader);
    server_fixture_stop(server);
    fake_clock_advance(server->clock, LEASE_MS * 5);
    server_fixture_start(server);

    struct grader_stream *again = grader_opens(server, "grader");
    grader_says_hello(again, "g", "1", &held.ref);
    const Xqueue__V1__Welcome *welcome = grader_awaits(again, XQUEUE__V1__SERVER_MESSAGE__KIND_WELCOME)->welcome;
    assert_int_equal(welcome->n_kept, 1);
    grader_says_complete(again, &held.ref, "right");
    grader_awaits_ack(again, id, XQUEUE__V1__ACK_ITEM__ACK_ITEM_COMPLETE, XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_OK);
    stream_closes(again);
}

static void what_nobody_comes_back_for_is_ready_again_after_its_grace(void **state)
{
    struct server_fixture *server = *state;
    struct held_lease held;
    struct grader_stream *grader = grader_opens(server, "grader");
    grader_says_hello(grader, "g", "1", NULL);
    grader_awaits(grader, XQUEUE__V1__SERVER_MESSAGE__KIND_WELCOME);
    grader_says_credit(grader, 1);
    uint64_t id = lms_hands_in(server, "x");
    grader_takes_grant(grader, &held);
    server_stop(server->server);
    stream_closes(grader);
    server_fixture_stop(server);

    server_fixture_start(server);
    server_clock_moves_to(server, LEASE_MS * 3 / 4);
    server_clock_moves_to(server, LEASE_MS);
    fake_clock_await_waiter(server->clock, 1);

    assert_int_equal(lms_sees(server, id), XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_READY);
}

static void sessions_are_kept_over_a_restart_but_for_changed_passwords_and_lost_users(void **state)
{
    struct server_fixture *server = *state;
    char kept[64];
    char changed[64];
    char gone[64];
    snprintf(kept, sizeof kept, "=%s", server_token(server, "lms"));
    snprintf(gone, sizeof gone, "=%s", server_token(server, "other"));
    snprintf(changed, sizeof changed, "=%s", server_token(server, "grader"));
    server_fixture_stop(server);
    server_fixture_start(server);
    assert_int_equal(server_calls(server, kept, &who_am_i, &who.base, NULL), STATUS_OK);
    assert_int_equal(server_calls(server, gone, &who_am_i, &who.base, NULL), STATUS_OK);
    assert_int_equal(server_calls(server, changed, &who_am_i, &who.base, NULL), STATUS_OK);
    server_fixture_stop(server);

    /* "other" is gone, the grader has another password. */
    for (size_t at = 0; at < server->config->user_count; at++) {
        struct config_user *user = &server->config->users[at];
        if (strcmp(user->name, "other") == 0)
            user->name[0] = 'O';
        if (strcmp(user->name, "grader") == 0)
            user->password_hash[strlen(user->password_hash) - 2] ^= 1;
    }
    server_fixture_start(server);

    assert_int_equal(server_calls(server, kept, &who_am_i, &who.base, NULL), STATUS_OK);
    assert_int_equal(server_calls(server, gone, &who_am_i, &who.base, NULL), STATUS_UNAUTHENTICATED);
    assert_int_equal(server_calls(server, changed, &who_am_i, &who.base, NULL), STATUS_UNAUTHENTICATED);
    server_fixture_stop(server);
    server_fixture_configure(server);
    server_fixture_start(server);
    assert_int_equal(server_calls(server, changed, &who_am_i, &who.base, NULL), STATUS_UNAUTHENTICATED);
}

static void a_second_server_on_the_same_database_or_address_is_refused(void **state)
{
    struct server_fixture *server = *state;
    struct server *second = NULL;
    struct error error = {0};
    char address[64];
    char *listen = server->config->service.listen.items[0];
    char database[96];
    char *path = server->config->service.database;
    const struct server_options options = {.config = server->config, .clock = fake_clock_base(server->clock)};
    assert_int_equal(server_create(&options, &second, &error), STATUS_UNAVAILABLE);
    assert_true(strlen(error.text) > 0);

    snprintf(address, sizeof address, "127.0.0.1:%d", server_port(server->server, 0));
    snprintf(database, sizeof database, "%s/second.db", server->folder);
    server->config->service.listen.items[0] = address;
    server->config->service.database = database;
    enum status status = server_create(&options, &second, &error);
    server->config->service.listen.items[0] = listen;
    server->config->service.database = path;

    assert_int_equal(status, STATUS_UNAVAILABLE);
    assert_null(second);
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    for (size_t at = 0; at < sizeof suffixes / sizeof suffixes[0]; at++) {
        char file[128];
        snprintf(file, sizeof file, "%s%s", database, suffixes[at]);
        (void)remove(file);
    }
}

static void a_login_under_way_does_not_hinder_the_stop(void **state)
{
    struct server_fixture *server = *state;
    static const struct rpc_client_method login = {"/xqueue.v1.Sessions/Login", &xqueue__v1__login_response__descriptor};
    static char user[] = "lms";
    static char password[] = "wrong";
    Xqueue__V1__LoginRequest request = XQUEUE__V1__LOGIN_REQUEST__INIT;
    request.user = user;
    request.password = password;
    struct grader_stream *calls[8];
    for (size_t at = 0; at < 8; at++) {
        calls[at] = stream_opens(server, NULL, &login);
        stream_sends(calls[at], &request.base);
        rpc_client_stream_half_close(calls[at]->stream);
    }

    server_stop(server->server);

    for (size_t at = 0; at < 8; at++) {
        enum status status = stream_awaits_end(calls[at]);
        /* Canceled: it came when connections were being closed already. */
        if (status != STATUS_UNAUTHENTICATED && status != STATUS_UNAVAILABLE && status != STATUS_CANCELED)
            fail_msg("%s %s", status_name(status), calls[at]->error.text);
        stream_closes(calls[at]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, server_fixture_setup, server_fixture_teardown)
        TEST(health_is_told_for_each_service_by_name),
        TEST(health_knows_every_service_that_is_served),
        TEST(who_watches_the_health_hears_of_the_drain_before_the_end),
        TEST(a_stop_sends_graders_away_and_answers_polls),
        TEST(leases_are_kept_over_a_restart),
        TEST(what_nobody_comes_back_for_is_ready_again_after_its_grace),
        TEST(sessions_are_kept_over_a_restart_but_for_changed_passwords_and_lost_users),
        TEST(a_second_server_on_the_same_database_or_address_is_refused),
        TEST(a_login_under_way_does_not_hinder_the_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
