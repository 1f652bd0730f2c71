/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/legacy_reply.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/utf8.h"

enum { NUMBER_SUFFIX_MAX = 16 }; // " (100)" and a NUL

// Return code and wording, byte for byte those of the original but for the last four.
static const struct {
    int return_code;
    const char *text; // one %s: the name
} texts[LEGACY_TEXT_COUNT] = {
    [LEGACY_STATUS_OK] = {0, "OK"},
    [LEGACY_LOGIN_REQUIRED] = {1, "login_required"},
    [LEGACY_LOGIN_INSUFFICIENT] = {1, "Insufficient login info"},
    [LEGACY_LOGIN_INCORRECT] = {1, "Incorrect login credentials"},
    [LEGACY_LOGGED_IN] = {0, "Logged in"},
    [LEGACY_GOODBYE] = {0, "Goodbye"},
    [LEGACY_SUBMIT_NEEDS_POST] = {1, "Queue requests should use HTTP POST"},
    [LEGACY_SUBMIT_INVALID] = {1, "Queue request has invalid format"},
    [LEGACY_QUEUE_NOT_FOUND] = {1, "Queue '%s' not found"},
    [LEGACY_QUEUELEN_NEEDS_NAME] = {1, "'get_queuelen' must provide parameter 'queue_name'"},
    [LEGACY_QUEUE_NAMES] = {1, "Valid queue names are: %s"},
    [LEGACY_SUBMISSION_NEEDS_NAME] = {1, "'get_submission' must provide parameter 'queue_name'"},
    [LEGACY_QUEUE_EMPTY] = {1, "Queue '%s' is empty"},
    [LEGACY_PUT_RESULT_NEEDS_POST] = {1, "'put_result' must use HTTP POST"},
    [LEGACY_PUT_RESULT_INVALID] = {1, "Incorrect reply format"},
    [LEGACY_SUBMISSION_NOT_FOUND] = {1, "Submission does not exist"},
    [LEGACY_KEY_INCORRECT] = {1, "Incorrect key for submission"},
    [LEGACY_RESULT_ACCEPTED] = {0, ""},
    [LEGACY_RESULT_EXISTS] = {1, "Another result was already handed in for this submission"},
    [LEGACY_LOGIN_SLOWED] = {1, "Too many failed logins. Please try again later."},
    [LEGACY_UNAVAILABLE] = {1, "The queue is temporarily unavailable. Please try again."},
    [LEGACY_INTERNAL] = {1, "The queue failed to handle this request"},
};

const char *legacy_text(enum legacy_text text)
{
    assert(text < LEGACY_TEXT_COUNT);
    return texts[text].text;
}

static void append_unit(struct text *out, uint32_t unit)
{
    static const char hex[] = "0123456789abcdef";
    const char escape[] = {'\\', 'u', hex[unit >> 12 & 15], hex[unit >> 8 & 15], hex[unit >> 4 & 15], hex[unit & 15]};
    text_append(out, escape, sizeof escape);
}

static void append_json_escape(struct text *out, uint32_t code)
{
    static const char codes[] = "\"\\\n\r\t\b\f";
    static const char letters[] = "\"\\nrtbf";
    const char *found = code < 0x80 ? memchr(codes, (int)code, sizeof codes - 1) : NULL;
    if (found) {
        const char escape[] = {'\\', letters[found - codes]};
        text_append(out, escape, sizeof escape);
    } else if (code == UTF8_BAD) {
        append_unit(out, UTF8_REPLACEMENT);
    } else if (code < 0x10000) {
        append_unit(out, code);
    } else {
        append_unit(out, UTF8_SURROGATE_FIRST + ((code - 0x10000) >> 10));
        append_unit(out, UTF8_SURROGATE_LOW + ((code - 0x10000) & 0x3FF));
    }
}

static bool is_plain(char byte)
{
    return byte >= ' ' && byte <= '~' && byte != '"' && byte != '\\';
}

void legacy_append_json(struct text *out, struct span bytes)
{
    text_append_char(out, '"');
    for (size_t at = 0; at < bytes.length && !out->failed;) {
        size_t run = at;
        while (run < bytes.length && is_plain(bytes.bytes[run]))
            run++;
        text_append(out, bytes.bytes + at, run - at);
        at = run;
        if (at < bytes.length) {
            uint32_t code = 0;
            at += utf8_next_or_surrogate(bytes.bytes + at, bytes.length - at, &code);
            append_json_escape(out, code);
        }
    }
    text_append_char(out, '"');
}

void legacy_reply_string(struct text *out, int return_code, struct span content)
{
    text_append_format(out, "{\"return_code\": %d, \"content\": ", return_code);
    legacy_append_json(out, content);
    text_append_char(out, '}');
}

