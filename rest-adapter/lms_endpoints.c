/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/lms_endpoints.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/secret.h"
#include "rest-adapter/callback_rules.h"
#include "rest-adapter/http_form.h"
#include "rest-adapter/legacy_header.h"
#include "rest-adapter/queue_length.h"
#include "rest-adapter/student_key.h"
#include "rest-adapter/trace_context.h"
#include "xqueue/v1/submissions.pb-c.h"

enum { COUNT_TEXT_MAX = 24 };

static const struct rpc_client_method submit_method = {"/xqueue.v1.Submissions/Submit",
                                                       &xqueue__v1__submit_response__descriptor};

/* A submission on its way to the core. */
struct submitting {
    struct endpoint *endpoint;
    struct form *form;
    struct files_receiver *receiver; /* of the form's files */
    struct span header_text;
    struct legacy_submit_header header;
    Xqueue__V1__File *files; /* form->file_count of them, their URLs owned */
    Xqueue__V1__File **file_pointers;
};

/* ---- files ---- */

/* After files_keep. */
static enum status name_files(struct submitting *submitting, struct error *error)
{
    struct form *form = submitting->form;

    submitting->files = memory_allocate_array(form->file_count, sizeof(*submitting->files));
    submitting->file_pointers = memory_allocate_array(form->file_count, sizeof(Xqueue__V1__File *));
    for (size_t i = 0; i < form->file_count; i++) {
        const struct form_file *stored = form_file_at(form, i);
        Xqueue__V1__File *file = &submitting->files[i];
        struct text url;

        xqueue__v1__file__init(file);
        text_init(&url, FILES_URL_BYTES_MAX);
        files_append_url(submitting->receiver, stored->stored, submitting->endpoint->request->port, &url);
        if (text_status(&url) != STATUS_OK) {
            text_finish(&url);
            return error_set(error, STATUS_INVALID, NULL, "the URL of a file is longer than %d bytes", FILES_URL_BYTES_MAX);
        }
        file->name = (char *)stored->field.bytes;
        file->url = text_take(&url, NULL);
        text_finish(&url);
        file->filename = (char *)stored->filename.bytes;
        file->size_bytes = stored->size_bytes;
        file->sha256 = (ProtobufCBinaryData){.len = sizeof(stored->sha256), .data = (uint8_t *)stored->sha256};
        submitting->file_pointers[i] = file;
    }
    return STATUS_OK;
}

static void forget_files(struct submitting *submitting)
{
    for (size_t i = 0; submitting->files != NULL && i < submitting->form->file_count; i++) {
        if (submitting->file_pointers[i] != NULL) {
            memory_free(submitting->files[i].url);
        }
    }
    memory_free(submitting->files);
    memory_free(submitting->file_pointers);
}

/* Did the core surely not take it? A connection that broke in between, or a deadline, leaves that open. */
static bool is_refusal(enum status status, const struct error *error)
{
    static const bool refusals[STATUS_COUNT] = {
        [STATUS_INVALID] = true,      [STATUS_UNAUTHENTICATED] = true, [STATUS_DENIED] = true, [STATUS_NOT_FOUND] = true,
        [STATUS_EXISTS] = true,       [STATUS_WRONG_STATE] = true,     [STATUS_STALE] = true,  [STATUS_FULL] = true,
        [STATUS_UNIMPLEMENTED] = true};

    if (status == STATUS_UNAVAILABLE) {
        return error->reason[0] != '\0' && strcmp(error->reason, "CORE_AWAY") != 0;
    }
    return refusals[status];
}

/* ---- submit ---- */

/*
 * What the LMS shows to the student: how long the queue is, with this submission. A queue that is pushed has it in somebody's
 * hands already, so it is counted apart; should that fail, the submission is in all the same.
 */
