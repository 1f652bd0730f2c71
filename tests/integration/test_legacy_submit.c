/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* submit/: what is refused and how, what is taken and counted, what replaces what. Every form goes in both encodings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/legacy_talk.h"

#define SUBMIT       "/xqueue/submit/"
#define BAD_FORMAT   LEGACY_BAD("Queue request has invalid format")
#define NO_QUEUE(as) LEGACY_BAD("Queue '" as "' not found")

enum { HEADER_BYTES = 60 * 1000, HEADER_BYTES_MAX = 65536, BODY_BYTES = 2600000, URL_PREFIX_BYTES = 128 };

static void submit_both(struct legacy_world *world, const char *header, const char *body, const char *reply)
{
    const struct legacy_field fields[] = {{.name = "xqueue_header", .value = header}, {.name = "xqueue_body", .value = body}};

    legacy_post_both(world, SUBMIT, fields, 2, reply);
}

/* Refused with a text of ours, whatever it is. */
static void refuse_both(struct legacy_world *world, const char *header)
{
    const struct legacy_field fields[] = {{.name = "xqueue_header", .value = header}, {.name = "xqueue_body", .value = "b"}};

    for (int encoding = 0; encoding < LEGACY_ENCODINGS; encoding++) {
        (void)legacy_post(world, (enum legacy_encoding)encoding, SUBMIT, fields, 2);
        legacy_expect_refusal(world, header, 200);
    }
}

static void empty(struct legacy_world *world, const char *queue)
{
    struct legacy_pulled pulled;

    while (legacy_pull(world, queue, &pulled)) {
        legacy_put_pulled(world, &pulled, "r");
        legacy_expect(world, queue, 200, LEGACY_GOOD(""));
        legacy_pulled_finish(&pulled);
    }
}

/* ---- refused ---- */

static void a_header_that_is_no_object_with_the_three_keys_is_an_invalid_format(void **state)
{
    static const char *const headers[] = {
        "",
        "nonsense",
        "[]",
        "5",
        "null",
        "\"text\"",
        "{}",
        "{\"lms_key\": 1, \"queue_name\": \"calm\"}",
        "{\"lms_callback_url\": \"http://l/\", \"queue_name\": \"calm\"}",
        "{\"lms_callback_url\": \"http://l/\", \"lms_key\": 1}",
        "{\"lms_callback_url\": \"http://l/\", \"lms_key\": 1, \"queue_name\": \"calm\",}",
        "{\"lms_callback_url\": \"http://l/\", \"lms_key\": 1, \"queue_name\": \"calm\"} x",
        "{\"lms_callback_url\": \"http://l/\", \"lms_key\": 1, \"queue_name\": \"calm\"",
        "{'lms_callback_url': 'http://l/', 'lms_key': 1, 'queue_name': 'calm'}",
        "{\"lms_callback_url\": \"http://l/\", \"lms_key\": nan, \"queue_name\": \"calm\"}",
        "{\"lms_callback_url\": \"http://l/\n\", \"lms_key\": 1, \"queue_name\": \"calm\"}",
        "\xef\xbb\xbf{\"lms_callback_url\": \"http://l/\", \"lms_key\": 1, \"queue_name\": \"calm\"}",
        "{\"LMS_callback_url\": \"http://l/\", \"lms_key\": 1, \"queue_name\": \"calm\"}",
    };

    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        submit_both(*state, headers[i], "b", BAD_FORMAT);
    }
}

