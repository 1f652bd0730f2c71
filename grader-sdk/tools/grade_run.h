/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run of the program that grades, as seen from xqueue-grade: starts its keeper, reads what it says, watches the clock, and
 * returns only when nothing of it runs any more.
 *
 * Threading: any thread; each run in one. The thread must not end before the run does (the keeper would be told to end).
 */
#ifndef GRADER_SDK_TOOLS_GRADE_RUN_H
#define GRADER_SDK_TOOLS_GRADE_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "grader-sdk/tools/grade_child.h"

enum {
    GRADE_RUN_COMPLAINT_MAX = 2048, /* of standard error: its end is kept */
    GRADE_RUN_PROGRESS_MAX = 1024,  /* of a line of progress; longer ones are dropped */
};

enum grade_run_outcome {
    GRADE_RUN_ENDED,           /* by itself, with exit_code */
    GRADE_RUN_KILLED,          /* by signal; a limit of the kernel may be the cause */
    GRADE_RUN_OUT_OF_TIME,     /* wall clock */
    GRADE_RUN_TOO_MUCH_OUTPUT, /* on standard output */
    GRADE_RUN_OVER,            /* all of it together used more than limit says */
    GRADE_RUN_STOPPED,         /* must_stop said so */
    GRADE_RUN_BROKEN,          /* it could not be run: complaint says why */
};

struct grade_run {
    /* given */
    struct grade_child_plan plan; /* borrowed texts */
    const char *input;            /* path of what becomes standard input */
    bool (*must_stop)(void *context);
    void (*on_progress)(void *context, const char *line);
    void *context;

    /* result */
    int exit_code, signal;
    enum grade_limit limit;
    char *output; /* free it; may be NULL */
    size_t output_length;
    char complaint[GRADE_RUN_COMPLAINT_MAX + 1]; /* ends with a NUL */
    size_t complaint_length;
};

enum grade_run_outcome grade_run(struct grade_run *run);

#endif
