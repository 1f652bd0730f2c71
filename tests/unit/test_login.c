/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_rest */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/rest_rig.h"
#include "xqueue/v1/sessions.pb-c.h"

static struct rest_rig rig;

static int start(void **state)
{
    (void)state;
    rest_rig_start(&rig);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    rest_rig_stop(&rig);
    return 0;
}

static void any_method_but_post_says_login_required(void **state)
{
    static const char *const methods[] = {"GET", "OPTIONS", "PUT", "DELETE"};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(rest_rig_ask(&rig, methods[i], "/xqueue/login/", ""), 200);
        assert_string_equal(rig.answer.body.bytes, "{\"return_code\": 1, \"content\": \"login_required\"}");
        assert_string_equal(rest_rig_header(&rig, "Vary", 0), "");
    }
}

static void a_right_password_opens_a_session_and_sets_both_cookies(void **state)
{
    char cookie[600];

    (void)state;
    assert_int_equal(rest_rig_post(&rig, "/xqueue/login/", "username=lms&password=right"), 200);

    assert_string_equal(rig.answer.body.bytes, "{\"return_code\": 0, \"content\": \"Logged in\"}");
    assert_string_equal(rest_rig_header(&rig, "Vary", 0), "Cookie");
    assert_true(http_answer_header(&rig.answer, "Set-Cookie", 0, cookie, sizeof(cookie)));
    assert_ptr_equal(strstr(cookie, "sessionid=" SCRIPTED_CORE_TOKEN "; expires="), cookie);
    assert_non_null(strstr(cookie, "; HttpOnly; Max-Age=1209600; Path=/; SameSite=Lax"));
    assert_true(http_answer_header(&rig.answer, "Set-Cookie", 1, cookie, sizeof(cookie)));
    assert_ptr_equal(strstr(cookie, "csrftoken="), cookie);
    assert_int_equal(strcspn(cookie, ";"), strlen("csrftoken=") + 32);
    assert_null(strstr(cookie, "HttpOnly"));
}

static void a_wrong_password_says_so_and_costs_the_core_one_try(void **state)
{
    size_t logins = 0;
    const Xqueue__V1__LoginRequest *request = NULL;

    (void)state;
    rest_rig_post(&rig, "/xqueue/login/", "username=lms&password=right"); // the adapter has its own session from here on
    logins = scripted_core_count(rig.core, "Login");
    assert_int_equal(rest_rig_post(&rig, "/xqueue/login/", "username=lms&password=wrong"), 200);

    assert_string_equal(rig.answer.body.bytes, "{\"return_code\": 1, \"content\": \"Incorrect login credentials\"}");
    assert_string_equal(rest_rig_header(&rig, "Set-Cookie", 0), "");
    assert_int_equal(scripted_core_count(rig.core, "Login"), logins + 1);
    request = scripted_core_last(rig.core, "Login");
    assert_string_equal(request->peer, "127.0.0.1");
}

static void missing_or_impossible_credentials_never_reach_the_core(void **state)
{
    static const char *const insufficient[] = {"", "username=lms", "password=right", "user=lms&password=x"};
    static const char *const incorrect[] = {"username=&password=right", "username=lms%00x&password=right",
                                            "username=lms&password=right%00", "username=lms&password="};
    size_t logins = scripted_core_count(rig.core, "Login");

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(rest_rig_post(&rig, "/xqueue/login/", insufficient[i]), 200);
        assert_string_equal(rig.answer.body.bytes, "{\"return_code\": 1, \"content\": \"Insufficient login info\"}");
        assert_int_equal(rest_rig_post(&rig, "/xqueue/login/", incorrect[i]), 200);
        assert_string_equal(rig.answer.body.bytes, "{\"return_code\": 1, \"content\": \"Incorrect login credentials\"}");
    }
    assert_int_equal(scripted_core_count(rig.core, "Login"), logins);
}

static void a_client_that_guesses_too_often_is_told_to_wait(void **state)
{
    (void)state;
    rest_rig_post(&rig, "/xqueue/login/", "username=lms&password=right");
    scripted_core_refuse(rig.core, "Login", STATUS_FULL, "LOGIN_SLOWED");

    assert_int_equal(rest_rig_post(&rig, "/xqueue/login/", "username=lms&password=wrong"), 429);
    assert_string_equal(rest_rig_header(&rig, "Retry-After", 0), "1");
    assert_string_equal(rig.answer.body.bytes,
                        "{\"return_code\": 1, \"content\": \"Too many failed logins. Please try again later.\"}");
    assert_string_equal(rest_rig_header(&rig, "Set-Cookie", 0), "");
    scripted_core_answer(rig.core, "Login", NULL);
}

/* Whose login it is for the core, when these header lines come. */
static const char *peer_named_by(const char *lines)
{
    static const char form[] = "username=lms&password=right";
    char extra[512];
    const Xqueue__V1__LoginRequest *request = NULL;

    (void)snprintf(extra, sizeof(extra), "%sContent-Type: application/x-www-form-urlencoded\r\n", lines);
    rest_rig_post_body(&rig, "/xqueue/login/", extra, form, strlen(form));
    request = scripted_core_last(rig.core, "Login");
    return request->peer;
}

