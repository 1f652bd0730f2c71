/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_submit */
/* The parts of xqueue-submit that talk to nobody: its command line, the body, what an outcome is called, and numbers of many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/memory.h"
#include "grader-sdk/tools/submit_batch.h"
#include "grader-sdk/tools/submit_body.h"
#include "grader-sdk/tools/submit_options.h"
#include "grader-sdk/tools/submit_outcome.h"
#include "grader-sdk/tools/submit_results.h"
#include "grader-sdk/tools/submit_summary.h"
#include "grader-sdk/tools/submit_view.h"

enum { WORDS_MAX = 32, TO_BE_RUN = -1 };

static struct submit_options options;

static int clear_environment(void **state)
{
    static const char *const names[] = {"XQUEUE_ADDRESS", "XQUEUE_PASSWORD",   "XQUEUE_PASSWORD_FILE",
                                        "XQUEUE_TOKEN",   "XQUEUE_TOKEN_FILE", "XQUEUE_CERTIFICATE_FILE"};
    (void)state;
    for (size_t at = 0; at < sizeof names / sizeof *names; at++)
        unsetenv(names[at]);
    setenv("XQUEUE_USER", "lms", 1);
    setenv("XQUEUE_PASSWORD", "secret", 1);
    return 0;
}

/* What it exits with, or TO_BE_RUN. words: NULL last. */
static int read_words(const char *const *words)
{
    static char *argv[WORDS_MAX + 2];
    int argc = 1;
    int exit_code = TO_BE_RUN;
    argv[0] = (char *)(uintptr_t) "xqueue-submit";
    for (; words[argc - 1]; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    argv[argc] = NULL;
    return submit_options_read(&options, argc, argv, &exit_code) ? TO_BE_RUN : exit_code;
}

#define READ(...) read_words((const char *const[]){__VA_ARGS__, NULL})

static void refuses(const char *const *words)
{
    int exit_code = read_words(words);
    submit_options_finish(&options);
    assert_int_equal(exit_code, SUBMIT_EXIT_USAGE);
}

#define REFUSES(...) refuses((const char *const[]){__VA_ARGS__, NULL})

static void all_options_are_taken_wherever_they_stand(void **state)
{
    (void)state;

    assert_int_equal(READ("a.py", "-q", "cs101", "--label", "os=linux", "--label=cc=gcc=12", "--file", "notes=dir/n.txt",
                          "--priority", "low", "--not-before", "1.5", "--expire-after", "60", "--timeout", "0.1", "--json",
                          "--check", "--payload", "@p", "--user", "other"),
                     TO_BE_RUN);

    assert_string_equal(options.queue, "cs101");
    assert_int_equal(options.path_count, 1);
    assert_string_equal(options.paths[0], "a.py");
    assert_string_equal(options.labels[1].name, "cc");
    assert_string_equal(options.labels[1].value, "gcc=12");
    assert_string_equal(options.files[0].name, "notes");
    assert_string_equal(options.files[0].value, "dir/n.txt");
    assert_int_equal(options.priority, 2);
    assert_int_equal(options.not_before_ms, 1500);
    assert_int_equal(options.expire_after_ms, 60000);
    assert_int_equal(options.connect.timeout_ms, 100);
    assert_int_equal(options.output, SUBMIT_OUTPUT_JSON);
    assert_true(options.is_check);
    assert_string_equal(options.connect.user, "other");
    assert_string_equal(options.connect.address, "127.0.0.1:8041");
    assert_false(submit_options_are_many(&options));
    submit_options_finish(&options);
}

static void what_does_not_fit_together_is_wrong_usage(void **state)
{
    (void)state;

    REFUSES("a.py");
    REFUSES("-q", "cs101");
    REFUSES("-q", "", "a.py");
    REFUSES("-q", "cs101", "--from", "d", "a.py");
    REFUSES("-q", "cs101", "--glob", "*", "a.py");
    REFUSES("-q", "cs101", "--results", "d", "a.py");
    REFUSES("-q", "cs101", "a.py", "-");
    REFUSES("-q", "cs101", "--repeat", "2", "-");
    REFUSES("-q", "cs101", "--replace-key", "k", "a.py", "b.py");
    REFUSES("-q", "cs101", "--output", "raw", "a.py", "b.py");
    REFUSES("-q", "cs101", "--raw", "--payload", "p", "a.py");
    REFUSES("-q", "cs101", "--no-wait", "--check", "a.py");
    REFUSES("--watch", "7", "a.py");
    REFUSES("--watch", "0");
    REFUSES("-q", "cs101", "--priority", "urgent", "a.py");
    REFUSES("-q", "cs101", "--parallel", "1001", "a.py");
    REFUSES("-q", "cs101", "--not-before", "2592001", "a.py");
    REFUSES("-q", "cs101", "--label", "novalue", "a.py");
    REFUSES("-q", "cs101", "--no-such-option", "a.py");
    unsetenv("XQUEUE_PASSWORD");
    REFUSES("-q", "cs101", "a.py");
    unsetenv("XQUEUE_USER");
    REFUSES("-q", "cs101", "a.py");
    assert_int_equal(READ("--watch", "7", "--token-file", "t"), TO_BE_RUN);
}

/* ---- the body ---- */

static void the_body_is_what_an_lms_sends(void **state)
{
    const struct submit_body body = {.response = {"print(\"a\0ü\")", 12},
                                     .payload = {"{\"problem\": 7}", 14},
                                     .student = "s1",
                                     .submitted_at_ms = INT64_C(1795722636526)};
    char *text = NULL;
    size_t length = 0;
    struct error error;
    (void)state;

    assert_int_equal(submit_body_make(&body, "a.py", &text, &length, &error), STATUS_OK);

    json_t *whole = json_loadb(text, length, JSON_ALLOW_NUL, NULL);
    const json_t *response = json_object_get(whole, "student_response");
    assert_int_equal(json_string_length(response), 12);
    assert_memory_equal(json_string_value(response), body.response.bytes, 12);
    assert_string_equal(json_string_value(json_object_get(whole, "grader_payload")), "{\"problem\": 7}");
    assert_string_equal(json_string_value(json_object_get(whole, "student_info")),
                        "{\"anonymous_student_id\": \"s1\", \"submission_time\": \"20261126195036\"}");
    json_decref(whole);
    memory_free(text);
}

static void a_body_that_is_no_text_or_too_long_is_refused(void **state)
{
    char *text = NULL;
    size_t length = 0;
    struct error error;
    struct submit_body body = {.response = {"\xff", 1}, .payload = {"", 0}};
    (void)state;

    assert_int_equal(submit_body_make(&body, "a.py", &text, &length, &error), STATUS_INVALID);
    assert_non_null(strstr(error.text, "a.py"));

    char *newlines = memory_allocate(SUBMIT_BODY_BYTES_MAX); // each becomes two bytes
    memset(newlines, '\n', SUBMIT_BODY_BYTES_MAX);
    body.response = (struct span){newlines, SUBMIT_BODY_BYTES_MAX / 2};
    assert_int_equal(submit_body_make(&body, "a.py", &text, &length, &error), STATUS_FULL);
    assert_non_null(strstr(error.text, "3145728"));
    memory_free(newlines);
    assert_null(text);
}

/* ---- outcomes ---- */

static void each_end_has_its_exit_code(void **state)
{
    static const struct {
        struct submit_outcome outcome;
        int exit_code, checked;
    } cases[] = {
        {{.end = SUBMIT_END_GRADED, .grade = {.is_known = true, .is_correct = true}}, 0, 0},
        {{.end = SUBMIT_END_GRADED, .grade = {.is_known = true}}, 0, 9},
        {{.end = SUBMIT_END_GRADED}, 0, 9},
        {{.end = SUBMIT_END_SUBMITTED}, 0, 0},
        {{.end = SUBMIT_END_UNGRADABLE}, 5, 5},
        {{.end = SUBMIT_END_DEAD}, 6, 6},
        {{.end = SUBMIT_END_CANCELED}, 7, 7},
        {{.end = SUBMIT_END_SUPERSEDED}, 7, 7},
        {{.end = SUBMIT_END_TIMEOUT}, 8, 8},
        {{.end = SUBMIT_END_INTERRUPTED}, 130, 130},
        {{.end = SUBMIT_END_FAILED, .status = STATUS_NOT_FOUND}, 1, 1},
        {{.end = SUBMIT_END_FAILED, .status = STATUS_UNAVAILABLE}, 3, 3},
        {{.end = SUBMIT_END_FAILED, .status = STATUS_TIMEOUT}, 3, 3},
        {{.end = SUBMIT_END_FAILED, .status = STATUS_DENIED}, 4, 4},
        {{.end = SUBMIT_END_FAILED, .status = STATUS_UNAUTHENTICATED}, 4, 4},
    };
    (void)state;

    for (size_t at = 0; at < sizeof cases / sizeof *cases; at++) {
        assert_int_equal(submit_outcome_exit(&cases[at].outcome, false), cases[at].exit_code);
        assert_int_equal(submit_outcome_exit(&cases[at].outcome, true), cases[at].checked);
    }
}

static void says(const char *result, const char *expected)
{
    char words[SUBMIT_OUTCOME_WORDS_MAX];
    struct submit_outcome outcome = {.end = SUBMIT_END_GRADED};
    submit_grade_read(result, strlen(result), &outcome.grade);
    assert_string_equal(submit_outcome_words(&outcome, words), expected);
    submit_outcome_finish(&outcome);
}

static void any_answer_of_a_grader_is_told(void **state)
{
    (void)state;
    says("{\"correct\": true, \"score\": 1, \"msg\": \"<p>\"}", "correct, score 1");
    says("{\"correct\": false, \"score\": 0.25}", "not correct, score 0.25");
    says("{\"correct\": true}", "correct");
    says("{\"correct\": 1, \"score\": \"2\"}", "graded");
    says("[]", "graded");
    says("plain", "graded");
    says("", "graded");
}

static void a_result_is_json_or_text_or_hex_in_the_document(void **state)
{
    static char object[] = "{\"a\": 1}";
    static char plain[] = "plain";
    static char bytes[] = "\xff\x01";
    struct submit_outcome outcome = {.end = SUBMIT_END_GRADED, .result = object, .result_length = 8};
    (void)state;

    json_t *document = submit_outcome_json(&outcome, "a.py");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(document, "result"), "a")), 1);
    assert_true(json_is_null(json_object_get(document, "error")));
    json_decref(document);

    outcome.result = plain;
    outcome.result_length = 5;
    document = submit_outcome_json(&outcome, NULL);
    assert_string_equal(json_string_value(json_object_get(document, "result")), "plain");
    assert_true(json_is_null(json_object_get(document, "name")));
    json_decref(document);

    outcome.result = bytes;
    outcome.result_length = 2;
    document = submit_outcome_json(&outcome, NULL);
    assert_true(json_is_null(json_object_get(document, "result")));
    assert_string_equal(json_string_value(json_object_get(document, "result_hex")), "ff01");
    json_decref(document);
}

