/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/src/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { CONTROL_END = 0x20, DELETE = 0x7f };

/* Makes one clean line of what was formatted: cut where it fits, no control characters. */
static void write_line(char *out, size_t capacity, const char *format, va_list arguments)
{
    int length = vsnprintf(out, capacity, format, arguments);
    if (length < 0)
        out[0] = '\0';
    else if ((size_t)length >= capacity)
        out[text_utf8_cut(out, capacity - 1, capacity - 1)] = '\0';
    for (char *at = out; *at; at++)
        if ((unsigned char)*at < CONTROL_END || *at == DELETE)
            *at = '?';
}

void report_line(const struct report *report, enum xqueue_log_level level, const char *format, ...)
{
    if (!report->log || level < report->level)
        return;
    char line[REPORT_LINE_MAX];
    va_list arguments;
    va_start(arguments, format);
    write_line(line, sizeof(line), format, arguments);
    va_end(arguments);
    report->log(report->context, level, line);
}

static const struct {
    const char *name;
    bool retriable;
} kinds[] = {
    [XQUEUE_STATUS_OK] = {"ok", false},
    [XQUEUE_STATUS_INVALID] = {"invalid", false},
    [XQUEUE_STATUS_UNAUTHENTICATED] = {"unauthenticated", false},
    [XQUEUE_STATUS_DENIED] = {"denied", false},
    [XQUEUE_STATUS_NOT_FOUND] = {"not_found", false},
    [XQUEUE_STATUS_WRONG_STATE] = {"wrong_state", false},
    [XQUEUE_STATUS_LOST] = {"lost", false},
    [XQUEUE_STATUS_FULL] = {"full", false},
    [XQUEUE_STATUS_UNAVAILABLE] = {"unavailable", true},
    [XQUEUE_STATUS_UNIMPLEMENTED] = {"unimplemented", false},
    [XQUEUE_STATUS_TIMEOUT] = {"timeout", true},
    [XQUEUE_STATUS_CANCELED] = {"canceled", true},
    [XQUEUE_STATUS_REPLACED] = {"replaced", false},
    [XQUEUE_STATUS_NO_MEMORY] = {"no_memory", true},
    [XQUEUE_STATUS_SYSTEM] = {"system", true},
    [XQUEUE_STATUS_INTERNAL] = {"internal", false},
    [XQUEUE_STATUS_DATA_LOSS] = {"data_loss", true},
};

enum { KIND_COUNT = sizeof(kinds) / sizeof(kinds[0]) };

const char *xqueue_status_name(enum xqueue_status status)
{
    return (size_t)status < KIND_COUNT ? kinds[status].name : "unknown";
}

static const enum xqueue_status public_of[STATUS_COUNT] = {
    [STATUS_OK] = XQUEUE_STATUS_OK,
    [STATUS_INVALID] = XQUEUE_STATUS_INVALID,
    [STATUS_UNAUTHENTICATED] = XQUEUE_STATUS_UNAUTHENTICATED,
    [STATUS_DENIED] = XQUEUE_STATUS_DENIED,
    [STATUS_NOT_FOUND] = XQUEUE_STATUS_NOT_FOUND,
    [STATUS_EXISTS] = XQUEUE_STATUS_WRONG_STATE,
    [STATUS_WRONG_STATE] = XQUEUE_STATUS_WRONG_STATE,
    [STATUS_STALE] = XQUEUE_STATUS_LOST,
    [STATUS_FULL] = XQUEUE_STATUS_FULL,
    [STATUS_UNAVAILABLE] = XQUEUE_STATUS_UNAVAILABLE,
    [STATUS_UNIMPLEMENTED] = XQUEUE_STATUS_UNIMPLEMENTED,
    [STATUS_TIMEOUT] = XQUEUE_STATUS_TIMEOUT,
    [STATUS_CANCELED] = XQUEUE_STATUS_CANCELED,
    [STATUS_DATA_LOSS] = XQUEUE_STATUS_DATA_LOSS,
    [STATUS_NO_MEMORY] = XQUEUE_STATUS_NO_MEMORY,
    [STATUS_INTERNAL] = XQUEUE_STATUS_INTERNAL,
};

enum xqueue_status report_status(enum status status)
{
    return (size_t)status < STATUS_COUNT ? public_of[status] : XQUEUE_STATUS_INTERNAL;
}

enum xqueue_status report_error(struct xqueue_error *error, enum xqueue_status status, bool fatal, const char *reason,
                                const char *format, ...)
{
    if (!error)
        return status;
    memset(error, 0, sizeof(*error));
    error->status = status;
    error->retriable = (size_t)status < KIND_COUNT && kinds[status].retriable;
    error->fatal = fatal;
    va_list arguments;
    va_start(arguments, format);
    write_line(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    (void)text_copy(error->reason, sizeof(error->reason), reason ? reason : "");
    return status;
}
