/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/tools/grade_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

enum { FIRST_PRINTABLE = 0x20, DELETE = 0x7f, PERCENT_MAX = 100, DECIMAL = 10 };

/* ---- in ---- */

bool grade_format_file_name(const struct xqueue_file *file, size_t index, char out[GRADE_FORMAT_FILE_NAME_MAX])
{
    (void)snprintf(out, GRADE_FORMAT_FILE_NAME_MAX, "attached-%zu", index);
    return file->file_id[0] != '\0';
}

static json_t *describe_file(const struct xqueue_file *file, size_t index)
{
    char path[GRADE_FORMAT_FILE_NAME_MAX];
    bool is_there = grade_format_file_name(file, index, path);
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:s?}", "name", file->name, "url", file->url, "file_id", file->file_id,
                     "filename", file->filename, "size_bytes", (json_int_t)file->size_bytes, "path", is_there ? path : NULL);
}

static json_t *describe(const struct grade_format_submission *submission)
{
    json_t *files = json_array();
    for (size_t i = 0; i < submission->file_count; i++)
        (void)json_array_append_new(files, describe_file(submission->files[i], i));
    json_t *about =
        json_pack("{s:I, s:s, s:i, s:I, s:o}", "submission", (json_int_t)submission->id, "queue", submission->queue, "attempt",
                  (int)submission->attempt, "submitted_at_ms", (json_int_t)submission->submitted_at_ms, "files", files);
    json_t *header = json_stringn(submission->header, submission->header_length);
    if (header)
        (void)json_object_set_new(about, "header", header);
    return about;
}

static json_t *read_body(const struct grade_format_submission *submission)
{
    json_t *body = json_loadb(submission->body, submission->body_length, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
    if (json_is_object(body))
        return body;
    json_decref(body);
    json_t *text = json_stringn(submission->body, submission->body_length);
    return text ? json_pack("{s:o}", "body", text) : NULL;
}

static char *member(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    bool is_text = json_is_string(value) && strlen(json_string_value(value)) == json_string_length(value);
    return is_text ? strdup(json_string_value(value)) : NULL;
}

bool grade_format_input_init(struct grade_format_input *input, const struct grade_format_submission *submission)
{
    *input = (struct grade_format_input){.text = NULL};
    json_t *body = read_body(submission);
    if (!body)
        return false;
    if (json_object_set_new(body, "xqueue", describe(submission)) == 0) {
        input->response = member(body, "student_response");
        input->payload = member(body, "grader_payload");
        input->text = json_dumps(body, JSON_COMPACT);
    }
    json_decref(body);
    return input->text != NULL;
}

void grade_format_input_finish(struct grade_format_input *input)
{
    free(input->text);
    free(input->response);
    free(input->payload);
    *input = (struct grade_format_input){.text = NULL};
}

/* ---- out ---- */

static const char *find_wrong(const json_t *result)
{
    const json_t *score = json_object_get(result, "score");
    const json_t *message = json_object_get(result, "msg");
    if (!json_is_object(result))
        return "it is not a JSON object";
    if (!json_is_boolean(json_object_get(result, "correct")))
        return "\"correct\" is missing, or neither true nor false";
    if (score && !json_is_number(score))
        return "\"score\" is not a number";
    return message && !json_is_string(message) ? "\"msg\" is not a string" : NULL;
}

char *grade_format_result(const char *output, size_t length, char out_wrong[GRADE_FORMAT_MESSAGE_MAX])
{
    json_error_t error;
    json_t *result = length > 0 ? json_loadb(output, length, JSON_ALLOW_NUL, &error) : NULL;
    const char *wrong = find_wrong(result);
    char *text = NULL;
    if (length == 0)
        (void)snprintf(out_wrong, GRADE_FORMAT_MESSAGE_MAX, "the program wrote no result");
    else if (!result)
        (void)snprintf(out_wrong, GRADE_FORMAT_MESSAGE_MAX, "the program's result is not JSON: %s in line %d", error.text,
                       error.line);
    else if (wrong)
        (void)snprintf(out_wrong, GRADE_FORMAT_MESSAGE_MAX, "the program's result is wrong: %s", wrong);
    else {
        if (!json_object_get(result, "score"))
            (void)json_object_set_new(result, "score", json_integer(json_is_true(json_object_get(result, "correct"))));
        if (!json_object_get(result, "msg"))
            (void)json_object_set_new(result, "msg", json_string(""));
        text = json_dumps(result, JSON_COMPACT);
        if (!text)
            (void)snprintf(out_wrong, GRADE_FORMAT_MESSAGE_MAX, "no memory for the result");
    }
    json_decref(result);
    return text;
}

char *grade_format_wrong_answer(const char *message)
{
    json_t *result = json_pack("{s:b, s:i, s:s}", "correct", 0, "score", 0, "msg", message);
    char *text = json_dumps(result, JSON_COMPACT);
    json_decref(result);
    return text;
}

bool grade_format_progress(const char *line, struct grade_format_progress *out_progress)
{
    char *end = NULL;
    unsigned long percent = strtoul(line, &end, DECIMAL);
    if (line[0] < '0' || line[0] > '9' || percent > PERCENT_MAX || (*end && *end != ' '))
        return false;
    const char *colon = strstr(end, ": ");
    size_t phase_length = colon ? (size_t)(colon - end) : strlen(end);
    out_progress->percent = (unsigned)percent;
    grade_format_text(end, phase_length, out_progress->phase, sizeof(out_progress->phase));
    grade_format_text(colon ? colon + 1 : "", colon ? strlen(colon + 1) : 0, out_progress->note, sizeof(out_progress->note));
    return true;
}

static bool is_continuation(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80; // NOLINT(readability-magic-numbers): RFC 3629
}

static bool is_utf8(const char *bytes, size_t length)
{
    json_t *text = json_stringn(bytes, length);
    json_decref(text);
    return text != NULL;
}

void grade_format_text(const char *bytes, size_t length, char *out, size_t capacity)
{
    while (length > 0 && (is_continuation(*bytes) || strchr(" \t\r\n", *bytes))) {
        bytes++;
        length--;
    }
    if (length >= capacity) {
        length = capacity - 1;
        while (length > 0 && is_continuation(bytes[length]))
            length--;
    }
    while (length > 0 && strchr(" \t\r\n", bytes[length - 1]))
        length--;
    bool is_text = is_utf8(bytes, length);
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        out[i] = (byte < FIRST_PRINTABLE || byte == DELETE) ? ' ' : bytes[i];
        if (byte > DELETE && !is_text)
            out[i] = '?';
    }
    out[length] = '\0';
}
