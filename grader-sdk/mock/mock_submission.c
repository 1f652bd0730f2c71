/* SPDX-License-Identifier: Apache-2.0 */
/* Submissions as they are handed in and kept. Threading: as mock.h says; xqueue_mock_submit any thread. */
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "grader-sdk/mock/mock.h"
#include "grader-sdk/src/report.h"

struct mock_bytes mock_bytes_copy(const void *bytes, size_t length)
{
    struct mock_bytes copy = {.bytes = memory_allocate(length + 1), .length = length};
    if (length > 0)
        memcpy(copy.bytes, bytes, length);
    return copy;
}

struct mock_submission *mock_next(const struct xqueue_mock *mock, const struct mock_submission *after)
{
    struct list_node *node = after ? list_next(&mock->submissions, &after->node) : list_first(&mock->submissions);
    return node ? LIST_OWNER(node, struct mock_submission, node) : NULL;
}

struct mock_submission *mock_find(const struct xqueue_mock *mock, uint64_t id)
{
    struct mock_submission *at = mock_next(mock, NULL);
    while (at && at->id != id)
        at = mock_next(mock, at);
    return at;
}

void mock_labels_free(struct mock_label *labels, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        memory_free(labels[i].key);
        memory_free(labels[i].value);
    }
    memory_free(labels);
}

void mock_submission_free(struct mock_submission *submission)
{
    if (!submission)
        return;
    for (size_t i = 0; i < submission->file_count; i++) {
        memory_free(submission->files[i].name);
        memory_free(submission->files[i].filename);
        memory_free(submission->files[i].content.bytes);
    }
    memory_free(submission->files);
    mock_labels_free(submission->labels, submission->label_count);
    memory_free(submission->header.bytes);
    memory_free(submission->body.bytes);
    memory_free(submission->result.bytes);
    memory_free(submission->fail_message);
    memory_free(submission);
}

/* ---- what is handed in ---- */

static bool is_file(const struct xqueue_mock_file *file)
{
    return file->name && text_is_name(file->name, MOCK_FILE_NAME_BYTES_MAX) && (file->bytes || file->length == 0) &&
           file->length <= XQUEUE_MOCK_FILE_BYTES_MAX &&
           (!file->filename || !file->filename[0] || text_is_name(file->filename, MOCK_FILE_NAME_BYTES_MAX));
}

static bool is_label(const struct xqueue_label *label)
{
    return label->key && label->value && text_is_name(label->key, MOCK_LABEL_BYTES_MAX) &&
           strlen(label->value) <= MOCK_LABEL_BYTES_MAX && text_is_utf8(label->value, strlen(label->value));
}

static const char *fault_of_parts(const struct xqueue_mock_submission *submission)
{
    if (submission->label_count > XQUEUE_MOCK_LABELS_MAX || (submission->label_count > 0 && !submission->labels))
        return "labels are more than 16, or NULL";
    for (size_t i = 0; i < submission->label_count; i++)
        if (!is_label(&submission->labels[i]))
            return "a label is no name and value of up to 64 bytes";
    if (submission->file_count > XQUEUE_MOCK_FILES_MAX || (submission->file_count > 0 && !submission->files))
        return "files are more than 100, or NULL";
    for (size_t i = 0; i < submission->file_count; i++)
        if (!is_file(&submission->files[i]))
            return "a file has no right name, or is larger than 8,388,608 bytes";
    return NULL;
}

static const char *fault_of(const struct xqueue_mock_submission *submission)
{
    if (submission->struct_size != sizeof(*submission))
        return "struct_size is wrong: use xqueue_mock_submission_init";
    if (!submission->queue || !text_is_name(submission->queue, MOCK_NAME_MAX - 1))
        return "queue is no name of 1 to 128 bytes";
    if (submission->body_length > XQUEUE_MOCK_BODY_BYTES_MAX || (submission->body_length > 0 && !submission->body))
        return "body is longer than 3,145,728 bytes, or NULL";
    if (submission->header_length > XQUEUE_MOCK_HEADER_BYTES_MAX || (submission->header_length > 0 && !submission->header))
        return "header is longer than 65,536 bytes, or NULL";
    return fault_of_parts(submission);
}

static struct mock_file file_of(const struct xqueue_mock_file *given)
{
    struct mock_file file = {.name = memory_copy_text(given->name),
                             .filename = memory_copy_text(given->filename ? given->filename : ""),
                             .content = mock_bytes_copy(given->bytes, given->length)};
    secret_digest(file.content.bytes, file.content.length, file.digest);
    text_hex(file.file_id, file.digest, sizeof(file.digest));
    return file;
}

static struct mock_submission *make(const struct xqueue_mock_submission *given)
{
    struct mock_submission *submission = MEMORY_NEW(struct mock_submission);
    (void)text_copy(submission->queue, sizeof(submission->queue), given->queue);
    submission->body = mock_bytes_copy(given->body, given->body_length);
    submission->header = mock_bytes_copy(given->header, given->header_length);
    submission->label_count = given->label_count;
    submission->labels = memory_allocate_array(given->label_count, sizeof(struct mock_label));
    for (size_t i = 0; i < given->label_count; i++)
        submission->labels[i] =
            (struct mock_label){memory_copy_text(given->labels[i].key), memory_copy_text(given->labels[i].value)};
    submission->file_count = given->file_count;
    submission->files = memory_allocate_array(given->file_count, sizeof(struct mock_file));
    for (size_t i = 0; i < given->file_count; i++)
        submission->files[i] = file_of(&given->files[i]);
    submission->submitted_at_ms = clock_wall_ms();
    submission->state = XQUEUE_MOCK_STATE_READY;
    return submission;
}

enum xqueue_status xqueue_mock_submit(struct xqueue_mock *mock, const struct xqueue_mock_submission *submission,
                                      uint64_t *out_id, struct xqueue_error *error)
{
    if (!mock || !submission || !out_id)
        return report_error(error, XQUEUE_STATUS_INVALID, false, NULL, "mock, submission or out_id is NULL");
    const char *fault = fault_of(submission);
    if (fault)
        return report_error(error, XQUEUE_STATUS_INVALID, false, NULL, "%s", fault);
    struct mock_submission *made = make(submission);
    pthread_mutex_lock(&mock->mutex);
    bool has_room = mock->submissions.count < XQUEUE_MOCK_SUBMISSIONS_MAX;
    if (has_room) {
        made->id = mock->submissions.count + 1;
        *out_id = made->id;
        list_append(&mock->submissions, &made->node);
        mock_changed(mock);
    }
    pthread_mutex_unlock(&mock->mutex);
    if (has_room)
        return XQUEUE_STATUS_OK;
    mock_submission_free(made);
    return report_error(error, XQUEUE_STATUS_FULL, false, NULL, "a mock takes %d submissions", XQUEUE_MOCK_SUBMISSIONS_MAX);
}