/* ---- how it stands ---- */

static void a_view_is_one_line_of_words(void **state)
{
    static const struct {
        struct submit_view view;
        const char *text;
    } cases[] = {
        {{.id = 0}, "submitting"},
        {{.id = 7, .state = 1, .position = 3, .estimate_ms = 39001}, "submission 7: waiting, 3 before it, about 40 s"},
        {{.id = 7, .state = 1, .position = 10000}, "submission 7: waiting, 10000 or more before it"},
        {{.id = 7, .state = 1, .nobody_can_grade = true},
         "submission 7: waiting, next in line, no grader that is here can take it"},
        {{.id = 7, .state = 2, .grader = "g\x1b[2J", .has_progress = true, .percent = 40, .phase = "tests", .note = "3"},
         "submission 7: being graded by g?[2J, 40 % tests: 3"},
        {{.id = 7, .state = 3, .ready_after_ms = 200000}, "submission 7: not before 4 min"},
        {{.id = 7, .state = 3, .ready_after_ms = 5000, .failures = 2, .message = "no compiler"},
         "submission 7: tried again in 5 s (failed 2 times: no compiler)"},
    };
    char text[SUBMIT_VIEW_TEXT_MAX];
    (void)state;

    for (size_t at = 0; at < sizeof cases / sizeof *cases; at++)
        assert_string_equal(submit_view_text(&cases[at].view, text), cases[at].text);
}

