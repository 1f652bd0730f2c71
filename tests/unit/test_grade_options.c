/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_grade xqueue_grader_static */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "grader-sdk/tools/grade_options.h"

enum { WORDS_MAX = 32 };

static struct grade_options options;

/* words: NULL last. */
static enum grade_options_outcome read_words(const char *const *words)
{
    static char texts[WORDS_MAX][64];
    static char *argv[WORDS_MAX + 1];
    int argc = 1;
    argv[0] = (char *)(uintptr_t) "xqueue-grade";
    for (; words[argc - 1]; argc++) {
        (void)snprintf(texts[argc], sizeof(texts[argc]), "%s", words[argc - 1]);
        argv[argc] = texts[argc];
    }
    argv[argc] = NULL;
    return grade_options_read(&options, argc, argv);
}

static void options_come_before_the_program_and_all_after_it_is_its(void **state)
{
    const char *const words[] = {"--queue",    "a",
                                 "--queue=b",  "--slots",
                                 "4",          "--time-limit",
                                 "7",          "--label",
                                 "language=c", "--at-limit",
                                 "wrong",      "--sandbox",
                                 "require",    "--pass",
                                 "CLASSPATH",  "--drain-timeout",
                                 "2",          "sh",
                                 "--queue",    "-c",
                                 "true",       NULL};
    (void)state;

    assert_int_equal(read_words(words), GRADE_OPTIONS_RUN);

    assert_int_equal(options.grader.queue_count, 2);
    assert_string_equal(options.grader.queues[1], "b");
    assert_int_equal(options.grader.slots, 4);
    assert_int_equal(options.grader.drain_timeout_ms, 2000);
    assert_string_equal(options.grader.labels[0].key, "language");
    assert_string_equal(options.grader.labels[0].value, "c");
    assert_int_equal(options.settings.limits.value[GRADE_LIMIT_WALL], 7);
    assert_int_equal(options.settings.limits.value[GRADE_LIMIT_CPU], grade_limit_kinds[GRADE_LIMIT_CPU].usual);
    assert_int_equal(options.settings.at_limit, GRADE_AT_LIMIT_WRONG);
    assert_int_equal(options.settings.sandbox, GRADE_SANDBOX_REQUIRE);
    assert_string_equal(options.settings.passed_on[0], "CLASSPATH");
    assert_int_equal(options.settings.command[0][0], '/');
    assert_non_null(strstr(options.settings.command[0], "/sh"));
    assert_string_equal(options.settings.command[1], "--queue");
    assert_string_equal(options.settings.command[3], "true");
}

static void what_is_not_said_is_left_to_the_environment(void **state)
{
    const char *const words[] = {"--", "sh", NULL};
    (void)state;

    assert_int_equal(read_words(words), GRADE_OPTIONS_RUN);

    assert_null(options.grader.queues);
    assert_null(options.grader.address);
    assert_int_equal(options.grader.slots, 0);
    assert_int_equal(options.settings.sandbox, GRADE_SANDBOX_AUTO);
    assert_int_equal(options.settings.at_limit, GRADE_AT_LIMIT_RETRY);
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *words[5];
        const char *reason;
    } cases[] = {
        {{NULL}, "program that grades is missing"},
        {{"--queue", "a", NULL}, "program that grades is missing"},
        {{"--slots", "0", "--", "sh", NULL}, "--slots: 0: must be a number from 1 to 1000"},
        {{"--slots", "x", "--", "sh", NULL}, "--slots: x"},
        {{"--time-limit", "-1", "--", "sh", NULL}, "--time-limit: -1"},
        {{"--memory-mb", "99999999999999999999", "--", "sh", NULL}, "--memory-mb: "},
        {{"--files", "7", "--", "sh", NULL}, "--files: 7: must be a number from 8"},
        {{"--sandbox", "maybe", "--", "sh", NULL}, "--sandbox: maybe"},
        {{"--input", "xml", "--", "sh", NULL}, "--input: xml"},
        {{"--label", "language", "--", "sh", NULL}, "--label: language: must be KEY=VALUE"},
        {{"--pass", "A=B", "--", "sh", NULL}, "--pass: A=B"},
        {{"--nonsense", "--", "sh", NULL}, "--nonsense: no such option"},
        {{"--queue", NULL}, "--queue: its value is missing"},
        {{"--", "./no-such-program", NULL}, "./no-such-program: there is no such program"},
        {{"--", "no-such-program", NULL}, "no-such-program: there is no such program"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(read_words(cases[i].words), GRADE_OPTIONS_WRONG);
        if (!strstr(options.wrong, cases[i].reason))
            fail_msg("%s, not: %s", options.wrong, cases[i].reason);
    }
}

static void help_and_version_need_no_program(void **state)
{
    const char *const help[] = {"--help", NULL};
    const char *const version[] = {"--version", NULL};
    (void)state;

    assert_int_equal(read_words(help), GRADE_OPTIONS_HELP);
    assert_int_equal(read_words(version), GRADE_OPTIONS_VERSION);
}

static void what_is_usual_lies_within_its_bounds(void **state)
{
    (void)state;

    for (size_t i = 0; i < GRADE_LIMIT_COUNT; i++) {
        assert_in_range(grade_limit_kinds[i].usual, grade_limit_kinds[i].least, grade_limit_kinds[i].most);
        assert_non_null(grade_limit_kinds[i].option);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_come_before_the_program_and_all_after_it_is_its),
        cmocka_unit_test(what_is_not_said_is_left_to_the_environment),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(help_and_version_need_no_program),
        cmocka_unit_test(what_is_usual_lies_within_its_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
