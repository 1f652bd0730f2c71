/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest_formats */
/* Any bytes as a Content-Type or Content-Disposition, and their rest, behind the first line, as text in its character set. */
#include <stdint.h>
#include <stdlib.h>

#include "rest-adapter/charset.h"
#include "rest-adapter/header_value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { VALUE_BYTES_MAX = 8192 };

static void require(bool condition)
{
    if (!condition)
        abort();
}

// What is found is never longer than the header, and nothing is appended when nothing is found.
static void read_parameter(struct span header, const char *name)
{
    struct text value;
    text_init(&value, VALUE_BYTES_MAX);
    text_append_char(&value, 'x');
    bool found = header_value_parameter(header, name, &value);
    require(value.bytes[0] == 'x' && value.length <= header.length + 1);
    require(found || value.length == 1);
    text_finish(&value);
}

static void convert(const struct charset *charset, struct span bytes)
{
    struct text out;
    text_init(&out, bytes.length * CHARSET_GROWTH);
    charset_append_utf8(charset, &out, bytes);
    require(!out.failed && text_is_utf8(out.bytes, out.length));
    require(bytes.length == 0 || out.length > 0);
    text_finish(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"boundary", "charset", "name", "filename", "filename*", ""};
    const char *bytes = (const char *)data;
    const char *end = size > 0 ? memchr(bytes, '\n', size) : NULL;
    size_t length = end ? (size_t)(end - bytes) : size;
    struct span header = {bytes, length < VALUE_BYTES_MAX ? length : VALUE_BYTES_MAX - 1};
    struct span rest = {bytes + length, size - length};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        read_parameter(header, names[i]);
    require(!(header_value_is(header, "multipart/form-data") && header_value_is(header, "text/plain")));
    convert(charset_of(header), rest);
    convert(NULL, rest);
    return 0;
}
