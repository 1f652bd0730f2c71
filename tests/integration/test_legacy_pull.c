/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* get_submission/: the three levels of JSON, the order, the lease and its key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/legacy_talk.h"

#define PULL     "/xqueue/get_submission/"
#define NO_NAME  LEGACY_BAD("'get_submission' must provide parameter 'queue_name'")
#define STATE(n) XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_##n

enum { REPLY_MAX = 8192 };

static void queues_are_named_in_the_query_and_said_in_the_reply(void **state)
{
    static const struct legacy_row rows[] = {
        {.target = PULL, .reply = NO_NAME},
        {.target = PULL "?queue", .reply = NO_NAME},
        {.target = PULL "?queue_name=nope", .reply = LEGACY_BAD("Queue 'nope' not found")},
        {.target = PULL "?queue_name=", .reply = LEGACY_BAD("Queue '' not found")},
        {.target = PULL "?queue_name", .reply = LEGACY_BAD("Queue '' not found")},
        {.target = PULL "?queue_name=calm&queue_name=nope", .reply = LEGACY_BAD("Queue 'nope' not found")},
        {.target = PULL "?queue_name=%22%5C%00%01%0a%7f/%3c%27%C3%A9%f0%9f%98%80%ff",
         .reply = LEGACY_BAD("Queue '\\\"\\\\\\u0000\\u0001\\n\\u007f/<'\\u00e9\\ud83d\\ude00\\ufffd' not found")},
        {.target = PULL "?queue_name=calm", .reply = LEGACY_BAD("Queue 'calm' is empty")},
        {.target = PULL "?queue_name=b+queue's", .reply = LEGACY_BAD("Queue 'b queue's' is empty")},
        {.target = PULL "?queue_name=%C3%BCn%C3%AFcode", .reply = LEGACY_BAD("Queue '\\u00fcn\\u00efcode' is empty")},
        {.target = PULL "?queue_name=nope&queue_name=zeta", .reply = LEGACY_BAD("Queue 'zeta' is empty")},
    };

    LEGACY_CHECK((struct legacy_world *)*state, rows);
}

/* Pulls what was submitted with body and compares the whole reply, whose bytes are those of Python's json.dumps. */
static void check_reply(struct legacy_world *world, const char *what, const char *body_in_reply)
{
    struct legacy_pulled pulled;
    char wanted[REPLY_MAX];

    assert_true(legacy_pull(world, "calm", &pulled));
    (void)snprintf(wanted, sizeof(wanted),
                   "{\"return_code\": 0, \"content\": \"{\\\"xqueue_header\\\": \\\"{\\\\\\\"submission_id\\\\\\\": %llu, "
                   "\\\\\\\"submission_key\\\\\\\": \\\\\\\"%s\\\\\\\"}\\\", \\\"xqueue_body\\\": \\\"%s\\\", "
                   "\\\"xqueue_files\\\": \\\"{}\\\"}\"}",
                   pulled.id, pulled.key, body_in_reply);
    legacy_expect(world, what, 200, wanted);
    for (size_t i = 0; i < LEGACY_KEY_BYTES; i++) {
        assert_non_null(strchr("0123456789abcdef", pulled.key[i]));
    }
    legacy_put_pulled(world, &pulled, "r");
    legacy_expect(world, what, 200, LEGACY_GOOD(""));
    legacy_pulled_finish(&pulled);
}

static void a_submission_is_json_in_json_in_json_with_python_s_escapes(void **state)
{
    static const struct {
        const char *body;
        const char *reply;
    } cases[] = {
        {"plain", "plain"},
        {" \"\\/<&>'", " \\\\\\\"\\\\\\\\/<&>'"},
        {"\x01\x02\x03\x04\x05\x06\x07\b\t\n\x0b\f\r\x0e\x0f",
         "\\\\u0001\\\\u0002\\\\u0003\\\\u0004\\\\u0005\\\\u0006\\\\u0007\\\\b\\\\t\\\\n\\\\u000b\\\\f\\\\r\\\\u000e\\\\u000f"},
        {"\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x7f",
         "\\\\u0010\\\\u0011\\\\u0012\\\\u0013\\\\u0014\\\\u0015\\\\u0016\\\\u0017\\\\u0018\\\\u0019\\\\u001a\\\\u001b\\\\u001c"
         "\\\\u001d\\\\u001e\\\\u001f\\\\u007f"},
        {"\xc2\x80\xc3\xa9\xe2\x82\xac\xe2\x80\xa8\xef\xbf\xbf", "\\\\u0080\\\\u00e9\\\\u20ac\\\\u2028\\\\uffff"},
        {"\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf", "\\\\ud83d\\\\ude00\\\\udbff\\\\udfff"},
        {"\xff|\xc3|\xe2\x82|\xed\xa0\x80", "\\\\ufffd|\\\\ufffd|\\\\ufffd|\\\\ufffd\\\\ufffd\\\\ufffd"},
        {"{\"a\": \"\\u00e9\"}", "{\\\\\\\"a\\\\\\\": \\\\\\\"\\\\\\\\u00e9\\\\\\\"}"},
    };
    struct legacy_world *world = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int encoding = 0; encoding < LEGACY_ENCODINGS; encoding++) {
            struct text header;
            const struct legacy_field fields[] = {
                {.name = "xqueue_header", .value = legacy_header(world, "\"calm\"", "/escapes", &header)},
                {.name = "xqueue_body", .value = cases[i].body}};
            (void)legacy_post(world, (enum legacy_encoding)encoding, "/xqueue/submit/", fields, 2);
            legacy_expect(world, cases[i].body, 200, LEGACY_GOOD("1"));
            text_finish(&header);
            check_reply(world, cases[i].body, cases[i].reply);
        }
    }
}

