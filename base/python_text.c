/* SPDX-License-Identifier: Apache-2.0 */
/* str() and repr() of what python_json.h parses. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/python_json.h"
#include "base/utf8.h"

static void append_repr(struct text *out, const struct python_json *value);

static void append_escaped(struct text *out, uint32_t code)
{
    if (code < 0x100)
        text_append_format(out, "\\x%02x", (unsigned)code);
    else if (code < 0x10000)
        text_append_format(out, "\\u%04x", (unsigned)code);
    else
        text_append_format(out, "\\U%08x", (unsigned)code);
}

static void append_character(struct text *out, uint32_t code, char quote)
{
    if (code == '\n')
        text_append_string(out, "\\n");
    else if (code == '\r')
        text_append_string(out, "\\r");
    else if (code == '\t')
        text_append_string(out, "\\t");
    else if (code == (uint32_t)quote || code == '\\')
        text_append_format(out, "\\%c", (int)code);
    else if (utf8_is_printable(code))
        utf8_append(out, code);
    else
        append_escaped(out, code);
}

static void append_string_repr(struct text *out, struct span string)
{
    bool single = string.length > 0 && memchr(string.bytes, '\'', string.length);
    bool twofold = string.length > 0 && memchr(string.bytes, '"', string.length);
    char quote = single && !twofold ? '"' : '\'';
    text_append_char(out, quote);
    for (size_t at = 0; at < string.length && !out->failed;) {
        uint32_t code = 0;
        at += utf8_next_or_surrogate(string.bytes + at, string.length - at, &code);
        append_character(out, code == UTF8_BAD ? UTF8_REPLACEMENT : code, quote);
    }
    text_append_char(out, quote);
}

enum {
    FLOAT_DIGITS_MAX = 17, // enough to tell any two doubles apart
    FLOAT_TEXT_MAX = 32,   // "-1.2345678901234567e-308" and a NUL
    FLOAT_POINT_MIN = -3,  // where Python begins to write an exponent
    FLOAT_POINT_MAX = 16,
};

// The fewest digits that read back as number (positive), without a point; *out_point: where it stands, counted from the first
// digit.
static void shortest_digits(double number, char out_digits[FLOAT_DIGITS_MAX + 1], int *out_point)
{
    char text[FLOAT_TEXT_MAX] = "";
    for (int precision = 0; precision < FLOAT_DIGITS_MAX; precision++) {
        (void)snprintf(text, sizeof text, "%.*e", precision, number);
        if (!(strtod(text, NULL) < number) && !(strtod(text, NULL) > number))
            break;
    }
    const char *exponent = strchr(text, 'e');
    size_t count = 0;
    for (const char *at = text; at < exponent; at++) {
        if (*at != '.')
            out_digits[count++] = *at;
    }
    out_digits[count] = '\0';
    *out_point = (int)strtol(exponent + 1, NULL, 10) + 1;
}

static void append_finite(struct text *out, double number)
{
    char digits[FLOAT_DIGITS_MAX + 1];
    int point = 0;
    shortest_digits(fabs(number), digits, &point);
    int count = (int)strlen(digits);
    if (signbit(number))
        text_append_char(out, '-');

    if (point < FLOAT_POINT_MIN || point > FLOAT_POINT_MAX) {
        text_append_char(out, digits[0]);
        if (count > 1)
            text_append_format(out, ".%s", digits + 1);
        text_append_format(out, "e%c%02d", point > 0 ? '+' : '-', abs(point - 1));
        return;
    }
    if (point <= 0)
        text_append_format(out, "0.%.*s%s", -point, "000", digits);
    else if (point >= count)
        text_append_format(out, "%s%.*s.0", digits, point - count, "0000000000000000");
    else
        text_append_format(out, "%.*s.%s", point, digits, digits + point);
}

static void append_float(struct text *out, double number)
{
    if (isnan(number))
        text_append_string(out, "nan");
    else if (isinf(number))
        text_append_string(out, number > 0 ? "inf" : "-inf");
    else if (number < 0 || number > 0)
        append_finite(out, number);
    else
        text_append_string(out, signbit(number) ? "-0.0" : "0.0");
}

// Is it the first member with its key? A dictionary keeps that place, and the last one's value.
static bool is_first(const struct python_json *object, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (span_equal(object->items[i].key, object->items[index].key))
            return false;
    }
    return true;
}

static const struct python_json *last_with_key(const struct python_json *object, struct span key)
{
    size_t i = object->count - 1;
    while (!span_equal(object->items[i].key, key))
        i--;
    return &object->items[i];
}

static void append_items(struct text *out, const struct python_json *value)
{
    bool object = value->kind == PYTHON_JSON_OBJECT;
    text_append_char(out, object ? '{' : '[');
    bool first = true;
    for (size_t i = 0; i < value->count && !out->failed; i++) {
        const struct python_json *item = &value->items[i];
        if (object && !is_first(value, i))
            continue;
        if (!first)
            text_append_string(out, ", ");
        first = false;
        if (object) {
            append_string_repr(out, item->key);
            text_append_string(out, ": ");
            item = last_with_key(value, item->key);
        }
        append_repr(out, item);
    }
    text_append_char(out, object ? '}' : ']');
}

static void append_repr(struct text *out, const struct python_json *value)
{
    switch (value->kind) {
    case PYTHON_JSON_NULL:
        text_append_string(out, "None");
        break;
    case PYTHON_JSON_FALSE:
        text_append_string(out, "False");
        break;
    case PYTHON_JSON_TRUE:
        text_append_string(out, "True");
        break;
    case PYTHON_JSON_INTEGER:
        text_append(out, value->text.bytes, value->text.length);
        break;
    case PYTHON_JSON_FLOAT:
        append_float(out, value->number);
        break;
    case PYTHON_JSON_STRING:
        append_string_repr(out, value->text);
        break;
    case PYTHON_JSON_LIST:
    case PYTHON_JSON_OBJECT:
        append_items(out, value);
        break;
    }
}

void python_json_append_str(struct text *out, const struct python_json *value)
{
    if (value->kind == PYTHON_JSON_STRING)
        text_append(out, value->text.bytes, value->text.length);
    else
        append_repr(out, value);
}
