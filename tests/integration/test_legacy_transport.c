/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* Paths, methods, status codes and headers of the legacy interface. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "rest-adapter/http_message.h"
#include "tests/support/legacy_talk.h"

#define OK_REPLY  LEGACY_GOOD("OK")
#define LOGIN     "/xqueue/login/?next="
#define NEEDS_LEN LEGACY_BAD("'get_queuelen' must provide parameter 'queue_name'")
#define NEEDS_SUB LEGACY_BAD("'get_submission' must provide parameter 'queue_name'")

static void the_seven_paths_answer(void **state)
{
    static const struct legacy_row rows[] = {
        {.target = "/xqueue/status/", .no_vary = true, .reply = OK_REPLY},
        {.target = "/xqueue/status/", .no_vary = true, .stranger = true, .reply = OK_REPLY},
        {.target = "/xqueue/status/?a=b", .no_vary = true, .reply = OK_REPLY},
        {.target = "/xqueue/login/", .no_vary = true, .reply = LEGACY_BAD("login_required")},
        {.target = "/xqueue/login/", .no_vary = true, .stranger = true, .reply = LEGACY_BAD("login_required")},
        {.target = "/xqueue/submit/", .reply = LEGACY_BAD("Queue requests should use HTTP POST")},
        {.target = "/xqueue/get_queuelen/", .reply = NEEDS_LEN},
        {.target = "/xqueue/get_submission/", .reply = NEEDS_SUB},
        {.target = "/xqueue/put_result/", .reply = LEGACY_BAD("'put_result' must use HTTP POST")},
        {.target = "/xqueue/logout/", .stranger = true, .reply = LEGACY_GOOD("Goodbye")},
    };

    LEGACY_CHECK((struct legacy_world *)*state, rows);
}

static void percent_encoded_letters_of_a_path_are_decoded_once(void **state)
{
    static const struct legacy_row rows[] = {
        {.target = "/xqueue/%73tatus/", .no_vary = true, .reply = OK_REPLY},
        {.target = "/%78queue/%73%74%61%74%75%73/", .no_vary = true, .reply = OK_REPLY},
        {.target = "/xqueue%2Fstatus%2f", .no_vary = true, .reply = OK_REPLY},
        {.target = "/xqueue/%2573tatus/", .status = 404, .no_vary = true},
        {.target = "/xqueue/%53tatus/", .status = 404, .no_vary = true},
        {.target = "/xqueue/status%00/", .status = 404, .no_vary = true},
        {.target = "/xqueue/status/%ff", .status = 404, .no_vary = true},
    };

    LEGACY_CHECK((struct legacy_world *)*state, rows);
}

static void other_paths_are_not_found(void **state)
{
    static const char *const targets[] = {"/",
                                          "/xqueue",
                                          "/xqueue/",
                                          "//xqueue/status/",
                                          "/xqueue//status/",
                                          "/xqueue/Status/",
                                          "/XQUEUE/status/",
                                          "/xqueue/status/x",
                                          "/xqueue/status/x/",
                                          "/xqueue/status//",
                                          "/xqueue/./status/",
                                          "/xqueue/x/../status/",
                                          "/xqueue/status/..;/",
                                          "/status/",
                                          "/xqueue/unknown",
                                          "/xqueue/get_submission/x?queue_name=calm"};

    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        const struct legacy_row row = {.target = targets[i], .status = 404, .no_vary = true};
        const struct legacy_row post = {.method = "POST", .target = targets[i], .status = 404, .no_vary = true, .body = "a=b"};

        legacy_check_rows(*state, &row, 1);
        legacy_check_rows(*state, &post, 1);
    }
}

static void without_the_last_slash_one_is_sent_to_the_path_with_it(void **state)
{
    static const struct legacy_row rows[] = {
        {.target = "/xqueue/status", .location = "/xqueue/status/"},
        {.target = "/xqueue/login", .stranger = true, .location = "/xqueue/login/"},
        {.target = "/xqueue/logout", .location = "/xqueue/logout/"},
        {.target = "/xqueue/submit", .method = "POST", .body = "a=b", .location = "/xqueue/submit/"},
        {.target = "/xqueue/submit", .method = "POST", .body = "a=b", .stranger = true, .location = "/xqueue/submit/"},
        {.target = "/xqueue/put_result", .method = "PUT", .location = "/xqueue/put_result/"},
        {.target = "/xqueue/get_queuelen", .method = "POST", .location = "/xqueue/get_queuelen/"},
        {.target = "/xqueue/get_submission?queue_name=a%20b+c&&%zz&x=%2F~;",
         .stranger = true,
         .location = "/xqueue/get_submission/?queue_name=a%20b+c&&%zz&x=%2F~;"},
        {.target = "/xqueue/%67et_queuelen?queue_name=calm", .location = "/xqueue/get_queuelen/?queue_name=calm"},
        {.target = "/xqueue/status?", .location = "/xqueue/status/"},
        {.target = "/xqueue/status??a=/b/", .location = "/xqueue/status/??a=/b/"},
        {.target = "/xqueue/status", .method = "HEAD", .location = "/xqueue/status/"},
        {.target = "/xqueue/status", .method = "BREW", .location = "/xqueue/status/"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct legacy_row row = rows[i];
        row.status = 301;
        row.no_vary = true;
        row.reply = "";
        legacy_check_rows(*state, &row, 1);
    }
}

static void a_stranger_is_sent_to_the_login_page_by_every_method(void **state)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"};
    static const struct legacy_row rows[] = {
        {.target = "/xqueue/submit/", .location = LOGIN "/xqueue/submit/"},
        {.target = "/xqueue/submit/?next=/x/&y=%2F%zz~", .location = LOGIN "/xqueue/submit/%3Fnext%3D/x/%26y%3D%252F%25zz~"},
    };

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        for (size_t j = 0; j < sizeof(rows) / sizeof(rows[0]); j++) {
            struct legacy_row row = rows[j];
            row.method = methods[i];
            row.status = 302;
            row.stranger = true;
            row.reply = "";
            legacy_check_rows(*state, &row, 1);
        }
    }
}

