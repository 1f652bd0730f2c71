/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the library speaks to its host: lines of log through the host's callback, and filled errors. Never prints.
 *
 * Threading: any thread; a struct report is immutable after it was filled.
 */
#ifndef GRADER_SDK_SRC_REPORT_H
#define GRADER_SDK_SRC_REPORT_H

#include "base/status.h"
#include "grader-sdk/include/xqueue/grader.h"

enum { REPORT_LINE_MAX = 768 }; /* bytes of a line including the final NUL; longer ones are cut */

struct report {
    xqueue_on_log *log; /* NULL: nobody listens */
    enum xqueue_log_level level;
    void *context;
};

/* Control characters become '?'. No lock of the library may be held: the callback is the host's. */
void report_line(const struct report *report, enum xqueue_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The one table from our statuses to those of the public header. */
enum xqueue_status report_status(enum status status);

/* Fills error (may be NULL) and returns status. reason may be NULL. fatal: the grader is at its end. */
enum xqueue_status report_error(struct xqueue_error *error, enum xqueue_status status, bool fatal, const char *reason,
                                const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