void legacy_reply_number(struct text *out, int64_t content)
{
    text_append_format(out, "{\"return_code\": 0, \"content\": %" PRId64 "}", content);
}

void legacy_reply_say(struct text *out, enum legacy_text text, struct span name)
{
    assert(text < LEGACY_TEXT_COUNT);
    const char *wording = texts[text].text;
    const char *gap = strstr(wording, "%s");
    if (!gap) {
        legacy_reply_string(out, texts[text].return_code, span_of(wording));
        return;
    }
    struct text whole;
    text_init(&whole, LEGACY_NAME_BYTES_MAX + ERROR_TEXT_MAX);
    text_append(&whole, wording, (size_t)(gap - wording));
    text_append(&whole, name.bytes, name.length < LEGACY_NAME_BYTES_MAX ? name.length : LEGACY_NAME_BYTES_MAX);
    text_append_string(&whole, gap + 2);
    legacy_reply_string(out, texts[text].return_code, (struct span){whole.bytes, whole.length});
    text_finish(&whole);
}

// Is it the first file with its field? A dictionary keeps that place, and the last one's value.
static bool is_first(const struct legacy_file *files, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (span_equal(files[i].field, files[index].field))
            return false;
    }
    return true;
}

static size_t last_with(const struct legacy_file *files, size_t count, struct span field)
{
    size_t i = count - 1;
    while (!span_equal(files[i].field, field))
        i--;
    return i;
}

// Is there a field of the name "field (number)"?
static bool is_taken(const struct legacy_file *files, size_t count, struct span field, int number)
{
    char suffix[NUMBER_SUFFIX_MAX];
    size_t length = (size_t)snprintf(suffix, sizeof suffix, " (%d)", number);
    for (size_t i = 0; i < count; i++) {
        struct span other = files[i].field;
        if (other.length == field.length + length && memcmp(other.bytes, field.bytes, field.length) == 0 &&
            memcmp(other.bytes + field.length, suffix, length) == 0)
            return true;
    }
    return false;
}

// The name of a file that is not the last with its field. Two fields cannot meet here: the number at the end says whose it is.
static void append_earlier_name(struct text *out, const struct legacy_file *files, size_t count, size_t index)
{
    struct span field = files[index].field;
    int number = 0;
    for (size_t i = 0; i <= index; i++) {
        if (span_equal(files[i].field, field)) {
            do
                number++;
            while (is_taken(files, count, field, number));
        }
    }
    struct text name;
    text_init(&name, field.length + NUMBER_SUFFIX_MAX);
    text_append(&name, field.bytes, field.length);
    text_append_format(&name, " (%d)", number);
    legacy_append_json(out, (struct span){name.bytes, name.length});
    text_finish(&name);
}

void legacy_append_files(struct text *out, const struct legacy_file *files, size_t count)
{
    const char *separator = "";
    text_append_char(out, '{');
    for (size_t i = 0; i < count && !out->failed; i++) {
        if (!is_first(files, i))
            continue;
        text_append_string(out, separator);
        legacy_append_json(out, files[i].field);
        text_append_string(out, ": ");
        legacy_append_json(out, files[last_with(files, count, files[i].field)].url);
        separator = ", ";
    }
    for (size_t i = 0; i < count && !out->failed; i++) {
        if (last_with(files, count, files[i].field) == i)
            continue;
        text_append_string(out, separator);
        append_earlier_name(out, files, count, i);
        text_append_string(out, ": ");
        legacy_append_json(out, files[i].url);
    }
    text_append_char(out, '}');
}

// JSON text as a JSON string; inner is finished.
static void append_json_text(struct text *out, struct text *inner)
{
    legacy_append_json(out, (struct span){inner->bytes, inner->length});
    out->failed = out->failed || inner->failed;
    text_finish(inner);
}

static void append_submission_content(struct text *out, const struct legacy_submission *submission)
{
    struct text inner;
    text_init(&inner, LEGACY_REPLY_BYTES_MAX);
    text_append_format(&inner, "{\"submission_id\": %" PRIu64 ", \"submission_key\": ", submission->id);
    legacy_append_json(&inner, span_of(submission->key));
    text_append_char(&inner, '}');
    text_append_string(out, "{\"xqueue_header\": ");
    append_json_text(out, &inner);

    text_append_string(out, ", \"xqueue_body\": ");
    legacy_append_json(out, submission->body);

    text_init(&inner, LEGACY_REPLY_BYTES_MAX);
    legacy_append_files(&inner, submission->files, submission->file_count);
    text_append_string(out, ", \"xqueue_files\": ");
    append_json_text(out, &inner);
    text_append_char(out, '}');
}

