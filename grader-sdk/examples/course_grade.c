/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/examples/course_grade.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "grader-sdk/examples/course_answer.h"
#include "grader-sdk/examples/course_problem.h"
#include "grader-sdk/examples/course_run.h"

enum { MS_PER_SECOND = 1000, RETRY_MS = 10000, PERCENT = 100 };

/* One submission being graded. */
struct grading {
    const struct course *course;
    struct xqueue_submission *submission;
    struct task task;
    struct problem problem;
    struct run run;
    FILE *page; /* memory stream into html */
    char *html;
    size_t html_length;
    size_t passed;
};

static void quote(struct grading *grading, const char *title, const char *text, size_t length)
{
    (void)fprintf(grading->page, "<p>%s</p><pre>", title);
    answer_escape(grading->page, text, length);
    (void)fputs("</pre>", grading->page);
}

static void describe_difference(struct grading *grading, const struct problem_case *test)
{
    const struct run *run = &grading->run;
    if (test->input[0])
        quote(grading, "Input:", test->input, strlen(test->input));
    quote(grading, "Expected output:", test->expected, strlen(test->expected));
    quote(grading, "Your output:", run->output, run->output_length);
    if (run->complaint_length > 0)
        quote(grading, "Your program complained:", run->complaint, run->complaint_length);
}

/* Writes how a test went. False: no use in running the others. */
static bool describe(struct grading *grading, const struct problem_case *test, enum run_outcome outcome)
{
    const struct run *run = &grading->run;
    bool is_right =
        outcome == RUN_ENDED && run->exit_code == 0 && answer_matches(test->expected, run->output, run->output_length);
    grading->passed += is_right;
    (void)fputs("<li>", grading->page);
    answer_escape(grading->page, test->name, strlen(test->name));
    if (is_right)
        (void)fputs(": passed", grading->page);
    else if (outcome == RUN_OUT_OF_TIME)
        (void)fprintf(grading->page, ": time limit of %" PRId64 " s reached; the other tests were not run",
                      run->time_limit_ms / MS_PER_SECOND);
    else if (outcome == RUN_TOO_MUCH_OUTPUT)
        (void)fprintf(grading->page, ": more than %d bytes of output; the other tests were not run", RUN_OUTPUT_BYTES_MAX);
    else if (outcome == RUN_KILLED)
        (void)fputs(": your program crashed, or used too much memory or processor time", grading->page);
    else if (run->exit_code != 0)
        (void)fprintf(grading->page, ": your program failed with exit code %d", run->exit_code);
    else
        (void)fputs(": wrong output", grading->page);
    if (!is_right && (outcome == RUN_ENDED || outcome == RUN_KILLED))
        describe_difference(grading, test);
    (void)fputs("</li>", grading->page);
    return outcome == RUN_ENDED || outcome == RUN_KILLED;
}

static void give_result(struct grading *grading)
{
    size_t count = grading->problem.case_count;
    bool is_right = grading->passed == count;
    json_t *result = json_pack("{s:b, s:f, s:s}", "correct", is_right, "score", (double)grading->passed / (double)count, "msg",
                               grading->html);
    char *text = result ? json_dumps(result, JSON_COMPACT) : NULL;
    if (text)
        (void)xqueue_submission_complete(grading->submission, text, strlen(text));
    else
        (void)xqueue_submission_fail(grading->submission, XQUEUE_FAIL_TRANSIENT, "the result cannot be written", RETRY_MS);
    free(text);
    json_decref(result);
}

/* Runs the tests and answers. The page is open. */
static void run_tests(struct grading *grading)
{
    size_t count = grading->problem.case_count;
    enum run_outcome outcome = RUN_ENDED;
    bool goes_on = true;
    (void)fputs("<div><ul>", grading->page);
    for (size_t i = 0; i < count && goes_on; i++) {
        grading->run.test = &grading->problem.cases[i];
        (void)xqueue_submission_progress(grading->submission, "running tests", (unsigned)(i * PERCENT / count), NULL);
        outcome = run_program(&grading->run);
        if (outcome == RUN_LOST)
            return; // nobody waits for an answer
        if (outcome == RUN_BROKEN) {
            (void)xqueue_submission_fail(grading->submission, XQUEUE_FAIL_TRANSIENT, "the program cannot be run here",
                                         RETRY_MS);
            return;
        }
        goes_on = describe(grading, grading->run.test, outcome);
    }
    (void)fprintf(grading->page, "</ul><p>%zu of %zu tests passed.</p></div>", grading->passed, count);
    if (fflush(grading->page) == 0)
        give_result(grading);
}

static void grade_problem(struct grading *grading)
{
    grading->run.task = &grading->task;
    grading->run.submission = grading->submission;
    grading->run.time_limit_ms = grading->course->time_limit_ms;
    grading->page = open_memstream(&grading->html, &grading->html_length);
    if (!grading->page)
        return; // no answer: tried again
    run_tests(grading);
    (void)fclose(grading->page);
    free(grading->html);
}

static void grade_task(struct grading *grading)
{
    switch (problem_read(&grading->problem, grading->course->folder, grading->task.problem)) {
    case PROBLEM_OK:
        grade_problem(grading);
        problem_finish(&grading->problem);
        break;
    case PROBLEM_UNKNOWN:
        (void)xqueue_submission_fail(grading->submission, XQUEUE_FAIL_UNGRADABLE, "this course has no such problem", 0);
        break;
    case PROBLEM_BROKEN:
        (void)xqueue_submission_fail(grading->submission, XQUEUE_FAIL_TRANSIENT, "the problem's tests cannot be read",
                                     RETRY_MS);
        break;
    }
}

void course_grade(struct xqueue_submission *submission, void *context)
{
    struct grading *grading = calloc(1, sizeof(*grading));
    if (!grading)
        return; // no answer: tried again
    grading->course = context;
    grading->submission = submission;
    size_t length = 0;
    const void *body = xqueue_submission_body(submission, &length);
    const char *why = NULL;
    if (task_read(&grading->task, body, length, &why)) {
        grade_task(grading);
        task_finish(&grading->task);
    } else {
        (void)xqueue_submission_fail(submission, XQUEUE_FAIL_UNGRADABLE, why, 0);
    }
    free(grading);
}
