/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_rest */
/* HTTP Basic credentials in place of a session, over real sockets, with a core that the test scripts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/rest_rig.h"
#include "xqueue/v1/sessions.pb-c.h"
#include "xqueue/v1/submissions.pb-c.h"

#define RIGHT        "Authorization: Basic bG1zOnJpZ2h0\r\n"
#define WRONG        "Authorization: Basic bG1zOndyb25n\r\n"
#define STALE_COOKIE "Cookie: sessionid=staletoken\r\n"
#define TARGET       "/xqueue/get_queuelen/?queue_name=demo"

static struct rest_rig rig;

static int start(void **state)
{
    static Xqueue__V1__GetQueueResponse reply = XQUEUE__V1__GET_QUEUE_RESPONSE__INIT;
    (void)state;
    rest_rig_start(&rig);
    scripted_core_answer(rig.core, "GetQueue", &reply.base);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    rest_rig_stop(&rig);
    return 0;
}

static size_t logins(void)
{
    return scripted_core_count(rig.core, "Login");
}

static void many_requests_share_one_login_and_get_no_cookies(void **state)
{
    const Xqueue__V1__LoginRequest *request = NULL;
    (void)state;
    for (int at = 0; at < 5; at++) {
        assert_int_equal(rest_rig_ask(&rig, "GET", TARGET, RIGHT), 200);
        assert_string_equal(rest_rig_header(&rig, "Set-Cookie", 0), "");
        assert_string_equal(rest_rig_header(&rig, "Vary", 0), "Cookie");
    }

    assert_int_equal(logins(), 2); // one is the adapter's own
    request = scripted_core_last(rig.core, "Login");
    assert_string_equal(request->user, "lms");
    assert_string_equal(request->peer, "127.0.0.1");
}

static void a_cookie_that_holds_wins(void **state)
{
    (void)state;
    assert_int_equal(rest_rig_ask(&rig, "GET", TARGET, REST_RIG_SESSION WRONG), 200);
    assert_int_equal(rest_rig_ask(&rig, "GET", TARGET, REST_RIG_SESSION RIGHT), 200);
    assert_int_equal(logins(), 0);
}

static void credentials_help_where_the_cookie_does_not_hold(void **state)
{
    (void)state;
    assert_int_equal(rest_rig_ask(&rig, "GET", TARGET, STALE_COOKIE RIGHT), 200);
    assert_string_equal(rest_rig_header(&rig, "Set-Cookie", 0), "");
}

static void wrong_credentials_are_as_none_and_cost_one_login(void **state)
{
    (void)state;
    for (int at = 0; at < 5; at++) {
        assert_int_equal(rest_rig_ask(&rig, "GET", TARGET, WRONG), 302);
        assert_string_equal(rest_rig_header(&rig, "Location", 0),
                            "/xqueue/login/?next=/xqueue/get_queuelen/%3Fqueue_name%3Ddemo");
        assert_string_equal(rest_rig_header(&rig, "WWW-Authenticate", 0), "");
        assert_string_equal(rest_rig_header(&rig, "Set-Cookie", 0), "");
    }
    assert_int_equal(logins(), 2);
    assert_int_equal(rest_rig_ask(&rig, "GET", TARGET, STALE_COOKIE WRONG), 302);
    assert_non_null(strstr(rest_rig_header(&rig, "Set-Cookie", 0), "sessionid=\"\""));
    assert_int_equal(rest_rig_ask(&rig, "GET", TARGET, RIGHT), 200);
}

static void malformed_credentials_never_reach_the_core(void **state)
{
    (void)state;
    assert_int_equal(rest_rig_ask(&rig, "GET", TARGET, "Authorization: Basic nonsense\r\n"), 302);
    assert_int_equal(rest_rig_ask(&rig, "GET", TARGET, "Authorization: Bearer bG1zOnJpZ2h0\r\n"), 302);
    assert_int_equal(logins(), 0);
}

static void who_is_slowed_is_sent_to_the_login_page(void **state)
{
    (void)state;
    assert_int_equal(rest_rig_ask(&rig, "GET", TARGET, RIGHT), 200); // the adapter has its own session from here on
    scripted_core_refuse(rig.core, "Login", STATUS_FULL, "LOGIN_SLOWED");
    assert_int_equal(rest_rig_ask(&rig, "GET", TARGET, WRONG), 302);
    scripted_core_refuse(rig.core, "Login", STATUS_FULL, "LOGIN_BUSY");
    assert_int_equal(rest_rig_ask(&rig, "GET", TARGET, "Authorization: Basic bG1zOm90aGVy\r\n"), 503);
}

static void a_core_that_is_away_is_told_as_such(void **state)
{
    (void)state;
    rest_rig_stop_core(&rig);
    assert_int_equal(rest_rig_ask(&rig, "GET", TARGET, RIGHT), 503);
    rest_rig_resume_core(&rig);
}

static void endpoints_without_a_session_do_not_look_at_credentials(void **state)
{
    (void)state;
    assert_int_equal(rest_rig_ask(&rig, "GET", "/xqueue/status/", RIGHT), 200);
    assert_int_equal(rest_rig_ask(&rig, "GET", "/xqueue/login/", RIGHT), 200);
    assert_string_equal(rig.answer.body.bytes, "{\"return_code\": 1, \"content\": \"login_required\"}");
    assert_int_equal(rest_rig_ask(&rig, "POST", TARGET, RIGHT), 403); // still needs its CSRF token
    assert_int_equal(logins(), 0);
}

static void logout_ends_the_session_of_the_credentials(void **state)
{
    (void)state;
    assert_int_equal(rest_rig_ask(&rig, "GET", "/xqueue/logout/", RIGHT), 200);
    assert_int_equal(scripted_core_count(rig.core, "Logout"), 0);
    assert_int_equal(rest_rig_ask(&rig, "GET", TARGET, RIGHT), 200);

    assert_int_equal(rest_rig_ask(&rig, "GET", "/xqueue/logout/", RIGHT), 200);

    assert_int_equal(scripted_core_count(rig.core, "Logout"), 1);
    assert_string_equal(rest_rig_header(&rig, "Set-Cookie", 0), "");
    assert_int_equal(rest_rig_ask(&rig, "GET", TARGET, RIGHT), 200);
    assert_int_equal(logins(), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, start, stop)
        TEST(many_requests_share_one_login_and_get_no_cookies),
        TEST(a_cookie_that_holds_wins),
        TEST(credentials_help_where_the_cookie_does_not_hold),
        TEST(wrong_credentials_are_as_none_and_cost_one_login),
        TEST(malformed_credentials_never_reach_the_core),
        TEST(who_is_slowed_is_sent_to_the_login_page),
        TEST(a_core_that_is_away_is_told_as_such),
        TEST(endpoints_without_a_session_do_not_look_at_credentials),
        TEST(logout_ends_the_session_of_the_credentials),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