static void the_name_of_an_unknown_queue_is_said_as_python_writes_it(void **state)
{
    static const struct {
        const char *json;
        const char *reply;
    } cases[] = {
        {"\"nope\"", NO_QUEUE("nope")},
        {"\"\"", NO_QUEUE("")},
        {"\"Calm\"", NO_QUEUE("Calm")},
        {"\"calm \"", NO_QUEUE("calm ")},
        {"6", NO_QUEUE("6")},
        {"-0", NO_QUEUE("0")},
        {"123456789012345678901234567890", NO_QUEUE("123456789012345678901234567890")},
        {"true", NO_QUEUE("True")},
        {"false", NO_QUEUE("False")},
        {"1.0", NO_QUEUE("1.0")},
        {"1e5", NO_QUEUE("100000.0")},
        {"1e16", NO_QUEUE("1e+16")},
        {"0.00001", NO_QUEUE("1e-05")},
        {"-0.0", NO_QUEUE("-0.0")},
        {"0.1", NO_QUEUE("0.1")},
        {"1e400", NO_QUEUE("inf")},
        {"NaN", NO_QUEUE("nan")},
        {"Infinity", NO_QUEUE("inf")},
        {"-Infinity", NO_QUEUE("-inf")},
        {"[]", NO_QUEUE("[]")},
        {"{}", NO_QUEUE("{}")},
        {"[1,\"a\",null]", NO_QUEUE("[1, 'a', None]")},
        {"{\"a\":[true,{\"b\":1.5}],\"a\":2}", NO_QUEUE("{'a': 2}")},
        {"[\"it's\"]", NO_QUEUE("[\\\"it's\\\"]")},
        {"[\"it's \\\"so\\\"\"]", NO_QUEUE("['it\\\\'s \\\"so\\\"']")},
        {"[\"\\n\\t\\u0000\\u007f\\u00ad\"]", NO_QUEUE("['\\\\n\\\\t\\\\x00\\\\x7f\\\\xad']")},
        {"[\"\\u00e9\\ud83d\\ude00\\u2028\\ud800\"]", NO_QUEUE("['\\u00e9\\ud83d\\ude00\\\\u2028\\\\ud800']")},
        {"\"\\ud800\"", NO_QUEUE("\\ud800")},
        {"\"\\ud83d\\ude00\"", NO_QUEUE("\\ud83d\\ude00")},
        {"\"a\\u0000b\"", NO_QUEUE("a\\u0000b")},
        {"\"\\u0001\\b\\t\\n\\u000b\\f\\r\\u001f\\\"\\\\\\/\\u007f\"",
         NO_QUEUE("\\u0001\\b\\t\\n\\u000b\\f\\r\\u001f\\\"\\\\/\\u007f")},
        {"\"calm\", \"queue_name\": \"last\"", NO_QUEUE("last")},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct text header;
        submit_both(*state, legacy_header(*state, cases[i].json, "/x", &header), "b", cases[i].reply);
        text_finish(&header);
    }
}

static void an_unknown_queue_is_said_before_a_bad_callback(void **state)
{
    submit_both(*state, "{\"lms_callback_url\": \"x\", \"lms_key\": \"k\", \"queue_name\": \"nope\"}", "b", NO_QUEUE("nope"));
    submit_both(*state, "{\"lms_callback_url\": 5, \"lms_key\": null, \"queue_name\": \"nope\"}", "b", NO_QUEUE("nope"));
    submit_both(*state, "{\"lms_callback_url\": 5, \"lms_key\": null, \"queue_name\": 6}", "b", NO_QUEUE("6"));
}

static void a_callback_that_nobody_could_call_is_refused_and_nothing_stored(void **state)
{
    static const char *const urls[] = {"5",
                                       "null",
                                       "true",
                                       "{}",
                                       "[\"http://l/\"]",
                                       "\"\"",
                                       "\"l/callback\"",
                                       "\"//l/callback\"",
                                       "\"ftp://l/\"",
                                       "\"file:///etc/passwd\"",
                                       "\"http://\"",
                                       "\"http:///x\"",
                                       "\"http://l:port/\"",
                                       "\"http://l:99999/\"",
                                       "\"http://a b/\"",
                                       "\"http://[::1/\"",
                                       "\"http://l/\\u0000\"",
                                       "\"http://169.254.169.254/latest/\""};

    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        char header[512];
        (void)snprintf(header, sizeof(header), "{\"lms_callback_url\": %s, \"lms_key\": \"k\", \"queue_name\": \"zeta\"}",
                       urls[i]);
        refuse_both(*state, header);
    }
    assert_int_equal(legacy_length(*state, "zeta"), 0);
}

/* ---- taken ---- */

