/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_server_test_support */
/*
 * Login over gRPC: who is counted, who is slowed, and whom the service believes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "service/login_guard.h"
#include "tests/support/server_fixture.h"

#define PERSON "192.0.2.7"

static const struct rpc_client_method login_method = {"/xqueue.v1.Sessions/Login", &xqueue__v1__login_response__descriptor};

/* caller: as server_calls has it. */
static enum status log_in(struct server_fixture *server, const char *caller, const char *peer, const char *user,
                          const char *password)
{
    Xqueue__V1__LoginRequest request = XQUEUE__V1__LOGIN_REQUEST__INIT;
    request.user = (char *)(uintptr_t)user;
    request.password = (char *)(uintptr_t)password;
    request.peer = (char *)(uintptr_t)peer;
    return server_calls(server, caller, &login_method, &request.base, NULL);
}

/* A token to call with, which no later login replaces. */
static const char *token_of(struct server_fixture *server, const char *user, char out[80])
{
    (void)snprintf(out, 80, "=%s", server_token(server, user));
    return out;
}

static void fail_until_slowed(struct server_fixture *server, const char *caller, const char *peer, const char *user)
{
    for (int at = 0; at < LOGIN_GUARD_PAIR_FREE; at++) {
        assert_int_equal(log_in(server, caller, peer, user, "wrong"), STATUS_UNAUTHENTICATED);
        assert_string_equal(server->error.reason, "WRONG_CREDENTIALS");
    }
}

static void failures_slow_and_the_right_password_has_to_wait_too(void **state)
{
    struct server_fixture *server = *state;
    fail_until_slowed(server, NULL, "", "lms");

    assert_int_equal(log_in(server, NULL, "", "lms", "secret"), STATUS_FULL);
    assert_string_equal(server->error.reason, "LOGIN_SLOWED");
    assert_int_equal(server->error.retry_after_ms, LOGIN_GUARD_DELAY_MS);
    assert_int_equal(log_in(server, NULL, "", "other", "secret"), STATUS_OK);
    fake_clock_advance(server->clock, LOGIN_GUARD_DELAY_MS);
    assert_int_equal(log_in(server, NULL, "", "lms", "secret"), STATUS_OK);
    fail_until_slowed(server, NULL, "", "lms");
}

static void names_that_do_not_exist_are_slowed_alike(void **state)
{
    struct server_fixture *server = *state;
    fail_until_slowed(server, NULL, "", "nobody");

    assert_int_equal(log_in(server, NULL, "", "nobody", "secret"), STATUS_FULL);
    assert_string_equal(server->error.reason, "LOGIN_SLOWED");
    assert_int_equal(server->error.retry_after_ms, LOGIN_GUARD_DELAY_MS);
}

static void a_gateway_says_whose_guess_it_is(void **state)
{
    struct server_fixture *server = *state;
    char courier[80];
    token_of(server, "courier", courier);
    fail_until_slowed(server, courier, PERSON, "lms");

    assert_int_equal(log_in(server, courier, PERSON, "lms", "secret"), STATUS_FULL);
    assert_int_equal(log_in(server, courier, "192.0.2.8", "lms", "secret"), STATUS_OK);
    assert_int_equal(log_in(server, courier, "", "lms", "secret"), STATUS_OK);
    assert_int_equal(log_in(server, courier, "nonsense", "lms", "secret"), STATUS_OK);
    assert_int_equal(log_in(server, NULL, PERSON, "lms", "secret"), STATUS_OK); /* from 127.0.0.1 */
}

static void nobody_else_is_believed(void **state)
{
    struct server_fixture *server = *state;
    static const char *const callers[] = {NULL, "lms", "grader", "admin"};
    char token[80];
    char peer[32];
    for (size_t at = 0; at < sizeof callers / sizeof *callers; at++) {
        const char *caller = callers[at] ? token_of(server, callers[at], token) : NULL;
        char user[16];
        (void)snprintf(user, sizeof user, "nobody%zu", at);
        for (int number = 0; number < LOGIN_GUARD_PAIR_FREE; number++) {
            (void)snprintf(peer, sizeof peer, "192.0.2.%d", number);
            assert_int_equal(log_in(server, caller, peer, user, "wrong"), STATUS_UNAUTHENTICATED);
        }
        assert_int_equal(log_in(server, caller, PERSON, user, "wrong"), STATUS_FULL);
    }
}

