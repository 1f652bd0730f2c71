/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest_formats */
/* Any bytes as the header of a submit and of a put_result, and written back as JSON. */
#include <stdint.h>
#include <stdlib.h>

#include "base/python_json.h"
#include "rest-adapter/legacy_header.h"
#include "rest-adapter/legacy_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void read_submit(struct span input)
{
    struct legacy_submit_header header = {0};
    struct error error = {0};
    enum status status = legacy_submit_header_parse(input, &header, &error);
    if (status == STATUS_OK) {
        require(header.queue_length <= LEGACY_HEADER_QUEUE_BYTES_MAX && header.queue[header.queue_length] == '\0');
        require(!header.queue_is_name || text_is_name(header.queue, 128));
        require(!header.callback_url || header.callback_url[header.callback_length] == '\0');
    } else {
        require(status == STATUS_INVALID && error.text[0] != '\0');
    }
    legacy_submit_header_finish(&header);
}

static void read_result(struct span input)
{
    struct legacy_result_header header = {0};
    struct error error = {0};
    enum status status = legacy_result_header_parse(input, &header, &error);
    if (status == STATUS_OK)
        require(header.submission_id > 0 && header.submission_id <= INT64_MAX &&
                strlen(header.key) <= LEGACY_HEADER_KEY_BYTES_MAX);
    else
        require((status == STATUS_INVALID || status == STATUS_NOT_FOUND) && error.text[0] != '\0');
}

// What the JSON writer makes of any bytes is ASCII, and the JSON reader takes it.
static void write_and_read(struct span input)
{
    struct text json;
    struct python_json *value = NULL;
    text_init(&json, LEGACY_REPLY_BYTES_MAX);
    legacy_append_json(&json, input);
    for (size_t i = 0; i < json.length; i++)
        require(json.bytes[i] >= ' ' && json.bytes[i] <= '~');
    if (json.length <= PYTHON_JSON_BYTES_MAX) {
        require(python_json_parse((struct span){json.bytes, json.length}, &value) == STATUS_OK);
        require(value->kind == PYTHON_JSON_STRING);
        require(!text_is_utf8(input.bytes, input.length) || span_equal(value->text, input));
    }
    python_json_destroy(value);
    text_finish(&json);
}

static void print(struct span input)
{
    struct python_json *value = NULL;
    struct text text;
    if (python_json_parse(input, &value) != STATUS_OK)
        return;
    text_init(&text, (size_t)5 * PYTHON_JSON_BYTES_MAX);
    python_json_append_str(&text, value);
    require(!text.failed);
    text_finish(&text);
    python_json_destroy(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = {.bytes = (const char *)data, .length = size};
    read_submit(input);
    read_result(input);
    write_and_read(input);
    print(input);
    return 0;
}
