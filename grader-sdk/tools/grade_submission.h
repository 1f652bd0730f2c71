/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One submission: its scratch folder, the run of the program, and what the program's end means.
 *
 *     exit code 0    standard output is the result
 *     65             not gradable, final; standard output says why, to the student, too
 *     75             could not grade, to be tried again; standard error says why, to operators
 *     all others     likewise, as are signals and limits (but see enum grade_at_limit)
 *
 * Threading: any thread.
 */
#ifndef GRADER_SDK_TOOLS_GRADE_SUBMISSION_H
#define GRADER_SDK_TOOLS_GRADE_SUBMISSION_H

#include <stdbool.h>
#include <xqueue/grader.h>

#include "grader-sdk/tools/grade_settings.h"

enum { GRADE_SUBMISSION_UNGRADABLE = 65, GRADE_SUBMISSION_RETRY = 75 }; /* EX_DATAERR, EX_TEMPFAIL */

/* The handler of the SDK; context is a struct grade_settings. */
void grade_submission(struct xqueue_submission *submission, void *context);

/* Runs nothing, with all limits, as settings->is_sandboxed says. False: it cannot be done, and out_why, of
 * XQUEUE_ERROR_TEXT_MAX bytes, says why. */
bool grade_submission_try(const struct grade_settings *settings, char *out_why);

/* A line on standard error. */
void grade_log(enum xqueue_log_level level, const char *text);

#endif
