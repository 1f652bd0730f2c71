/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was handed in, and what came back: contents with their files and labels, requests, results.
 */
#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "service/store/store_internal.h"

/* ---- writing ---- */

static enum status insert_file(struct store *store, int64_t id, size_t position, const struct store_file *file)
{
    struct query query = query_start(store, STATEMENT_INSERT_FILE);
    query_bind_int(&query, id);
    query_bind_int(&query, (int64_t)position);
    query_bind_text(&query, file->name);
    query_bind_text(&query, file->url);
    query_bind_text(&query, file->file_id);
    query_bind_text(&query, file->filename);
    query_bind_int(&query, (int64_t)file->size_bytes); // 64 bits in, the same 64 bits out
    query_bind_bytes(&query, file->sha256, file->has_sha256 ? sizeof file->sha256 : 0);
    return query_run(&query, NULL);
}

static enum status insert_label(struct store *store, int64_t id, size_t position, const struct label *label)
{
    struct query query = query_start(store, STATEMENT_INSERT_LABEL);
    query_bind_int(&query, id);
    query_bind_int(&query, (int64_t)position);
    query_bind_text(&query, label->name);
    query_bind_text(&query, label->value);
    return query_run(&query, NULL);
}

static enum status insert_content_row(struct store *store, int64_t id, const struct store_content *content,
                                      const struct store_request *request)
{
    bool has_request_id = request->request_id && request->request_id[0] != '\0';
    struct query query = query_start(store, STATEMENT_INSERT_CONTENT);
    query_bind_int(&query, id);
    query_bind_text(&query, request->submitter);
    query_bind_text(&query, request->request_id);
    query_bind_bytes(&query, request->digest, has_request_id ? sizeof request->digest : 0);
    query_bind_text(&query, request->fairness_key);
    query_bind_int(&query, request->cost);
    query_bind_int(&query, (int64_t)content->file_count);
    query_bind_int(&query, (int64_t)content->labels.count);
    query_bind_text(&query, content->results_channel);
    query_bind_text(&query, content->trace_parent);
    query_bind_text(&query, content->trace_state);
    query_bind_text(&query, content->callback_url);
    query_bind_bytes(&query, content->header, content->header_length);
    query_bind_bytes(&query, content->body, content->body_length);
    return query_run(&query, NULL);
}

enum status store_insert_content(struct store *store, int64_t id, const struct store_content *content,
                                 const struct store_request *request)
{
    enum status status = insert_content_row(store, id, content, request);
    for (size_t at = 0; status == STATUS_OK && at < content->file_count; at++)
        status = insert_file(store, id, at, &content->files[at]);
    for (size_t at = 0; status == STATUS_OK && at < content->labels.count; at++)
        status = insert_label(store, id, at, &content->labels.items[at]);
    return status;
}

/* ---- reading ---- */

void store_content_finish(struct store_content *content)
{
    if (!content)
        return;
    for (size_t at = 0; at < content->file_count; at++) {
        memory_free(content->files[at].name);
        memory_free(content->files[at].url);
        memory_free(content->files[at].file_id);
        memory_free(content->files[at].filename);
    }
    memory_free(content->header);
    memory_free(content->body);
    memory_free(content->callback_url);
    memory_free(content->results_channel);
    memory_free(content->trace_parent);
    memory_free(content->trace_state);
    memory_free(content->files);
    labels_finish(&content->labels);
    *content = (struct store_content){0};
}

size_t store_content_size(const struct store_content *content)
{
    size_t size = content->header_length + content->body_length + strlen(content->trace_parent) + strlen(content->trace_state);
    for (size_t at = 0; at < content->file_count; at++) {
        const struct store_file *file = &content->files[at];
        size += strlen(file->name) + strlen(file->url) + strlen(file->file_id) + strlen(file->filename) + sizeof file->sha256;
    }
    for (size_t at = 0; at < content->labels.count; at++)
        size += strlen(content->labels.items[at].name) + strlen(content->labels.items[at].value);
    return size;
}

static enum status read_content_row(struct store *store, int64_t id, struct store_content *content)
{
    struct query query = query_start(store, STATEMENT_READ_CONTENT);
    query_bind_int(&query, id);
    enum status status = query_row(&query);
    if (status != STATUS_OK)
        return status;
    int64_t file_count = query_int(&query);
    int64_t label_count = query_int(&query);
    content->results_channel = query_take_text(&query);
    content->trace_parent = query_take_text(&query);
    content->trace_state = query_take_text(&query);
    content->callback_url = query_take_text(&query);
    content->header = query_take_bytes(&query, &content->header_length);
    content->body = query_take_bytes(&query, &content->body_length);
    if (file_count < 0 || file_count > STORE_PARTS_MAX || label_count < 0 || label_count > STORE_PARTS_MAX) {
        query_damage(&query, "a submission has an impossible number of files or labels");
        return query_end(&query);
    }
    if (file_count > 0)
        content->files = memory_allocate_array((size_t)file_count, sizeof *content->files);
    if (label_count > 0)
        content->labels.items = memory_allocate_array((size_t)label_count, sizeof *content->labels.items);
    content->file_count = (size_t)file_count;
    content->labels.count = (size_t)label_count;
    return query_end(&query);
}

/* The row of one more file or label; that there are fewer than counted is damage. */
static enum status part_row(struct query *query)
{
    enum status status = query_row(query);
    return status == STATUS_NOT_FOUND ? store_damaged(query->store, "a file or label of a submission is missing") : status;
}

