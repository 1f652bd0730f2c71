/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest_formats */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/python_json.h"
#include "rest-adapter/legacy_header.h"

static void values_become_text_as_python_prints_them(void **state)
{
    (void)state;
    // Right-hand sides: str(json.loads(left)) of Python 3.11; lone surrogates in their three-byte form.
    static const struct {
        const char *json;
        const char *text;
    } cases[] = {
        {"5", "5"},
        {"-7", "-7"},
        {"-0", "0"},
        {"0", "0"},
        {"null", "None"},
        {"true", "True"},
        {"false", "False"},
        {"\"a\"", "a"},
        {"1.5", "1.5"},
        {"1e5", "100000.0"},
        {"1e15", "1000000000000000.0"},
        {"1e16", "1e+16"},
        {"1e22", "1e+22"},
        {"0.0001", "0.0001"},
        {"0.00001", "1e-05"},
        {"1.5e-7", "1.5e-07"},
        {"-0.0", "-0.0"},
        {"1e400", "inf"},
        {"NaN", "nan"},
        {"-Infinity", "-inf"},
        {"0.1", "0.1"},
        {"123.456", "123.456"},
        {"5e-324", "5e-324"},
        {"1.7976931348623157e308", "1.7976931348623157e+308"},
        {"9007199254740993.0", "9007199254740992.0"},
        {"12345678901234567.0", "1.2345678901234568e+16"},
        {"[\"a\"]", "['a']"},
        {"[]", "[]"},
        {"{}", "{}"},
        {"{\"a\": 1, \"b\": [1, null, true, 1.0], \"a\": 2}", "{'a': 2, 'b': [1, None, True, 1.0]}"},
        {"[\"it's\", \"say \\\"hi\\\"\", \"both ' \\\"\", "
         "\"\\n\\r\\t\\\\\\u0000\\u007f\\u00e9\\u200b\\ud83d\\ude00\\ue000\\udbff\\udffd\"]",
         "[\"it's\", 'say \"hi\"', 'both \\' \"', '\\n\\r\\t\\\\\\x00\\x7f\303\251\\u200b\360\237\230\200\\ue000\\U0010fffd']"},
        {"\"it's\"", "it's"},
        {"100000000000000000000000", "100000000000000000000000"},
        {"[[[-1e15]]]", "[[[-1000000000000000.0]]]"},
        {"{\"k\": {\"l\": \"m\"}}", "{'k': {'l': 'm'}}"},
        {"\"\\ud83d\\ude00\"", "\360\237\230\200"},
        {"\"\\ud83d\"", "\355\240\275"},
        {"\"\\ude00\\ud83d\"", "\355\270\200\355\240\275"},
        {"\"\\ud83dx\"", "\355\240\275x"},
        {"\"\\/\\b\\f\"", "/\010\014"},
        {"[\"\\ud83d\"]", "['\\ud83d']"},
        {" \011\012\015[ 1 , 2 ] ", "[1, 2]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct python_json *value = NULL;
        struct text text;
        text_init(&text, 4096);
        assert_int_equal(python_json_parse(span_of(cases[i].json), &value), STATUS_OK);
        python_json_append_str(&text, value);
        assert_string_equal(text.bytes, cases[i].text);
        text_finish(&text);
        python_json_destroy(value);
    }
}

static void what_python_refuses_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {"",
                                        " ",
                                        "\xEF\xBB\xBF{}",
                                        "{",
                                        "}",
                                        "[1,]",
                                        "[,1]",
                                        "{\"a\":1,}",
                                        "{\"a\"}",
                                        "{\"a\" 1}",
                                        "{a:1}",
                                        "{'a':1}",
                                        "01",
                                        "-",
                                        "+1",
                                        "1.",
                                        ".5",
                                        "1e",
                                        "1e+",
                                        "- 1",
                                        "0x1",
                                        "nan",
                                        "inf",
                                        "True",
                                        "nul",
                                        "nullx",
                                        "\"a",
                                        "\"\\",
                                        "\"\\x\"",
                                        "\"\\u12\"",
                                        "\"\\u12g4\"",
                                        "\"\\ud83d\\u12\"",
                                        "\"a\nb\"",
                                        "\"a\tb\"",
                                        "[1 2]",
                                        "[1",
                                        "{\"a\":",
                                        "1 2",
                                        "{} {}",
                                        "[]]",
                                        "+Infinity",
                                        "-NaN",
                                        "/**/1"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct python_json *value = NULL;
        if (python_json_parse(span_of(cases[i]), &value) != STATUS_INVALID)
            fail_msg("'%s' was taken", cases[i]);
        assert_null(value);
    }
}

