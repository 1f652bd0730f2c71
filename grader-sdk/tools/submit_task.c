/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/tools/submit_task.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/secret.h"
#include "base/text.h"
#include "grader-sdk/tools/submit_attachments.h"
#include "grader-sdk/tools/submit_body.h"

#define STATE(name_) XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_##name_

static const struct rpc_client_method submit_method = {"/xqueue.v1.Submissions/Submit",
                                                       &xqueue__v1__submit_response__descriptor};
static const struct rpc_client_method watch_method = {"/xqueue.v1.Submissions/Watch", &xqueue__v1__watch_event__descriptor};
static const struct rpc_client_method get_method = {"/xqueue.v1.Submissions/Get", &xqueue__v1__get_response__descriptor};
static const struct rpc_client_method cancel_method = {"/xqueue.v1.Submissions/Cancel",
                                                       &xqueue__v1__cancel_response__descriptor};

/* A task at work. */
struct work {
    const struct submit_task *task;
    struct submit_outcome *outcome;
    struct submit_tries tries;
    struct submit_view view;
    struct error error;
};

/* The generated types are not const. */
static char *unconst(const char *text)
{
    return (char *)(uintptr_t)text;
}

static void change(struct work *work)
{
    if (work->task->on_change)
        work->task->on_change(work->task->context, &work->view);
}

/* ---- submitting ---- */

static enum status make_body(struct work *work, char **out_body, size_t *out_length)
{
    const struct submit_run *run = work->task->run;
    struct submit_input input;
    enum status status = submit_input_read(work->task->path, SUBMIT_BODY_BYTES_MAX, &input, &work->error);
    if (status != STATUS_OK)
        return status;
    if (run->options->is_raw) {
        *out_body = input.bytes;
        *out_length = input.length;
        return STATUS_OK;
    }
    const struct submit_body body = {
        .response = {input.bytes, input.length},
        .payload = {run->payload.bytes, run->payload.length},
        .student = run->options->student,
        .submitted_at_ms = input.changed_at_ms,
    };
    status = submit_body_make(&body, work->task->path, out_body, out_length, &work->error);
    submit_input_finish(&input);
    return status;
}

static void fill_request(const struct work *work, Xqueue__V1__SubmitRequest *request)
{
    const struct submit_run *run = work->task->run;
    const struct submit_options *options = run->options;
    request->request_id = work->outcome->request_id;
    request->queue = unconst(options->queue);
    request->header = (ProtobufCBinaryData){.data = (uint8_t *)run->header.bytes, .len = run->header.length};
    request->files = submit_attachments_files(run->attachments, &request->n_files);
    request->priority = options->priority;
    request->not_before_ms = options->not_before_ms;
    request->expire_after_ms = options->expire_after_ms;
    if (options->fairness_key)
        request->fairness_key = unconst(options->fairness_key);
    if (options->replace_key)
        request->replace_key =
            (ProtobufCBinaryData){.data = (uint8_t *)unconst(options->replace_key), .len = strlen(options->replace_key)};
}

/* A file that nobody names is removed after a while: then it goes up once more. */
static enum status call_submit(struct work *work, const Xqueue__V1__SubmitRequest *request, struct rpc_message **out_reply)
{
    struct submit_run *run = work->task->run;
    bool was_uploaded = false;
    for (;;) {
        enum status status = connection_call(run->connection, &submit_method, &request->base, out_reply, &work->error);
        if (status == STATUS_OK)
            return status;
        if (status == STATUS_NOT_FOUND && strcmp(work->error.reason, "FILE_NOT_FOUND") == 0 && !was_uploaded) {
            was_uploaded = true;
            status = submit_attachments_upload(run->attachments, &work->tries, &work->error);
            if (status != STATUS_OK)
                return status;
        } else if (!submit_tries_again(&work->tries, &status, &work->error)) {
            return status;
        }
    }
}