static void a_gateway_whose_session_is_over_is_told_so(void **state)
{
    struct server_fixture *server = *state;

    assert_int_equal(log_in(server, "=staletoken", PERSON, "lms", "secret"), STATUS_UNAUTHENTICATED);
    assert_string_equal(server->error.reason, "SESSION_OVER");
    assert_int_equal(log_in(server, "=staletoken", "", "lms", "secret"), STATUS_OK);
}

static void what_was_never_looked_at_is_no_failure(void **state)
{
    struct server_fixture *server = *state;
    char password[SECRET_PASSWORD_BYTES_MAX + 2];
    memset(password, 'x', sizeof password);
    password[sizeof password - 1] = '\0';
    for (int at = 0; at < 2 * LOGIN_GUARD_PAIR_FREE; at++)
        assert_int_equal(log_in(server, NULL, "", "lms", password), STATUS_INVALID);

    assert_int_equal(log_in(server, NULL, "", "lms", "secret"), STATUS_OK);
}

/* Logs in with a session that is there already. Returns the token of the answer. */
static const char *log_in_again(struct server_fixture *server, const char *former, const char *user, const char *password)
{
    static char token[64];
    Xqueue__V1__LoginRequest request = XQUEUE__V1__LOGIN_REQUEST__INIT;
    struct rpc_message *reply = NULL;
    request.user = (char *)(uintptr_t)user;
    request.password = (char *)(uintptr_t)password;
    request.replaces = (char *)(uintptr_t)former;
    token[0] = '\0';
    if (server_calls(server, NULL, &login_method, &request.base, &reply) == STATUS_OK) {
        (void)snprintf(token, sizeof token, "%s", ((const Xqueue__V1__LoginResponse *)rpc_message_body(reply))->token);
        rpc_message_free(reply);
    }
    return token;
}

static bool holds(struct server_fixture *server, const char *token)
{
    static const struct rpc_client_method who_am_i = {"/xqueue.v1.Sessions/WhoAmI", &xqueue__v1__who_am_iresponse__descriptor};
    const Xqueue__V1__WhoAmIRequest request = XQUEUE__V1__WHO_AM_IREQUEST__INIT;
    char caller[80];
    (void)snprintf(caller, sizeof caller, "=%s", token);
    return server_calls(server, caller, &who_am_i, &request.base, NULL) == STATUS_OK;
}

static void a_session_of_the_same_user_lives_on_from_now(void **state)
{
    struct server_fixture *server = *state;
    char first[64];
    (void)snprintf(first, sizeof first, "%s", server_token(server, "lms"));
    fake_clock_advance(server->clock, server->config->service.session_ms - 1);

    assert_string_equal(log_in_again(server, first, "lms", "secret"), first);

    fake_clock_advance(server->clock, server->config->service.session_ms - 1);
    assert_true(holds(server, first));
    server_fixture_stop(server);
    server_fixture_start(server);
    assert_true(holds(server, first));
    fake_clock_advance(server->clock, 1);
    assert_false(holds(server, first));
}

static void a_session_of_another_user_ends_with_the_login(void **state)
{
    struct server_fixture *server = *state;
    char first[64];
    char second[64];
    (void)snprintf(first, sizeof first, "%s", server_token(server, "lms"));

    (void)snprintf(second, sizeof second, "%s", log_in_again(server, first, "grader", "secret"));

    assert_string_not_equal(second, first);
    assert_true(holds(server, second));
    assert_false(holds(server, first));
    server_fixture_stop(server);
    server_fixture_start(server);
    assert_true(holds(server, second));
    assert_false(holds(server, first));
}

static void a_login_that_fails_leaves_the_session_as_it_was(void **state)
{
    struct server_fixture *server = *state;
    char first[64];
    (void)snprintf(first, sizeof first, "%s", server_token(server, "lms"));

    assert_string_equal(log_in_again(server, first, "lms", "wrong"), "");
    assert_string_equal(log_in_again(server, first, "grader", "wrong"), "");
    assert_true(holds(server, first));
    assert_string_not_equal(log_in_again(server, "staletoken", "lms", "secret"), "staletoken");
    assert_true(holds(server, first));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, server_fixture_setup, server_fixture_teardown)
        TEST(failures_slow_and_the_right_password_has_to_wait_too),
        TEST(names_that_do_not_exist_are_slowed_alike),
        TEST(a_gateway_says_whose_guess_it_is),
        TEST(nobody_else_is_believed),
        TEST(a_gateway_whose_session_is_over_is_told_so),
        TEST(what_was_never_looked_at_is_no_failure),
        TEST(a_session_of_the_same_user_lives_on_from_now),
        TEST(a_session_of_another_user_ends_with_the_login),
        TEST(a_login_that_fails_leaves_the_session_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