static void depth_and_digits_are_bounded(void **state)
{
    (void)state;
    char text[PYTHON_JSON_DIGITS_MAX + 1];
    struct python_json *value = NULL;

    memset(text, '[', PYTHON_JSON_DEPTH_MAX + 1);
    memset(text + PYTHON_JSON_DEPTH_MAX + 1, ']', PYTHON_JSON_DEPTH_MAX + 1);
    assert_int_equal(python_json_parse((struct span){text, 2 * PYTHON_JSON_DEPTH_MAX + 2}, &value),
                     STATUS_OK); // the innermost is empty
    python_json_destroy(value);
    text[PYTHON_JSON_DEPTH_MAX + 1] = '[';
    text[PYTHON_JSON_DEPTH_MAX + 2] = '1';
    value = NULL;
    assert_int_equal(python_json_parse((struct span){text, 2 * PYTHON_JSON_DEPTH_MAX + 2}, &value), STATUS_INVALID);

    memset(text, '1', sizeof text);
    assert_int_equal(python_json_parse((struct span){text, PYTHON_JSON_DIGITS_MAX + 1}, &value), STATUS_INVALID);
    assert_int_equal(python_json_parse((struct span){text, PYTHON_JSON_DIGITS_MAX}, &value), STATUS_OK);
    python_json_destroy(value);
}

#define SUBMIT(rest_) "{\"lms_callback_url\": \"http://lms/cb\", \"lms_key\": \"k\", " rest_ "}"

static struct legacy_submit_header submit(const char *json)
{
    struct legacy_submit_header header = {0};
    struct error error = {0};
    if (legacy_submit_header_parse(span_of(json), &header, &error) != STATUS_OK)
        fail_msg("%s: %s", json, error.text);
    return header;
}

static void the_header_of_a_submit_is_read(void **state)
{
    (void)state;
    struct legacy_submit_header header = submit(SUBMIT("\"queue_name\": \"test-pull\", \"extra\": [NaN, {}]"));

    assert_string_equal(header.queue, "test-pull");
    assert_int_equal(header.queue_length, 9);
    assert_true(header.queue_is_name);
    assert_string_equal(header.callback_url, "http://lms/cb");
    assert_int_equal(header.callback_length, 13);
    legacy_submit_header_finish(&header);
    legacy_submit_header_finish(&header);
}

static void the_last_of_duplicate_keys_wins(void **state)
{
    (void)state;
    struct legacy_submit_header header =
        submit(SUBMIT("\"queue_name\": \"a\", \"lms_callback_url\": \"http://b\", \"queue_name\": \"c\", \"lms_key\": null"));

    assert_string_equal(header.queue, "c");
    assert_string_equal(header.callback_url, "http://b");
    legacy_submit_header_finish(&header);
}

static void a_queue_name_of_another_type_becomes_text(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *queue;
        bool is_name;
    } cases[] = {
        {SUBMIT("\"queue_name\": 5"), "5", true},
        {SUBMIT("\"queue_name\": null"), "None", true},
        {SUBMIT("\"queue_name\": [\"q\"]"), "['q']", true},
        {SUBMIT("\"queue_name\": \"\""), "", false},
        {SUBMIT("\"queue_name\": \"a\\nb\""), "a\nb", false},
        {SUBMIT("\"queue_name\": \"a\\ud800\""), "a\xED\xA0\x80", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct legacy_submit_header header = submit(cases[i].json);
        assert_string_equal(header.queue, cases[i].queue);
        assert_int_equal(header.queue_is_name, cases[i].is_name);
        legacy_submit_header_finish(&header);
    }
}

static void a_queue_name_with_a_nul_is_no_name(void **state)
{
    (void)state;
    struct legacy_submit_header header = submit(SUBMIT("\"queue_name\": \"a\\u0000b\""));

    assert_int_equal(header.queue_length, 3);
    assert_memory_equal(header.queue, "a\0b", 4);
    assert_false(header.queue_is_name);
    legacy_submit_header_finish(&header);
}

