/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* The graders of the documents, built as the documents say against an installed copy (tests/check/examples.sh): each grades a
 * submission of the installed xqueued. */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/conversation.h"

#define PROGRAMS    XQUEUE_CHECK_DIR "/examples/programs"
#define NEWER       XQUEUE_CHECK_DIR "/examples/newer/word_grader"
#define INSTALLED   XQUEUE_CHECK_DIR "/install/usr/bin"
#define COURSE      XQUEUE_SOURCE_DIR "/grader-sdk/examples/course"
#define COURSE_TASK "{\\\"problem\\\": \\\"fibonacci\\\", \\\"language\\\": \\\"python\\\"}"
#define FIBONACCI   "a, b = 0, 1\\nfor _ in range(int(input())):\\n    a, b = b, a + b\\nprint(a)\\n# hello"

enum { PROGRAMS_LEAST = 11, PATH_MAX_BYTES = 512 };

static const char script[] = XQUEUE_SOURCE_DIR "/grader-sdk/examples/hello/grade.sh";

/* Every grader says "correct" to this one. */
static const char body[] = "{\"student_response\": \"" FIBONACCI "\", \"grader_payload\": \"" COURSE_TASK "\"}";

static struct running_program *grader_starts(struct conversation *talk, const char *program)
{
    char address[RUNNING_SERVICE_TEXT_MAX * 2];
    const bool is_course = strstr(program, "course_grader") != NULL;
    const char *const plain[] = {program, NULL};
    const char *const course[] = {program, "--course", COURSE, NULL};
    const char *const environment[] = {address, "XQUEUE_USER=grader", "XQUEUE_PASSWORD=grader", "XQUEUE_QUEUES=calm", NULL};
    const struct running_program_options options = {.arguments = is_course ? course : plain, .environment = environment};

    (void)snprintf(address, sizeof(address), "XQUEUE_ADDRESS=%s", talk->service.core);
    return running_program_start(&options);
}

static void a_grader_grades(struct conversation *talk, const char *program, int number)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/result/%d", number);
    struct running_program *grader = grader_starts(talk, program);

    student_submits(talk, "calm", path, body);
    const struct fake_lms_callback *callback = lms_hears(talk, path, 0);

    running_program_signal(grader, SIGKILL); // before what may fail: no grader is left for the next one's submission
    (void)running_program_wait(grader);
    running_program_destroy(grader);
    if (strstr(callback->result, "\"correct\": true") == NULL && strstr(callback->result, "\"correct\":true") == NULL) {
        fail_msg("%s: %s", program, callback->result);
    }
}

static void every_grader_of_the_documents_grades(void **state)
{
    DIR *programs = opendir(PROGRAMS);
    int count = 0;
    assert_non_null(programs);

    for (const struct dirent *entry = readdir(programs); entry != NULL; entry = readdir(programs)) {
        char program[PATH_MAX_BYTES];
        if (entry->d_name[0] != '.') {
            (void)snprintf(program, sizeof(program), PROGRAMS "/%s", entry->d_name);
            a_grader_grades(*state, program, count++);
        }
    }

    (void)closedir(programs);
    assert_true(count >= PROGRAMS_LEAST);
}

static void a_grader_in_cpp_stops_in_good_order(void **state)
{
    struct running_program *grader = grader_starts(*state, PROGRAMS "/word_grader");
    struct conversation *talk = *state;
    student_submits(talk, "calm", "/orderly", "hello");
    lms_hears(talk, "/orderly", 0);

    running_program_signal(grader, SIGTERM);

    assert_true(running_program_ends_saying(grader, "ok"));
}

static void a_grader_that_is_newer_than_the_library_says_so(void **state)
{
    struct running_program *grader = grader_starts(*state, NEWER);

    assert_int_equal(running_program_wait(grader), 1);
    assert_int_equal(running_program_count(grader, "is older than the header"), 1);
    running_program_destroy(grader);
}

static void the_installed_program_grades_with_a_script(void **state)
{
    struct conversation *talk = *state;
    char program[RUNNING_SERVICE_TEXT_MAX];
    const char *const arguments[] = {running_service_program("xqueue-grade", program),
                                     "--address",
                                     talk->service.core,
                                     "--queue",
                                     "calm",
                                     "--",
                                     script,
                                     NULL};
    const char *const environment[] = {"XQUEUE_USER=grader", "XQUEUE_PASSWORD=grader", NULL};
    struct running_program *grader =
        running_program_start(&(struct running_program_options){.arguments = arguments, .environment = environment});
    student_submits(talk, "calm", "/script", "{\"student_response\": \"echo hello\"}");

    assert_non_null(strstr(lms_hears(talk, "/script", 0)->result, "Well done"));

    running_program_signal(grader, SIGTERM);
    assert_int_equal(running_program_wait(grader), 0);
    running_program_destroy(grader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_grader_of_the_documents_grades),
        cmocka_unit_test(a_grader_in_cpp_stops_in_good_order),
        cmocka_unit_test(a_grader_that_is_newer_than_the_library_says_so),
        cmocka_unit_test(the_installed_program_grades_with_a_script),
    };
    if (setenv("XQUEUE_TEST_BIN", INSTALLED, 1) != 0) {
        return EXIT_FAILURE;
    }
    return cmocka_run_group_tests_name("installed", tests, conversation_set_up, conversation_tear_down);
}
