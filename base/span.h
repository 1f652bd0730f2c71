/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counted bytes that somebody else owns; what parsers and writers of outside formats pass around.
 *
 * Threading: pure.
 */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* bytes: borrowed; may hold NUL bytes; NULL only when the thing is absent. */
struct span {
    const char *bytes;
    size_t length;
};

/* string: borrowed; NULL gives the absent span. */
static inline struct span span_of(const char *string)
{
    return (struct span){.bytes = string, .length = string ? strlen(string) : 0};
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.bytes, b.bytes, a.length) == 0);
}

/* Without the blanks and tabs at both ends. */
static inline struct span span_trim(struct span span)
{
    while (span.length > 0 && (span.bytes[0] == ' ' || span.bytes[0] == '\t')) {
        span.bytes++;
        span.length--;
    }
    while (span.length > 0 && (span.bytes[span.length - 1] == ' ' || span.bytes[span.length - 1] == '\t'))
        span.length--;
    return span;
}

#endif
