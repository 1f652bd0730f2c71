/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/push_format.h"

#include <string.h>
#include <strings.h>

#include "rest-adapter/charset.h"
#include "rest-adapter/header_value.h"

#define TEXT_TYPES "text/"
#define LATIN_1    "text/plain; charset=latin-1"

enum { CHARSET_BYTES_MAX = 1024 }; /* of a parameter that is only looked for */

enum status push_format_write(struct span body, const struct legacy_file *files, size_t file_count, char **out_body,
                              size_t *out_length)
{
    struct text whole;
    struct text dictionary;
    text_init(&whole, LEGACY_REPLY_BYTES_MAX);
    text_init(&dictionary, LEGACY_REPLY_BYTES_MAX);
    legacy_append_files(&dictionary, files, file_count);
    text_append_string(&whole, "{\"xqueue_body\": ");
    legacy_append_json(&whole, body);
    text_append_string(&whole, ", \"xqueue_files\": ");
    legacy_append_json(&whole, (struct span){dictionary.bytes, dictionary.length});
    text_append_char(&whole, '}');
    enum status status = dictionary.failed ? STATUS_FULL : text_status(&whole);
    if (status == STATUS_OK)
        *out_body = text_take(&whole, out_length);
    text_finish(&dictionary);
    text_finish(&whole);
    return status;
}

static bool names_charset(struct span content_type)
{
    struct text value;
    text_init(&value, CHARSET_BYTES_MAX);
    bool names = header_value_parameter(content_type, "charset", &value);
    text_finish(&value);
    return names;
}

static bool is_text(struct span content_type)
{
    size_t length = strlen(TEXT_TYPES);
    return content_type.length >= length && strncasecmp(content_type.bytes, TEXT_TYPES, length) == 0;
}

/* Of an answer whose type names no character set. */
static bool is_latin_1(struct span content_type, struct span answer)
{
    if (is_text(content_type) || header_value_is(content_type, "application/json"))
        return is_text(content_type);
    return !text_is_utf8(answer.bytes, answer.length);
}

void push_format_read_answer(struct span content_type, struct span answer, struct text *out)
{
    const struct charset *charset = NULL; // UTF-8
    if (names_charset(content_type))
        charset = charset_of(content_type);
    else if (is_latin_1(content_type, answer))
        charset = charset_of(span_of(LATIN_1));
    charset_append_utf8(charset, out, answer);
}
