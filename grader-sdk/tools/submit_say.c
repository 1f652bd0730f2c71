/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/tools/submit_say.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

enum { LINE_BYTES_MAX = 2048 };

static void say(const char *format, va_list arguments)
{
    char text[LINE_BYTES_MAX];
    (void)vsnprintf(text, sizeof text, format, arguments);
    text_make_printable(text);
    (void)fprintf(stderr, "xqueue-submit: %s\n", text);
}

void submit_say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
}

int submit_fail(int exit_code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
    return exit_code;
}

const char *submit_error_text(enum status status, const struct error *error, char out[SUBMIT_ERROR_TEXT_MAX])
{
    const char *text = error->text[0] != '\0' ? error->text : status_name(status);
    if (error->reason[0] == '\0')
        (void)snprintf(out, SUBMIT_ERROR_TEXT_MAX, "%s", text);
    else if (error->retry_after_ms > 0)
        (void)snprintf(out, SUBMIT_ERROR_TEXT_MAX, "%s (%s, try again in %" PRId64 " ms)", text, error->reason,
                       error->retry_after_ms);
    else
        (void)snprintf(out, SUBMIT_ERROR_TEXT_MAX, "%s (%s)", text, error->reason);
    return out;
}

void submit_print_lines(FILE *stream, const char *text)
{
    char *copy = memory_copy_text(text);
    for (char *line = copy; *line != '\0';) {
        char *end = line + strcspn(line, "\n");
        bool is_last = *end == '\0';
        *end = '\0';
        for (char *tab = strchr(line, '\t'); tab; tab = strchr(tab, '\t'))
            *tab = ' ';
        if (end > line && end[-1] == '\r')
            end[-1] = '\0';
        text_make_printable(line);
        (void)fprintf(stream, "%s\n", line);
        line = is_last ? end : end + 1;
    }
    memory_free(copy);
}