/* ---- many ---- */

static void percentiles_are_those_of_the_nearest_rank(void **state)
{
    struct submit_summary summary = {.total = 200};
    (void)state;
    assert_int_equal(submit_summary_percentile_us(&summary, 50), 0);

    for (int64_t at = 200; at >= 1; at--) {
        const struct submit_outcome outcome = {.end = SUBMIT_END_GRADED, .took_us = at};
        submit_summary_add(&summary, &outcome, false);
    }

    assert_int_equal(submit_summary_percentile_us(&summary, 1), 2);
    assert_int_equal(submit_summary_percentile_us(&summary, 50), 100);
    assert_int_equal(submit_summary_percentile_us(&summary, 99), 198);
    assert_int_equal(submit_summary_percentile_us(&summary, 100), 200);
    submit_summary_finish(&summary);
}

static void a_summary_counts_each_end(void **state)
{
    static const struct submit_outcome outcomes[] = {
        {.end = SUBMIT_END_GRADED, .took_us = 1500, .grade = {.is_known = true, .is_correct = true}},
        {.end = SUBMIT_END_GRADED, .took_us = 2500, .grade = {.is_known = true}},
        {.end = SUBMIT_END_UNGRADABLE},
        {.end = SUBMIT_END_FAILED, .status = STATUS_NOT_FOUND},
    };
    struct submit_summary summary = {.total = 5};
    (void)state;

    for (size_t at = 0; at < sizeof outcomes / sizeof *outcomes; at++)
        submit_summary_add(&summary, &outcomes[at], true);

    assert_int_equal(summary.bad, 3);
    char *text = submit_summary_text(&summary, 2000000);
    assert_string_equal(text, "4 of 5 in 2.0 s, 2.0/s: 2 graded (1 correct, 1 not correct), 1 not gradable, 1 failed\n"
                              "time to the result: p50 1.5 ms, p99 2.5 ms, longest 2.5 ms\n");
    memory_free(text);
    submit_summary_finish(&summary);
}