static void the_reply_is_the_number_that_can_be_pulled_as_text(void **state)
{
    struct text header;

    // the second encoding replaces the first: the same callback
    submit_both(*state, legacy_header(*state, "\"calm\"", "/count/1", &header), "1", LEGACY_GOOD("1"));
    text_finish(&header);
    submit_both(*state, legacy_header(*state, "\"calm\"", "/count/2", &header), "", LEGACY_GOOD("2"));
    text_finish(&header);
    assert_int_equal(legacy_length(*state, "calm"), 2);
    empty(*state, "calm");
}

static void a_queue_may_have_any_name_and_be_named_by_any_value(void **state)
{
    static const char *const names[] = {"5",
                                        "\"5\"",
                                        "null",
                                        "\"None\"",
                                        "[1,\"a\"]",
                                        "\"\\u00fcn\\u00efcode\"",
                                        "\"b queue's\"",
                                        "\"a/b&c=d+e\"",
                                        "6, \"queue_name\": \"alpha\""};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct text header;
        char path[64];
        (void)snprintf(path, sizeof(path), "/named/%zu", i % 2 == 0 && i < 4 ? i + 1 : i); // 5 and "5" are one queue
        submit_both(*state, legacy_header(*state, names[i], path, &header), "b", LEGACY_GOOD("1"));
        text_finish(&header);
    }
    static const char *const queues[] = {"5",         "None",          "%5B1,+%27a%27]", "%C3%BCn%C3%AFcode",
                                         "b+queue's", "a/b%26c=d%2be", "alpha"};
    for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
        assert_int_equal(legacy_length(*state, queues[i]), 1);
        empty(*state, queues[i]);
    }
}

static void what_json_loads_takes_is_taken(void **state)
{
    static const char *const rests[] = {"NaN",
                                        "Infinity",
                                        "-Infinity",
                                        "1e999",
                                        "\"\\ud800\"",
                                        "{\"a\": [1, {\"b\": null}]}",
                                        "\"k\", \"extra\": [1, 2], \"lms_key\": false"};

    for (size_t i = 0; i < sizeof(rests) / sizeof(rests[0]); i++) {
        char url[FAKE_LMS_URL_MAX];
        char header[2048];
        struct legacy_world *world = *state;
        (void)snprintf(header, sizeof(header),
                       " {\"lms_callback_url\":\"%s\",\n\t\"lms_key\":%s , \"queue_name\":\"calm\"}\r\n",
                       fake_lms_url(world->talk->lms, "/loads", url), rests[i]);
        submit_both(world, header, "b", LEGACY_GOOD("1"));
    }
    empty(*state, "calm");
}

static void a_header_of_60_kb_goes_back_to_the_lms_as_it_came_and_a_longer_one_is_refused(void **state)
{
    struct legacy_world *world = *state;
    struct text large;
    struct text start;

    (void)legacy_header(world, "\"calm\", \"e\": \"\xf0\x9f\x98\x80 \\u00e9 \\/\"", "/large", &start);
    text_init(&large, HEADER_BYTES_MAX + 16);
    text_append(&large, start.bytes, start.length - 1);
    text_append_string(&large, ",  \"x\" :\"");
    while (large.length < HEADER_BYTES) {
        text_append_char(&large, 'x');
    }
    text_append_string(&large, "\"}");
    submit_both(world, large.bytes, "\xf0\x9f\x98\x80", LEGACY_GOOD("1"));
    empty(world, "calm");
    const struct fake_lms_callback *callback = lms_hears(world->talk, "/large", 0);
    assert_int_equal(callback->header_length, large.length);
    assert_memory_equal(callback->header, large.bytes, large.length);

    large.length -= 2;
    while (large.length < HEADER_BYTES_MAX) {
        text_append_char(&large, 'x');
    }
    text_append_string(&large, "\"}");
    refuse_both(world, large.bytes);
    assert_int_equal(legacy_length(world, "calm"), 0);
    text_finish(&large);
    text_finish(&start);
}

static void a_body_of_megabytes_is_taken_in_both_encodings(void **state)
{
    struct text header;
    char *body = malloc(BODY_BYTES + 1);

    assert_non_null(body);
    memset(body, 'b', BODY_BYTES);
    body[BODY_BYTES] = '\0';
    submit_both(*state, legacy_header(*state, "\"calm\"", "/big", &header), body, LEGACY_GOOD("1"));
    text_finish(&header);
    empty(*state, "calm");
    free(body);
}

