/* SPDX-License-Identifier: Apache-2.0 */
#include "service/methods/contract.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "service/methods/method.h"

char *contract_text(const char *text)
{
    return (char *)(uintptr_t)text;
}

ProtobufCBinaryData contract_bytes(const void *data, size_t length)
{
    return (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)data, .len = length};
}

static Xqueue__V1__File **contract_files(const struct store_content *content)
{
    Xqueue__V1__File **files = memory_allocate_array(content->file_count, sizeof(void *));
    for (size_t i = 0; i < content->file_count; i++) {
        const struct store_file *file = &content->files[i];
        files[i] = MEMORY_NEW(Xqueue__V1__File);
        xqueue__v1__file__init(files[i]);
        files[i]->name = file->name;
        files[i]->url = file->url;
        files[i]->file_id = file->file_id;
        files[i]->filename = file->filename;
        files[i]->size_bytes = file->size_bytes;
        if (file->has_sha256) {
            files[i]->sha256 = contract_bytes(file->sha256, sizeof file->sha256);
        }
    }
    return files;
}

static Xqueue__V1__Submission__LabelsEntry **contract_labels(const struct store_content *content)
{
    Xqueue__V1__Submission__LabelsEntry **labels = memory_allocate_array(content->labels.count, sizeof(void *));
    for (size_t i = 0; i < content->labels.count; i++) {
        labels[i] = MEMORY_NEW(Xqueue__V1__Submission__LabelsEntry);
        xqueue__v1__submission__labels_entry__init(labels[i]);
        labels[i]->key = content->labels.items[i].name;
        labels[i]->value = content->labels.items[i].value;
    }
    return labels;
}

/* The text of a field of an entry of a map, whose type is generated anew for each map. */
static char *contract_entry_text(const ProtobufCMessage *entry, unsigned field)
{
    char *text = NULL;
    memcpy(&text, (const char *)entry + entry->descriptor->fields[field].offset, sizeof text);
    return text;
}

bool contract_take_labels(struct labels *labels, size_t count_max, const void *entries, size_t count)
{
    const ProtobufCMessage *const *from = entries;
    bool fit = count <= count_max;
    for (size_t i = 0; fit && i < count; i++) {
        struct label label = {.name = contract_entry_text(from[i], 0), .value = contract_entry_text(from[i], 1)};
        fit = text_is_name(label.name, LABEL_BYTES_MAX) && method_text_fits(label.value, LABEL_BYTES_MAX);
        labels->items[labels->count++] = label;
    }
    return fit && !labels_repeat_a_name(labels);
}

Xqueue__V1__Submission *contract_submission(const struct store_content *content)
{
    Xqueue__V1__Submission *submission = MEMORY_NEW(Xqueue__V1__Submission);
    xqueue__v1__submission__init(submission);
    submission->header = contract_bytes(content->header, content->header_length);
    submission->body = contract_bytes(content->body, content->body_length);
    submission->trace_parent = content->trace_parent;
    submission->trace_state = content->trace_state;
    submission->files = contract_files(content);
    submission->n_files = content->file_count;
    submission->labels = contract_labels(content);
    submission->n_labels = content->labels.count;
    return submission;
}

void contract_submission_destroy(Xqueue__V1__Submission *submission)
{
    if (!submission) {
        return;
    }
    for (size_t i = 0; i < submission->n_files; i++) {
        memory_free(submission->files[i]);
    }
    for (size_t i = 0; i < submission->n_labels; i++) {
        memory_free(submission->labels[i]);
    }
    memory_free(submission->files);
    memory_free(submission->labels);
    memory_free(submission);
}

Xqueue__V1__Grant *contract_grant(const struct grant *from)
{
    Xqueue__V1__Grant *grant = MEMORY_NEW(Xqueue__V1__Grant);
    xqueue__v1__grant__init(grant);
    grant->lease = MEMORY_NEW(Xqueue__V1__LeaseRef);
    xqueue__v1__lease_ref__init(grant->lease);
    grant->lease->submission_id = (uint64_t)from->submission_id;
    grant->lease->lease_key = contract_text(from->lease_key);
    grant->attempt = (uint32_t)from->attempt;
    grant->accept_within_ms = from->accept_within_ms;
    grant->lease_ms = from->lease_ms;
    grant->hard_limit_ms = from->hard_limit_ms;
    grant->submission = contract_submission(&from->content);
    grant->submission->id = (uint64_t)from->submission_id;
    grant->submission->queue = contract_text(from->queue);
    grant->submission->submitted_at_ms = from->submitted_at_ms;
    return grant;
}

void contract_grant_destroy(Xqueue__V1__Grant *grant)
{
    if (!grant) {
        return;
    }
    contract_submission_destroy(grant->submission);
    memory_free(grant->lease);
    memory_free(grant);
}

bool contract_lease_name(const Xqueue__V1__LeaseRef *lease, struct lease_name *out_name)
{
    if (!lease || lease->submission_id == 0 || lease->submission_id > INT64_MAX ||
        strlen(lease->lease_key) != LEASE_KEY_LENGTH) {
        return false;
    }
    *out_name = (struct lease_name){.submission_id = (int64_t)lease->submission_id, .key = lease->lease_key};
    return true;
}