static void the_bar_shows_what_is_done_and_open(void **state)
{
    const struct submit_bar bar = {.total = 30, .done = 15, .bad = 1, .waiting = 2, .grading = 2, .elapsed_us = 3000000};
    const struct submit_bar full = {.total = 2, .done = 2, .elapsed_us = 1000000};
    char text[SUBMIT_BAR_TEXT_MAX];
    (void)state;

    assert_string_equal(submit_bar_text(&bar, text),
                        "[==========>         ] 15/30  2 waiting, 2 being graded  1 failed  5.0/s  0:04 left");
    assert_string_equal(submit_bar_text(&full, text), "[====================] 2/2  2.0/s");
}

static void request_ids_of_many_are_the_same_each_time_and_bounded(void **state)
{
    char first[SUBMIT_REQUEST_ID_BYTES_MAX + 1];
    char second[SUBMIT_REQUEST_ID_BYTES_MAX + 1];
    char name[300];
    (void)state;
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';

    submit_results_request_id("term7", "a.py", first);
    assert_string_equal(first, "term7:a.py");
    submit_results_request_id("term7", name, first);
    submit_results_request_id("term7", name, second);
    assert_string_equal(first, second);
    name[0] = 'm';
    submit_results_request_id("term7", name, second);
    assert_string_not_equal(first, second);
}

static void two_files_of_one_name_cannot_both_have_a_result(void **state)
{
    static char *const apart[] = {(char *)(uintptr_t) "a/x.py", (char *)(uintptr_t) "b/y.py"};
    static char *const alike[] = {(char *)(uintptr_t) "a/x.py", (char *)(uintptr_t) "y.py", (char *)(uintptr_t) "b/x.py"};
    const struct submit_paths good = {.paths = (char **)(uintptr_t)apart, .count = 2};
    const struct submit_paths bad = {.paths = (char **)(uintptr_t)alike, .count = 3};
    struct error error;
    (void)state;

    assert_int_equal(submit_batch_check_names(&good, &error), STATUS_OK);
    assert_int_equal(submit_batch_check_names(&bad, &error), STATUS_INVALID);
    assert_non_null(strstr(error.text, "x.py"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(all_options_are_taken_wherever_they_stand, clear_environment),
        cmocka_unit_test_setup(what_does_not_fit_together_is_wrong_usage, clear_environment),
        cmocka_unit_test(the_body_is_what_an_lms_sends),
        cmocka_unit_test(a_body_that_is_no_text_or_too_long_is_refused),
        cmocka_unit_test(each_end_has_its_exit_code),
        cmocka_unit_test(any_answer_of_a_grader_is_told),
        cmocka_unit_test(a_result_is_json_or_text_or_hex_in_the_document),
        cmocka_unit_test(a_view_is_one_line_of_words),
        cmocka_unit_test(percentiles_are_those_of_the_nearest_rank),
        cmocka_unit_test(a_summary_counts_each_end),
        cmocka_unit_test(the_bar_shows_what_is_done_and_open),
        cmocka_unit_test(request_ids_of_many_are_the_same_each_time_and_bounded),
        cmocka_unit_test(two_files_of_one_name_cannot_both_have_a_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
