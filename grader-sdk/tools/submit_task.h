/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One submission from handing in to its end: submits, watches, fetches the result, through broken connections.
 *
 * Threading: one task on one thread; any number of them at the same time.
 */
#ifndef GRADER_SDK_TOOLS_SUBMIT_TASK_H
#define GRADER_SDK_TOOLS_SUBMIT_TASK_H

#include "base/span.h"
#include "grader-sdk/tools/submit_outcome.h"
#include "grader-sdk/tools/submit_run.h"
#include "grader-sdk/tools/submit_view.h"

struct submit_task {
    struct submit_run *run;
    const char *path;       /* what is submitted; "-": standard input; NULL with id */
    const char *request_id; /* NULL: a random one */
    uint64_t id;            /* not 0: nothing is submitted, this one is waited for */
    /* How it stands now, and why a call is made again; of the thread that runs the task. NULL: nobody wants to know. */
    void (*on_change)(void *context, const struct submit_view *view);
    void (*on_wait)(void *context, const char *text);
    void *context;
};

/* Until it has ended, in whatever way; *out_outcome is to be finished. */
void submit_task_run(const struct submit_task *task, struct submit_outcome *out_outcome);

#endif
