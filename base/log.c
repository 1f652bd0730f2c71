/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

static const char *program_name; // NULL: as the process was called
static enum log_level level_min = LOG_INFO;
static enum log_format line_format = LOG_LOGFMT;
static _Atomic int output = STDERR_FILENO;

void log_configure(const char *program, enum log_level level, enum log_format format)
{
    program_name = program;
    level_min = level;
    line_format = format;
}

void log_redirect(int descriptor)
{
    atomic_store(&output, descriptor);
}

bool log_enabled(enum log_level level)
{
    return level >= level_min;
}

/* One line being built. A piece that does not fit sets full, and the caller goes back to where the last whole field ended. */
struct line {
    char bytes[LOG_LINE_MAX];
    size_t length;
    bool full;
};

/* For the closing brace and the newline, which always fit. */
enum { LINE_TAIL = 2 };

static void line_add(struct line *line, const char *bytes, size_t length)
{
    if (line->full || length > sizeof line->bytes - LINE_TAIL - line->length) {
        line->full = true;
        return;
    }
    memcpy(line->bytes + line->length, bytes, length);
    line->length += length;
}

static void line_add_string(struct line *line, const char *string)
{
    line_add(line, string, strlen(string));
}

/* The escape of one character, or NULL when it stands for itself. step: its bytes, 0 when it is not UTF-8. */
static const char *escape_of(const char *at, size_t step, char room[8])
{
    unsigned char byte = (unsigned char)at[0];
    if (step == 0)
        return "\xef\xbf\xbd"; // U+FFFD, the replacement character
    if (byte == '"')
        return "\\\"";
    if (byte == '\\')
        return "\\\\";
    if (byte == '\n')
        return "\\n";
    // The second range of control characters, U+0080 to U+009F, steers terminals too.
    unsigned code = step == 2 && byte == 0xc2 ? (unsigned char)at[1] : byte;
    if (byte < 0x20 || byte == 0x7f || (step == 2 && code < 0xa0)) {
        (void)snprintf(room, 8, "\\u%04x", code & 0xff);
        return room;
    }
    return NULL;
}

static void line_add_quoted(struct line *line, const char *text, size_t length)
{
    line_add(line, "\"", 1);
    for (size_t at = 0; at < length;) {
        size_t step = text_utf8_step(text + at, length - at);
        char room[8];
        const char *escape = escape_of(text + at, step, room);
        if (escape)
            line_add_string(line, escape);
        else
            line_add(line, text + at, step);
        at += step ? step : 1;
    }
    line_add(line, "\"", 1);
}

/* May this logfmt value stand without quotes? */
static bool is_plain(const char *text, size_t length)
{
    for (size_t at = 0; at < length; at++) {
        unsigned char byte = (unsigned char)text[at];
        if (byte <= ' ' || byte >= 0x7f || byte == '"' || byte == '=' || byte == '\\')
            return false;
    }
    return length > 0;
}

static void line_add_field(struct line *line, const struct log_field *field)
{
    size_t start = line->length;
    bool json = line_format == LOG_JSON;
    if (start > 1)
        line_add(line, json ? "," : " ", 1);
    if (json)
        line_add_quoted(line, field->key, strlen(field->key));
    else
        line_add_string(line, field->key);
    line_add(line, json ? ":" : "=", 1);
    if (field->text) {
        // Looking one byte past the limit is enough to see that the value is longer.
        size_t length = text_utf8_cut(field->text, strnlen(field->text, LOG_VALUE_MAX + 1), LOG_VALUE_MAX);
        if (!json && is_plain(field->text, length))
            line_add(line, field->text, length);
        else
            line_add_quoted(line, field->text, length);
    } else {
        char number[24];
        (void)snprintf(number, sizeof number, "%" PRId64, field->number);
        line_add_string(line, number);
    }
    if (line->full)
        line->length = start;
}

static void line_send(const struct line *line)
{
    ssize_t written;
    do {
        written = write(atomic_load(&output), line->bytes, line->length);
    } while (written < 0 && errno == EINTR);
    // There is nobody to tell that the log itself is broken; the program works on without it.
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    static const char *const level_names[] = {"debug", "info", "warn", "error"};
    if (!log_enabled(level))
        return;
    int errno_before = errno;
    char stamp[CLOCK_STAMP_MAX];
    const struct log_field head[] = {
        LOG_TEXT("time", clock_stamp(clock_wall_ms(), stamp)),
        LOG_TEXT("level", level_names[level]),
        LOG_TEXT("program", program_name ? program_name : program_invocation_short_name),
        LOG_TEXT("event", event),
    };
    struct line line;
    line.length = 0;
    line.full = false;
    if (line_format == LOG_JSON)
        line_add(&line, "{", 1);
    for (size_t at = 0; at < sizeof head / sizeof *head; at++)
        line_add_field(&line, &head[at]);
    for (size_t at = 0; at < count; at++)
        line_add_field(&line, &fields[at]);
    if (line_format == LOG_JSON)
        line.bytes[line.length++] = '}';
    line.bytes[line.length++] = '\n';
    line_send(&line);
    errno = errno_before;
}

bool log_once_enter(struct log_once *once)
{
    return !atomic_exchange(&once->entered, true);
}

bool log_once_leave(struct log_once *once)
{
    return atomic_exchange(&once->entered, false);
}
