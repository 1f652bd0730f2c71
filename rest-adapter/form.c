/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/form.h"

#include <assert.h>

#include "base/ascii.h"
#include "base/memory.h"
#include "base/utf8.h"

struct form_field {
    struct span name;  /* owned */
    struct span value; /* owned */
};

enum {
    FORM_FIELD_OVERHEAD = 2, // what the original counts per multipart field beside name and value
    LATIN1_BYTES = 2,        // of a Latin-1 character beyond ASCII, in UTF-8
};

// An owned copy as UTF-8, followed by a NUL.
static struct span copy_utf8(const struct charset *charset, struct span bytes)
{
    struct text text;
    text_init(&text, bytes.length * CHARSET_GROWTH);
    charset_append_utf8(charset, &text, bytes);
    assert(!text.failed);
    size_t length = 0;
    char *copy = text_take(&text, &length);
    text_finish(&text);
    return (struct span){.bytes = copy, .length = length};
}

static void span_free(struct span span)
{
    // Owned spans are never const where they were made.
    memory_free((void *)(uintptr_t)span.bytes);
}

void form_init(struct form *form, const struct form_limits *limits)
{
    *form = (struct form){.limits = *limits};
}

void form_finish(struct form *form)
{
    for (size_t i = 0; i < form->field_count; i++) {
        span_free(form->fields[i].name);
        span_free(form->fields[i].value);
    }
    for (size_t i = 0; i < form->file_count; i++) {
        span_free(form->files[i]->field);
        span_free(form->files[i]->filename);
        span_free(form->files[i]->content_type);
        memory_free(form->files[i]->stored);
        memory_free(form->files[i]);
    }
    memory_free(form->fields);
    memory_free(form->files);
    *form = (struct form){0};
}

static enum status too_many_fields(const struct form *form, struct error *error)
{
    return error_set(error, STATUS_FULL, "FORM_TOO_MANY_FIELDS", "The form has more than %zu fields", form->limits.fields_max);
}

static enum status too_large(const struct form *form, struct error *error)
{
    return error_set(error, STATUS_FULL, "FORM_TOO_LARGE", "The form fields are larger than %zu bytes", form->limits.bytes_max);
}

// Room for bytes and count more?
static enum status check_room(const struct form *form, size_t count, size_t bytes, struct error *error)
{
    if (form->field_count > form->limits.fields_max || count > form->limits.fields_max - form->field_count)
        return too_many_fields(form, error);
    if (form->bytes > form->limits.bytes_max || bytes > form->limits.bytes_max - form->bytes)
        return too_large(form, error);
    return STATUS_OK;
}

// Takes the two spans over.
static void append_field(struct form *form, struct span name, struct span value)
{
    if (form->field_count == form->field_capacity) {
        form->field_capacity = form->field_capacity ? form->field_capacity * 2 : 8;
        form->fields = memory_resize(form->fields, form->field_capacity * sizeof *form->fields);
    }
    form->fields[form->field_count++] = (struct form_field){.name = name, .value = value};
}

// One byte of an urlencoded text, or what an escape stands for. Returns how many bytes of piece it took.
static size_t decode_byte(struct span piece, size_t at, char *out_byte)
{
    *out_byte = piece.bytes[at] == '+' ? ' ' : piece.bytes[at];
    if (piece.bytes[at] != '%' || piece.length - at <= 2)
        return 1;
    int high = ascii_hex_value(piece.bytes[at + 1]);
    int low = ascii_hex_value(piece.bytes[at + 2]);
    if (high < 0 || low < 0)
        return 1;
    *out_byte = (char)(high << 4 | low);
    return 3;
}

// latin1: bytes beyond ASCII that are not escaped are Latin-1.
static struct span decode(const struct form *form, struct span piece, bool latin1)
{
    char *plain = memory_allocate(piece.length * LATIN1_BYTES + 1);
    size_t length = 0;
    for (size_t at = 0; at < piece.length;) {
        char byte = 0;
        size_t taken = decode_byte(piece, at, &byte);
        unsigned char code = (unsigned char)byte;
        if (latin1 && taken == 1 && code >= 0x80) {
            plain[length++] = (char)(0xC0 | code >> 6);
            plain[length++] = (char)(0x80 | (code & 0x3F));
        } else {
            plain[length++] = byte;
        }
        at += taken;
    }
    struct span decoded = copy_utf8(form->charset, (struct span){.bytes = plain, .length = length});
    memory_free(plain);
    return decoded;
}