void legacy_reply_submission(struct text *out, const struct legacy_submission *submission)
{
    struct text content;
    text_init(&content, LEGACY_REPLY_BYTES_MAX);
    append_submission_content(&content, submission);
    text_append_string(out, "{\"return_code\": 0, \"content\": ");
    append_json_text(out, &content);
    text_append_char(out, '}');
}

enum { SAY_ERROR = LEGACY_TEXT_COUNT, SAY_NOTHING };

// The first row with the status, and with the reason if the row has one, counts: reasons stand before their status alone.
static const struct failure_row {
    enum status status;
    const char *reason; // NULL: any
    int http_status;
    int say; // of enum legacy_text, or one of the two above
} failures[] = {
    {STATUS_INVALID, "FORM_MALFORMED", 400, SAY_ERROR},
    {STATUS_INVALID, "FORM_NAME_TOO_LONG", 400, SAY_ERROR},
    {STATUS_INVALID, NULL, 200, SAY_ERROR},
    {STATUS_UNAUTHENTICATED, "WRONG_CREDENTIALS", 200, LEGACY_LOGIN_INCORRECT},
    {STATUS_UNAUTHENTICATED, NULL, 302, SAY_NOTHING},
    {STATUS_DENIED, NULL, 200, SAY_ERROR},
    {STATUS_NOT_FOUND, "QUEUE_NOT_FOUND", 200, LEGACY_QUEUE_NOT_FOUND},
    {STATUS_NOT_FOUND, "SUBMISSION_NOT_FOUND", 200, LEGACY_SUBMISSION_NOT_FOUND},
    {STATUS_NOT_FOUND, NULL, 200, SAY_ERROR},
    {STATUS_EXISTS, NULL, 200, SAY_ERROR},
    {STATUS_WRONG_STATE, NULL, 200, SAY_ERROR},
    {STATUS_STALE, "LEASE_SUPERSEDED", 200, LEGACY_RESULT_ACCEPTED},
    {STATUS_STALE, "RESULT_EXISTS", 200, LEGACY_RESULT_EXISTS},
    {STATUS_STALE, NULL, 200, LEGACY_KEY_INCORRECT},
    {STATUS_FULL, "FORM_TOO_LARGE", 413, SAY_ERROR},
    {STATUS_FULL, "FORM_TOO_MANY_FIELDS", 413, SAY_ERROR},
    {STATUS_FULL, "FORM_TOO_MANY_FILES", 413, SAY_ERROR},
    {STATUS_FULL, "FILE_TOO_LARGE", 413, SAY_ERROR},
    {STATUS_FULL, "LOGIN_SLOWED", 429, LEGACY_LOGIN_SLOWED},
    {STATUS_FULL, NULL, 503, LEGACY_UNAVAILABLE},
    {STATUS_UNAVAILABLE, NULL, 503, LEGACY_UNAVAILABLE},
    {STATUS_TIMEOUT, NULL, 503, LEGACY_UNAVAILABLE},
    {STATUS_CANCELED, NULL, 503, LEGACY_UNAVAILABLE},
    {STATUS_DATA_LOSS, NULL, 503, LEGACY_UNAVAILABLE}, // the core stops on it and comes back
    {STATUS_NO_MEMORY, NULL, 503, LEGACY_UNAVAILABLE},
    {STATUS_UNIMPLEMENTED, NULL, 500, LEGACY_INTERNAL},
    {STATUS_INTERNAL, NULL, 500, LEGACY_INTERNAL},
};

static const struct failure_row *find_failure(enum status status, const char *reason)
{
    static const struct failure_row bug = {STATUS_INTERNAL, NULL, 500, LEGACY_INTERNAL};
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        const struct failure_row *row = &failures[i];
        if (row->status == status && (!row->reason || strcmp(row->reason, reason) == 0))
            return row;
    }
    return &bug;
}

struct legacy_failure legacy_reply_failure(struct text *out, enum status status, const struct error *error, struct span queue)
{
    static const struct error nothing = {.text = "", .reason = ""};
    if (!error)
        error = &nothing;
    const struct failure_row *row = find_failure(status, error->reason);
    if (row->say == SAY_ERROR)
        legacy_reply_string(out, 1, span_of(error->text[0] != '\0' ? error->text : status_name(status)));
    else if (row->say != SAY_NOTHING)
        legacy_reply_say(out, (enum legacy_text)row->say, queue);

    struct legacy_failure failure = {.http_status = row->http_status};
    if (row->http_status == 503 || row->http_status == 429)
        failure.retry_after_s =
            error->retry_after_ms > 0 ? (error->retry_after_ms - 1) / 1000 + 1 : LEGACY_RETRY_AFTER_DEFAULT_S;
    return failure;
}