static enum status submit_body(struct work *work, ProtobufCBinaryData body)
{
    const struct submit_options *options = work->task->run->options;
    Xqueue__V1__SubmitRequest__LabelsEntry labels[SUBMIT_LABELS_MAX];
    Xqueue__V1__SubmitRequest__LabelsEntry *label_list[SUBMIT_LABELS_MAX];
    Xqueue__V1__SubmitRequest request = XQUEUE__V1__SUBMIT_REQUEST__INIT;
    struct rpc_message *reply = NULL;
    for (size_t at = 0; at < options->label_count; at++) {
        xqueue__v1__submit_request__labels_entry__init(&labels[at]);
        labels[at].key = options->labels[at].name;
        labels[at].value = unconst(options->labels[at].value);
        label_list[at] = &labels[at];
    }
    fill_request(work, &request);
    request.labels = label_list;
    request.n_labels = options->label_count;
    request.body = body;
    enum status status = call_submit(work, &request, &reply);
    if (status != STATUS_OK)
        return status;
    const Xqueue__V1__SubmitResponse *response = (const Xqueue__V1__SubmitResponse *)(const void *)rpc_message_body(reply);
    work->outcome->id = response->submission_id;
    work->outcome->already = response->already;
    rpc_message_free(reply);
    submit_tries_reset(&work->tries);
    return STATUS_OK;
}

static enum status hand_in(struct work *work)
{
    struct submit_outcome *outcome = work->outcome;
    char random_id[SECRET_KEY_TEXT_MAX];
    char *body = NULL;
    size_t length = 0;
    enum status status = make_body(work, &body, &length);
    if (status != STATUS_OK)
        return status;
    secret_key(random_id);
    (void)text_copy(outcome->request_id, sizeof outcome->request_id,
                    work->task->request_id ? work->task->request_id : random_id);
    change(work);
    status = submit_body(work, (ProtobufCBinaryData){.data = (uint8_t *)body, .len = length});
    memory_free(body);
    return status;
}

/* ---- waiting ---- */

static bool on_event(void *context, const struct rpc_message *message)
{
    struct work *work = context;
    const Xqueue__V1__WatchEvent *event = (const Xqueue__V1__WatchEvent *)(const void *)rpc_message_body(message);
    submit_tries_reset(&work->tries);
    if (!event->submission)
        return true;
    submit_view_take(&work->view, event);
    change(work);
    return !submit_view_is_final(&work->view);
}

static enum status await_end(struct work *work)
{
    struct connection *connection = work->task->run->connection;
    Xqueue__V1__WatchRequest request = XQUEUE__V1__WATCH_REQUEST__INIT;
    request.submission_id = work->outcome->id;
    const struct connection_watch watch = {.method = &watch_method,
                                           .request = &request.base,
                                           .on_message = on_event,
                                           .context = work,
                                           .until_ms = work->tries.until_ms};
    for (;;) {
        enum status status = connection_watch(connection, &watch, &work->error);
        if (submit_view_is_final(&work->view))
            return STATUS_OK;
        if (status == STATUS_OK) // it ends by itself only behind a final state
            status = error_set(&work->error, STATUS_UNAVAILABLE, NULL, "xqueued ended the watch");
        if (!submit_tries_again(&work->tries, &status, &work->error))
            return status;
    }
}

/* What the state means; false: it is no end. */
static bool find_end(Xqueue__V1__SubmissionState state, enum submit_end *out_end)
{
    static const struct {
        Xqueue__V1__SubmissionState state;
        enum submit_end end;
    } ends[] = {
        {STATE(GRADED), SUBMIT_END_GRADED},     {STATE(UNGRADABLE), SUBMIT_END_UNGRADABLE}, {STATE(DEAD), SUBMIT_END_DEAD},
        {STATE(CANCELED), SUBMIT_END_CANCELED}, {STATE(SUPERSEDED), SUBMIT_END_SUPERSEDED},
    };
    for (size_t at = 0; at < sizeof ends / sizeof *ends; at++) {
        if (ends[at].state == state) {
            *out_end = ends[at].end;
            return true;
        }
    }
    return false;
}