/* ---- replacing ---- */

static void a_resubmission_retires_the_earlier_in_whatever_queue_it_waits(void **state)
{
    legacy_submit(*state, "\"alpha\"", "/moved", "first", 1);
    legacy_submit(*state, "\"zeta\"", "/moved", "second", 1);
    assert_int_equal(legacy_length(*state, "alpha"), 0);
    assert_int_equal(legacy_length(*state, "zeta"), 1);
    empty(*state, "zeta");
}

static void urls_that_are_equal_in_128_characters_do_not_retire_each_other(void **state)
{
    char path[2 * URL_PREFIX_BYTES] = "/";
    size_t length = URL_PREFIX_BYTES + 10;

    memset(path + 1, 'u', length);
    path[length + 1] = '1';
    legacy_submit(*state, "\"alpha\"", path, "one", 1);
    path[length + 1] = '2';
    legacy_submit(*state, "\"alpha\"", path, "another", 2);
    legacy_submit(*state, "\"alpha\"", path, "another", 2);
    empty(*state, "alpha");
}

static void a_refused_resubmission_leaves_the_earlier_one(void **state)
{
    static const char *const refused[] = {
        "{\"lms_callback_url\": \"%s\", \"lms_key\": \"k\", \"queue_name\": \"nope\"}",
        "{\"lms_callback_url\": \"%s\", \"queue_name\": \"alpha\"}",
        "{\"lms_callback_url\": \"%s\", \"lms_key\": \"k\", \"queue_name\": \"alpha\", \"x\": }",
    };
    struct legacy_world *world = *state;
    char url[FAKE_LMS_URL_MAX];
    char *large = malloc(HEADER_BYTES_MAX + FAKE_LMS_URL_MAX);

    assert_non_null(large);
    (void)fake_lms_url(world->talk->lms, "/kept", url);
    legacy_submit(world, "\"alpha\"", "/kept", "earlier", 1);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        char header[FAKE_LMS_URL_MAX + 256];
        // NOLINTNEXTLINE(clang-diagnostic-format-nonliteral): one of the lines above
        (void)snprintf(header, sizeof(header), refused[i], url);
        refuse_both(world, header);
    }
    int start = snprintf(large, HEADER_BYTES_MAX, "{\"lms_callback_url\": \"%s\", \"lms_key\": \"", url);
    memset(large + start, 'k', HEADER_BYTES_MAX);
    (void)snprintf(large + HEADER_BYTES_MAX, FAKE_LMS_URL_MAX, "\", \"queue_name\": \"alpha\"}");
    refuse_both(world, large);
    free(large);

    struct legacy_pulled pulled;
    assert_int_equal(legacy_length(world, "alpha"), 1);
    assert_true(legacy_pull(world, "alpha", &pulled));
    assert_non_null(strstr(pulled.content, "\"xqueue_body\": \"earlier\""));
    legacy_put_pulled(world, &pulled, "r");
    legacy_pulled_finish(&pulled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_that_is_no_object_with_the_three_keys_is_an_invalid_format),
        cmocka_unit_test(the_name_of_an_unknown_queue_is_said_as_python_writes_it),
        cmocka_unit_test(an_unknown_queue_is_said_before_a_bad_callback),
        cmocka_unit_test(a_callback_that_nobody_could_call_is_refused_and_nothing_stored),
        cmocka_unit_test(the_reply_is_the_number_that_can_be_pulled_as_text),
        cmocka_unit_test(a_queue_may_have_any_name_and_be_named_by_any_value),
        cmocka_unit_test(what_json_loads_takes_is_taken),
        cmocka_unit_test(a_header_of_60_kb_goes_back_to_the_lms_as_it_came_and_a_longer_one_is_refused),
        cmocka_unit_test(a_body_of_megabytes_is_taken_in_both_encodings),
        cmocka_unit_test(a_resubmission_retires_the_earlier_in_whatever_queue_it_waits),
        cmocka_unit_test(urls_that_are_equal_in_128_characters_do_not_retire_each_other),
        cmocka_unit_test(a_refused_resubmission_leaves_the_earlier_one),
    };
    return cmocka_run_group_tests(tests, legacy_set_up, legacy_tear_down);
}
