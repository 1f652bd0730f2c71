/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* Sessions as the LMS's and the poller's own clients use them, over the real programs. */
#include <xqueue/v1/sessions.pb-c.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/conversation.h"
#include "tests/support/legacy_client.h"

#define SUBMISSION                                                                                                         \
    "xqueue_header=%7B%22lms_callback_url%22%3A%20%22http%3A%2F%2F127.0.0.1%3A9%2Fx%22%2C%20%22lms_key%22%3A%20%22k%22%2C" \
    "%20%22queue_name%22%3A%20%22calm%22%7D&xqueue_body=b"
#define PULL       "/xqueue/get_submission/?queue_name=calm"
#define QUEUELEN   "/xqueue/get_queuelen/?queue_name=calm"
#define LOGGED_IN  "{\"return_code\": 0, \"content\": \"Logged in\"}"
#define SUBMITTED  "{\"return_code\": 0, \"content\": "
#define WRONG_USER "proxy:proxy"

static struct legacy_client *client_of(struct conversation *talk, const char *user, const char *basic)
{
    const struct legacy_client_options options = {
        .port = talk->service.rest_port, .user = user, .password = user, .basic = basic};
    return legacy_client_create(&options);
}

static void lms_gets_through(struct legacy_client *lms, int logins)
{
    assert_int_equal(legacy_lms_submit(lms, SUBMISSION), 200);
    assert_non_null(strstr(legacy_client_body(lms), SUBMITTED));
    assert_int_equal(legacy_client_logins(lms), logins);
}

static void an_lms_logs_in_once_and_keeps_its_session(void **state)
{
    struct conversation *talk = *state;
    struct legacy_client *lms = client_of(talk, "lms", NULL);

    lms_gets_through(lms, 1);
    lms_gets_through(lms, 1);
    assert_int_equal(strlen(legacy_client_cookie(lms, "sessionid")), 32);
    legacy_client_destroy(lms);
}

static void an_lms_that_sends_a_proxys_credentials_gets_through_all_the_same(void **state)
{
    struct conversation *talk = *state;
    struct legacy_client *lms = client_of(talk, "lms", WRONG_USER);

    for (int at = 0; at < 3; at++)
        lms_gets_through(lms, 1);
    legacy_client_destroy(lms);
}

static void credentials_of_a_user_do_without_a_login(void **state)
{
    struct conversation *talk = *state;
    struct legacy_client *lms = client_of(talk, "lms", "lms:lms");

    for (int at = 0; at < 3; at++)
        lms_gets_through(lms, 0);
    assert_string_equal(legacy_client_cookie(lms, "sessionid"), "");
    assert_int_equal(legacy_client_ask(lms, "/xqueue/logout/", NULL), 200);
    lms_gets_through(lms, 0);
    legacy_client_destroy(lms);
}