static void a_long_queue_name_is_cut_between_characters(void **state)
{
    (void)state;
    static char json[2 * LEGACY_HEADER_QUEUE_BYTES_MAX + 100];
    struct text text;
    text_init(&text, sizeof json);
    text_append_string(&text, "{\"lms_callback_url\": \"u\", \"lms_key\": 1, \"queue_name\": \"a");
    for (int i = 0; i < LEGACY_HEADER_QUEUE_BYTES_MAX / 2; i++)
        text_append_string(&text, "\xC3\xA9");
    text_append_string(&text, "\"}");
    struct legacy_submit_header header = submit(text.bytes);

    assert_int_equal(header.queue_length, LEGACY_HEADER_QUEUE_BYTES_MAX - 1);
    assert_true(text_is_utf8(header.queue, header.queue_length));
    assert_false(header.queue_is_name);
    legacy_submit_header_finish(&header);
    text_finish(&text);
}

static void a_bad_header_of_a_submit_is_refused_with_its_text(void **state)
{
    (void)state;
#define FORMAT "Queue request has invalid format"
    static const struct {
        const char *json;
        const char *text;
    } cases[] = {
        {"", FORMAT},
        {"x", FORMAT},
        {"[]", FORMAT},
        {"\"lms_key\"", FORMAT},
        {"\xEF\xBB\xBF" SUBMIT("\"queue_name\": \"a\""), FORMAT},
        {SUBMIT("\"a\": 1"), FORMAT},
        {"{\"lms_key\": \"k\", \"queue_name\": \"a\"}", FORMAT},
        {"{\"lms_callback_url\": \"k\", \"queue_name\": \"a\"}", FORMAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct legacy_submit_header header = {0};
        struct error error = {0};
        assert_int_equal(legacy_submit_header_parse(span_of(cases[i].json), &header, &error), STATUS_INVALID);
        assert_string_equal(error.text, cases[i].text);
        assert_null(header.queue);
    }
}

static void a_callback_that_is_no_string_is_none(void **state)
{
    (void)state;
    static const char *const values[] = {"5", "[\"http://lms\"]", "null", "true", "{}", "NaN"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct text json;
        text_init(&json, LEGACY_HEADER_BYTES_MAX);
        text_append_format(&json, SUBMIT("\"queue_name\": \"a\", \"lms_callback_url\": %s"), values[i]);
        struct legacy_submit_header header = submit(json.bytes);
        text_finish(&json);

        assert_null(header.callback_url);
        assert_string_equal(header.queue, "a");
        legacy_submit_header_finish(&header);
    }
}

static void a_header_over_the_limit_is_refused(void **state)
{
    (void)state;
    static char json[LEGACY_HEADER_BYTES_MAX + 1];
    static const char start[] = SUBMIT("\"queue_name\": \"a\"");
    struct legacy_submit_header header = {0};
    struct error error = {0};
    memset(json, ' ', sizeof json);
    memcpy(json, start, sizeof start - 1);

    assert_int_equal(legacy_submit_header_parse((struct span){json, sizeof json}, &header, &error), STATUS_INVALID);
    assert_string_equal(error.text, "xqueue_header is longer than 65536 bytes");
    assert_int_equal(legacy_submit_header_parse((struct span){json, sizeof json - 1}, &header, &error), STATUS_OK);
    legacy_submit_header_finish(&header);
}

static enum status result(const char *id, const char *key, struct legacy_result_header *out_header, struct error *error)
{
    struct text text;
    text_init(&text, LEGACY_HEADER_BYTES_MAX);
    text_append_format(&text, "{\"submission_id\": %s, \"submission_key\": %s}", id, key);
    enum status status = legacy_result_header_parse((struct span){text.bytes, text.length}, out_header, error);
    text_finish(&text);
    return status;
}

static void a_submission_id_goes_through_int(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        uint64_t id;
    } cases[] = {
        {"12", 12},
        {"\"12\"", 12},
        {"\" +12\\n\"", 12},
        {"12.9", 12},
        {"true", 1},
        {"\"1_000\"", 1000},
        {"1e3", 1000},
        {"\"007\"", 7},
        {"9223372036854775807", INT64_MAX},
        {"\"\\t\\u000b\\f\\r\\n 5 \"", 5},
        {"\"\\u3000\\u0661\\u0662\\u00a0\\u0085\"", 12},
        {"\"\\uff11_\\uff12\"", 12},
        {"\"\\u096712\"", 112},
        {"\"\\ud835\\udfd6\\ud835\\udfff\"", 89},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct legacy_result_header header = {0};
        assert_int_equal(result(cases[i].json, "\"k\"", &header, NULL), STATUS_OK);
        assert_true(header.submission_id == cases[i].id);
        assert_string_equal(header.key, "k");
    }
}

