/* SPDX-License-Identifier: Apache-2.0 */
#include "service/ctl/command.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { FAIL_TEXT_MAX = 1024 };

const struct command_value *command_option(const struct command_call *call, const char *name)
{
    size_t at = 0;
    while (at < call->command->option_count && strcmp(call->command->options[at].name, name) != 0)
        at++;
    assert(at < call->command->option_count);
    return &call->values[at];
}

bool command_flag(const struct command_call *call, const char *name)
{
    return command_option(call, name)->given;
}

int64_t command_number(const struct command_call *call, const char *name)
{
    return command_option(call, name)->number;
}

const char *command_text(const struct command_call *call, const char *name)
{
    const struct command_value *value = command_option(call, name);
    return value->count > 0 ? value->texts[value->count - 1] : NULL;
}

int command_fail(int exit_code, const char *format, ...)
{
    char text[FAIL_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    // Names come from outside: one line stays one line, and a terminal hears no commands.
    text_make_printable(text);
    (void)fprintf(stderr, "xqueuectl: %s\n", text);
    return exit_code;
}

/* What the core refuses for a reason of its own shows that it is there. */
static int exit_of(enum status status, const struct error *error)
{
    switch (status) {
    case STATUS_UNAUTHENTICATED:
    case STATUS_DENIED:
        return COMMAND_EXIT_REFUSED;
    case STATUS_UNAVAILABLE:
        return error->reason[0] == '\0' ? COMMAND_EXIT_UNREACHABLE : COMMAND_EXIT_FAILED;
    case STATUS_TIMEOUT:
        return COMMAND_EXIT_UNREACHABLE;
    case STATUS_CANCELED:
        return COMMAND_EXIT_INTERRUPTED;
    default:
        return COMMAND_EXIT_FAILED;
    }
}

int command_fail_status(enum status status, const struct error *error)
{
    assert(status != STATUS_OK);
    const char *text = error->text[0] != '\0' ? error->text : status_name(status);
    if (error->reason[0] == '\0' || strcmp(error->reason, "CONFIG") == 0)
        return command_fail(exit_of(status, error), "%s", text);
    if (error->retry_after_ms > 0)
        return command_fail(exit_of(status, error), "%s (%s, try again in %" PRId64 " ms)", text, error->reason,
                            error->retry_after_ms);
    return command_fail(exit_of(status, error), "%s (%s)", text, error->reason);
}
