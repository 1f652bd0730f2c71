/* SPDX-License-Identifier: Apache-2.0 */
/* What the LMS receives, byte for byte, and which of its answers count: from a legacy submit to the callback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/conversation.h"

#define DELIVERY(name_) XQUEUE__V1__DELIVERY_STATE__DELIVERY_STATE_##name_

enum { TEXT_BYTES_MAX = 4096 };

/* Submits with exactly this header; a poller answers with result. Returns the submission's id. */
static uint64_t graded(struct conversation *talk, const char *header, const char *result)
{
    struct rest_client poller;
    struct rest_pulled pulled;
    struct text form;

    text_init(&form, TEXT_BYTES_MAX);
    rest_form_append(&form, "xqueue_header", header);
    rest_form_append(&form, "xqueue_body", "b");
    assert_int_equal(rest_client_post(&talk->client, "/xqueue/submit/", &form), 200);
    if (talk->client.return_code != 0)
        fail_msg("%s", talk->client.content);
    text_finish(&form);
    rest_client_init(&poller, talk->service.rest_port, "grader");
    assert_int_equal(rest_client_login(&poller), 0);
    assert_true(rest_client_pull(&poller, "calm", &pulled));
    unsigned long long id = 0;
    assert_int_equal(sscanf(pulled.header, "{\"submission_id\": %llu,", &id), 1);
    assert_int_equal(rest_client_put(&poller, pulled.header, result), 0);
    rest_pulled_finish(&pulled);
    rest_client_finish(&poller);
    return id;
}

static void the_form_is_that_of_the_original(void **state)
{
    struct conversation *talk = *state;
    char url[FAKE_LMS_URL_MAX];
    char header[TEXT_BYTES_MAX];
    char expected[TEXT_BYTES_MAX];
    int port = fake_lms_port(talk->lms);

    (void)snprintf(header, sizeof(header),
                   "{\"lms_callback_url\":  \"%s\",\t\"queue_name\": \"calm\", \"lms_key\": \"~*'()\\u00e9 \xc3\xa9\"}",
                   fake_lms_url(talk->lms, "/form?a=b&c=%7e", url));
    graded(talk, header, "a b+c&d=e%/~*'()_.-\xc3\xa9\r\n");

    const struct fake_lms_callback *callback = lms_hears(talk, "/form?a=b&c=%7e", 0);
    (void)snprintf(expected, sizeof(expected),
                   "POST /form?a=b&c=%%7e HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: xqueue/" XQUEUE_VERSION
                   "\r\nAccept: */*\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n",
                   port, callback->body_length);
    assert_string_equal(callback->head, expected);
    (void)snprintf(
        expected, sizeof(expected),
        "xqueue_header=%%7B%%22lms_callback_url%%22%%3A++%%22http%%3A%%2F%%2F127.0.0.1%%3A%d%%2Fform%%3Fa%%3Db%%26c%%3D"
        "%%257e%%22%%2C%%09%%22queue_name%%22%%3A+%%22calm%%22%%2C+%%22lms_key%%22%%3A+%%22~%%2A%%27%%28%%29"
        "%%5Cu00e9+%%C3%%A9%%22%%7D&xqueue_body=a+b%%2Bc%%26d%%3De%%25%%2F~%%2A%%27%%28%%29_.-%%C3%%A9%%0D%%0A",
        port);
    assert_string_equal(callback->body, expected);
    assert_string_equal(callback->header, header);
}

static void a_url_goes_out_as_the_original_writes_it(void **state)
{
    static const struct {
        const char *after_port; // in JSON
        const char *path;
    } cases[] = {
        {"", "/"},
        {"?only=query", "/?only=query"},
        {"/fragment?a=b#c", "/fragment?a=b"},
        {"/x/../dots/./y", "/dots/y"},
        {"/a b?c d=e f", "/a%20b?c%20d=e%20f"},
        {"/\xc3\xa9?\xc3\xa9", "/%C3%A9?%C3%A9"},
        {"/\\u00e9\\ud83d\\ude00", "/%C3%A9%F0%9F%98%80"},
        {"/kept%2f%7E+", "/kept%2f%7E+"},
    };
    struct conversation *talk = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char url[FAKE_LMS_URL_MAX];
        char header[TEXT_BYTES_MAX];
        (void)snprintf(header, sizeof(header), "{\"lms_callback_url\": \"%s\", \"queue_name\": \"calm\", \"lms_key\": \"k\"}",
                       fake_lms_url(talk->lms, cases[i].after_port, url));
        graded(talk, header, "r");
        assert_string_equal(lms_hears(talk, cases[i].path, 0)->result, "r");
    }
}

static void credentials_of_the_url_go_along(void **state)
{
    struct conversation *talk = *state;
    char header[TEXT_BYTES_MAX];

    (void)snprintf(
        header, sizeof(header),
        "{\"lms_callback_url\": \"http://user:p%%40ss@127.0.0.1:%d/user\", \"queue_name\": \"calm\", \"lms_key\": 1}",
        fake_lms_port(talk->lms));
    graded(talk, header, "r");

    assert_non_null(strstr(lms_hears(talk, "/user", 0)->head, "\r\nAuthorization: Basic dXNlcjpwQHNz\r\n")); // user:p@ss
}

static void only_status_200_is_success(void **state)
{
    static const int statuses[] = {201, 202, 204, 206, 299, 304, 400, 401, 403, 404, 500, 503};
    struct conversation *talk = *state;
    char header[TEXT_BYTES_MAX];
    char url[FAKE_LMS_URL_MAX];

    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        const struct fake_lms_script script = {.http_status = statuses[i]};
        char path[32];
        (void)snprintf(path, sizeof(path), "/status/%d", statuses[i]);
        fake_lms_script_path(talk->lms, path, &script);
        (void)snprintf(header, sizeof(header), "{\"lms_callback_url\": \"%s\", \"queue_name\": \"calm\", \"lms_key\": 1}",
                       fake_lms_url(talk->lms, path, url));
        const uint64_t id = graded(talk, header, "r");
        lms_hears(talk, path, 1); // tried again
        assert_int_not_equal(admin_sees(talk, id).delivery_state, DELIVERY(DELIVERED));
        fake_lms_script_path(talk->lms, path, NULL);
        assert_true(core_await_delivery(talk->admin, id, DELIVERY(DELIVERED)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_form_is_that_of_the_original),
        cmocka_unit_test(a_url_goes_out_as_the_original_writes_it),
        cmocka_unit_test(credentials_of_the_url_go_along),
        cmocka_unit_test(only_status_200_is_success),
    };
    return cmocka_run_group_tests(tests, conversation_set_up, conversation_tear_down);
}