static void an_id_that_no_submission_has_is_not_found(void **state)
{
    (void)state;
    static const char *const cases[] = {"0",
                                        "false",
                                        "-1",
                                        "\"-1\"",
                                        "0.9",
                                        "-0.5",
                                        "1000000000000000000000000000000",
                                        "1e30",
                                        "9223372036854775808",
                                        "\"99999999999999999999\"",
                                        "9223372036854775808.0",
                                        "\"0\""};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct legacy_result_header header = {.submission_id = 77};
        struct error error = {0};
        assert_int_equal(result(cases[i], "\"k\"", &header, &error), STATUS_NOT_FOUND);
        assert_string_equal(error.reason, "SUBMISSION_NOT_FOUND");
        assert_string_equal(error.text, "Submission does not exist");
        assert_int_equal(header.submission_id, 77);
    }
}

static void an_id_that_int_refuses_is_an_incorrect_format(void **state)
{
    (void)state;
    static const char *const cases[] = {"\"abc\"",      "\"12.0\"",
                                        "\"\"",         "null",
                                        "[1]",          "{}",
                                        "NaN",          "Infinity",
                                        "1e400",        "\"_1\"",
                                        "\"1_\"",       "\"1__0\"",
                                        "\"+\"",        "\"- 1\"",
                                        "\"\\u001f1\"", "\"1\\u001c\\u00a0\"",
                                        "\"\\u200b1\"", "\"\\ufeff1\"",
                                        "\"\\u00b2\"",  "\"\\ud8351\"",
                                        "\"1\\u0000\"", "\"1 2\"",
                                        "\"0x1\"",      "\"1\\u00002\"",
                                        "\" \"",        "x",
                                        "\"+-1\""};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct legacy_result_header header = {0};
        struct error error = {0};
        assert_int_equal(result(cases[i], "\"k\"", &header, &error), STATUS_INVALID);
        assert_string_equal(error.text, "Incorrect reply format");
    }
}

static void a_key_that_can_be_none_is_empty(void **state)
{
    (void)state;
    static const char *const cases[] = {"5",
                                        "null",
                                        "[\"k\"]",
                                        "\"\"",
                                        "\"a\\u0000b\"",
                                        "\"a\\nb\"",
                                        "\"\\ud800\"",
                                        "\"12345678901234567890123456789012345678901234567890123456789012345\""};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct legacy_result_header header = {0};
        assert_int_equal(result("1", cases[i], &header, NULL), STATUS_OK);
        assert_string_equal(header.key, "");
    }
}

static void a_header_of_a_result_without_its_keys_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "", "[]", "5", "{}", "{\"submission_id\": 1}", "{\"submission_key\": \"k\"}", "{\"submission_id\": 0}"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct legacy_result_header header = {0};
        struct error error = {0};
        assert_int_equal(legacy_result_header_parse(span_of(cases[i]), &header, &error), STATUS_INVALID);
        assert_string_equal(error.text, "Incorrect reply format");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_become_text_as_python_prints_them),
        cmocka_unit_test(what_python_refuses_is_refused),
        cmocka_unit_test(depth_and_digits_are_bounded),
        cmocka_unit_test(the_header_of_a_submit_is_read),
        cmocka_unit_test(the_last_of_duplicate_keys_wins),
        cmocka_unit_test(a_queue_name_of_another_type_becomes_text),
        cmocka_unit_test(a_queue_name_with_a_nul_is_no_name),
        cmocka_unit_test(a_long_queue_name_is_cut_between_characters),
        cmocka_unit_test(a_bad_header_of_a_submit_is_refused_with_its_text),
        cmocka_unit_test(a_callback_that_is_no_string_is_none),
        cmocka_unit_test(a_header_over_the_limit_is_refused),
        cmocka_unit_test(a_submission_id_goes_through_int),
        cmocka_unit_test(an_id_that_no_submission_has_is_not_found),
        cmocka_unit_test(an_id_that_int_refuses_is_an_incorrect_format),
        cmocka_unit_test(a_key_that_can_be_none_is_empty),
        cmocka_unit_test(a_header_of_a_result_without_its_keys_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
