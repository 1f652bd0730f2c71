/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/trace_context.h"

#include <stdio.h>
#include <string.h>

enum {
    VERSION_DIGITS = 2,
    TRACE_ID_DIGITS = 32,
    PARENT_ID_DIGITS = 16,
    FLAGS_DIGITS = 2,
    PARENT_LENGTH = VERSION_DIGITS + 1 + TRACE_ID_DIGITS + 1 + PARENT_ID_DIGITS + 1 + FLAGS_DIGITS,
};

static const char lower_hex[] = "0123456789abcdef";

/* Exactly so many lower-case hex digits at *at, and then the end or a dash; *at goes on behind them. */
static bool take_digits(const char **at, size_t count)
{
    bool are_right = strspn(*at, lower_hex) == count;
    *at += are_right ? count : 0;
    return are_right && (**at == '-' || **at == '\0');
}

/* A dash and an id, which is not all zeros. */
static bool take_id(const char **at, size_t count)
{
    return *(*at)++ == '-' && strspn(*at, "0") < count && take_digits(at, count);
}

bool trace_parent_is_valid(const char *value)
{
    const char *at = value;
    if (strnlen(value, TRACE_PARENT_BYTES_MAX + 1) > TRACE_PARENT_BYTES_MAX || strlen(value) < PARENT_LENGTH ||
        !trace_state_is_valid(value)) {
        return false;
    }
    if (!take_digits(&at, VERSION_DIGITS) || strncmp(value, "ff", VERSION_DIGITS) == 0 || !take_id(&at, TRACE_ID_DIGITS) ||
        !take_id(&at, PARENT_ID_DIGITS) || *at++ != '-' || !take_digits(&at, FLAGS_DIGITS)) {
        return false;
    }
    return *at == '\0' || strncmp(value, "00", VERSION_DIGITS) != 0; /* later versions may say more */
}

bool trace_state_is_valid(const char *value)
{
    size_t length = strnlen(value, TRACE_STATE_BYTES_MAX + 1);
    for (size_t i = 0; i < length; i++) {
        if (value[i] < ' ' || value[i] > '~') {
            return false;
        }
    }
    return length > 0 && length <= TRACE_STATE_BYTES_MAX;
}

void trace_lines_make(struct trace_lines *out, const char *parent, const char *state)
{
    out->count = 0;
    if (!trace_parent_is_valid(parent)) {
        return;
    }
    (void)snprintf(out->parent, sizeof(out->parent), "traceparent: %s", parent);
    out->lines[out->count++] = out->parent;
    if (trace_state_is_valid(state)) {
        (void)snprintf(out->state, sizeof(out->state), "tracestate: %s", state);
        out->lines[out->count++] = out->state;
    }
}