static void a_nul_in_a_body_is_kept(void **state)
{
    struct legacy_world *world = *state;

    for (int encoding = 0; encoding < LEGACY_ENCODINGS; encoding++) {
        struct text header;
        const struct legacy_field fields[] = {
            {.name = "xqueue_header", .value = legacy_header(world, "\"calm\"", "/nul", &header)},
            {.name = "xqueue_body", .value = "a\0b", .length = 3}};
        (void)legacy_post(world, (enum legacy_encoding)encoding, "/xqueue/submit/", fields, 2);
        legacy_expect(world, "a NUL", 200, LEGACY_GOOD("1"));
        text_finish(&header);
        check_reply(world, "a NUL", "a\\\\u0000b");
    }
}

static void questions_never_pull(void **state)
{
    static const struct legacy_row rows[] = {
        {.method = "HEAD", .target = PULL "?queue_name=zeta"},
        {.method = "OPTIONS", .target = PULL "?queue_name=zeta", .reply = ""},
        {.method = "HEAD", .target = PULL "?queue_name=nope"},
        {.method = "OPTIONS", .target = PULL, .reply = NO_NAME},
        {.method = "OPTIONS", .target = PULL "?queue_name=nope", .reply = LEGACY_BAD("Queue 'nope' not found")},
        {.method = "OPTIONS", .target = PULL "?queue_name=a%00", .reply = LEGACY_BAD("Queue 'a\\u0000' not found")},
        {.method = "OPTIONS", .target = PULL "?queue_name=alpha", .reply = LEGACY_BAD("Queue 'alpha' is empty")},
    };
    struct legacy_world *world = *state;
    struct legacy_pulled pulled;

    legacy_submit(world, "\"zeta\"", "/question", "b", 1);
    LEGACY_CHECK(world, rows);
    assert_int_equal(legacy_length(world, "zeta"), 1);
    assert_true(legacy_pull(world, "zeta", &pulled));
    legacy_put_pulled(world, &pulled, "r");
    legacy_pulled_finish(&pulled);
}

static void the_oldest_comes_first_and_goes_back_to_its_old_place_with_a_new_key(void **state)
{
    struct legacy_world *world = *state;
    struct legacy_pulled first;
    struct legacy_pulled again;
    struct legacy_pulled second;

    legacy_submit(world, "\"turn\"", "/fifo/1", "one", 1);
    legacy_submit(world, "\"turn\"", "/fifo/2", "two", 2);
    assert_true(legacy_pull(world, "turn", &first));
    assert_non_null(strstr(first.content, "\"xqueue_body\": \"one\""));
    assert_true(core_await_state(world->talk->admin, first.id, STATE(READY)));
    assert_true(legacy_pull(world, "turn", &again));
    assert_int_equal(again.id, first.id);
    assert_string_not_equal(again.key, first.key);
    legacy_put_pulled(world, &first, "with the old key");
    legacy_expect(world, "the old key", 200, LEGACY_BAD("Incorrect key for submission"));
    assert_true(legacy_pull(world, "turn", &second));
    assert_non_null(strstr(second.content, "\"xqueue_body\": \"two\""));
    assert_true(second.id > first.id);
    legacy_put_pulled(world, &again, "r");
    legacy_expect(world, "the new key", 200, LEGACY_GOOD(""));
    legacy_put_pulled(world, &second, "r");

    static const struct legacy_row empty[] = {
        {.target = PULL "?queue_name=turn", .reply = LEGACY_BAD("Queue 'turn' is empty")}};
    LEGACY_CHECK(world, empty);
    legacy_pulled_finish(&first);
    legacy_pulled_finish(&again);
    legacy_pulled_finish(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queues_are_named_in_the_query_and_said_in_the_reply),
        cmocka_unit_test(a_submission_is_json_in_json_in_json_with_python_s_escapes),
        cmocka_unit_test(a_nul_in_a_body_is_kept),
        cmocka_unit_test(questions_never_pull),
        cmocka_unit_test(the_oldest_comes_first_and_goes_back_to_its_old_place_with_a_new_key),
    };
    return cmocka_run_group_tests(tests, legacy_set_up, legacy_tear_down);
}
