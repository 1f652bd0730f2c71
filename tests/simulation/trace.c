/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/trace.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

static const char *const names[PROMISE_END] = {
    [PROMISE_KEPT] = "kept",
    [PROMISE_ACKNOWLEDGED] = "acknowledged",
    [PROMISE_ONE_LEASE] = "one-lease",
    [PROMISE_STALE_KEY] = "stale-key",
    [PROMISE_ONE_RESULT] = "one-result",
    [PROMISE_CREDIT] = "credit",
    [PROMISE_RESTART] = "restart",
    [PROMISE_DELIVERY] = "delivery",
    [PROMISE_FINAL] = "final",
    [PROMISE_LABELS] = "labels",
    [PROMISE_FAIR] = "fair",
    [PROMISE_STATE] = "state",
    [PROMISE_MEMORY] = "memory",
    [PROMISE_ANSWER] = "answer",
};

const char *promise_name(enum promise promise)
{
    return names[promise];
}

enum promise promise_from_name(const char *name)
{
    enum promise promise = PROMISE_KEPT;
    while (promise < PROMISE_END && strcmp(names[promise], name) != 0)
        promise++;
    return promise;
}

void trace_add(struct trace *trace, const char *format, ...)
{
    char *line = trace->lines[trace->count++ % TRACE_LINES_MAX];
    int length = snprintf(line, TRACE_LINE_MAX, "%8" PRIu64 " %+13.3f s  ", trace->step,
                          (double)(trace->now_ms - trace->start_ms) / 1000.0);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line + length, TRACE_LINE_MAX - (size_t)length, format, arguments);
    va_end(arguments);
    if (trace->also)
        fprintf(trace->also, "%s\n", line);
}

void trace_break(struct trace *trace, enum promise promise, const char *format, ...)
{
    if (trace->broken != PROMISE_KEPT)
        return;
    trace->broken = promise;
    trace->broken_at = trace->step;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(trace->breach, sizeof trace->breach, format, arguments);
    va_end(arguments);
    trace_add(trace, "BROKEN %s: %.150s", names[promise], trace->breach);
}

void trace_print(const struct trace *trace, FILE *stream)
{
    uint64_t first = trace->count > TRACE_LINES_MAX ? trace->count - TRACE_LINES_MAX : 0;
    for (uint64_t at = first; at < trace->count; at++)
        fprintf(stream, "%s\n", trace->lines[at % TRACE_LINES_MAX]);
}
