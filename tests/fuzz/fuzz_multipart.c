/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest_formats */
/* The first line is a Content-Type, the rest a body: the same parts come out whole, byte by byte and in pieces of seven. */
#include <stdint.h>
#include <stdlib.h>

#include "rest-adapter/form_reader.h"
#include "rest-adapter/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUTPUT_BYTES_MAX = 1 << 24, FIELDS_MAX = 10, BYTES_MAX = 1000 };

static void require(bool condition)
{
    if (!condition)
        abort();
}

static enum status on_part(void *context, const struct multipart_part *part, struct error *error)
{
    struct text *text = context;
    (void)error;
    require(part->name.length > 0 && (!part->filename.bytes || part->filename.length > 0));
    text_append(text, part->name.bytes, part->name.length);
    text_append_char(text, '|');
    text_append(text, part->filename.bytes, part->filename.length);
    text_append_char(text, '|');
    text_append(text, part->content_type.bytes, part->content_type.length);
    text_append_char(text, '|');
    return STATUS_OK;
}

static enum status on_data(void *context, const char *bytes, size_t length, struct error *error)
{
    (void)error;
    require(length > 0);
    text_append(context, bytes, length);
    return STATUS_OK;
}

static enum status on_part_end(void *context, struct error *error)
{
    (void)error;
    text_append_char(context, ';');
    return STATUS_OK;
}

// Returns how it ended; what came out is in text.
static enum status parse(struct span type, struct span body, size_t step, struct text *text)
{
    const struct multipart_events events = {on_part, on_data, on_part_end, text};
    struct multipart *parser = NULL;
    struct error error = {0};
    text_init(text, OUTPUT_BYTES_MAX);
    enum status status = multipart_create(type, &events, &parser, &error);
    for (size_t at = 0; status == STATUS_OK && at < body.length; at += step)
        status = multipart_feed(parser, body.bytes + at, body.length - at < step ? body.length - at : step, &error);
    if (status == STATUS_OK)
        status = multipart_finish(parser, &error);
    require(status == STATUS_OK || error.reason[0] != '\0');
    multipart_destroy(parser);
    return status;
}

static void read_form(struct span type, struct span body)
{
    static const struct form_limits limits = {.fields_max = FIELDS_MAX, .bytes_max = BYTES_MAX, .files_max = 2};
    struct form form;
    struct form_reader *reader = NULL;
    struct error error = {0};
    form_init(&form, &limits);
    enum status status = form_reader_create(type, &form, NULL, &reader, &error);
    if (status == STATUS_OK)
        status = form_reader_feed(reader, body.bytes, body.length, &error);
    if (status == STATUS_OK)
        status = form_reader_finish(reader, &error);
    require(status == STATUS_OK || error.reason[0] != '\0');
    require(form.field_count <= FIELDS_MAX && form.bytes <= BYTES_MAX && form.file_count <= 2);
    form_reader_destroy(reader);
    form_finish(&form);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = {.bytes = (const char *)data, .length = size};
    const char *line_end = size > 0 ? memchr(input.bytes, '\n', size) : NULL;
    if (!line_end)
        return 0;
    struct span type = {input.bytes, (size_t)(line_end - input.bytes)};
    struct span body = {line_end + 1, size - type.length - 1};

    static const size_t steps[] = {1, 7};
    struct text whole;
    enum status status = parse(type, body, body.length + 1, &whole);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct text pieces;
        require(parse(type, body, steps[i], &pieces) == status);
        require(whole.length == pieces.length && memcmp(whole.bytes, pieces.bytes, whole.length) == 0);
        text_finish(&pieces);
    }
    text_finish(&whole);
    read_form(type, body);
    return 0;
}
