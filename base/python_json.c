/* SPDX-License-Identifier: Apache-2.0 */
#include "base/python_json.h"

#include <math.h>
#include <stdlib.h>

#include "base/ascii.h"
#include "base/memory.h"
#include "base/utf8.h"

struct parser {
    const char *at;
    const char *end;
    int depth;
};

static enum status parse_value(struct parser *parser, struct python_json *out_value);

static void finish_value(struct python_json *value)
{
    for (size_t i = 0; i < value->count; i++)
        finish_value(&value->items[i]);
    memory_free(value->items);
    // Owned spans are never const where they were made.
    memory_free((void *)(uintptr_t)value->key.bytes);
    memory_free((void *)(uintptr_t)value->text.bytes);
    *value = (struct python_json){0};
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static void skip_blanks(struct parser *parser)
{
    while (parser->at < parser->end && is_blank(*parser->at))
        parser->at++;
}

// Skips blanks, and byte if it is next.
static bool take(struct parser *parser, char byte)
{
    skip_blanks(parser);
    if (parser->at == parser->end || *parser->at != byte)
        return false;
    parser->at++;
    return true;
}

static bool take_word(struct parser *parser, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(parser->end - parser->at) < length || memcmp(parser->at, word, length) != 0)
        return false;
    parser->at += length;
    return true;
}

// The four digits after \u. Takes nothing when they are not four.
static bool take_unit(struct parser *parser, uint32_t *out_unit)
{
    uint32_t unit = 0;
    if (parser->end - parser->at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        int digit = ascii_hex_value(parser->at[i]);
        if (digit < 0)
            return false;
        unit = unit << 4 | (uint32_t)digit;
    }
    parser->at += 4;
    *out_unit = unit;
    return true;
}

static bool take_code(struct parser *parser, uint32_t *out_code)
{
    uint32_t high = 0;
    if (!take_unit(parser, &high))
        return false;
    *out_code = high;
    if (high < UTF8_SURROGATE_FIRST || high >= UTF8_SURROGATE_LOW)
        return true;
    // A high surrogate: with a low one right after it they are one character, else it stands alone.
    struct parser ahead = *parser;
    uint32_t low = 0;
    if (take_word(&ahead, "\\u") && take_unit(&ahead, &low) && low >= UTF8_SURROGATE_LOW && low <= UTF8_SURROGATE_LAST) {
        *parser = ahead;
        *out_code = 0x10000 + ((high - UTF8_SURROGATE_FIRST) << 10 | (low - UTF8_SURROGATE_LOW));
    }
    return true;
}

static bool take_escape(struct parser *parser, struct text *text)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    if (parser->at == parser->end)
        return false;
    char letter = *parser->at++;
    if (letter == 'u') {
        uint32_t code = 0;
        if (!take_code(parser, &code))
            return false;
        utf8_append(text, code);
        return true;
    }
    const char *found = memchr(letters, letter, sizeof letters - 1);
    if (!found)
        return false;
    text_append_char(text, meanings[found - letters]);
    return true;
}

// The rest of a string whose quote is taken.
static bool take_string_rest(struct parser *parser, struct text *text)
{
    while (parser->at < parser->end) {
        const char *from = parser->at;
        while (parser->at < parser->end && *parser->at != '"' && *parser->at != '\\' && (unsigned char)*parser->at >= ' ')
            parser->at++;
        text_append(text, from, (size_t)(parser->at - from));
        if (parser->at == parser->end)
            return false;
        char byte = *parser->at++;
        if (byte == '"')
            return true;
        if (byte != '\\' || !take_escape(parser, text))
            return false;
    }
    return false;
}

static enum status take_string(struct parser *parser, struct span *out_string)
{
    if (!take(parser, '"'))
        return STATUS_INVALID;
    struct text text;
    text_init(&text, (size_t)(parser->end - parser->at)); // no escape is shorter than what it stands for
    bool good = take_string_rest(parser, &text);
    if (good)
        out_string->bytes = text_take(&text, &out_string->length);
    text_finish(&text);
    return good ? STATUS_OK : STATUS_INVALID;
}

static const char *skip_digits(const char *at, const char *end)
{
    while (at < end && ascii_is_digit(*at))
        at++;
    return at;
}

// Where a fraction or an exponent ends that begins at `at`; `at` itself when there is none.
static const char *skip_fraction(const char *at, const char *end)
{
    if (at == end || *at != '.')
        return at;
    const char *digits_end = skip_digits(at + 1, end);
    return digits_end > at + 1 ? digits_end : at;
}

static const char *skip_exponent(const char *at, const char *end)
{
    if (at == end || (*at != 'e' && *at != 'E'))
        return at;
    const char *digits = at + 1;
    if (digits < end && (*digits == '+' || *digits == '-'))
        digits++;
    const char *digits_end = skip_digits(digits, end);
    return digits_end > digits ? digits_end : at;
}

static void set_text(struct python_json *value, const char *bytes, size_t length)
{
    char *copy = memory_allocate(length + 1);
    memcpy(copy, bytes, length);
    value->text = (struct span){.bytes = copy, .length = length};
}