static void the_client_behind_a_trusted_proxy_is_the_one_that_the_proxy_names(void **state)
{
    static char *others[] = {(char *)"10.0.0.0/8", (char *)"::1"};
    static char *proxies[] = {(char *)"10.0.0.0/8", (char *)"127.0.0.0/30"};

    (void)state;
    assert_string_equal(peer_named_by("X-Real-IP: 192.0.2.7\r\n"), "127.0.0.1");
    rig.config.rest.trusted_proxies = (struct config_texts){.items = others, .count = 2};
    assert_string_equal(peer_named_by("X-Real-IP: 192.0.2.7\r\n"), "127.0.0.1");

    rig.config.rest.trusted_proxies = (struct config_texts){.items = proxies, .count = 2};
    assert_string_equal(peer_named_by("X-Real-IP: 192.0.2.7\r\n"), "192.0.2.7");
    assert_string_equal(peer_named_by("x-real-ip:  \t192.0.2.7 \r\n"), "192.0.2.7");
    assert_string_equal(peer_named_by("X-Real-IP: [2001:DB8::0:7]\r\n"), "2001:db8::7");
    assert_string_equal(peer_named_by("X-Real-IP: fe80::7%eth0\r\n"), "fe80::7");
    assert_string_equal(peer_named_by("X-Real-IP: ::ffff:192.0.2.7\r\n"), "192.0.2.7");
    rig.config.rest.trusted_proxies.count = 0;
}

static void what_a_trusted_proxy_names_badly_is_ignored(void **state)
{
    static const char *const bad[] = {"X-Real-IP: nonsense\r\n",
                                      "X-Real-IP:\r\n",
                                      "X-Real-IP: 192.0.2.7, 192.0.2.8\r\n",
                                      "X-Real-IP: 192.0.2.7\r\nX-Real-IP: 192.0.2.7\r\n",
                                      "X-Real-IP: 192.0.2.7\r\nX-Real-IP: nonsense\r\n",
                                      ""};
    static char *proxies[] = {(char *)"127.0.0.1"};

    (void)state;
    rig.config.rest.trusted_proxies = (struct config_texts){.items = proxies, .count = 1};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_string_equal(peer_named_by(bad[i]), "127.0.0.1");
    }
    rig.config.rest.trusted_proxies.count = 0;
}

static void logout_ends_the_session_and_deletes_the_cookie_only_if_one_came(void **state)
{
    size_t logouts = scripted_core_count(rig.core, "Logout");

    (void)state;
    assert_int_equal(rest_rig_ask(&rig, "GET", "/xqueue/logout/", ""), 200);
    assert_string_equal(rig.answer.body.bytes, "{\"return_code\": 0, \"content\": \"Goodbye\"}");
    assert_string_equal(rest_rig_header(&rig, "Set-Cookie", 0), "");
    assert_string_equal(rest_rig_header(&rig, "Vary", 0), "Cookie");
    assert_int_equal(scripted_core_count(rig.core, "Logout"), logouts);

    assert_int_equal(rest_rig_ask(&rig, "POST", "/xqueue/logout/", REST_RIG_SESSION), 200);
    assert_string_equal(rig.answer.body.bytes, "{\"return_code\": 0, \"content\": \"Goodbye\"}");
    assert_non_null(strstr(rest_rig_header(&rig, "Set-Cookie", 0), "sessionid=\"\""));
    assert_int_equal(scripted_core_count(rig.core, "Logout"), logouts + 1);

    scripted_core_end_sessions(rig.core);
    assert_int_equal(rest_rig_ask(&rig, "GET", "/xqueue/logout/", REST_RIG_SESSION), 200);
    assert_string_equal(rig.answer.body.bytes, "{\"return_code\": 0, \"content\": \"Goodbye\"}");
}

static void an_adapter_that_may_not_log_in_blames_itself_not_the_client(void **state)
{
    (void)state;
    rest_rig_stop(&rig);
    rest_rig_start(&rig);
    scripted_core_refuse(rig.core, "Login", STATUS_UNAUTHENTICATED, "WRONG_CREDENTIALS");

    assert_int_equal(rest_rig_post(&rig, "/xqueue/login/", "username=lms&password=right"), 503);
    scripted_core_answer(rig.core, "Login", NULL);
    assert_int_equal(rest_rig_post(&rig, "/xqueue/login/", "username=lms&password=right"), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_method_but_post_says_login_required),
        cmocka_unit_test(a_right_password_opens_a_session_and_sets_both_cookies),
        cmocka_unit_test(a_wrong_password_says_so_and_costs_the_core_one_try),
        cmocka_unit_test(missing_or_impossible_credentials_never_reach_the_core),
        cmocka_unit_test(a_client_that_guesses_too_often_is_told_to_wait),
        cmocka_unit_test(the_client_behind_a_trusted_proxy_is_the_one_that_the_proxy_names),
        cmocka_unit_test(what_a_trusted_proxy_names_badly_is_ignored),
        cmocka_unit_test(an_adapter_that_may_not_log_in_blames_itself_not_the_client),
        cmocka_unit_test(logout_ends_the_session_and_deletes_the_cookie_only_if_one_came),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
