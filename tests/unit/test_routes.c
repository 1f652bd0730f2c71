/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_rest */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/rest_rig.h"

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

static void status_says_ok_to_everybody(void **state)
{
    (void)state;
    assert_int_equal(rest_rig_ask(&rig, "GET", "/xqueue/status/", ""), 200);

    assert_string_equal(rig.answer.body.bytes, "{\"return_code\": 0, \"content\": \"OK\"}");
    assert_string_equal(rest_rig_header(&rig, "Content-Type", 0), "text/html; charset=utf-8");
    assert_string_equal(rest_rig_header(&rig, "Vary", 0), "");
    assert_int_equal(rest_rig_ask(&rig, "GET", "/xqueue/%73tatus/", ""), 200);
    assert_int_equal(rest_rig_ask(&rig, "OPTIONS", "/xqueue/status/", ""), 200);
}

static void paths_that_do_not_exist_are_not_found(void **state)
{
    static const char *const paths[] = {"/",
                                        "/xqueue",
                                        "/xqueue/",
                                        "//xqueue/status/",
                                        "/xqueue/Status/",
                                        "/xqueue/status/x",
                                        "/xqueue/status//",
                                        "/xqueue/x/../status/",
                                        "/xqueue/status/%00",
                                        "/xqueue/files/",
                                        "/xqueue/files/q/../../../../etc/passwd",
                                        "/xqueue/files/q/r/0123456789abcdef0123456789abcdef",
                                        "/xqueue/files/q/0123456789abcdef0123456789abcde/"};

    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (rest_rig_ask(&rig, "GET", paths[i], "") != 404) {
            fail_msg("%s: %d", paths[i], rig.answer.status);
        }
        assert_string_equal(rest_rig_header(&rig, "Content-Type", 0), "text/html; charset=utf-8");
    }
}

static void a_missing_slash_is_redirected_with_the_query_as_it_is(void **state)
{
    (void)state;
    assert_int_equal(rest_rig_ask(&rig, "POST", "/xqueue/%67et_queuelen?queue_name=a%20b&&%zz", ""), 301);

    assert_string_equal(rest_rig_header(&rig, "Location", 0), "/xqueue/get_queuelen/?queue_name=a%20b&&%zz");
    assert_string_equal(rest_rig_header(&rig, "Content-Length", 0), "0");
    assert_string_equal(rest_rig_header(&rig, "Vary", 0), "");
    assert_int_equal(rest_rig_ask(&rig, "GET", "/xqueue/status", ""), 301);
    assert_string_equal(rest_rig_header(&rig, "Location", 0), "/xqueue/status/");
}

static void a_host_that_can_be_none_is_a_bad_request(void **state)
{
    static const struct {
        const char *host;
        bool is_valid;
    } cases[] = {
        {"xqueue", true},    {"XQueue.example.org:8040", true},
        {"10.0.0.1", true},  {"[::1]:80", true},
        {"a.", true},        {"[::ffff:1.2.3.4]", true},
        {"-", true},         {"", false},
        {".", false},        {".:80", false},
        {"a_b", false},      {"a b", false},
        {"a:", false},       {"a:x", false},
        {"a:1:2", false},    {"[::1", false},
        {"[:]", false},      {"[1.2:3]", false},
        {"[]", false},       {"[::1]x", false},
        {"a/b", false},      {"a@b", false},
        {"\xc3\xa9", false}, {":80", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (http_host_is_valid(cases[i].host) != cases[i].is_valid) {
            fail_msg("'%s'", cases[i].host);
        }
    }
}

static void without_a_session_every_method_is_sent_to_the_login_page(void **state)
{
    static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "POST"};

    (void)state;
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        assert_int_equal(rest_rig_ask(&rig, methods[i], "/xqueue/submit/?a=b%20c/~", ""), 302);
        assert_string_equal(rest_rig_header(&rig, "Location", 0), "/xqueue/login/?next=/xqueue/submit/%3Fa%3Db%2520c/~");
        assert_string_equal(rest_rig_header(&rig, "Vary", 0), "Cookie");
        assert_string_equal(rest_rig_header(&rig, "Set-Cookie", 0), "");
        assert_int_equal(rig.answer.body.length, 0);
    }
    assert_int_equal(scripted_core_count(rig.core, "WhoAmI"), 0);
}

