/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/grade_talk.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <jansson.h>

enum { ARGUMENTS_MAX = 40 };

static void append(const char **arguments, size_t *count, const char *const *more)
{
    while (*more != NULL) {
        assert_true(*count + 1 < ARGUMENTS_MAX);
        arguments[(*count)++] = *more++;
    }
}

struct running_program *grade_starts(struct conversation *talk, const char *name, const char *queue, const char *const *options,
                                     const char *const *program)
{
    char path[RUNNING_SERVICE_TEXT_MAX];
    char grader[RUNNING_SERVICE_TEXT_MAX];
    const char *const environment[] = {"XQUEUE_USER=grader", "XQUEUE_PASSWORD=grader", grader, NULL};
    const char *arguments[ARGUMENTS_MAX] = {running_service_program("xqueue-grade", path),
                                            "--address",
                                            talk->service.core,
                                            "--queue",
                                            queue,
                                            "--folder",
                                            talk->service.folder};
    const struct running_program_options start = {.arguments = arguments, .environment = environment};
    size_t count = 7;

    (void)snprintf(grader, sizeof(grader), "XQUEUE_GRADER=%s", name);
    append(arguments, &count, options);
    arguments[count++] = "--";
    append(arguments, &count, program);
    assert_int_equal(chmod(talk->service.folder, 0711), 0); // as root programs run as somebody else, who must get through
    return running_program_start(&start);
}

void needs_namespaces(struct running_program *grader)
{
    assert_true(running_program_await(grader, "sandbox: ", 1));
    if (running_program_count(grader, "sandbox: namespaces") == 0) {
        grader_ends(grader, SIGTERM, 0);
        (void)fprintf(stderr, "NOT TESTED: this machine gives no namespaces\n");
        skip();
    }
}

uint64_t student_answers(struct conversation *talk, const char *queue, const char *path, const char *response,
                         const char *payload)
{
    json_t *body = json_pack("{s:s, s:s}", "student_response", response, "grader_payload", payload);
    char *text = json_dumps(body, 0);
    const uint64_t id = student_submits(talk, queue, path, text);

    json_decref(body);
    free(text);
    return id;
}

uint64_t student_hands_in(struct conversation *talk, const char *queue, const char *path, const char *script)
{
    return student_answers(talk, queue, path, script, "{\"problem\": 7}");
}

double lms_hears_grade(struct conversation *talk, const char *path, bool is_correct, const char *in_message)
{
    const struct fake_lms_callback *callback = lms_hears(talk, path, 0);
    json_t *grade = json_loads(callback->result, 0, NULL);
    const char *message = json_string_value(json_object_get(grade, "msg"));

    assert_non_null(message);
    if (strstr(message, in_message) == NULL || json_is_true(json_object_get(grade, "correct")) != is_correct) {
        fail_msg("%s: %s", path, callback->result);
    }
    assert_true(json_is_number(json_object_get(grade, "score")));
    const double score = json_number_value(json_object_get(grade, "score"));
    json_decref(grade);
    return score;
}