static void take_end(struct submit_outcome *outcome, const Xqueue__V1__GetResponse *response)
{
    outcome->attempt = response->attempt;
    outcome->failures = response->failures;
    outcome->submitted_at_ms = response->submitted_at_ms;
    (void)text_copy(outcome->queue, sizeof outcome->queue, response->queue);
    (void)text_copy(outcome->grader, sizeof outcome->grader, response->grader);
    (void)text_copy(outcome->message, sizeof outcome->message, response->message);
    if (outcome->end != SUBMIT_END_GRADED || !response->result)
        return;
    outcome->result_length = response->result->body.len;
    outcome->result = memory_copy(response->result->body.data, outcome->result_length);
    submit_grade_read(outcome->result, outcome->result_length, &outcome->grade);
}

/* *out_is_over false: an administrator has had it begin anew in the meantime. */
static enum status fetch_end(struct work *work, bool *out_is_over)
{
    Xqueue__V1__GetRequest request = XQUEUE__V1__GET_REQUEST__INIT;
    struct rpc_message *reply = NULL;
    request.submission_id = work->outcome->id;
    request.with_result = true;
    enum status status;
    do {
        status = connection_call(work->task->run->connection, &get_method, &request.base, &reply, &work->error);
    } while (status != STATUS_OK && submit_tries_again(&work->tries, &status, &work->error));
    if (status != STATUS_OK)
        return status;
    const Xqueue__V1__GetResponse *response = (const Xqueue__V1__GetResponse *)(const void *)rpc_message_body(reply);
    work->view.state = response->state;
    *out_is_over = find_end(response->state, &work->outcome->end);
    if (*out_is_over)
        take_end(work->outcome, response);
    rpc_message_free(reply);
    return STATUS_OK;
}

static enum status wait_for_end(struct work *work)
{
    bool is_over = false;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && !is_over) {
        status = await_end(work);
        if (status == STATUS_OK)
            status = fetch_end(work, &is_over);
    }
    return status;
}

/* ---- the end ---- */

static void take_back(struct work *work)
{
    struct error error;
    Xqueue__V1__CancelRequest request = XQUEUE__V1__CANCEL_REQUEST__INIT;
    request.submission_id = work->outcome->id;
    request.reason = unconst("xqueue-submit was interrupted");
    work->outcome->was_taken_back =
        connection_call_at_end(work->task->run->connection, &cancel_method, &request.base, &error) == STATUS_OK;
}

static void end_badly(struct work *work, enum status status)
{
    struct submit_outcome *outcome = work->outcome;
    outcome->end = SUBMIT_END_FAILED;
    outcome->status = status;
    outcome->error = work->error;
    if (!work->task->run->was_reached)
        outcome->request_id[0] = '\0'; // so it is known that nothing was taken
    if (work->tries.is_late)
        outcome->end = SUBMIT_END_TIMEOUT;
    else if (status == STATUS_CANCELED)
        outcome->end = SUBMIT_END_INTERRUPTED;
    if (outcome->end == SUBMIT_END_INTERRUPTED && outcome->id > 0 && work->task->run->options->cancel_on_interrupt)
        take_back(work);
}

void submit_task_run(const struct submit_task *task, struct submit_outcome *out_outcome)
{
    const struct submit_options *options = task->run->options;
    struct work work = {.task = task, .outcome = out_outcome};
    int64_t began_us = clock_monotonic_us();
    *out_outcome = (struct submit_outcome){.id = task->id};
    (void)text_copy(out_outcome->queue, sizeof out_outcome->queue, options->queue ? options->queue : "");
    submit_tries_init(&work.tries, task->run);
    work.tries.on_wait = task->on_wait;
    work.tries.context = task->context;
    enum status status = task->id > 0 ? STATUS_OK : hand_in(&work);
    if (status == STATUS_OK && options->no_wait) {
        out_outcome->end = SUBMIT_END_SUBMITTED;
    } else {
        if (status == STATUS_OK)
            status = wait_for_end(&work);
        if (status != STATUS_OK)
            end_badly(&work, status);
    }
    out_outcome->took_us = clock_monotonic_us() - began_us;
}
