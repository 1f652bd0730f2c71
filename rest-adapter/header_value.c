/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/header_value.h"

#include <strings.h>

#include "base/ascii.h"

static bool equal_ignoring_case(struct span span, const char *word)
{
    return span.length == strlen(word) && strncasecmp(span.bytes, word, span.length) == 0;
}

// Inside quotes, an escaped quote or backslash?
static bool is_escape(struct span span, size_t at)
{
    return span.bytes[at] == '\\' && at + 1 < span.length && (span.bytes[at + 1] == '"' || span.bytes[at + 1] == '\\');
}

// Cuts the piece up to the next ';' outside quotes off rest.
static struct span next_piece(struct span *rest)
{
    bool quoted = false;
    size_t at = 0;
    while (at < rest->length && (quoted || rest->bytes[at] != ';')) {
        if (rest->bytes[at] == '"')
            quoted = !quoted;
        at += quoted && is_escape(*rest, at) ? 2 : 1;
    }
    struct span piece = {.bytes = rest->bytes, .length = at};
    size_t cut = at < rest->length ? at + 1 : at;
    rest->bytes += cut;
    rest->length -= cut;
    return piece;
}

bool header_value_is(struct span value, const char *type)
{
    if (value.length == 0)
        return false;
    return equal_ignoring_case(span_trim(next_piece(&value)), type);
}

static void append_unquoted(struct text *out, struct span value)
{
    if (value.length < 2 || value.bytes[0] != '"' || value.bytes[value.length - 1] != '"') {
        text_append(out, value.bytes, value.length);
        return;
    }
    struct span inner = {.bytes = value.bytes + 1, .length = value.length - 2};
    for (size_t at = 0; at < inner.length; at++) {
        if (is_escape(inner, at))
            at++;
        text_append_char(out, inner.bytes[at]);
    }
}

// charset'language'value, RFC 5987. The value is taken for UTF-8, the only charset that anybody sends.
static bool append_extended(struct text *out, struct span value)
{
    const char *first = memchr(value.bytes, '\'', value.length);
    if (!first)
        return false;
    size_t from = (size_t)(first - value.bytes) + 1;
    const char *second = memchr(value.bytes + from, '\'', value.length - from);
    if (!second)
        return false;
    for (size_t at = (size_t)(second - value.bytes) + 1; at < value.length; at++) {
        char byte = value.bytes[at];
        if (byte == '%' && value.length - at > 2) {
            int high = ascii_hex_value(value.bytes[at + 1]);
            int low = ascii_hex_value(value.bytes[at + 2]);
            if (high >= 0 && low >= 0) {
                byte = (char)(high << 4 | low);
                at += 2;
            }
        }
        text_append_char(out, byte);
    }
    return true;
}

bool header_value_parameter(struct span value, const char *name, struct text *out)
{
    bool extended = name[0] != '\0' && name[strlen(name) - 1] == '*';
    if (value.length == 0)
        return false;
    (void)next_piece(&value); // the type
    while (value.length > 0) {
        struct span piece = next_piece(&value);
        const char *equals = memchr(piece.bytes, '=', piece.length);
        if (!equals)
            continue;
        size_t length = (size_t)(equals - piece.bytes);
        if (!equal_ignoring_case(span_trim((struct span){piece.bytes, length}), name))
            continue;
        struct span given = span_trim((struct span){equals + 1, piece.length - length - 1});
        if (extended)
            return append_extended(out, given);
        append_unquoted(out, given);
        return true;
    }
    return false;
}
