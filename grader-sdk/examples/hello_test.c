/* SPDX-License-Identifier: Apache-2.0 */
/* Tests a grader without a server: `hello_test PROGRAM`, for a PROGRAM that says "correct" to everybody, in any language. */
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <xqueue/grader_mock.h>

extern char **environ;

enum { PATIENCE_MS = 20000 }; /* only reached when the test fails */

/* Hands one in, and waits for its result. */
static bool is_graded(struct xqueue_mock *mock, const char *body, struct xqueue_error *error)
{
    struct xqueue_mock_submission submission;
    struct xqueue_mock_record *record;
    uint64_t id;
    xqueue_mock_submission_init(&submission);
    submission.queue = "cs101";
    submission.body = body;
    submission.body_length = strlen(body);
    if (xqueue_mock_submit(mock, &submission, &id, error) != XQUEUE_STATUS_OK ||
        xqueue_mock_wait(mock, id, XQUEUE_MOCK_COMPLETED, 1, PATIENCE_MS, error) != XQUEUE_STATUS_OK ||
        xqueue_mock_look(mock, id, &record, error) != XQUEUE_STATUS_OK)
        return false;
    bool is_correct = strstr(record->result, "\"correct\": true") != NULL;
    if (!is_correct)
        snprintf(error->text, sizeof(error->text), "not correct: %.200s", record->result);
    xqueue_mock_record_free(record);
    return is_correct;
}

/* It grades, also after its connection was cut. */
static bool grades(struct xqueue_mock *mock, struct xqueue_error *error)
{
    return is_graded(mock, "one", error) && xqueue_mock_drop_connections(mock, error) == XQUEUE_STATUS_OK &&
           is_graded(mock, "two", error);
}

int main(int argc, char **argv)
{
    struct xqueue_mock *mock;
    struct xqueue_error error = {0};
    char *arguments[] = {argc > 1 ? argv[1] : "./hello_grader", NULL};
    pid_t grader;
    if (xqueue_mock_start(NULL, &mock, &error) != XQUEUE_STATUS_OK)
        return fprintf(stderr, "%s\n", error.text), 1;
    setenv("XQUEUE_ADDRESS", xqueue_mock_address(mock), 1);
    setenv("XQUEUE_QUEUES", "cs101", 1);
    if (posix_spawn(&grader, arguments[0], NULL, NULL, arguments, environ) != 0)
        return fprintf(stderr, "%s does not start\n", arguments[0]), 1;
    bool is_fine = grades(mock, &error);
    kill(grader, SIGTERM);
    waitpid(grader, NULL, 0);
    xqueue_mock_destroy(mock);
    return fprintf(stderr, "%s\n", is_fine ? "fine" : error.text), !is_fine;
}