static enum status read_files(struct store *store, int64_t id, struct store_content *content)
{
    struct query query = query_start(store, STATEMENT_READ_FILES);
    query_bind_int(&query, id);
    for (size_t at = 0; at < content->file_count; at++) {
        enum status status = part_row(&query);
        if (status != STATUS_OK)
            return status;
        struct store_file *file = &content->files[at];
        file->name = query_take_text(&query);
        file->url = query_take_text(&query);
        file->file_id = query_take_text(&query);
        file->filename = query_take_text(&query);
        file->size_bytes = (uint64_t)query_int(&query);
        size_t length = query_short_bytes(&query, file->sha256, sizeof file->sha256);
        file->has_sha256 = length == sizeof file->sha256;
    }
    return query_end(&query);
}

static enum status read_labels(struct store *store, int64_t id, struct store_content *content)
{
    struct query query = query_start(store, STATEMENT_READ_LABELS);
    query_bind_int(&query, id);
    for (size_t at = 0; at < content->labels.count; at++) {
        enum status status = part_row(&query);
        if (status != STATUS_OK)
            return status;
        content->labels.items[at].name = query_take_text(&query);
        content->labels.items[at].value = query_take_text(&query);
    }
    return query_end(&query);
}

enum status store_read_content(struct store *store, int64_t id, struct store_content *out_content)
{
    struct store_content content = {0};
    enum status status = read_content_row(store, id, &content);
    if (status == STATUS_OK && content.file_count > 0)
        status = read_files(store, id, &content);
    if (status == STATUS_OK && content.labels.count > 0)
        status = read_labels(store, id, &content);
    if (status != STATUS_OK) {
        store_content_finish(&content);
        return status;
    }
    *out_content = content;
    return STATUS_OK;
}

enum status store_read_labels(struct store *store, int64_t id, struct labels *out_labels)
{
    struct labels labels = {0};
    struct query query = query_start(store, STATEMENT_READ_LABELS);
    query_bind_int(&query, id);
    enum status status = query_row(&query);
    for (; status == STATUS_OK; status = query_row(&query)) {
        labels.items = memory_resize(labels.items, (labels.count + 1) * sizeof *labels.items);
        struct label *label = &labels.items[labels.count++];
        label->name = query_take_text(&query);
        label->value = query_take_text(&query);
    }
    if (status != STATUS_NOT_FOUND) {
        labels_finish(&labels);
        return status;
    }
    *out_labels = labels;
    return STATUS_OK;
}

/* ---- requests ---- */

enum status store_find_request(struct store *store, const char *submitter, const char *request_id, int64_t *out_id,
                               uint8_t out_digest[SECRET_DIGEST_BYTES])
{
    struct query query = query_start(store, STATEMENT_FIND_REQUEST);
    query_bind_text(&query, submitter);
    query_bind_text(&query, request_id);
    enum status status = query_row(&query);
    if (status != STATUS_OK)
        return status;
    *out_id = query_int(&query);
    query_bytes(&query, out_digest, SECRET_DIGEST_BYTES);
    return query_end(&query);
}

enum status store_find_submitter(struct store *store, int64_t id, char out_user[STORE_USER_MAX])
{
    struct query query = query_start(store, STATEMENT_FIND_SUBMITTER);
    query_bind_int(&query, id);
    enum status status = query_row(&query);
    if (status != STATUS_OK)
        return status;
    query_text(&query, out_user, STORE_USER_MAX);
    return query_end(&query);
}

enum status store_find_fairness_key(struct store *store, int64_t id, char out_key[STORE_NAME_MAX])
{
    struct query query = query_start(store, STATEMENT_FIND_FAIRNESS_KEY);
    query_bind_int(&query, id);
    enum status status = query_row(&query);
    if (status != STATUS_OK)
        return status;
    query_text(&query, out_key, STORE_NAME_MAX);
    return query_end(&query);
}

/* ---- results ---- */

enum status store_save_result(struct store *store, int64_t id, const struct store_result *result)
{
    struct query query = query_start(store, STATEMENT_SAVE_RESULT);
    query_bind_int(&query, id);
    query_bind_int(&query, result->attempt);
    query_bind_int(&query, result->generation);
    query_bind_int(&query, result->completed_at_ms);
    query_bind_text(&query, result->grader);
    query_bind_bytes(&query, result->digest, sizeof result->digest);
    query_bind_bytes(&query, result->body, result->body_length);
    return query_run(&query, NULL);
}

enum status store_read_result(struct store *store, int64_t id, bool with_body, struct store_result *out_result)
{
    struct query query = query_start(store, with_body ? STATEMENT_READ_RESULT : STATEMENT_READ_RESULT_ROW);
    query_bind_int(&query, id);
    enum status status = query_row(&query);
    if (status != STATUS_OK)
        return status;
    struct store_result result = {0};
    result.attempt = query_int(&query);
    result.generation = query_int(&query);
    result.completed_at_ms = query_int(&query);
    query_text(&query, result.grader, sizeof result.grader);
    query_bytes(&query, result.digest, sizeof result.digest);
    if (with_body)
        result.body = query_take_bytes(&query, &result.body_length);
    status = query_end(&query);
    if (status == STATUS_OK)
        *out_result = result;
    else
        memory_free(result.body);
    return status;
}

enum status store_file_is_named(struct store *store, const char *file_id)
{
    assert(file_id[0] != '\0');
    struct query query = query_start(store, STATEMENT_FILE_IS_NAMED);
    query_bind_text(&query, file_id);
    enum status status = query_row(&query);
    return status == STATUS_OK ? query_end(&query) : status;
}
