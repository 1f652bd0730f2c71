/* SPDX-License-Identifier: Apache-2.0 */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const char *const names[STATUS_COUNT] = {
    [STATUS_OK] = "ok",
    [STATUS_INVALID] = "invalid",
    [STATUS_UNAUTHENTICATED] = "unauthenticated",
    [STATUS_DENIED] = "denied",
    [STATUS_NOT_FOUND] = "not_found",
    [STATUS_EXISTS] = "exists",
    [STATUS_WRONG_STATE] = "wrong_state",
    [STATUS_STALE] = "stale",
    [STATUS_FULL] = "full",
    [STATUS_UNAVAILABLE] = "unavailable",
    [STATUS_UNIMPLEMENTED] = "unimplemented",
    [STATUS_TIMEOUT] = "timeout",
    [STATUS_CANCELED] = "canceled",
    [STATUS_DATA_LOSS] = "data_loss",
    [STATUS_NO_MEMORY] = "no_memory",
    [STATUS_INTERNAL] = "internal",
};

const char *status_name(enum status status)
{
    // An enum may be signed; anything outside of the table is a bug of the caller, but must not crash a log line.
    unsigned index = (unsigned)status;
    return index < STATUS_COUNT ? names[index] : "unknown";
}

enum status error_set(struct error *error, enum status status, const char *reason, const char *format, ...)
{
    if (!error)
        return status;
    // Built aside because an argument may be the old error->text. The spare bytes let text_copy see where a sequence is cut.
    char text[ERROR_TEXT_MAX + 4];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length < 0)
        text[0] = '\0';
    char reason_copy[ERROR_REASON_MAX];
    text_copy(reason_copy, sizeof reason_copy, reason ? reason : "");
    memcpy(error->reason, reason_copy, sizeof reason_copy);
    text_copy(error->text, sizeof error->text, text);
    text_make_printable(error->text); // it goes into logs and into gRPC status messages
    error->retry_after_ms = 0;
    return status;
}
