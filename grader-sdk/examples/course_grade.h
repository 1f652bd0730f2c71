/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The handler of the course grader: finds the problem's tests, runs the student's program on each, answers with score and
 * message.
 *
 * The program that links this must pass on to child_main (course_child.h) when its first argument is CHILD_OPTION.
 *
 * Threading: any thread.
 */
#ifndef GRADER_SDK_EXAMPLES_COURSE_GRADE_H
#define GRADER_SDK_EXAMPLES_COURSE_GRADE_H

#include <stdint.h>
#include <xqueue/grader.h>

struct course {
    const char *folder;    /* with a folder for each problem */
    int64_t time_limit_ms; /* for each test, wall clock */
};

/* An xqueue_handler; context is the struct course. */
void course_grade(struct xqueue_submission *submission, void *context);

#endif
