/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_base */
/* Any bytes as JSON, and what Python's str() would print of it: ended, bounded, free of control characters in representations.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/python_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A character of one byte prints as up to six ("\u0001" is six bytes already; "\x01" four, "None" of "null" four). A float of
 * few bytes prints as up to 25. */
enum { GROWTH = 25, SMALL_BYTES = 64 };

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void print(const struct python_json *value, size_t bytes_max, bool must_fit)
{
    struct text text;
    text_init(&text, bytes_max);
    python_json_append_str(&text, value);
    require(text.length <= bytes_max && (!must_fit || !text.failed));
    for (size_t i = 0; i < text.length && value->kind != PYTHON_JSON_STRING; i++)
        require((unsigned char)text.bytes[i] >= ' ' && text.bytes[i] != 0x7f);
    text_finish(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct python_json *value = NULL;
    if (python_json_parse((struct span){(const char *)data, size}, &value) != STATUS_OK)
        return 0;
    print(value, size * GROWTH, true);
    print(value, SMALL_BYTES, false);
    python_json_destroy(value);
    return 0;
}