static int64_t counted_length(struct endpoint *endpoint, const char *queue, uint64_t ready_count)
{
    struct queue_length length = {.counted = (int64_t)ready_count};
    struct error error = {0};

    if (queue_length_is_pushed(endpoint, queue)) {
        enum status status = queue_length_ask(endpoint, queue, &length, &error);
        if (status != STATUS_OK) {
            log_event(LOG_WARN, "queue_not_counted", LOG_TEXT("queue", queue), LOG_TEXT("status", status_name(status)));
        }
        return length.counted > 0 ? length.counted : 1;
    }
    return length.counted;
}

static void say_length(struct endpoint *endpoint, int64_t length)
{
    char text[COUNT_TEXT_MAX];

    (void)snprintf(text, sizeof(text), "%lld", (long long)length);
    http_reply_header(endpoint->reply, "Content-Type", LEGACY_REPLY_CONTENT_TYPE);
    legacy_reply_string(&endpoint->reply->body, 0, span_of(text));
}

/* Kept with the submission for whoever grades it, and for the callback; malformed or doubtful ones are none. */
static void take_trace(const struct endpoint *endpoint, Xqueue__V1__SubmitRequest *request)
{
    const char *parent = http_request_header(endpoint->request, "traceparent");
    const char *state = http_request_header(endpoint->request, "tracestate");

    if (parent == NULL || http_request_header_at(endpoint->request, "traceparent", 1) != NULL ||
        !trace_parent_is_valid(parent)) {
        return;
    }
    request->trace_parent = (char *)(uintptr_t)parent; // the generated type is not const, though nothing is written
    if (state != NULL && http_request_header_at(endpoint->request, "tracestate", 1) == NULL && trace_state_is_valid(state)) {
        request->trace_state = (char *)(uintptr_t)state;
    }
}

static enum status call_submit(struct submitting *submitting, struct span body, struct error *error)
{
    Xqueue__V1__SubmitRequest request = XQUEUE__V1__SUBMIT_REQUEST__INIT;
    const Xqueue__V1__SubmitResponse *response = NULL;
    uint8_t replace_key[SECRET_DIGEST_BYTES];
    char student[STUDENT_KEY_MAX] = "";
    struct rpc_message *reply = NULL;
    enum status status = STATUS_OK;

    if (submitting->endpoint->adapter->config->rest.fair_by_student) {
        (void)student_key(body, student); // nobody: the submission stands for itself
    }
    secret_digest(submitting->header.callback_url, submitting->header.callback_length, replace_key);
    request.queue = submitting->header.queue;
    request.header =
        (ProtobufCBinaryData){.len = submitting->header_text.length, .data = (uint8_t *)submitting->header_text.bytes};
    request.body = (ProtobufCBinaryData){.len = body.length, .data = (uint8_t *)body.bytes};
    request.n_files = submitting->form->file_count;
    request.files = submitting->file_pointers;
    request.callback_url = submitting->header.callback_url;
    request.replace_key = (ProtobufCBinaryData){.len = sizeof(replace_key), .data = replace_key};
    request.fairness_key = student;
    take_trace(submitting->endpoint, &request);
    status = endpoint_call(submitting->endpoint, &submit_method, &request.base, &reply, error);
    if (status != STATUS_OK) {
        return status;
    }
    response = (const Xqueue__V1__SubmitResponse *)(const void *)rpc_message_body(reply);
    say_length(submitting->endpoint, counted_length(submitting->endpoint, submitting->header.queue, response->ready_count));
    rpc_message_free(reply);
    return STATUS_OK;
}

static enum status check_header(const struct submitting *submitting, struct error *error)
{
    const struct config *config = submitting->endpoint->adapter->config;
    const struct legacy_submit_header *header = &submitting->header;

    if ((int64_t)submitting->header_text.length > config->rest.header_bytes_max) {
        return error_set(error, STATUS_INVALID, NULL, "xqueue_header is longer than %lld bytes",
                         (long long)config->rest.header_bytes_max);
    }
    if (!header->queue_is_name) {
        return error_set(error, STATUS_NOT_FOUND, "QUEUE_NOT_FOUND", "no such queue");
    }
    if (header->callback_url == NULL) {
        return error_set(error, STATUS_INVALID, "URL_INVALID", "lms_callback_url must be a string");
    }
    if (strlen(header->callback_url) != header->callback_length) {
        return error_set(error, STATUS_INVALID, "URL_INVALID", "lms_callback_url holds a NUL character");
    }
    return callback_rules_check(&config->callbacks, header->callback_url, error);
}

