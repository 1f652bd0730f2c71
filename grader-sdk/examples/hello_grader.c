/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest grader: gives everybody full marks. `XQUEUE_QUEUES=cs101 hello_grader` */
#include <stdio.h>
#include <xqueue/grader.h>

static void grade(struct xqueue_submission *submission, void *context)
{
    (void)context;
    static const char result[] = "{\"correct\": true, \"score\": 1, \"msg\": \"<p>Hello!</p>\"}";
    xqueue_submission_complete(submission, result, sizeof(result) - 1);
}

int main(void)
{
    struct xqueue_grader_options options;
    struct xqueue_grader *grader;
    struct xqueue_error error = {0};
    xqueue_grader_options_init(&options); // address, queues, user and password come from XQUEUE_... variables
    options.handler = grade;
    if (xqueue_grader_create(&options, &grader, &error) != XQUEUE_STATUS_OK)
        return fprintf(stderr, "%s\n", error.text), 1;
    enum xqueue_status status = xqueue_grader_run(grader, &error); // until it fails: nobody calls xqueue_grader_stop
    xqueue_grader_destroy(grader);
    return fprintf(stderr, "%s\n", error.text), status != XQUEUE_STATUS_OK;
}
