/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest_formats */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "rest-adapter/legacy_reply.h"

static struct text out;

static int begin(void **state)
{
    (void)state;
    text_init(&out, LEGACY_REPLY_BYTES_MAX);
    return 0;
}

static int end(void **state)
{
    (void)state;
    text_finish(&out);
    return 0;
}

static void every_text_is_said_as_the_original_says_it(void **state)
{
    (void)state;
    static const struct {
        enum legacy_text text;
        const char *reply;
    } cases[] = {
        {LEGACY_STATUS_OK, "{\"return_code\": 0, \"content\": \"OK\"}"},
        {LEGACY_LOGIN_REQUIRED, "{\"return_code\": 1, \"content\": \"login_required\"}"},
        {LEGACY_LOGIN_INSUFFICIENT, "{\"return_code\": 1, \"content\": \"Insufficient login info\"}"},
        {LEGACY_LOGIN_INCORRECT, "{\"return_code\": 1, \"content\": \"Incorrect login credentials\"}"},
        {LEGACY_LOGGED_IN, "{\"return_code\": 0, \"content\": \"Logged in\"}"},
        {LEGACY_GOODBYE, "{\"return_code\": 0, \"content\": \"Goodbye\"}"},
        {LEGACY_SUBMIT_NEEDS_POST, "{\"return_code\": 1, \"content\": \"Queue requests should use HTTP POST\"}"},
        {LEGACY_SUBMIT_INVALID, "{\"return_code\": 1, \"content\": \"Queue request has invalid format\"}"},
        {LEGACY_QUEUE_NOT_FOUND, "{\"return_code\": 1, \"content\": \"Queue 'q%s' not found\"}"},
        {LEGACY_QUEUELEN_NEEDS_NAME,
         "{\"return_code\": 1, \"content\": \"'get_queuelen' must provide parameter 'queue_name'\"}"},
        {LEGACY_QUEUE_NAMES, "{\"return_code\": 1, \"content\": \"Valid queue names are: q%s\"}"},
        {LEGACY_SUBMISSION_NEEDS_NAME,
         "{\"return_code\": 1, \"content\": \"'get_submission' must provide parameter 'queue_name'\"}"},
        {LEGACY_QUEUE_EMPTY, "{\"return_code\": 1, \"content\": \"Queue 'q%s' is empty\"}"},
        {LEGACY_PUT_RESULT_NEEDS_POST, "{\"return_code\": 1, \"content\": \"'put_result' must use HTTP POST\"}"},
        {LEGACY_PUT_RESULT_INVALID, "{\"return_code\": 1, \"content\": \"Incorrect reply format\"}"},
        {LEGACY_SUBMISSION_NOT_FOUND, "{\"return_code\": 1, \"content\": \"Submission does not exist\"}"},
        {LEGACY_KEY_INCORRECT, "{\"return_code\": 1, \"content\": \"Incorrect key for submission\"}"},
        {LEGACY_RESULT_ACCEPTED, "{\"return_code\": 0, \"content\": \"\"}"},
        {LEGACY_UNAVAILABLE, "{\"return_code\": 1, \"content\": \"The queue is temporarily unavailable. Please try again.\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        text_clear(&out);
        legacy_reply_say(&out, cases[i].text, span_of("q%s"));
        assert_string_equal(out.bytes, cases[i].reply);
    }
}

static void every_text_has_its_wording(void **state)
{
    (void)state;
    for (int text = 0; text < LEGACY_TEXT_COUNT; text++)
        assert_non_null(legacy_text((enum legacy_text)text));
}

static void json_is_that_of_python(void **state)
{
    (void)state;
    // Right-hand sides: json.dumps of the string.
    static const struct {
        const char *bytes;
        size_t length;
        const char *json;
    } cases[] = {
        {"", 0, "\"\""},
        {"a/<&>'b c~", 10, "\"a/<&>'b c~\""},
        {"\"\\", 2, "\"\\\"\\\\\""},
        {"\n\r\t\b\f", 5, "\"\\n\\r\\t\\b\\f\""},
        {"\0\x01\x0b\x1f\x7f", 5, "\"\\u0000\\u0001\\u000b\\u001f\\u007f\""},
        {"\xC3\xA9\xE2\x82\xAC", 5, "\"\\u00e9\\u20ac\""},
        {"\xF0\x9F\x98\x80\xF4\x8F\xBF\xBF", 8, "\"\\ud83d\\ude00\\udbff\\udfff\""},
        {"\xE2\x80\xA8\xEF\xBF\xBD\xEF\xBF\xBF", 9, "\"\\u2028\\ufffd\\uffff\""},
        {"a\xFFz\xF0\x9F\x98", 6, "\"a\\ufffdz\\ufffd\""},
        {"\xED\xA0\x80\xED\xBF\xBF\xED\xA0", 8, "\"\\ud800\\udfff\\ufffd\\ufffd\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        text_clear(&out);
        legacy_append_json(&out, (struct span){cases[i].bytes, cases[i].length});
        assert_string_equal(out.bytes, cases[i].json);
    }
}

static void a_queue_length_is_a_bare_integer(void **state)
{
    (void)state;
    legacy_reply_number(&out, 12);
    assert_string_equal(out.bytes, "{\"return_code\": 0, \"content\": 12}");
}

static void a_submission_is_json_in_json_in_json(void **state)
{
    (void)state;
    const struct legacy_file files[] = {{span_of("a.py"), span_of("http://h/1")},
                                        {span_of("\"\xC3\xA9"), span_of("http://h/2")},
                                        {span_of("a.py"), span_of("http://h/3")}};
    const struct legacy_submission submission = {
        .id = 12, .key = "0123456789abcdef", .body = span_of("{\"x\": \"\xC3\xA9\\\n\"}"), .files = files, .file_count = 3};

    legacy_reply_submission(&out, &submission);

    // json.dumps({"return_code": 0, "content": json.dumps({"xqueue_header": json.dumps({...}), ...})}) of Python 3.11
    assert_string_equal(out.bytes,
                        "{\"return_code\": 0, \"content\": \"{\\\"xqueue_header\\\": \\\"{\\\\\\\"submission_id\\\\\\\": 12, "
                        "\\\\\\\"submission_key\\\\\\\": \\\\\\\"0123456789abcdef\\\\\\\"}\\\", \\\"xqueue_body\\\": "
                        "\\\"{\\\\\\\"x\\\\\\\": \\\\\\\"\\\\u00e9\\\\\\\\\\\\n\\\\\\\"}\\\", \\\"xqueue_files\\\": "
                        "\\\"{\\\\\\\"a.py\\\\\\\": \\\\\\\"http://h/3\\\\\\\", \\\\\\\"\\\\\\\\\\\\\\\"\\\\\\\\u00e9\\\\\\\": "
                        "\\\\\\\"http://h/2\\\\\\\", \\\\\\\"a.py (1)\\\\\\\": \\\\\\\"http://h/1\\\\\\\"}\\\"}\"}");
}

static void check_files(const char *const *fields, size_t count, const char *json)
{
    static const char *const urls[] = {"u0", "u1", "u2", "u3", "u4", "u5"};
    struct legacy_file files[6];
    assert_true(count <= 6);
    for (size_t i = 0; i < count; i++)
        files[i] = (struct legacy_file){span_of(fields[i]), span_of(urls[i])};
    text_clear(&out);
    legacy_append_files(&out, files, count);
    assert_string_equal(out.bytes, json);
}

static void of_several_files_under_one_name_the_last_has_it_and_the_others_get_their_own(void **state)
{
    (void)state;
    static const char *const same[] = {"a", "a", "a"};
    check_files(same, 3, "{\"a\": \"u2\", \"a (1)\": \"u0\", \"a (2)\": \"u1\"}");
    static const char *const mixed[] = {"a", "b", "a", "c", "b"};
    check_files(mixed, 5, "{\"a\": \"u2\", \"b\": \"u4\", \"c\": \"u3\", \"a (1)\": \"u0\", \"b (1)\": \"u1\"}");
    static const char *const taken[] = {"a", "a (1)", "a", "a", "a (3)"};
    check_files(taken, 5, "{\"a\": \"u3\", \"a (1)\": \"u1\", \"a (3)\": \"u4\", \"a (2)\": \"u0\", \"a (4)\": \"u2\"}");
    static const char *const nested[] = {"a", "a (1)", "a (1)", "a"};
    check_files(nested, 4, "{\"a\": \"u3\", \"a (1)\": \"u2\", \"a (2)\": \"u0\", \"a (1) (1)\": \"u1\"}");
    check_files(same, 0, "{}");
}

static void a_submission_without_files_has_an_empty_object(void **state)
{
    (void)state;
    const struct legacy_submission submission = {.id = 1, .key = "k"};

    legacy_reply_submission(&out, &submission);

    assert_string_equal(out.bytes,
                        "{\"return_code\": 0, \"content\": \"{\\\"xqueue_header\\\": \\\"{\\\\\\\"submission_id\\\\\\\": 1, "
                        "\\\\\\\"submission_key\\\\\\\": \\\\\\\"k\\\\\\\"}\\\", \\\"xqueue_body\\\": \\\"\\\", "
                        "\\\"xqueue_files\\\": \\\"{}\\\"}\"}");
}

static void the_largest_body_fits_into_a_reply(void **state)
{
    (void)state;
    enum { BODY_BYTES_MAX = 3145728 };
    struct legacy_submission submission = {.id = UINT64_MAX, .key = "k"};
    char *body = memory_allocate(BODY_BYTES_MAX); // NUL bytes take the most room
    submission.body = (struct span){body, BODY_BYTES_MAX};

    legacy_reply_submission(&out, &submission);

    assert_false(out.failed);
    assert_true(out.length > (size_t)7 * BODY_BYTES_MAX);
    memory_free(body);
}

static void a_reply_that_does_not_fit_is_failed(void **state)
{
    (void)state;
    const struct legacy_submission submission = {.id = 1, .key = "k"};
    struct text small;
    text_init(&small, 40);

    legacy_reply_submission(&small, &submission);

    assert_int_equal(text_status(&small), STATUS_FULL);
    text_finish(&small);
}

static void failures_become_what_the_table_says(void **state)
{
    (void)state;
#define TEMPORARY "{\"return_code\": 1, \"content\": \"The queue is temporarily unavailable. Please try again.\"}"
#define SAID      "{\"return_code\": 1, \"content\": \"what is wrong\"}"
    static const struct {
        enum status status;
        int http_status;
        const char *reason;
        int64_t retry_after_ms;
        int64_t retry_after_s;
        const char *body;
    } cases[] = {
        {STATUS_INVALID, 200, "", 0, 0, SAID},
        {STATUS_INVALID, 400, "FORM_MALFORMED", 0, 0, SAID},
        {STATUS_UNAUTHENTICATED, 302, "", 0, 0, ""},
        {STATUS_UNAUTHENTICATED, 200, "WRONG_CREDENTIALS", 0, 0,
         "{\"return_code\": 1, \"content\": \"Incorrect login credentials\"}"},
        {STATUS_DENIED, 200, "", 0, 0, SAID},
        {STATUS_NOT_FOUND, 200, "QUEUE_NOT_FOUND", 0, 0, "{\"return_code\": 1, \"content\": \"Queue 'q\\u00e9' not found\"}"},
        {STATUS_NOT_FOUND, 200, "SUBMISSION_NOT_FOUND", 0, 0,
         "{\"return_code\": 1, \"content\": \"Submission does not exist\"}"},
        {STATUS_NOT_FOUND, 200, "FILE_NOT_FOUND", 0, 0, SAID},
        {STATUS_WRONG_STATE, 200, "QUEUE_DRAINING", 0, 0, SAID},
        {STATUS_STALE, 200, "LEASE_STALE", 0, 0, "{\"return_code\": 1, \"content\": \"Incorrect key for submission\"}"},
        {STATUS_STALE, 200, "LEASE_SUPERSEDED", 0, 0, "{\"return_code\": 0, \"content\": \"\"}"},
        {STATUS_FULL, 413, "FORM_TOO_LARGE", 0, 0, SAID},
        {STATUS_FULL, 429, "LOGIN_SLOWED", 60000, 60,
         "{\"return_code\": 1, \"content\": \"Too many failed logins. Please try again later.\"}"},
        {STATUS_FULL, 503, "QUEUE_FULL", 2500, 3, TEMPORARY},
        {STATUS_FULL, 503, "", INT64_MAX, INT64_MAX / 1000 + 1, TEMPORARY},
        {STATUS_UNAVAILABLE, 503, "", 0, LEGACY_RETRY_AFTER_DEFAULT_S, TEMPORARY},
        {STATUS_TIMEOUT, 503, "", 1, 1, TEMPORARY},
        {STATUS_INTERNAL, 500, "", 0, 0, "{\"return_code\": 1, \"content\": \"The queue failed to handle this request\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error error = {0};
        (void)error_set(&error, cases[i].status, cases[i].reason, "what is wrong");
        error.retry_after_ms = cases[i].retry_after_ms;
        text_clear(&out);
        struct legacy_failure failure = legacy_reply_failure(&out, cases[i].status, &error, span_of("q\xC3\xA9"));
        assert_string_equal(out.bytes, cases[i].body);
        assert_int_equal(failure.http_status, cases[i].http_status);
        assert_true(failure.retry_after_s == cases[i].retry_after_s);
    }
}

static void every_status_has_a_reply_even_without_an_error(void **state)
{
    (void)state;
    for (int status = STATUS_OK + 1; status < STATUS_COUNT; status++) {
        text_clear(&out);
        struct legacy_failure failure = legacy_reply_failure(&out, (enum status)status, NULL, span_of(NULL));
        assert_true(failure.http_status >= 200);
        assert_true(failure.http_status == 302 || out.length > strlen("{\"return_code\": 1, \"content\": \"\"}"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_text_is_said_as_the_original_says_it, begin, end),
        cmocka_unit_test(every_text_has_its_wording),
        cmocka_unit_test_setup_teardown(json_is_that_of_python, begin, end),
        cmocka_unit_test_setup_teardown(a_queue_length_is_a_bare_integer, begin, end),
        cmocka_unit_test_setup_teardown(a_submission_is_json_in_json_in_json, begin, end),
        cmocka_unit_test_setup_teardown(of_several_files_under_one_name_the_last_has_it_and_the_others_get_their_own, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_submission_without_files_has_an_empty_object, begin, end),
        cmocka_unit_test_setup_teardown(the_largest_body_fits_into_a_reply, begin, end),
        cmocka_unit_test_setup_teardown(a_reply_that_does_not_fit_is_failed, begin, end),
        cmocka_unit_test_setup_teardown(failures_become_what_the_table_says, begin, end),
        cmocka_unit_test_setup_teardown(every_status_has_a_reply_even_without_an_error, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
