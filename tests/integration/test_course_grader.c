/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support PkgConfig::JANSSON */
/* The grader of the examples, a real program on the SDK: it grades, it is killed, the service is killed under it, it is
 * stopped. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/clock.h"
#include "tests/support/conversation.h"

#define STATE(name_) XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_##name_

#define FIBONACCI                  "a, b = 0, 1\nfor _ in range(int(input())):\n    a, b = b, a + b\nprint(a)\n"
#define WRONG_FIBONACCI            "print(1)\n"
#define HANGING_FIBONACCI          "while True:\n    pass\n"
#define TIME_LIMIT_FOR_EVER        "600"
#define TIME_LIMIT_OF_A_SECOND     "1" // for programs that hang: on a busy machine others may need longer
#define TIME_LIMIT_OF_SOME_SECONDS "4"

static const char course[] = XQUEUE_SOURCE_DIR "/grader-sdk/examples/course";

static struct running_program *grader_starts(struct conversation *talk, const char *name, const char *queue,
                                             const char *time_limit_s)
{
    char program[RUNNING_SERVICE_TEXT_MAX];
    char grader[RUNNING_SERVICE_TEXT_MAX];
    const char *const arguments[] = {running_service_program("course_grader", program),
                                     "--queue",
                                     queue,
                                     "--course",
                                     course,
                                     "--address",
                                     talk->service.core,
                                     "--time-limit",
                                     time_limit_s,
                                     NULL};
    const char *const environment[] = {"XQUEUE_USER=grader", "XQUEUE_PASSWORD=grader", grader, NULL};
    const struct running_program_options options = {.arguments = arguments, .environment = environment};

    (void)snprintf(grader, sizeof(grader), "XQUEUE_GRADER=%s", name);
    return running_program_start(&options);
}

/* As the LMS wraps what a student typed. Free it. */
static char *wrap(const char *program)
{
    json_t *body = json_pack("{s:s, s:s}", "student_response", program, "grader_payload",
                             "{\"problem\": \"fibonacci\", \"language\": \"python\"}");
    char *text = json_dumps(body, 0);

    json_decref(body);
    assert_non_null(text);
    return text;
}

static void lms_submits_program(struct conversation *talk, const char *queue, const char *path, const char *program)
{
    char *body = wrap(program);

    lms_submits(talk, queue, path, body);
    free(body);
}

static uint64_t student_submits_program(struct conversation *talk, const char *queue, const char *path, const char *program)
{
    char *body = wrap(program);
    const uint64_t id = student_submits(talk, queue, path, body);

    free(body);
    return id;
}

static void lms_hears_grade(struct conversation *talk, const char *path, bool is_correct, const char *in_message)
{
    const struct fake_lms_callback *callback = lms_hears(talk, path, 0);
    json_t *grade = json_loads(callback->result, 0, NULL);
    const json_t *correct = json_object_get(grade, "correct");
    const char *message = json_string_value(json_object_get(grade, "msg"));

    assert_true(json_is_boolean(correct));
    assert_true(json_is_number(json_object_get(grade, "score")));
    assert_non_null(message);
    assert_int_equal(json_is_true(correct), is_correct);
    assert_non_null(strstr(message, in_message));
    json_decref(grade);
}

/* A right program that takes two seconds, and leaves a mark, named as path, when it has begun: then the grader surely has it.
 * Returns when it has. */
static uint64_t slow_program_begins(struct conversation *talk, const char *path)
{
    char mark[RUNNING_SERVICE_TEXT_MAX];
    char program[RUNNING_SERVICE_TEXT_MAX * 2];

    (void)snprintf(program, sizeof(program), "import time\nopen('%s', 'w').close()\ntime.sleep(0.4)\n" FIBONACCI,
                   running_service_path(&talk->service, path + 1, mark));
    const uint64_t id = student_submits_program(talk, "calm", path, program);
    const int64_t deadline_us = clock_monotonic_us() + INT64_C(1000) * CONVERSATION_PATIENCE_MS;
    while (access(mark, F_OK) != 0) {
        assert_in_range(admin_sees(talk, id).attempt, 0, 1);
        assert_true(clock_monotonic_us() < deadline_us);
    }
    return id;
}

static void right_wrong_and_hanging_programs_are_graded_as_such(void **state)
{
    struct conversation *talk = *state;
    struct running_program *grader = grader_starts(talk, "course", "calm", TIME_LIMIT_OF_SOME_SECONDS);

    lms_submits_program(talk, "calm", "/right", FIBONACCI);
    lms_submits_program(talk, "calm", "/wrong", WRONG_FIBONACCI);
    lms_submits_program(talk, "calm", "/hanging", HANGING_FIBONACCI);

    lms_hears_grade(talk, "/right", true, "passed");
    lms_hears_grade(talk, "/wrong", false, "Expected output");
    lms_hears_grade(talk, "/hanging", false, "time limit");
    grader_ends(grader, SIGTERM, 0);
}