static void a_stranger_asks_for_queues_in_vain(void **state)
{
    static const struct legacy_row rows[] = {
        {.target = "/xqueue/get_queuelen/?queue_name=calm",
         .status = 302,
         .stranger = true,
         .location = LOGIN "/xqueue/get_queuelen/%3Fqueue_name%3Dcalm",
         .reply = ""},
        {.target = "/xqueue/get_submission/?queue_name=b%20queue%27s",
         .status = 302,
         .stranger = true,
         .location = LOGIN "/xqueue/get_submission/%3Fqueue_name%3Db%2520queue%2527s",
         .reply = ""},
    };

    LEGACY_CHECK((struct legacy_world *)*state, rows);
}

static void the_original_s_three_csrf_checked_paths_refuse_what_changes(void **state)
{
    static const char *const targets[] = {"/xqueue/status/", "/xqueue/get_queuelen/?queue_name=zeta",
                                          "/xqueue/get_submission/?queue_name=zeta"};
    static const char *const methods[] = {"POST", "PUT", "DELETE", "PATCH"};
    struct legacy_world *world = *state;
    char with_token[256];

    (void)snprintf(with_token, sizeof(with_token), "X-CSRFToken: %s\r\n", world->client.csrf);
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        for (size_t j = 0; j < sizeof(methods) / sizeof(methods[0]); j++) {
            static const char *const replies[] = {OK_REPLY, "{\"return_code\": 0, \"content\": 0}",
                                                  LEGACY_BAD("Queue 'zeta' is empty")};
            const struct legacy_row rows[] = {
                {.method = methods[j], .target = targets[i], .status = 403, .no_vary = true, .stranger = true},
                {.method = methods[j], .target = targets[i], .status = 403, .no_vary = true},
                {.method = methods[j],
                 .target = targets[i],
                 .extra = "X-CSRFToken: 0123456789abcdefghijABCDEFGHIJ01\r\n",
                 .status = 403,
                 .no_vary = true},
                {.method = methods[j],
                 .target = targets[i],
                 .extra = with_token,
                 .body = "queue_name=alpha",
                 .no_vary = i == 0,
                 .reply = replies[i]},
            };
            LEGACY_CHECK(world, rows);
        }
    }
}

static void with_the_csrf_token_the_queue_s_name_must_still_be_in_the_query(void **state)
{
    struct legacy_world *world = *state;
    char extra[256];

    (void)snprintf(extra, sizeof(extra), "Content-Type: application/x-www-form-urlencoded\r\nX-CSRFToken: %s\r\n",
                   world->client.csrf);
    const struct legacy_row rows[] = {
        {.method = "POST", .target = "/xqueue/get_queuelen/", .extra = extra, .body = "queue_name=calm", .reply = NEEDS_LEN},
        {.method = "POST", .target = "/xqueue/get_submission/", .extra = extra, .body = "queue_name=calm", .reply = NEEDS_SUB},
    };
    LEGACY_CHECK(world, rows);
}

static void any_other_method_reaches_the_view_like_get(void **state)
{
    static const char *const methods[] = {"HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "BREW"};

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        const struct legacy_row rows[] = {
            {.method = methods[i], .target = "/xqueue/submit/", .reply = LEGACY_BAD("Queue requests should use HTTP POST")},
            {.method = methods[i], .target = "/xqueue/put_result/", .reply = LEGACY_BAD("'put_result' must use HTTP POST")},
            {.method = methods[i], .target = "/xqueue/login/", .no_vary = true, .reply = LEGACY_BAD("login_required")},
        };
        LEGACY_CHECK((struct legacy_world *)*state, rows);
    }
}