/* A cookie line with its date and its random value taken out: "NAME=<length>; expires=<date>; ...". */
static void check_cookie(const char *head, const char *name, size_t value_length, const char *rest)
{
    char wanted[64];
    (void)snprintf(wanted, sizeof(wanted), "Set-Cookie: %s=", name);
    const char *at = strstr(head, wanted);
    assert_non_null(at);
    at += strlen(wanted);
    assert_int_equal(strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"), value_length);
    at += value_length;
    assert_memory_equal(at, "; expires=", 10);
    at += 10;
    assert_memory_equal(at + strlen("Tue, 01 Dec 2026 10:00:00"), " GMT; ", 6);
    at += strlen("Tue, 01 Dec 2026 10:00:00 GMT; ");
    assert_memory_equal(at, rest, strlen(rest));
    assert_memory_equal(at + strlen(rest), "\r\n", 2);
}

static void a_login_sets_the_cookies_of_the_original(void **state)
{
    struct conversation *talk = *state;
    struct legacy_client *lms = client_of(talk, "lms", NULL);

    assert_true(legacy_poller_login(lms));
    check_cookie(legacy_client_headers(lms), "sessionid", 32, "HttpOnly; Max-Age=1209600; Path=/; SameSite=Lax");
    check_cookie(legacy_client_headers(lms), "csrftoken", 32, "Max-Age=31449600; Path=/; SameSite=Lax");

    assert_int_equal(legacy_client_ask(lms, QUEUELEN, NULL), 200);
    assert_null(strstr(legacy_client_headers(lms), "Set-Cookie"));
    assert_int_equal(legacy_client_ask(lms, "/xqueue/logout/", NULL), 200);
    assert_non_null(strstr(legacy_client_headers(lms), "Set-Cookie: sessionid=\"\"; expires=Thu, 01 Jan 1970 00:00:00 GMT; "
                                                       "Max-Age=0; Path=/; SameSite=Lax\r\n"));
    legacy_client_destroy(lms);
}

static void a_second_login_of_the_user_keeps_the_session_and_one_of_another_ends_it(void **state)
{
    struct conversation *talk = *state;
    struct legacy_client *client = client_of(talk, "lms", NULL);
    char first[64];
    assert_true(legacy_poller_login(client));
    (void)snprintf(first, sizeof(first), "%s", legacy_client_cookie(client, "sessionid"));

    assert_int_equal(legacy_client_ask(client, "/xqueue/login/", "username=lms&password=wrong"), 200);
    assert_string_equal(legacy_client_cookie(client, "sessionid"), first);
    assert_int_equal(legacy_client_ask(client, "/xqueue/login/", "username=lms&password=lms"), 200);
    assert_string_equal(legacy_client_body(client), LOGGED_IN);
    assert_string_equal(legacy_client_cookie(client, "sessionid"), first);
    assert_int_equal(legacy_client_ask(client, "/xqueue/login/", "username=grader&password=grader"), 200);

    assert_string_not_equal(legacy_client_cookie(client, "sessionid"), first);
    struct core_caller *former = core_caller_open(talk->service.core, NULL);
    core_caller_set_token(former, first);
    assert_int_equal(core_submit(former, &(struct core_submission){.queue = "calm"}, NULL, NULL), STATUS_UNAUTHENTICATED);
    core_caller_close(former);
    legacy_client_destroy(client);
}

static void sessions_of_one_user_are_independent(void **state)
{
    struct conversation *talk = *state;
    struct legacy_client *one = client_of(talk, "grader", NULL);
    struct legacy_client *two = client_of(talk, "grader", NULL);
    assert_true(legacy_poller_login(one));
    assert_true(legacy_poller_login(two));

    assert_int_equal(legacy_client_ask(one, "/xqueue/logout/", NULL), 200);

    assert_int_equal(legacy_client_ask(one, QUEUELEN, NULL), 302);
    assert_int_equal(legacy_client_ask(two, QUEUELEN, NULL), 200);
    legacy_client_destroy(one);
    legacy_client_destroy(two);
}

static void a_poller_works_on_one_connection_and_logs_in_again_once(void **state)
{
    struct conversation *talk = *state;
    struct legacy_client *poller = client_of(talk, "grader", NULL);
    assert_true(legacy_poller_login(poller));
    for (int at = 0; at < 5; at++)
        assert_int_equal(legacy_poller_ask(poller, QUEUELEN, NULL), 200);
    assert_int_equal(legacy_client_connections(poller), 1);

    /* The session is deleted under its feet. */
    struct core_caller *thief = core_caller_open(talk->service.core, NULL);
    core_caller_set_token(thief, legacy_client_cookie(poller, "sessionid"));
    const Xqueue__V1__LogoutRequest request = XQUEUE__V1__LOGOUT_REQUEST__INIT;
    const struct core_question logout = {
        .path = "/xqueue.v1.Sessions/Logout", .reply = &xqueue__v1__logout_response__descriptor, .request = &request.base};
    assert_int_equal(core_caller_ask(thief, &logout, NULL, NULL), STATUS_OK);
    core_caller_close(thief);

    assert_int_equal(legacy_poller_ask(poller, PULL, NULL), 200);
    assert_int_equal(legacy_client_logins(poller), 2);
    assert_int_equal(legacy_poller_ask(poller, QUEUELEN, NULL), 200);
    assert_int_equal(legacy_client_logins(poller), 2);
    assert_int_equal(legacy_client_connections(poller), 1);
    legacy_client_destroy(poller);
}

static void sessions_survive_restarts_of_both_programs(void **state)
{
    struct conversation *talk = *state;
    struct legacy_client *poller = client_of(talk, "grader", NULL);
    struct legacy_client *lms = client_of(talk, "lms", "lms:lms");
    assert_true(legacy_poller_login(poller));
    lms_gets_through(lms, 0);

    running_service_stop_rest(&talk->service);
    running_service_start_rest(&talk->service);
    assert_int_equal(legacy_poller_ask(poller, QUEUELEN, NULL), 200);
    lms_gets_through(lms, 0);
    running_service_stop_core(&talk->service);
    running_service_start_core(&talk->service);
    int status = 503; /* until the adapter has found the core again */
    for (int at = 0; at < 10000 && status == 503; at++)
        status = legacy_poller_ask(poller, QUEUELEN, NULL);
    assert_int_equal(status, 200);

    assert_int_equal(legacy_client_logins(poller), 1);
    lms_gets_through(lms, 0);
    legacy_client_destroy(poller);
    legacy_client_destroy(lms);
}

static void who_guesses_is_slowed_and_who_worked_here_before_is_not(void **state)
{
    struct conversation *talk = *state;
    struct legacy_client *lms = client_of(talk, "lms", NULL);
    struct legacy_client *guesser = client_of(talk, "admin", NULL);
    int status = 200;
    assert_true(legacy_poller_login(lms));
    for (int at = 0; at < 20 && status == 200; at++)
        status = legacy_client_ask(guesser, "/xqueue/login/", "username=admin&password=wrong");

    assert_int_equal(status, 429);
    assert_non_null(strstr(legacy_client_headers(guesser), "\r\nRetry-After: 1\r\n"));
    assert_string_equal(legacy_client_body(guesser),
                        "{\"return_code\": 1, \"content\": \"Too many failed logins. Please try again later.\"}");
    assert_true(legacy_poller_login(lms));
    legacy_client_destroy(lms);
    legacy_client_destroy(guesser);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_lms_logs_in_once_and_keeps_its_session),
        cmocka_unit_test(an_lms_that_sends_a_proxys_credentials_gets_through_all_the_same),
        cmocka_unit_test(credentials_of_a_user_do_without_a_login),
        cmocka_unit_test(a_login_sets_the_cookies_of_the_original),
        cmocka_unit_test(a_second_login_of_the_user_keeps_the_session_and_one_of_another_ends_it),
        cmocka_unit_test(sessions_of_one_user_are_independent),
        cmocka_unit_test(a_poller_works_on_one_connection_and_logs_in_again_once),
        cmocka_unit_test(sessions_survive_restarts_of_both_programs),
        cmocka_unit_test(who_guesses_is_slowed_and_who_worked_here_before_is_not),
    };
    return cmocka_run_group_tests(tests, conversation_set_up, conversation_tear_down);
}