static void append_piece(struct form *form, struct span piece, bool latin1)
{
    if (piece.length == 0)
        return;
    const char *equals = memchr(piece.bytes, '=', piece.length);
    size_t name_length = equals ? (size_t)(equals - piece.bytes) : piece.length;
    size_t value_from = equals ? name_length + 1 : name_length;
    struct span name = {.bytes = piece.bytes, .length = name_length};
    struct span value = {.bytes = piece.bytes + value_from, .length = piece.length - value_from};
    append_field(form, decode(form, name, latin1), decode(form, value, latin1));
}

enum status form_parse_urlencoded(struct form *form, struct span text, struct error *error)
{
    if (text.length == 0)
        return STATUS_OK;
    size_t pieces = 1;
    for (size_t i = 0; i < text.length; i++)
        pieces += text.bytes[i] == '&';
    enum status status = check_room(form, pieces, text.length, error);
    if (status != STATUS_OK)
        return status;

    bool latin1 = !form->charset && !text_is_utf8(text.bytes, text.length);
    size_t from = 0;
    for (size_t at = 0; at <= text.length; at++) {
        if (at < text.length && text.bytes[at] != '&')
            continue;
        append_piece(form, (struct span){.bytes = text.bytes + from, .length = at - from}, latin1);
        from = at + 1;
    }
    form->bytes += text.length;
    return STATUS_OK;
}

enum status form_add_field(struct form *form, struct span name, struct span value, struct error *error)
{
    size_t bytes = name.length + value.length + FORM_FIELD_OVERHEAD;
    enum status status = check_room(form, 1, bytes, error);
    if (status != STATUS_OK)
        return status;
    append_field(form, copy_utf8(form->charset, name), copy_utf8(form->charset, value));
    form->bytes += bytes;
    return STATUS_OK;
}

// The last path component without what cannot be seen; empty when nothing usable is left. Owned.
static struct span clean_filename(const struct form *form, struct span filename)
{
    struct span whole = copy_utf8(form->charset, filename);
    size_t from = whole.length;
    while (from > 0 && whole.bytes[from - 1] != '/' && whole.bytes[from - 1] != '\\')
        from--;

    struct text clean;
    text_init(&clean, whole.length);
    for (size_t at = from; at < whole.length;) {
        uint32_t code = 0;
        size_t taken = utf8_next(whole.bytes + at, whole.length - at, &code);
        if (utf8_is_printable(code))
            text_append(&clean, whole.bytes + at, taken);
        at += taken;
    }
    span_free(whole);
    if (strcmp(clean.bytes, ".") == 0 || strcmp(clean.bytes, "..") == 0)
        text_clear(&clean);
    size_t length = 0;
    char *bytes = text_take(&clean, &length);
    text_finish(&clean);
    return (struct span){.bytes = bytes, .length = length};
}

static struct form_file *append_file(struct form *form)
{
    form->files = memory_resize(form->files, (form->file_count + 1) * sizeof(struct form_file *));
    struct form_file *file = MEMORY_NEW(struct form_file);
    form->files[form->file_count++] = file;
    return file;
}

enum status form_add_file(struct form *form, struct span field, struct span filename, struct span content_type,
                          struct form_file **out_file, struct error *error)
{
    struct span clean = clean_filename(form, filename);
    struct span name = copy_utf8(form->charset, field);
    enum status status = STATUS_OK;
    if (clean.length == 0) {
        *out_file = NULL;
        goto drop;
    }
    if (form->file_count >= form->limits.files_max) {
        status =
            error_set(error, STATUS_FULL, "FORM_TOO_MANY_FILES", "The form has more than %zu files", form->limits.files_max);
        goto drop;
    }
    if (name.length > FORM_NAME_BYTES_MAX || clean.length > FORM_NAME_BYTES_MAX) {
        status = error_set(error, STATUS_INVALID, "FORM_NAME_TOO_LONG", "The name of a file is longer than %d bytes",
                           FORM_NAME_BYTES_MAX);
        goto drop;
    }

    struct form_file *file = append_file(form);
    char type[FORM_NAME_BYTES_MAX + 1];
    struct span whole_type = copy_utf8(NULL, content_type);
    (void)text_copy(type, sizeof type, whole_type.bytes); // cutting it is what the contract says
    span_free(whole_type);
    file->field = name;
    file->filename = clean;
    file->content_type = span_of(memory_copy_text(type));
    *out_file = file;
    return STATUS_OK;

drop:
    span_free(clean);
    span_free(name);
    return status;
}

struct span form_get(const struct form *form, const char *name)
{
    struct span wanted = span_of(name);
    for (size_t i = form->field_count; i > 0; i--) {
        if (span_equal(form->fields[i - 1].name, wanted))
            return form->fields[i - 1].value;
    }
    return (struct span){0};
}

struct form_file *form_file_at(const struct form *form, size_t index)
{
    return index < form->file_count ? form->files[index] : NULL;
}
