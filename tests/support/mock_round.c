/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/mock_round.h"

#include <pthread.h>
#include <stdio.h>

#include "grader-sdk/include/xqueue/grader_mock.h"

enum { PATIENCE_MS = 20000 };

static void handle(struct xqueue_submission *submission, void *context)
{
    (void)context;
    (void)xqueue_submission_complete(submission, "{}", 2);
}

static void *run(void *context)
{
    static enum xqueue_status status; // of the one round
    status = xqueue_grader_run(context, NULL);
    return &status;
}

static enum xqueue_status grade_one(struct xqueue_mock *mock, struct xqueue_error *error)
{
    struct xqueue_mock_submission submission;
    uint64_t id = 0;
    xqueue_mock_submission_init(&submission);
    submission.queue = "cs101";
    enum xqueue_status status = xqueue_mock_submit(mock, &submission, &id, error);
    return status == XQUEUE_STATUS_OK ? xqueue_mock_wait(mock, id, XQUEUE_MOCK_COMPLETED, 1, PATIENCE_MS, error) : status;
}

static enum xqueue_status round_with(struct xqueue_mock *mock, struct xqueue_error *error)
{
    static const char *const queues[] = {"cs101"};
    struct xqueue_grader_options options;
    struct xqueue_grader *grader = NULL;
    pthread_t thread;
    void *outcome = NULL;
    xqueue_grader_options_init(&options);
    options.handler = handle;
    options.address = xqueue_mock_address(mock);
    options.queues = queues;
    options.queue_count = 1;
    enum xqueue_status status = xqueue_grader_create(&options, &grader, error);
    if (status != XQUEUE_STATUS_OK)
        return status;
    if (pthread_create(&thread, NULL, run, grader) != 0) {
        xqueue_grader_destroy(grader);
        return XQUEUE_STATUS_SYSTEM;
    }
    status = grade_one(mock, error);
    xqueue_grader_stop(grader);
    (void)pthread_join(thread, &outcome);
    xqueue_grader_destroy(grader);
    return status == XQUEUE_STATUS_OK ? *(enum xqueue_status *)outcome : status;
}

int mock_round(void)
{
    struct xqueue_mock *mock = NULL;
    struct xqueue_error error = {0};
    enum xqueue_status status = xqueue_mock_start(NULL, &mock, &error);
    if (status == XQUEUE_STATUS_OK)
        status = round_with(mock, &error);
    xqueue_mock_destroy(mock);
    if (status != XQUEUE_STATUS_OK)
        (void)fprintf(stderr, "%s: %s\n", xqueue_status_name(status), error.text);
    return status != XQUEUE_STATUS_OK;
}