/* A program that writes its process id to path's mark, and hangs. Returns when it has. */
static pid_t hanging_program_begins(struct conversation *talk, const char *path, uint64_t *out_id)
{
    char mark[RUNNING_SERVICE_TEXT_MAX];
    char program[RUNNING_SERVICE_TEXT_MAX * 2];
    const int64_t deadline_us = clock_monotonic_us() + INT64_C(1000) * CONVERSATION_PATIENCE_MS;
    FILE *file = NULL;
    int pid = 0;

    (void)snprintf(program, sizeof(program), "import os\nopen('%s', 'w').write(str(os.getpid()) + '\\n')\n" HANGING_FIBONACCI,
                   running_service_path(&talk->service, path + 1, mark));
    *out_id = student_submits_program(talk, "hasty", path, program);
    while (pid == 0) {
        assert_true(clock_monotonic_us() < deadline_us);
        assert_in_range(admin_sees(talk, *out_id).attempt, 0, 1);
        file = fopen(mark, "re");
        if (file != NULL) {
            char line[RUNNING_SERVICE_TEXT_MAX] = "";
            const char *got = fgets(line, sizeof(line), file);
            pid = got != NULL && strchr(line, '\n') != NULL ? atoi(line) : 0;
            (void)fclose(file);
        }
    }
    return pid;
}

static void what_a_killed_grader_held_is_graded_by_another(void **state)
{
    struct conversation *talk = *state;
    struct running_program *victim = grader_starts(talk, "victim", "hasty", TIME_LIMIT_FOR_EVER);

    uint64_t id = 0;
    const pid_t orphan = hanging_program_begins(talk, "/orphan", &id);
    grader_ends(victim, SIGKILL, -SIGKILL);
    const int64_t deadline_us = clock_monotonic_us() + INT64_C(1000) * CONVERSATION_PATIENCE_MS;
    while (kill(orphan, 0) == 0) { // the student's program dies with its grader
        assert_true(clock_monotonic_us() < deadline_us);
        (void)admin_sees(talk, id);
    }
    struct running_program *heir = grader_starts(talk, "heir", "hasty", TIME_LIMIT_OF_A_SECOND);

    lms_hears_grade(talk, "/orphan", false, "time limit");
    const struct core_view view = admin_sees(talk, id);
    assert_string_equal(view.grader, "heir");
    assert_int_equal(view.attempt, 2);
    grader_ends(heir, SIGTERM, 0);
}

static void a_grader_goes_on_when_the_service_was_killed_under_it(void **state)
{
    struct conversation *talk = *state;
    struct running_program *grader = grader_starts(talk, "steady", "calm", TIME_LIMIT_FOR_EVER);

    const uint64_t id = slow_program_begins(talk, "/steady");
    running_service_kill_core(&talk->service);
    running_service_start_core(&talk->service);

    lms_hears_grade(talk, "/steady", true, "passed");
    assert_int_equal(admin_sees(talk, id).attempt, 1);
    grader_ends(grader, SIGTERM, 0);
}

static void a_stopped_grader_finishes_what_it_has_begun(void **state)
{
    struct conversation *talk = *state;
    struct running_program *grader = grader_starts(talk, "stopping", "calm", TIME_LIMIT_FOR_EVER);

    const uint64_t id = slow_program_begins(talk, "/begun");
    const uint64_t later = student_submits_program(talk, "calm", "/later", FIBONACCI);
    grader_ends(grader, SIGTERM, 0);

    lms_hears_grade(talk, "/begun", true, "passed");
    assert_int_equal(admin_sees(talk, id).attempt, 1);
    assert_int_equal(admin_sees(talk, later).state, STATE(READY));
    grader = grader_starts(talk, "next", "calm", TIME_LIMIT_FOR_EVER);
    lms_hears_grade(talk, "/later", true, "passed");
    grader_ends(grader, SIGTERM, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_wrong_and_hanging_programs_are_graded_as_such),
        cmocka_unit_test(what_a_killed_grader_held_is_graded_by_another),
        cmocka_unit_test(a_grader_goes_on_when_the_service_was_killed_under_it),
        cmocka_unit_test(a_stopped_grader_finishes_what_it_has_begun),
    };
    return cmocka_run_group_tests(tests, conversation_set_up, conversation_tear_down);
}