static enum status take_number(struct parser *parser, struct python_json *out_value)
{
    const char *from = parser->at;
    const char *digits = *from == '-' ? from + 1 : from;
    const char *digits_end = skip_digits(digits, parser->end);
    if (digits_end == digits)
        return STATUS_INVALID;
    if (*digits == '0')
        digits_end = digits + 1; // "01" is 0 and something wrong behind it
    const char *end = skip_exponent(skip_fraction(digits_end, parser->end), parser->end);
    parser->at = end;

    if (end > digits_end) {
        set_text(out_value, from, (size_t)(end - from));
        out_value->kind = PYTHON_JSON_FLOAT;
        out_value->number = strtod(out_value->text.bytes, NULL);
        return STATUS_OK;
    }
    if (digits_end - digits > PYTHON_JSON_DIGITS_MAX)
        return STATUS_INVALID;
    out_value->kind = PYTHON_JSON_INTEGER;
    if (*digits == '0')
        from = digits; // there is no -0 among integers
    set_text(out_value, from, (size_t)(end - from));
    return STATUS_OK;
}

static enum status take_other(struct parser *parser, struct python_json *out_value)
{
    static const struct {
        const char *word;
        enum python_json_kind kind;
        double number;
    } words[] = {
        {"null", PYTHON_JSON_NULL, 0},
        {"false", PYTHON_JSON_FALSE, 0},
        {"true", PYTHON_JSON_TRUE, 0},
        {"NaN", PYTHON_JSON_FLOAT, (double)NAN},
        {"Infinity", PYTHON_JSON_FLOAT, HUGE_VAL},
        {"-Infinity", PYTHON_JSON_FLOAT, -HUGE_VAL},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (take_word(parser, words[i].word)) {
            out_value->kind = words[i].kind;
            out_value->number = words[i].number;
            return STATUS_OK;
        }
    }
    return take_number(parser, out_value);
}

// Room for one more item, zeroed, counted already: what is half parsed is freed with the rest.
static struct python_json *add_item(struct python_json *value)
{
    if (value->count == value->capacity) {
        value->capacity = value->capacity ? value->capacity * 2 : 4;
        value->items = memory_resize(value->items, value->capacity * sizeof *value->items);
    }
    struct python_json *item = &value->items[value->count++];
    *item = (struct python_json){0};
    return item;
}

static enum status take_item(struct parser *parser, struct python_json *value)
{
    struct python_json *item = add_item(value);
    if (value->kind == PYTHON_JSON_OBJECT) {
        enum status status = take_string(parser, &item->key);
        if (status != STATUS_OK)
            return status;
        if (!take(parser, ':'))
            return STATUS_INVALID;
    }
    return parse_value(parser, item);
}

// The rest of a list or object whose bracket is taken.
static enum status take_items(struct parser *parser, struct python_json *value)
{
    char close = value->kind == PYTHON_JSON_OBJECT ? '}' : ']';
    if (take(parser, close))
        return STATUS_OK;
    if (++parser->depth > PYTHON_JSON_DEPTH_MAX)
        return STATUS_INVALID;
    do {
        enum status status = take_item(parser, value);
        if (status != STATUS_OK)
            return status;
    } while (take(parser, ','));
    parser->depth--;
    return take(parser, close) ? STATUS_OK : STATUS_INVALID;
}

// Sets all of out_value but its key. On failure it holds what finish_value frees.
static enum status parse_value(struct parser *parser, struct python_json *out_value)
{
    skip_blanks(parser);
    if (parser->at == parser->end)
        return STATUS_INVALID;
    switch (*parser->at) {
    case '"':
        out_value->kind = PYTHON_JSON_STRING;
        return take_string(parser, &out_value->text);
    case '[':
    case '{':
        out_value->kind = *parser->at++ == '{' ? PYTHON_JSON_OBJECT : PYTHON_JSON_LIST;
        return take_items(parser, out_value);
    default:
        return take_other(parser, out_value);
    }
}

enum status python_json_parse(struct span text, struct python_json **out_value)
{
    if (text.length == 0 || text.length > PYTHON_JSON_BYTES_MAX)
        return STATUS_INVALID;
    struct parser parser = {.at = text.bytes, .end = text.bytes + text.length};
    struct python_json *value = MEMORY_NEW(struct python_json);
    enum status status = parse_value(&parser, value);
    skip_blanks(&parser);
    if (status == STATUS_OK && parser.at != parser.end)
        status = STATUS_INVALID;
    if (status == STATUS_OK)
        *out_value = value;
    else
        python_json_destroy(value);
    return status;
}

void python_json_destroy(struct python_json *value)
{
    if (!value)
        return;
    finish_value(value);
    memory_free(value);
}

const struct python_json *python_json_get(const struct python_json *object, const char *key)
{
    if (object->kind != PYTHON_JSON_OBJECT)
        return NULL;
    struct span wanted = span_of(key);
    for (size_t i = object->count; i > 0; i--) {
        if (span_equal(object->items[i - 1].key, wanted))
            return &object->items[i - 1];
    }
    return NULL;
}
