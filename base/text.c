/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/memory.h"

enum { CAPACITY_FIRST = 64 };

void text_init(struct text *text, size_t bytes_max)
{
    assert(bytes_max < SIZE_MAX / 2);
    size_t capacity = bytes_max + 1 < CAPACITY_FIRST ? bytes_max + 1 : CAPACITY_FIRST;
    *text = (struct text){.bytes = memory_allocate(capacity), .capacity = capacity, .bytes_max = bytes_max};
}

void text_finish(struct text *text)
{
    memory_free(text->bytes);
    *text = (struct text){0};
}

void text_clear(struct text *text)
{
    text->length = 0;
    text->bytes[0] = '\0';
    text->failed = false;
}

/* Makes room for length more bytes and the NUL; false when the text has failed, now or before. */
static bool text_reserve(struct text *text, size_t length)
{
    assert(text->bytes);
    if (text->failed || length > text->bytes_max - text->length) {
        text->failed = true;
        return false;
    }
    size_t needed = text->length + length + 1;
    if (needed <= text->capacity)
        return true;
    // bytes_max < SIZE_MAX / 2, so that doubling cannot overflow.
    size_t capacity = text->capacity * 2;
    if (capacity < needed)
        capacity = needed;
    if (capacity > text->bytes_max + 1)
        capacity = text->bytes_max + 1;
    text->bytes = memory_resize(text->bytes, capacity);
    text->capacity = capacity;
    return true;
}

