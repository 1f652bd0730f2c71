/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The W3C trace context that a request may carry (headers traceparent and tracestate), kept with a submission and handed on
 * with its callback: https://www.w3.org/TR/trace-context/. What is malformed is as if it had not been sent, as that says.
 *
 * Threading: pure.
 */
#ifndef REST_ADAPTER_TRACE_CONTEXT_H
#define REST_ADAPTER_TRACE_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>

enum {
    TRACE_PARENT_BYTES_MAX = 128, /* of version 00 exactly 55 */
    TRACE_STATE_BYTES_MAX = 512,
    TRACE_LINES_MAX = 2,
    TRACE_LINE_NAME_MAX = 16, /* "traceparent: " and a NUL */
};

/* Is it the value of a traceparent header: version, ids that are not all zeros, flags? */
bool trace_parent_is_valid(const char *value);
/* Is it a value that a tracestate header can have: 1 to 512 visible characters and blanks? */
bool trace_state_is_valid(const char *value);

/* Header lines "traceparent: ..." and "tracestate: ...": as many as the context has. lines points into the struct. */
struct trace_lines {
    size_t count;
    const char *lines[TRACE_LINES_MAX];
    char parent[TRACE_LINE_NAME_MAX + TRACE_PARENT_BYTES_MAX];
    char state[TRACE_LINE_NAME_MAX + TRACE_STATE_BYTES_MAX];
};

/* None for a parent that is not valid, and no state without a parent. */
void trace_lines_make(struct trace_lines *out, const char *parent, const char *state);

#endif
