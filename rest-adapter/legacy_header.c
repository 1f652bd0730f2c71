/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/legacy_header.h"

#include "base/memory.h"
#include "base/python_json.h"
#include "base/text.h"
#include "rest-adapter/legacy_reply.h"
#include "rest-adapter/python_int.h"

enum { QUEUE_NAME_BYTES_MAX = 128 }; // the contract's bound of a queue's name

static enum status invalid(struct error *error, enum legacy_text text)
{
    return error_set(error, STATUS_INVALID, "HEADER_INVALID", "%s", legacy_text(text));
}

// Parses header as a JSON object. Failing is said with text.
static enum status parse_object(struct span header, enum legacy_text text, struct python_json **out_object, struct error *error)
{
    struct python_json *object = NULL;
    if (header.length > LEGACY_HEADER_BYTES_MAX)
        return error_set(error, STATUS_INVALID, "HEADER_INVALID", "xqueue_header is longer than %d bytes",
                         LEGACY_HEADER_BYTES_MAX);
    if (python_json_parse(header, &object) != STATUS_OK)
        return invalid(error, text);
    if (object->kind != PYTHON_JSON_OBJECT) {
        python_json_destroy(object);
        return invalid(error, text);
    }
    *out_object = object;
    return STATUS_OK;
}

static void set_queue(struct legacy_submit_header *header, const struct python_json *value)
{
    struct text whole;
    // What does not fit is dropped from some append on. Nothing is appended at once that is longer than value's own text or an
    // integer, so the part that counts is always there.
    text_init(&whole, value->text.length + LEGACY_HEADER_QUEUE_BYTES_MAX + PYTHON_JSON_DIGITS_MAX);
    python_json_append_str(&whole, value);
    if (whole.length > LEGACY_HEADER_QUEUE_BYTES_MAX) {
        struct text cut;
        text_init(&cut, LEGACY_HEADER_QUEUE_BYTES_MAX);
        size_t length = LEGACY_HEADER_QUEUE_BYTES_MAX;
        while (length > 0 && ((unsigned char)whole.bytes[length] & 0xC0) == 0x80)
            length--;
        text_append(&cut, whole.bytes, length);
        text_finish(&whole);
        whole = cut;
    }
    header->queue = text_take(&whole, &header->queue_length);
    text_finish(&whole);
    header->queue_is_name = strlen(header->queue) == header->queue_length && text_is_name(header->queue, QUEUE_NAME_BYTES_MAX);
}

static void set_callback(struct legacy_submit_header *header, const struct python_json *value)
{
    if (value->kind != PYTHON_JSON_STRING)
        return;
    header->callback_url = memory_allocate(value->text.length + 1);
    memcpy(header->callback_url, value->text.bytes, value->text.length);
    header->callback_length = value->text.length;
}

enum status legacy_submit_header_parse(struct span header, struct legacy_submit_header *out_header, struct error *error)
{
    struct python_json *object = NULL;
    enum status status = parse_object(header, LEGACY_SUBMIT_INVALID, &object, error);
    if (status != STATUS_OK)
        return status;

    const struct python_json *callback = python_json_get(object, "lms_callback_url");
    const struct python_json *queue = python_json_get(object, "queue_name");
    if (!callback || !queue || !python_json_get(object, "lms_key")) {
        status = invalid(error, LEGACY_SUBMIT_INVALID);
    } else {
        struct legacy_submit_header parsed = {0};
        set_callback(&parsed, callback);
        set_queue(&parsed, queue);
        *out_header = parsed;
    }
    python_json_destroy(object);
    return status;
}

void legacy_submit_header_finish(struct legacy_submit_header *header)
{
    memory_free(header->queue);
    memory_free(header->callback_url);
    *header = (struct legacy_submit_header){0};
}

static enum status not_found(struct error *error)
{
    return error_set(error, STATUS_NOT_FOUND, "SUBMISSION_NOT_FOUND", "%s", legacy_text(LEGACY_SUBMISSION_NOT_FOUND));
}

static void set_key(struct legacy_result_header *header, const struct python_json *value)
{
    bool usable = value->kind == PYTHON_JSON_STRING && strlen(value->text.bytes) == value->text.length &&
                  text_is_name(value->text.bytes, LEGACY_HEADER_KEY_BYTES_MAX);
    if (usable)
        memcpy(header->key, value->text.bytes, value->text.length);
}

enum status legacy_result_header_parse(struct span header, struct legacy_result_header *out_header, struct error *error)
{
    struct python_json *object = NULL;
    enum status status = parse_object(header, LEGACY_PUT_RESULT_INVALID, &object, error);
    if (status != STATUS_OK)
        return status;

    struct legacy_result_header parsed = {0};
    const struct python_json *id = python_json_get(object, "submission_id");
    const struct python_json *key = python_json_get(object, "submission_key");
    status = id && key ? python_int_id(id, &parsed.submission_id) : STATUS_INVALID;
    if (status == STATUS_OK) {
        set_key(&parsed, key);
        *out_header = parsed;
    } else if (status == STATUS_INVALID) {
        status = invalid(error, LEGACY_PUT_RESULT_INVALID);
    } else {
        status = not_found(error);
    }
    python_json_destroy(object);
    return status;
}