void text_append(struct text *text, const void *bytes, size_t length)
{
    if (!text_reserve(text, length) || length == 0)
        return;
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

void text_append_string(struct text *text, const char *string)
{
    text_append(text, string, strlen(string));
}

void text_append_char(struct text *text, char character)
{
    text_append(text, &character, 1);
}

void text_append_format(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    // A negative length means more than INT_MAX bytes or a character that the locale cannot print: neither fits.
    if (length < 0) {
        text->failed = true;
    } else if (text_reserve(text, (size_t)length)) {
        (void)vsnprintf(text->bytes + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
}

enum status text_status(const struct text *text)
{
    return text->failed ? STATUS_FULL : STATUS_OK;
}

char *text_take(struct text *text, size_t *out_length)
{
    assert(text->bytes);
    char *bytes = text->bytes;
    if (out_length)
        *out_length = text->length;
    text_init(text, text->bytes_max);
    return bytes;
}

/* The range of the second byte of a sequence tells overlong forms, surrogates and numbers past U+10FFFF. (Unicode 15, table
 * 3-7) */
static const struct {
    uint8_t first_min, first_max, second_min, second_max, length;
} sequences[] = {
    {0x00, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

size_t text_utf8_step(const void *bytes, size_t length)
{
    const uint8_t *byte = bytes;
    if (length == 0)
        return 0;
    size_t row = 0;
    while (row < sizeof sequences / sizeof *sequences &&
           (byte[0] < sequences[row].first_min || byte[0] > sequences[row].first_max))
        row++;
    if (row == sizeof sequences / sizeof *sequences || sequences[row].length > length)
        return 0;
    size_t step = sequences[row].length;
    if (step > 1 && (byte[1] < sequences[row].second_min || byte[1] > sequences[row].second_max))
        return 0;
    for (size_t at = 2; at < step; at++) {
        if ((byte[at] & 0xc0) != 0x80)
            return 0;
    }
    return step;
}

size_t text_utf8_cut(const char *string, size_t length, size_t bytes_max)
{
    if (length <= bytes_max)
        return length;
    // Back from the first byte that is left out to the start of its sequence; without a start within reach it is not UTF-8.
    for (size_t back = 0; back <= 3 && back <= bytes_max; back++) {
        if (((unsigned char)string[bytes_max - back] & 0xc0) != 0x80)
            return bytes_max - back;
    }
    return bytes_max;
}

bool text_is_utf8(const void *bytes, size_t length)
{
    const char *string = bytes;
    for (size_t at = 0; at < length;) {
        size_t step = text_utf8_step(string + at, length - at);
        if (step == 0)
            return false;
        at += step;
    }
    return true;
}

void text_make_printable(char *text)
{
    enum { SPACE = 0x20, DELETE = 0x7f, C1_LEAD = 0xc2, C1_LAST = 0x9f };
    size_t length = strlen(text);
    for (size_t at = 0; at < length;) {
        size_t step = text_utf8_step(text + at, length - at);
        unsigned char byte = (unsigned char)text[at];
        bool is_late_control = step == 2 && byte == C1_LEAD && (unsigned char)text[at + 1] <= C1_LAST;
        if (is_late_control)
            text[at + 1] = '?';
        if (step == 0 || byte < SPACE || byte == DELETE || is_late_control) {
            text[at] = '?';
            step = 1;
        }
        at += step;
    }
}

bool text_is_name(const char *string, size_t bytes_max)
{
    size_t length = strnlen(string, bytes_max + 1);
    if (length == 0 || length > bytes_max || !text_is_utf8(string, length))
        return false;
    for (size_t at = 0; at < length; at++) {
        unsigned char byte = (unsigned char)string[at];
        if (byte < 0x20 || byte == 0x7f)
            return false;
    }
    return true;
}

bool text_copy(char *out, size_t capacity, const char *string)
{
    assert(capacity > 0);
    size_t length = strnlen(string, capacity);
    size_t copied = text_utf8_cut(string, length, capacity - 1);
    memcpy(out, string, copied);
    out[copied] = '\0';
    return copied == length;
}

void text_hex(char *out, const void *bytes, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *byte = bytes;
    for (size_t at = 0; at < length; at++) {
        out[2 * at] = digits[byte[at] >> 4];
        out[2 * at + 1] = digits[byte[at] & 15];
    }
    out[2 * length] = '\0';
}

bool text_equal_secret(const void *a, size_t a_length, const void *b, size_t b_length)
{
    return a_length == b_length && (a_length == 0 || CRYPTO_memcmp(a, b, a_length) == 0);
}

enum status text_to_int64(const char *string, int64_t min, int64_t max, int64_t *out)
{
    const char *digits = string + (string[0] == '-');
    if (digits[0] == '\0' || digits[strspn(digits, "0123456789")] != '\0')
        return STATUS_INVALID;
    errno = 0;
    long long number = strtoll(string, NULL, 10);
    if (errno == ERANGE || number < min || number > max)
        return STATUS_INVALID;
    *out = number;
    return STATUS_OK;
}

/* Only what a person writes as a decimal number: no blanks, no "inf", no "0x". */
static bool is_decimal(const char *string)
{
    static const char digits[] = "0123456789";
    string += *string == '-' || *string == '+';
    size_t whole = strspn(string, digits);
    string += whole;
    size_t fraction = 0;
    if (*string == '.') {
        fraction = strspn(string + 1, digits);
        string += 1 + fraction;
    }
    if (whole + fraction == 0)
        return false;
    if (*string == 'e' || *string == 'E') {
        string++;
        string += *string == '-' || *string == '+';
        size_t exponent = strspn(string, digits);
        if (exponent == 0)
            return false;
        string += exponent;
    }
    return *string == '\0';
}

enum status text_to_scaled(const char *string, int64_t scale, int64_t min, int64_t max, int64_t *out)
{
    if (!is_decimal(string))
        return STATUS_INVALID;
    double number = strtod(string, NULL) * (double)scale;
    number += number < 0 ? -0.5 : 0.5; // to the nearest, when cut
    // 2^63 itself is no int64_t; both bounds are exact as double.
    if (!(number >= (double)INT64_MIN && number < -(double)INT64_MIN))
        return STATUS_INVALID;
    int64_t rounded = (int64_t)number;
    if (rounded < min || rounded > max)
        return STATUS_INVALID;
    *out = rounded;
    return STATUS_OK;
}
