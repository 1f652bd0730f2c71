/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_grade xqueue_grader_static */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "grader-sdk/tools/grade_format.h"

static bool make_input(struct grade_format_input *input, const char *body)
{
    static const struct xqueue_file file = {
        .name = "a.py", .url = "http://x/y", .file_id = "", .filename = "b.py", .size_bytes = 3};
    static const struct xqueue_file *const files[] = {&file};
    const struct grade_format_submission submission = {.id = 7,
                                                       .queue = "cs101",
                                                       .attempt = 2,
                                                       .submitted_at_ms = 1000,
                                                       .header = "{}",
                                                       .header_length = 2,
                                                       .body = body,
                                                       .body_length = strlen(body),
                                                       .files = files,
                                                       .file_count = 1};
    return grade_format_input_init(input, &submission);
}

static void the_object_of_the_lms_goes_in_with_one_more_member(void **state)
{
    struct grade_format_input input;
    (void)state;

    assert_true(make_input(&input, "{\"student_response\": \"1+1\", \"grader_payload\": \"{}\", \"student_info\": \"{}\"}"));

    json_t *read = json_loads(input.text, 0, NULL);
    const json_t *about = json_object_get(read, "xqueue");
    assert_string_equal(json_string_value(json_object_get(read, "student_response")), "1+1");
    assert_string_equal(json_string_value(json_object_get(read, "student_info")), "{}");
    assert_int_equal(json_integer_value(json_object_get(about, "submission")), 7);
    assert_int_equal(json_integer_value(json_object_get(about, "attempt")), 2);
    assert_string_equal(json_string_value(json_object_get(about, "header")), "{}");
    const json_t *file = json_array_get(json_object_get(about, "files"), 0);
    assert_string_equal(json_string_value(json_object_get(file, "url")), "http://x/y");
    assert_string_equal(input.response, "1+1");
    assert_string_equal(input.payload, "{}");
    json_decref(read);
    grade_format_input_finish(&input);
}

static void text_goes_in_as_body_and_bytes_do_not(void **state)
{
    static const char *const texts[] = {"print(1)", "[1, 2]", "{\"unfinished\"", ""};
    struct grade_format_input input;
    (void)state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_true(make_input(&input, texts[i]));
        json_t *read = json_loads(input.text, 0, NULL);
        assert_string_equal(json_string_value(json_object_get(read, "body")), texts[i]);
        assert_null(input.response);
        json_decref(read);
        grade_format_input_finish(&input);
    }

    assert_false(make_input(&input, "\xff\xfe"));
    grade_format_input_finish(&input);
}

static void a_result_is_completed_and_what_it_has_more_is_kept(void **state)
{
    char wrong[GRADE_FORMAT_MESSAGE_MAX] = "";
    static const char short_result[] = "{\"correct\": true, \"tests\": 3}\n";
    (void)state;

    char *result = grade_format_result(short_result, strlen(short_result), wrong);

    assert_string_equal(result, "{\"correct\":true,\"tests\":3,\"score\":1,\"msg\":\"\"}");
    free(result);
}

static void a_result_that_is_none_is_refused_with_the_reason(void **state)
{
    static const struct {
        const char *output, *reason;
    } cases[] = {
        {"", "no result"},
        {"hello", "not JSON"},
        {"{\"correct\": true} and more", "not JSON"},
        {"[]", "not a JSON object"},
        {"{\"score\": 1}", "\"correct\""},
        {"{\"correct\": 1}", "\"correct\""},
        {"{\"correct\": true, \"score\": \"1\"}", "\"score\""},
        {"{\"correct\": true, \"msg\": 1}", "\"msg\""},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char wrong[GRADE_FORMAT_MESSAGE_MAX] = "";
        assert_null(grade_format_result(cases[i].output, strlen(cases[i].output), wrong));
        assert_non_null(strstr(wrong, cases[i].reason));
    }
}

static void lines_of_progress_are_read(void **state)
{
    struct grade_format_progress progress;
    (void)state;

    assert_true(grade_format_progress("40 compiling: main.c", &progress));
    assert_int_equal(progress.percent, 40);
    assert_string_equal(progress.phase, "compiling");
    assert_string_equal(progress.note, "main.c");
    assert_true(grade_format_progress("100", &progress));
    assert_int_equal(progress.percent, 100);
    assert_string_equal(progress.phase, "");
    assert_true(grade_format_progress("7 tests", &progress));
    assert_string_equal(progress.phase, "tests");
    assert_string_equal(progress.note, "");
    static const char *const others[] = {"", "compiling", "101", "-1", "4x", " 4", "99999999999999999999999"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(grade_format_progress(others[i], &progress));
}

static void what_is_said_becomes_text(void **state)
{
    static const struct {
        const char *bytes, *text;
    } cases[] = {
        {"", ""},        {"  \n x\ty \n", "x y"}, {"a\x01z", "a z"},        {"\xc3\xa4", "\xc3\xa4"},
        {"\xff!", "?!"}, {"\xa4tail", "tail"},    {"123456789", "1234567"}, {"123456\xc3\xa4", "123456"},
    };
    char text[8];
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        grade_format_text(cases[i].bytes, strlen(cases[i].bytes), text, sizeof(text));
        assert_string_equal(text, cases[i].text);
    }
}

static void a_wrong_answer_is_a_result(void **state)
{
    char wrong[GRADE_FORMAT_MESSAGE_MAX];
    (void)state;

    char *answer = grade_format_wrong_answer("<p>Stopped.</p>");
    char *result = grade_format_result(answer, strlen(answer), wrong);

    assert_string_equal(result, "{\"correct\":false,\"score\":0,\"msg\":\"<p>Stopped.</p>\"}");
    free(answer);
    free(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_object_of_the_lms_goes_in_with_one_more_member),
        cmocka_unit_test(text_goes_in_as_body_and_bytes_do_not),
        cmocka_unit_test(a_result_is_completed_and_what_it_has_more_is_kept),
        cmocka_unit_test(a_result_that_is_none_is_refused_with_the_reason),
        cmocka_unit_test(lines_of_progress_are_read),
        cmocka_unit_test(what_is_said_becomes_text),
        cmocka_unit_test(a_wrong_answer_is_a_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