static void a_session_that_is_over_is_sent_to_the_login_page_and_its_cookie_deleted(void **state)
{
    static const char *const cookies[] = {"Cookie: sessionid=tokenofsomebodyelse0000000000000\r\n", "Cookie: sessionid=\r\n",
                                          "Cookie: sessionid=\"\"\r\n", "Cookie: sessionid=a.b-c\r\n"};
    static const char *const targets[] = {"/xqueue/submit/",
                                          "/xqueue/get_queuelen/",
                                          "/xqueue/get_queuelen/?queue_name=q",
                                          "/xqueue/get_submission/",
                                          "/xqueue/get_submission/?queue_name=q",
                                          "/xqueue/put_result/"};

    (void)state;
    for (size_t i = 0; i < sizeof(cookies) / sizeof(cookies[0]); i++) {
        for (size_t j = 0; j < sizeof(targets) / sizeof(targets[0]); j++) {
            assert_int_equal(rest_rig_ask(&rig, "GET", targets[j], cookies[i]), 302);
            assert_non_null(strstr(rest_rig_header(&rig, "Set-Cookie", 0), "sessionid=\"\"; expires=Thu, 01 Jan 1970"));
        }
    }
}

static void the_csrf_check_comes_before_the_login_and_only_where_the_original_has_it(void **state)
{
    static const char *const protected[] = {"/xqueue/status/", "/xqueue/get_queuelen/", "/xqueue/get_submission/"};
    static const char *const exempt[] = {"/xqueue/login/", "/xqueue/logout/", "/xqueue/submit/", "/xqueue/put_result/"};
    static const char *const methods[] = {"POST", "PUT", "DELETE", "PATCH"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 0; j < 4; j++) {
            assert_int_equal(rest_rig_ask(&rig, methods[j], protected[i], REST_RIG_SESSION), 403);
            assert_string_equal(rest_rig_header(&rig, "Vary", 0), "");
        }
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_not_equal(rest_rig_ask(&rig, "POST", exempt[i], ""), 403);
    }
    assert_int_equal(rest_rig_ask(&rig, "POST", "/xqueue/status/", "Cookie: csrftoken=abc\r\nX-CSRFToken: abc\r\n"), 200);
    assert_int_equal(rest_rig_ask(&rig, "POST", "/xqueue/status/", "Cookie: csrftoken=abc\r\nX-CSRFToken: abd\r\n"), 403);
    assert_int_equal(rest_rig_ask(&rig, "POST", "/xqueue/status/", "Cookie: csrftoken=\r\nX-CSRFToken: \r\n"), 403);
}

static void while_the_core_is_away_the_answer_is_temporary_and_all_is_well_when_it_is_back(void **state)
{
    int status = 0;

    (void)state;
    assert_int_equal(rest_rig_ask(&rig, "GET", "/xqueue/get_queuelen/?queue_name=q", REST_RIG_SESSION), 200);
    rest_rig_stop_core(&rig);

    assert_int_equal(rest_rig_ask(&rig, "GET", "/xqueue/get_queuelen/?queue_name=q", REST_RIG_SESSION), 503);
    assert_string_equal(rig.answer.body.bytes,
                        "{\"return_code\": 1, \"content\": \"The queue is temporarily unavailable. Please try again.\"}");
    assert_string_equal(rest_rig_header(&rig, "Retry-After", 0), "1");
    assert_int_equal(rest_rig_ask(&rig, "GET", "/xqueue/status/", ""), 200);

    rest_rig_resume_core(&rig);
    while (status != 200) { // the channel looks again after a pause of its own
        status = rest_rig_ask(&rig, "GET", "/xqueue/get_queuelen/?queue_name=q", REST_RIG_SESSION);
    }
    assert_string_equal(rig.answer.body.bytes, "{\"return_code\": 0, \"content\": 0}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_says_ok_to_everybody),
        cmocka_unit_test(paths_that_do_not_exist_are_not_found),
        cmocka_unit_test(a_missing_slash_is_redirected_with_the_query_as_it_is),
        cmocka_unit_test(a_host_that_can_be_none_is_a_bad_request),
        cmocka_unit_test(without_a_session_every_method_is_sent_to_the_login_page),
        cmocka_unit_test(a_session_that_is_over_is_sent_to_the_login_page_and_its_cookie_deleted),
        cmocka_unit_test(the_csrf_check_comes_before_the_login_and_only_where_the_original_has_it),
        cmocka_unit_test(while_the_core_is_away_the_answer_is_temporary_and_all_is_well_when_it_is_back),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