/* The reply to what is not even sent to the core. That there is no such queue goes before, as in the original. */
static void refuse(struct submitting *submitting, enum status status, const struct error *error)
{
    struct endpoint *endpoint = submitting->endpoint;
    struct span queue = {submitting->header.queue, submitting->header.queue_length};
    struct queue_length length = {0};
    struct error unknown = {0};

    if (!submitting->header.queue_is_name) {
        if (endpoint_is_logged_in(endpoint)) {
            endpoint_fail(endpoint, status, error, queue);
        }
        return;
    }
    enum status asked = queue_length_ask(endpoint, submitting->header.queue, &length, &unknown);
    if (asked == STATUS_OK) {
        endpoint_fail(endpoint, status, error, queue);
    } else {
        endpoint_fail(endpoint, asked, &unknown, queue);
    }
}

/* The header is parsed. true: the core has the submission, or may have it. */
static bool hand_over(struct submitting *submitting, struct span body)
{
    struct endpoint *endpoint = submitting->endpoint;
    struct span queue = {submitting->header.queue, submitting->header.queue_length};
    struct error error = {0};
    enum status status = check_header(submitting, &error);

    if (status == STATUS_OK) {
        status = endpoint_check_body(body, &error);
    }
    if (status == STATUS_OK) {
        status = files_keep(submitting->receiver, submitting->form, queue, &error);
    }
    if (status == STATUS_OK) {
        status = name_files(submitting, &error);
    }
    if (status != STATUS_OK) {
        refuse(submitting, status, &error);
        return false;
    }
    status = call_submit(submitting, body, &error);
    if (status != STATUS_OK) {
        endpoint_fail(endpoint, status, &error, queue);
    }
    return status == STATUS_OK || !is_refusal(status, &error);
}

static bool take_submission(struct endpoint *endpoint, struct form *form, struct files_receiver *receiver)
{
    struct submitting submitting = {
        .endpoint = endpoint, .form = form, .receiver = receiver, .header_text = form_get(form, "xqueue_header")};
    struct span body = form_get(form, "xqueue_body");
    struct error error = {0};
    enum status status = STATUS_OK;
    bool is_taken = false;

    if (submitting.header_text.bytes == NULL || body.bytes == NULL) {
        if (endpoint_is_logged_in(endpoint)) {
            endpoint_say(endpoint, LEGACY_SUBMIT_INVALID, (struct span){0});
        }
        return false;
    }
    status = legacy_submit_header_parse(submitting.header_text, &submitting.header, &error);
    if (status == STATUS_OK) {
        is_taken = hand_over(&submitting, body);
        forget_files(&submitting);
        legacy_submit_header_finish(&submitting.header);
    } else if (endpoint_is_logged_in(endpoint)) {
        endpoint_fail(endpoint, status, &error, (struct span){0});
    }
    return is_taken;
}

void submit_serve(struct endpoint *endpoint)
{
    struct form_limits limits = http_form_limits(&endpoint->adapter->config->rest);
    struct files_receiver receiver;
    struct form_file_sink sink = files_receiver_init(&receiver, endpoint->adapter->files);
    struct form form;
    bool is_taken = false;

    if (endpoint->request->method != HTTP_POST) {
        if (endpoint_is_logged_in(endpoint)) {
            endpoint_say(endpoint, LEGACY_SUBMIT_NEEDS_POST, (struct span){0});
        }
        return;
    }
    if (http_form_is_multipart(endpoint->request) && !endpoint_is_logged_in(endpoint)) {
        return; // strangers fill no disk
    }
    form_init(&form, &limits);
    if (endpoint_read_form(endpoint, &sink, &form)) {
        is_taken = take_submission(endpoint, &form, &receiver);
    }
    if (!is_taken) {
        files_remove(&receiver, &form);
    }
    form_finish(&form);
}
