/* SPDX-License-Identifier: Apache-2.0 */
#include "service/import/import_judge.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/python_json.h"
#include "base/text.h"
#include "base/url.h"
#include "service/grading.h"

/* ---- the callback URL ---- */

static bool has_nul(struct span span)
{
    return span.length > 0 && memchr(span.bytes, '\0', span.length) != NULL;
}

/* The whole URL; the column beside the header is cut at 128 characters. */
static enum status find_callback_url(const struct python_json *header, struct span *out_url, struct error *error)
{
    const struct python_json *url = python_json_get(header, "lms_callback_url");
    if (!url || url->kind != PYTHON_JSON_STRING)
        return error_set(error, STATUS_INVALID, "URL_INVALID", "its header has no callback URL");
    if (has_nul(url->text))
        return error_set(error, STATUS_INVALID, "URL_INVALID", "it holds a NUL character");
    *out_url = url->text;
    return url_check(url->text, error);
}

static void judge_callback_url(const struct legacy_submission *submission, struct import_judgement *judgement)
{
    struct python_json *header = NULL;
    struct span url = {0};
    struct error error = {0};
    enum status status = python_json_parse(submission->header, &header);
    if (status == STATUS_OK)
        status = find_callback_url(header, &url, &error);
    else
        status = error_set(&error, STATUS_INVALID, "URL_INVALID", "its header is no JSON");
    if (status == STATUS_OK) {
        judgement->callback_url = memory_copy_text(url.bytes);
        secret_digest(url.bytes, url.length, judgement->replace_key);
        judgement->has_replace_key = true;
    } else {
        judgement->callback_url = memory_copy_text("");
        (void)text_copy(judgement->why_dead, sizeof judgement->why_dead, error.text);
    }
    python_json_destroy(header);
}

/* ---- files ---- */

static bool is_plain_text(struct span span)
{
    return !has_nul(span) && text_is_utf8(span.bytes, span.length);
}

static void judge_files(const struct legacy_submission *submission, struct import_judgement *judgement)
{
    struct python_json *map = NULL;
    if (submission->file_urls.length == 0)
        return;
    if (python_json_parse(submission->file_urls, &map) != STATUS_OK || map->kind != PYTHON_JSON_OBJECT) {
        judgement->files_are_unreadable = true;
        python_json_destroy(map);
        return;
    }
    judgement->files = memory_allocate_array(map->count, sizeof *judgement->files);
    for (size_t at = 0; at < map->count; at++) {
        const struct python_json *item = &map->items[at];
        if (item->kind != PYTHON_JSON_STRING || !is_plain_text(item->key) || !is_plain_text(item->text)) {
            judgement->files_are_unreadable = true;
            continue;
        }
        judgement->files_are_external |= span_equal(item->key, span_of("URL_FOR_EXTERNAL_DICTS"));
        judgement->files[judgement->file_count++] = (struct store_file){.name = memory_copy_text(item->key.bytes),
                                                                        .url = memory_copy_text(item->text.bytes),
                                                                        .file_id = memory_copy_text(""),
                                                                        .filename = memory_copy_text("")};
    }
    python_json_destroy(map);
}

/* ---- the key in a grader's hands ---- */

static void judge_key(const struct legacy_submission *submission, struct import_judgement *judgement)
{
    if (submission->key.length == 0)
        return;
    char key[LEASE_KEY_LENGTH + 1] = "";
    judgement->key_is_unusable = submission->key.length != LEASE_KEY_LENGTH || has_nul(submission->key);
    if (!judgement->key_is_unusable) {
        memcpy(key, submission->key.bytes, LEASE_KEY_LENGTH);
        judgement->key_is_unusable = !text_is_name(key, LEASE_KEY_LENGTH);
    }
    if (!judgement->key_is_unusable)
        memcpy(judgement->lease_key, key, sizeof key);
}

/* ---- the state ---- */

static bool is_too_large(const struct legacy_submission *submission)
{
    return submission->header.length > IMPORT_HEADER_BYTES_MAX || submission->body.length > IMPORT_BODY_BYTES_MAX ||
           submission->file_urls.length > IMPORT_FILE_URLS_BYTES_MAX || submission->result.length > GRADING_RESULT_BYTES_MAX;
}

/* A grader has it: it must not be handed out again before the original would have done so. */
static bool is_leased(const struct legacy_submission *submission, const struct import_judgement *judgement, int64_t now_ms)
{
    return judgement->lease_key[0] != '\0' && submission->pulled_at_ms > 0 &&
           submission->pulled_at_ms + judgement->queue->lease_ms > now_ms;
}

static enum import_fate judge_live(const struct legacy_submission *submission, const struct import_judgement *judgement,
                                   int64_t now_ms)
{
    if (judgement->why_dead[0] != '\0')
        return IMPORT_DEAD;
    // Graded already, only the LMS did not take it: a second grading would be in vain, and might differ.
    if (submission->returned_at_ms > 0)
        return IMPORT_GRADED;
    return is_leased(submission, judgement, now_ms) ? IMPORT_LEASED : IMPORT_WAITING;
}

static const struct config_queue *find_queue(const struct config *config, struct span name)
{
    char text[CONFIG_NAME_BYTES_MAX + 1];
    if (name.length >= sizeof text || has_nul(name))
        return NULL;
    memcpy(text, name.bytes, name.length);
    text[name.length] = '\0';
    return config_find_queue(config, text);
}

void import_judge(const struct config *config, const struct legacy_submission *submission, int64_t now_ms,
                  struct import_judgement *out_judgement)
{
    *out_judgement = (struct import_judgement){.queue = find_queue(config, submission->queue)};
    if (submission->is_retired || submission->is_acknowledged)
        out_judgement->fate = IMPORT_RETIRED;
    else if (!out_judgement->queue)
        out_judgement->fate = IMPORT_UNKNOWN_QUEUE;
    else if (is_too_large(submission))
        out_judgement->fate = IMPORT_TOO_LARGE;
    else {
        judge_callback_url(submission, out_judgement);
        judge_files(submission, out_judgement);
        judge_key(submission, out_judgement);
        out_judgement->fate = judge_live(submission, out_judgement, now_ms);
    }
}

void import_judgement_finish(struct import_judgement *judgement)
{
    for (size_t at = 0; at < judgement->file_count; at++) {
        memory_free(judgement->files[at].name);
        memory_free(judgement->files[at].url);
        memory_free(judgement->files[at].file_id);
        memory_free(judgement->files[at].filename);
    }
    memory_free(judgement->files);
    memory_free(judgement->callback_url);
    *judgement = (struct import_judgement){0};
}

/* ---- the digest ---- */

static void add_number(struct secret_digest_stream *stream, int64_t number)
{
    uint8_t bytes[sizeof number];
    for (size_t at = 0; at < sizeof bytes; at++)
        bytes[at] = (uint8_t)((uint64_t)number >> (8 * at));
    secret_digest_stream_add(stream, bytes, sizeof bytes);
}

/* With its length, so that two texts in a row cannot be cut differently. */
static void add_text(struct secret_digest_stream *stream, struct span text)
{
    add_number(stream, (int64_t)text.length);
    secret_digest_stream_add(stream, text.bytes, text.length);
}

void import_digest(const struct legacy_submission *submission, uint8_t out[SECRET_DIGEST_BYTES])
{
    struct secret_digest_stream *stream = secret_digest_stream_create();
    add_number(stream, submission->id);
    add_number(stream, submission->arrived_at_us);
    add_text(stream, submission->queue);
    add_text(stream, submission->header);
    add_text(stream, submission->body);
    secret_digest_stream_finish(stream, out);
}
