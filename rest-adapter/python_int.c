/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/python_int.h"

#include <math.h>

#include "base/utf8.h"

enum { DECIMAL = 10, NO_DIGIT = -1 };

// The zero of each run of ten decimal digits (general category Nd), Unicode 15.
static const uint32_t zeros[] = {
    0x0030,  0x0660,  0x06F0,  0x07C0,  0x0966,  0x09E6,  0x0A66,  0x0AE6,  0x0B66,  0x0BE6,  0x0C66,  0x0CE6,
    0x0D66,  0x0DE6,  0x0E50,  0x0ED0,  0x0F20,  0x1040,  0x1090,  0x17E0,  0x1810,  0x1946,  0x19D0,  0x1A80,
    0x1A90,  0x1B50,  0x1BB0,  0x1C40,  0x1C50,  0xA620,  0xA8D0,  0xA900,  0xA9D0,  0xA9F0,  0xAA50,  0xABF0,
    0xFF10,  0x104A0, 0x10D30, 0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0,
    0x11730, 0x118E0, 0x11950, 0x11C50, 0x11D50, 0x11DA0, 0x11F50, 0x16A60, 0x16AC0, 0x16B50, 0x1D7CE, 0x1D7D8,
    0x1D7E2, 0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E4F0, 0x1E950, 0x1FBF0,
};

static int digit_of(uint32_t code)
{
    for (size_t i = 0; i < sizeof zeros / sizeof zeros[0] && code >= zeros[i]; i++) {
        if (code < zeros[i] + DECIMAL)
            return (int)(code - zeros[i]);
    }
    return NO_DIGIT;
}

// What int() strips: of the control characters those of C's isspace, and no others below 0x80.
static bool is_blank(uint32_t code)
{
    return code == ' ' || (code >= '\t' && code <= '\r') || code == 0x85 || code == 0xA0 || code == 0x1680 ||
           (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F ||
           code == 0x3000;
}

// One character after the other; 0 behind the end, where a NUL inside the text is as bad as any letter.
struct reader {
    struct span rest;
    uint32_t code;
};

static void advance(struct reader *reader)
{
    reader->code = 0;
    if (reader->rest.length == 0)
        return;
    size_t taken = utf8_next(reader->rest.bytes, reader->rest.length, &reader->code);
    reader->rest.bytes += taken;
    reader->rest.length -= taken;
    if (reader->code == 0)
        reader->code = UTF8_BAD;
}

static void skip_blanks(struct reader *reader)
{
    while (is_blank(reader->code))
        advance(reader);
}

// Digits with single underscores between them. false: there are none, or an underscore is out of place.
static bool read_digits(struct reader *reader, uint64_t *out_number, size_t *out_digits)
{
    bool after_digit = false;
    for (;; advance(reader)) {
        int digit = digit_of(reader->code);
        if (digit != NO_DIGIT) {
            after_digit = true;
            *out_digits += 1;
            if (*out_number <= INT64_MAX / DECIMAL)
                *out_number = *out_number * DECIMAL + (uint64_t)digit;
            else
                *out_number = (uint64_t)INT64_MAX + 1; // stays there: too large
        } else if (reader->code == '_' && after_digit) {
            after_digit = false;
        } else {
            return after_digit;
        }
    }
}

static enum status of_text(struct span text, uint64_t *out_id)
{
    struct reader reader = {.rest = text};
    uint64_t number = 0;
    size_t digits = 0;
    advance(&reader);
    skip_blanks(&reader);
    bool negative = reader.code == '-';
    if (negative || reader.code == '+')
        advance(&reader);
    if (!read_digits(&reader, &number, &digits) || digits > PYTHON_JSON_DIGITS_MAX)
        return STATUS_INVALID;
    skip_blanks(&reader);
    if (reader.code != 0)
        return STATUS_INVALID;
    if (negative || number == 0 || number > INT64_MAX)
        return STATUS_NOT_FOUND;
    *out_id = number;
    return STATUS_OK;
}

static enum status of_float(double number, uint64_t *out_id)
{
    if (!isfinite(number))
        return STATUS_INVALID;
    if (number < 1 || number >= 0x1p63)
        return STATUS_NOT_FOUND;
    *out_id = (uint64_t)number;
    return STATUS_OK;
}

enum status python_int_id(const struct python_json *value, uint64_t *out_id)
{
    switch (value->kind) {
    case PYTHON_JSON_FALSE:
        return STATUS_NOT_FOUND; // 0
    case PYTHON_JSON_TRUE:
        *out_id = 1;
        return STATUS_OK;
    case PYTHON_JSON_INTEGER:
    case PYTHON_JSON_STRING:
        return of_text(value->text, out_id);
    case PYTHON_JSON_FLOAT:
        return of_float(value->number, out_id);
    default:
        return STATUS_INVALID;
    }
}
