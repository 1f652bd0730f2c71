/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structured log of the two programs: one line per event on standard error, as logfmt or JSON. Not for libraries:
 * the SDK reports through its caller's callback.
 *
 *     log_event(LOG_INFO, "lease_expired", LOG_INT("submission", id), LOG_TEXT("queue", name));
 *
 * Keys have fixed names (event, submission, queue, grader, status, reason, text ...). Bodies, lease keys, tokens and
 * passwords are never passed here. A line is written with one write(2); values are escaped and cut at LOG_VALUE_MAX.
 *
 * Threading: any thread (no lock: each line is built on the caller's stack). log_configure before other threads start.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

enum {
    LOG_VALUE_MAX = 512, /* bytes of one text value */
    LOG_LINE_MAX = 4096, /* bytes of one line */
};

struct log_field {
    const char *key;  /* borrowed; [a-z_]+ */
    const char *text; /* borrowed; NULL: the number counts */
    int64_t number;
};

/* A text that is not there is logged as "". (A function, so that arrays may be passed without the compiler's mockery.) */
static inline const char *log_text(const char *text)
{
    return text ? text : "";
}

#define LOG_TEXT(key_, text_)  ((struct log_field){.key = (key_), .text = log_text(text_)})
#define LOG_INT(key_, number_) ((struct log_field){.key = (key_), .number = (number_)})

/* program: name in every line, borrowed for the life of the process. Lines below level are dropped. */
void log_configure(const char *program, enum log_level level, enum log_format format);

/* Where lines go instead of file descriptor 2. For tests; the descriptor stays the caller's. */
void log_redirect(int descriptor);

bool log_enabled(enum log_level level);

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count);

#define log_event(level, event, ...)                                     \
    log_write((level), (event), (const struct log_field[]){__VA_ARGS__}, \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

/*
 * One line when a condition starts or ends instead of one per retry.
 *     static struct log_once core_away;  if (log_once_enter(&core_away)) log_event(...)
 * enter: true the first time since the last leave. leave: true if it had been entered.
 */
struct log_once {
    _Atomic bool entered;
};
bool log_once_enter(struct log_once *once);
bool log_once_leave(struct log_once *once);

#endif
