/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a student's program once: in a fresh folder, in a process group of its own, with limits of time, memory and output. When
 * it ends, or has to, the whole group is killed and reaped and the folder removed. This is protection against accidents, not
 * against attackers: there is no sandbox here.
 *
 * Threading: any thread.
 */
#ifndef GRADER_SDK_EXAMPLES_COURSE_RUN_H
#define GRADER_SDK_EXAMPLES_COURSE_RUN_H

#include <stddef.h>
#include <stdint.h>
#include <xqueue/grader.h>

#include "grader-sdk/examples/course_problem.h"

enum {
    RUN_OUTPUT_BYTES_MAX = 65536,
    RUN_COMPLAINT_BYTES_MAX = 2048, /* of standard error; the rest is read and dropped */
};

enum run_outcome {
    RUN_ENDED,           /* by itself, with exit_code */
    RUN_KILLED,          /* by a signal: it crashed, or used more processor time or memory than it may */
    RUN_OUT_OF_TIME,     /* wall clock */
    RUN_TOO_MUCH_OUTPUT, /* more than RUN_OUTPUT_BYTES_MAX */
    RUN_LOST,            /* the lease was lost meanwhile */
    RUN_BROKEN,          /* it could not be run: our fault */
};

struct run {
    /* given */
    const struct task *task;
    const struct problem_case *test;
    int64_t time_limit_ms;
    const struct xqueue_submission *submission; /* asked whether its lease is lost */

    /* result; the texts end with a NUL, and may contain others */
    int exit_code;
    char output[RUN_OUTPUT_BYTES_MAX + 1];
    size_t output_length;
    char complaint[RUN_COMPLAINT_BYTES_MAX + 1];
    size_t complaint_length;
};

enum run_outcome run_program(struct run *run);

#endif
