/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/byte_range.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#define UNIT "bytes="

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t");
}

/* Reads digits; more than an int64_t holds counts as its maximum. false: there is none. */
static bool read_number(const char **at, int64_t *out)
{
    const char *start = *at;
    int64_t number = 0;

    for (; **at >= '0' && **at <= '9'; ++*at) {
        int64_t digit = **at - '0';

        number = number > (INT64_MAX - digit) / 10 ? INT64_MAX : number * 10 + digit;
    }
    *out = number;
    return *at > start;
}

/* "-N": the last N bytes. */
static enum byte_range_kind take_suffix(int64_t wanted, int64_t file_bytes, struct byte_range *out_range)
{
    if (wanted == 0) {
        *out_range = (struct byte_range){.first = 0, .length = 0};
        return BYTE_RANGE_UNSATISFIABLE;
    }
    if (file_bytes == 0) {
        return BYTE_RANGE_WHOLE; // satisfiable, but no Content-Range can say so
    }
    out_range->length = wanted < file_bytes ? wanted : file_bytes;
    out_range->first = file_bytes - out_range->length;
    return BYTE_RANGE_PART;
}

static enum byte_range_kind take_part(int64_t first, int64_t last, int64_t file_bytes, struct byte_range *out_range)
{
    if (first >= file_bytes) {
        *out_range = (struct byte_range){.first = 0, .length = 0};
        return BYTE_RANGE_UNSATISFIABLE;
    }
    out_range->first = first;
    out_range->length = (last < file_bytes ? last + 1 : file_bytes) - first;
    return BYTE_RANGE_PART;
}

enum byte_range_kind byte_range_parse(const char *value, int64_t file_bytes, struct byte_range *out_range)
{
    const char *at = value;
    int64_t first = 0;
    int64_t last = INT64_MAX;

    assert(file_bytes >= 0);
    *out_range = (struct byte_range){.first = 0, .length = file_bytes};
    if (value == NULL || strncasecmp(value, UNIT, strlen(UNIT)) != 0) {
        return BYTE_RANGE_WHOLE;
    }
    at = skip_blanks(value + strlen(UNIT));
    bool is_suffix = !read_number(&at, &first);
    if (*at != '-') {
        return BYTE_RANGE_WHOLE;
    }
    at++;
    bool has_last = read_number(&at, &last);
    if (*skip_blanks(at) != '\0' || (is_suffix && !has_last) || (has_last && !is_suffix && last < first)) {
        return BYTE_RANGE_WHOLE; // several parts, or nonsense
    }
    if (is_suffix) {
        return take_suffix(last, file_bytes, out_range);
    }
    return take_part(first, has_last ? last : INT64_MAX, file_bytes, out_range);
}