enum status contract_progress(const Xqueue__V1__Progress *message, struct progress *out_progress, struct error *error)
{
    if (strlen(message->phase) >= PROGRESS_TEXT_PHASE_MAX || strlen(message->note) >= PROGRESS_TEXT_NOTE_MAX ||
        message->percent > PROGRESS_PERCENT_MAX) {
        return error_set(error, STATUS_INVALID, "PROGRESS_INVALID",
                         "progress has a phase of at most 64 bytes, 0 to 100 percent and a note of at most 512 bytes");
    }
    out_progress->percent = message->percent;
    text_copy(out_progress->phase, sizeof out_progress->phase, message->phase);
    text_copy(out_progress->note, sizeof out_progress->note, message->note);
    return STATUS_OK;
}

void contract_fill_view(Xqueue__V1__GetResponse *view, const struct store_submission *row,
                        const struct store_delivery *delivery, int64_t now_ms)
{
    view->submission_id = (uint64_t)row->id;
    view->state = (Xqueue__V1__SubmissionState)row->state;
    view->delivery_state = XQUEUE__V1__DELIVERY_STATE__DELIVERY_STATE_NONE;
    view->attempt = (uint32_t)row->attempt;
    view->failures = (uint32_t)row->failures;
    view->submitted_at_ms = row->submitted_at_ms;
    view->state_at_ms = row->state_at_ms;
    view->grader = contract_text(row->grader);
    view->message = contract_text(row->message);
    view->superseded_by_id = (uint64_t)row->superseded_by_id;
    if (row->state == SUBMISSION_DELAYED && row->ready_at_ms > now_ms) {
        view->ready_after_ms = row->ready_at_ms - now_ms;
    }
    if (delivery) {
        view->delivery_state = (Xqueue__V1__DeliveryState)delivery->state;
        view->delivery_attempts = (uint32_t)delivery->attempt;
        view->delivery_message = contract_text(delivery->message);
        view->delivered_at_ms = delivery->state == DELIVERY_DELIVERED ? delivery->state_at_ms : 0;
    }
}

Xqueue__V1__ListResponse *contract_list(const struct bulk_item *items, size_t count, const char *next_page_token,
                                        int64_t now_ms)
{
    Xqueue__V1__ListResponse *list = MEMORY_NEW(Xqueue__V1__ListResponse);
    xqueue__v1__list_response__init(list);
    list->submissions = memory_allocate_array(count, sizeof(void *));
    list->n_submissions = count;
    list->next_page_token = contract_text(next_page_token);
    for (size_t i = 0; i < count; i++) {
        list->submissions[i] = MEMORY_NEW(Xqueue__V1__GetResponse);
        xqueue__v1__get_response__init(list->submissions[i]);
        contract_fill_view(list->submissions[i], &items[i].row, items[i].has_delivery ? &items[i].delivery : NULL, now_ms);
        list->submissions[i]->queue = contract_text(items[i].queue);
    }
    return list;
}

void contract_list_destroy(Xqueue__V1__ListResponse *list)
{
    for (size_t i = 0; i < list->n_submissions; i++) {
        memory_free(list->submissions[i]);
    }
    memory_free(list->submissions);
    memory_free(list);
}

bool contract_states(const Xqueue__V1__SubmissionState *states, size_t count, unsigned *out_states)
{
    unsigned bits = count == 0 ? SELECTION_ALL_STATES : 0;
    for (size_t i = 0; i < count; i++) {
        int state = (int)states[i];
        if (state < SUBMISSION_READY || state >= SUBMISSION_STATE_END) {
            return false;
        }
        bits |= 1U << state;
    }
    *out_states = bits;
    return true;
}

void contract_fill_delivery(Xqueue__V1__Delivery *delivery, const struct delivery_lease *lease, int64_t lease_ms)
{
    xqueue__v1__delivery__init(delivery);
    delivery->submission_id = (uint64_t)lease->row.submission_id;
    delivery->delivery_key = contract_text(lease->row.lease_key);
    delivery->queue = contract_text(lease->queue);
    delivery->callback_url = lease->content.callback_url;
    delivery->header = contract_bytes(lease->content.header, lease->content.header_length);
    delivery->outcome = (Xqueue__V1__Outcome)lease->row.outcome;
    delivery->result = contract_bytes(lease->result.body, lease->result.body_length);
    delivery->message = contract_text(lease->message);
    delivery->generation = (uint32_t)lease->row.generation;
    delivery->attempt = (uint32_t)lease->row.attempt;
    delivery->lease_ms = lease_ms;
    delivery->trace_parent = lease->content.trace_parent;
    delivery->trace_state = lease->content.trace_state;
}

enum status contract_read_delivery_failure(const Xqueue__V1__FailDeliveryRequest *request, struct delivery_failure *out_failure,
                                           struct error *error)
{
    if (strlen(request->message) >= STORE_MESSAGE_MAX || request->retry_after_ms < 0) {
        return error_set(error, STATUS_INVALID, "FAIL_INVALID",
                         "message has at most 1,024 bytes, retry_after_ms is not negative");
    }
    *out_failure = (struct delivery_failure){
        .message = request->message,
        .permanent = request->permanent,
        .uncounted = request->uncounted,
        .retry_after_ms = request->retry_after_ms,
    };
    return STATUS_OK;
}

int64_t contract_id(uint64_t id)
{
    return id <= INT64_MAX ? (int64_t)id : 0;
}
