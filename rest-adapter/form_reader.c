/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/form_reader.h"

#include "base/memory.h"
#include "rest-adapter/header_value.h"
#include "rest-adapter/multipart.h"

enum form_type { FORM_OTHER, FORM_URLENCODED, FORM_MULTIPART };

struct form_reader {
    enum form_type type;
    struct form *form;           // borrowed
    struct form_file_sink sink;  // all NULL: none
    struct multipart *multipart; // owned; with FORM_MULTIPART
    struct text value;           // the whole urlencoded body, or the value of the field that is being read
    struct text name;            // of that field
    struct form_file *file;      // borrowed from form; the file that is being read
    bool field;                  // a field is being read
    enum status failed;
    struct error error;
};

static enum status too_large(const struct form_reader *reader, struct error *error)
{
    return error_set(error, STATUS_FULL, "FORM_TOO_LARGE", "The form fields are larger than %zu bytes",
                     reader->form->limits.bytes_max);
}

static enum status begin_file(struct form_reader *reader, const struct multipart_part *part, struct error *error)
{
    enum status status = form_add_file(reader->form, part->name, part->filename, part->content_type, &reader->file, error);
    if (status != STATUS_OK || !reader->file || !reader->sink.on_begin)
        return status;
    return reader->sink.on_begin(reader->sink.context, reader->file, error);
}

static enum status on_part(void *context, const struct multipart_part *part, struct error *error)
{
    struct form_reader *reader = context;
    reader->file = NULL;
    reader->field = false;
    if (part->filename.bytes)
        return begin_file(reader, part, error);

    reader->field = true;
    text_clear(&reader->value);
    text_clear(&reader->name);
    text_append(&reader->name, part->name.bytes, part->name.length);
    return reader->name.failed ? too_large(reader, error) : STATUS_OK;
}

static enum status on_data(void *context, const char *bytes, size_t length, struct error *error)
{
    struct form_reader *reader = context;
    if (reader->field) {
        text_append(&reader->value, bytes, length);
        return reader->value.failed ? too_large(reader, error) : STATUS_OK;
    }
    if (!reader->file)
        return STATUS_OK;
    reader->file->size_bytes += length;
    if (!reader->sink.on_data)
        return STATUS_OK;
    return reader->sink.on_data(reader->sink.context, reader->file, bytes, length, error);
}

static enum status on_part_end(void *context, struct error *error)
{
    struct form_reader *reader = context;
    if (reader->field) {
        reader->field = false;
        struct span name = {reader->name.bytes, reader->name.length};
        struct span value = {reader->value.bytes, reader->value.length};
        return form_add_field(reader->form, name, value, error);
    }
    struct form_file *file = reader->file;
    reader->file = NULL;
    if (!file || !reader->sink.on_end)
        return STATUS_OK;
    return reader->sink.on_end(reader->sink.context, file, error);
}

static enum form_type type_of(struct span content_type)
{
    if (header_value_is(content_type, "application/x-www-form-urlencoded"))
        return FORM_URLENCODED;
    if (header_value_is(content_type, "multipart/form-data"))
        return FORM_MULTIPART;
    return FORM_OTHER;
}

enum status form_reader_create(struct span content_type, struct form *form, const struct form_file_sink *sink,
                               struct form_reader **out_reader, struct error *error)
{
    struct form_reader *reader = MEMORY_NEW(struct form_reader);
    reader->type = type_of(content_type);
    reader->form = form;
    form->charset = charset_of(content_type);
    if (sink)
        reader->sink = *sink;
    text_init(&reader->value, form->limits.bytes_max);
    text_init(&reader->name, form->limits.bytes_max);
    if (reader->type == FORM_MULTIPART) {
        const struct multipart_events events = {
            .on_part = on_part, .on_data = on_data, .on_part_end = on_part_end, .context = reader};
        enum status status = multipart_create(content_type, &events, &reader->multipart, error);
        if (status != STATUS_OK) {
            form_reader_destroy(reader);
            return status;
        }
    }
    *out_reader = reader;
    return STATUS_OK;
}

void form_reader_destroy(struct form_reader *reader)
{
    if (!reader)
        return;
    multipart_destroy(reader->multipart);
    text_finish(&reader->value);
    text_finish(&reader->name);
    memory_free(reader);
}

bool form_reader_takes(struct span content_type)
{
    return type_of(content_type) != FORM_OTHER;
}

bool form_reader_wants_body(const struct form_reader *reader)
{
    return reader->type != FORM_OTHER;
}

static enum status stop(struct form_reader *reader, enum status status, struct error *error)
{
    reader->failed = status;
    if (error)
        *error = reader->error;
    return status;
}

enum status form_reader_feed(struct form_reader *reader, const void *bytes, size_t length, struct error *error)
{
    enum status status = reader->failed;
    if (status == STATUS_OK && reader->type == FORM_MULTIPART)
        status = multipart_feed(reader->multipart, bytes, length, &reader->error);
    if (status == STATUS_OK && reader->type == FORM_URLENCODED) {
        text_append(&reader->value, bytes, length);
        if (reader->value.failed)
            status = too_large(reader, &reader->error);
    }
    return status == STATUS_OK ? STATUS_OK : stop(reader, status, error);
}

enum status form_reader_finish(struct form_reader *reader, struct error *error)
{
    enum status status = reader->failed;
    if (status == STATUS_OK && reader->type == FORM_MULTIPART)
        status = multipart_finish(reader->multipart, &reader->error);
    if (status == STATUS_OK && reader->type == FORM_URLENCODED) {
        status = form_parse_urlencoded(reader->form, (struct span){reader->value.bytes, reader->value.length}, &reader->error);
        text_clear(&reader->value);
    }
    return status == STATUS_OK ? STATUS_OK : stop(reader, status, error);
}
