/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/examples/course_answer.h"

#include <stdint.h>
#include <string.h>

enum { FIRST_PRINTABLE = 0x20, DELETE = 0x7f, SEQUENCE_MAX = 4, CONTINUATION_MASK = 0xc0, CONTINUATION = 0x80 };

/* The length of the UTF-8 sequence that text starts with; 0 when it is none. Surrogates and U+FFFE, U+FFFF, which XML forbids,
 * are none. (Unicode 15, table 3-7) */
static size_t sequence_length(const unsigned char *text, size_t length)
{
    static const struct {
        unsigned char first_min, first_max, second_min, second_max, length;
    } forms[] = {
        {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
        {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (text[0] < forms[i].first_min || text[0] > forms[i].first_max || length < forms[i].length)
            continue;
        bool is_whole = text[1] >= forms[i].second_min && text[1] <= forms[i].second_max;
        for (size_t at = 2; at < forms[i].length; at++)
            is_whole = is_whole && (text[at] & CONTINUATION_MASK) == CONTINUATION;
        bool is_forbidden = forms[i].length == 3 && memcmp(text, "\xef\xbf", 2) == 0 && text[2] >= 0xbe;
        return is_whole && !is_forbidden ? forms[i].length : 0;
    }
    return 0;
}

static const char *entity_of(unsigned char character)
{
    switch (character) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void answer_escape(FILE *page, const char *text, size_t length)
{
    bool is_cut = length > ANSWER_QUOTE_BYTES_MAX;
    length = is_cut ? ANSWER_QUOTE_BYTES_MAX : length;
    for (size_t at = 0; at < length;) {
        const unsigned char *here = (const unsigned char *)text + at;
        const char *entity = entity_of(*here);
        bool is_plain = (*here >= FIRST_PRINTABLE && *here < DELETE) || *here == '\n' || *here == '\t';
        size_t step = is_plain ? 1 : sequence_length(here, length - at);
        if (entity)
            (void)fputs(entity, page);
        else if (step > 0)
            (void)fwrite(here, 1, step, page);
        else
            (void)fputc('?', page);
        at += step > 0 ? step : 1;
    }
    if (is_cut)
        (void)fputs("...", page);
}

/* The next line without blanks at its end; moves *text behind it. */
static size_t next_line(const char **text, const char *end, const char **out_line)
{
    const char *newline = memchr(*text, '\n', (size_t)(end - *text));
    const char *line_end = newline ? newline : end;
    *out_line = *text;
    *text = newline ? newline + 1 : end;
    while (line_end > *out_line && strchr(" \t\r", line_end[-1]) && line_end[-1])
        line_end--;
    return (size_t)(line_end - *out_line);
}

bool answer_matches(const char *expected, const char *output, size_t output_length)
{
    const char *expected_end = expected + strlen(expected);
    const char *output_end = output + output_length;
    while (expected < expected_end || output < output_end) {
        const char *expected_line;
        const char *output_line;
        size_t expected_length = next_line(&expected, expected_end, &expected_line);
        size_t line_length = next_line(&output, output_end, &output_line);
        if (expected_length != line_length || memcmp(expected_line, output_line, line_length) != 0)
            return false;
    }
    return true;
}