static void head_is_get_without_a_body_and_safe_methods_reach_all_views(void **state)
{
    static const struct legacy_row rows[] = {
        {.method = "HEAD", .target = "/xqueue/status/", .no_vary = true},
        {.method = "HEAD", .target = "/xqueue/get_queuelen/?queue_name=zeta"},
        {.method = "HEAD", .target = "/xqueue/nothing/", .status = 404, .no_vary = true},
        {.method = "OPTIONS", .target = "/xqueue/status/", .no_vary = true, .reply = OK_REPLY},
        {.method = "OPTIONS",
         .target = "/xqueue/get_queuelen/?queue_name=zeta",
         .reply = "{\"return_code\": 0, \"content\": 0}"},
    };
    struct legacy_world *world = *state;
    char length[32];

    LEGACY_CHECK(world, rows);
    legacy_check_rows(world, &rows[0], 1);
    assert_true(http_answer_header(&world->answer, "Content-Length", 0, length, sizeof(length)));
    assert_int_equal(strtol(length, NULL, 10), sizeof(OK_REPLY) - 1);
}

static void a_malformed_host_is_a_bad_request_on_every_path(void **state)
{
    static const char *const bad[] = {"Host: a_b\r\n",    "Host: a b\r\n", "Host: a:b\r\n", "Host: [::1\r\n",
                                      "Host: a/../b\r\n", "Host: \r\n",    "Host: .\r\n",   "Host: x@y\r\n"};
    static const char *const good[] = {"Host: A.example.org:80\r\n", "Host: [::1]:8040\r\n", "Host: 127.0.0.1\r\n"};
    static const char *const targets[] = {"/xqueue/status/", "/xqueue/status", "/nothing",
                                          "/xqueue/get_submission/?queue_name=calm"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        for (size_t j = 0; j < sizeof(targets) / sizeof(targets[0]); j++) {
            const struct legacy_row row = {
                .name = bad[i], .target = targets[j], .extra = bad[i], .status = 400, .no_vary = true};
            legacy_check_rows(*state, &row, 1);
        }
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        const struct legacy_row row = {
            .name = good[i], .target = "/xqueue/status/", .extra = good[i], .no_vary = true, .reply = OK_REPLY};
        legacy_check_rows(*state, &row, 1);
    }
}

static void requests_without_a_host_are_served(void **state)
{
    static const char *const requests[] = {"GET /xqueue/status/ HTTP/1.0\r\n\r\n", "GET /xqueue/status/ HTTP/1.1\r\n\r\n",
                                           "GET /xqueue/status/ HTTP/1.1\r\nX: y\r\nConnection: close\r\n\r\n"};

    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        (void)legacy_send(*state, requests[i], strlen(requests[i]));
        legacy_expect(*state, requests[i], 200, OK_REPLY);
    }
}

/* Each '"' becomes "%2522"; each byte beyond ASCII is encoded on the way. */
static void the_longest_query_is_still_a_redirect(void **state)
{
    enum { QUOTES = 16000, RAW = 2000 };
    static const char path[] = "/xqueue/submit/?";
    static const char login[] = "/xqueue/login/?next=/xqueue/submit/%3F";
    struct text target;
    struct text location;

    text_init(&target, HTTP_REQUEST_HEAD_BYTES_MAX);
    text_init(&location, HTTP_REPLY_HEAD_BYTES_MAX);
    text_append_string(&target, path);
    text_append_string(&location, login);
    for (int i = 0; i < QUOTES; i++) {
        text_append_char(&target, '"');
        text_append_string(&location, "%2522");
    }
    const struct legacy_row quotes = {
        .name = "quotes", .target = target.bytes, .stranger = true, .status = 302, .location = location.bytes, .reply = ""};
    legacy_check_rows(*state, &quotes, 1);

    text_clear(&target);
    text_clear(&location);
    text_append_string(&target, path);
    text_append_string(&location, login);
    for (int i = 0; i < RAW; i++) {
        text_append_string(&target, "\xc3");
        text_append_string(&location, "%25C3");
    }
    const struct legacy_row raw = {
        .name = "raw", .target = target.bytes, .stranger = true, .status = 302, .location = location.bytes, .reply = ""};
    legacy_check_rows(*state, &raw, 1);
    text_finish(&target);
    text_finish(&location);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_seven_paths_answer),
        cmocka_unit_test(percent_encoded_letters_of_a_path_are_decoded_once),
        cmocka_unit_test(other_paths_are_not_found),
        cmocka_unit_test(without_the_last_slash_one_is_sent_to_the_path_with_it),
        cmocka_unit_test(a_stranger_is_sent_to_the_login_page_by_every_method),
        cmocka_unit_test(a_stranger_asks_for_queues_in_vain),
        cmocka_unit_test(the_original_s_three_csrf_checked_paths_refuse_what_changes),
        cmocka_unit_test(with_the_csrf_token_the_queue_s_name_must_still_be_in_the_query),
        cmocka_unit_test(any_other_method_reaches_the_view_like_get),
        cmocka_unit_test(head_is_get_without_a_body_and_safe_methods_reach_all_views),
        cmocka_unit_test(a_malformed_host_is_a_bad_request_on_every_path),
        cmocka_unit_test(requests_without_a_host_are_served),
        cmocka_unit_test(the_longest_query_is_still_a_redirect),
    };
    return cmocka_run_group_tests(tests, legacy_set_up, legacy_tear_down);
}
