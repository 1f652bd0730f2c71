/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/core_caller.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <xqueue/v1/sessions.pb-c.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"

enum { TOKEN_MAX = 128 };

struct core_caller {
    struct rpc_loop *loop;
    struct rpc_channel *channel;
    char token[TOKEN_MAX]; /* "": none */
};

/* protobuf-c's fields are not const. */
static char *as_field(const char *text)
{
    return text != NULL ? (char *)(uintptr_t)text : (char *)(uintptr_t) "";
}

static ProtobufCBinaryData as_bytes(const char *text)
{
    return (ProtobufCBinaryData){.data = (uint8_t *)as_field(text), .len = strlen(as_field(text))};
}

struct core_caller *core_caller_open(const char *address, const char *user)
{
    struct core_caller *caller = MEMORY_NEW(struct core_caller);
    const struct rpc_channel_options options = {.address = address, .reconnect_ms_max = 200};
    struct error error = {.text = ""};

    caller->loop = rpc_loop_create("caller");
    assert_non_null(caller->loop);
    assert_int_equal(rpc_channel_create(caller->loop, &options, &caller->channel), STATUS_OK);
    if (user != NULL && core_caller_login(caller, user, user, &error) != STATUS_OK) {
        fail_msg("login of %s: %s", user, error.text);
    }
    return caller;
}

void core_caller_close(struct core_caller *caller)
{
    if (caller == NULL) {
        return;
    }
    rpc_channel_destroy(caller->channel);
    rpc_loop_destroy(caller->loop);
    memory_free(caller);
}

void core_caller_set_token(struct core_caller *caller, const char *token)
{
    text_copy(caller->token, sizeof(caller->token), token != NULL ? token : "");
}

const char *core_caller_token(const struct core_caller *caller)
{
    return caller->token;
}

struct rpc_channel *core_caller_channel(struct core_caller *caller)
{
    return caller->channel;
}

enum status core_caller_ask(struct core_caller *caller, const struct core_question *question, struct rpc_message **out_reply,
                            struct error *error)
{
    const struct rpc_client_method method = {question->path, question->reply};
    const struct rpc_call_options options = {
        .bearer = caller->token[0] != '\0' ? caller->token : NULL, .timeout_ms = CORE_CALLER_PATIENCE_MS, .wait_for_ready = 1};
    struct rpc_message *reply = NULL;
    const enum status status = rpc_channel_call(caller->channel, &method, question->request, &options, &reply, error);

    if (out_reply != NULL && status == STATUS_OK) {
        *out_reply = reply;
    } else {
        rpc_message_free(reply);
    }
    return status;
}

enum status core_caller_login(struct core_caller *caller, const char *user, const char *password, struct error *error)
{
    Xqueue__V1__LoginRequest request = XQUEUE__V1__LOGIN_REQUEST__INIT;
    const struct core_question question = {"/xqueue.v1.Sessions/Login", &xqueue__v1__login_response__descriptor, &request.base};
    struct rpc_message *reply = NULL;

    request.user = as_field(user);
    request.password = as_field(password);
    const enum status status = core_caller_ask(caller, &question, &reply, error);
    if (status == STATUS_OK) {
        core_caller_set_token(caller, ((const Xqueue__V1__LoginResponse *)(const void *)rpc_message_body(reply))->token);
        rpc_message_free(reply);
    }
    return status;
}

/* ---- submitters ---- */

enum status core_submit(struct core_caller *caller, const struct core_submission *submission, uint64_t *out_id,
                        struct error *error)
{
    Xqueue__V1__SubmitRequest request = XQUEUE__V1__SUBMIT_REQUEST__INIT;
    const struct core_question question = {"/xqueue.v1.Submissions/Submit", &xqueue__v1__submit_response__descriptor,
                                           &request.base};
    const struct core_label asked[] = {submission->label, submission->second_label};
    Xqueue__V1__SubmitRequest__LabelsEntry entries[2];
    Xqueue__V1__SubmitRequest__LabelsEntry *labels[] = {&entries[0], &entries[1]};
    struct rpc_message *reply = NULL;

    request.queue = as_field(submission->queue);
    request.body = as_bytes(submission->body);
    request.header = as_bytes(submission->header);
    request.callback_url = as_field(submission->callback_url);
    request.results_channel = as_field(submission->results_channel);
    request.replace_key = as_bytes(submission->replace_key);
    request.request_id = as_field(submission->request_id);
    request.fairness_key = as_field(submission->fairness_key);
    request.priority = submission->priority;
    request.not_before_ms = submission->not_before_ms;
    request.expire_after_ms = submission->expire_after_ms;
    request.labels = labels;
    for (size_t i = 0; i < 2 && asked[i].name != NULL; i++) {
        xqueue__v1__submit_request__labels_entry__init(&entries[i]);
        entries[i].key = as_field(asked[i].name);
        entries[i].value = as_field(asked[i].value);
        request.n_labels = i + 1;
    }
    const enum status status = core_caller_ask(caller, &question, &reply, error);
    if (status == STATUS_OK) {
        if (out_id != NULL) {
            *out_id = ((const Xqueue__V1__SubmitResponse *)(const void *)rpc_message_body(reply))->submission_id;
        }
        rpc_message_free(reply);
    }
    return status;
}

static void copy_bytes(char *out, size_t capacity, ProtobufCBinaryData bytes)
{
    (void)snprintf(out, capacity, "%.*s", (int)bytes.len, (const char *)bytes.data);
}

enum status core_get(struct core_caller *caller, uint64_t id, struct core_view *out_view)
{
    Xqueue__V1__GetRequest request = XQUEUE__V1__GET_REQUEST__INIT;
    const struct core_question question = {"/xqueue.v1.Submissions/Get", &xqueue__v1__get_response__descriptor, &request.base};
    struct rpc_message *reply = NULL;

    request.submission_id = id;
    request.with_result = 1;
    const enum status status = core_caller_ask(caller, &question, &reply, NULL);
    if (status != STATUS_OK) {
        return status;
    }
    const Xqueue__V1__GetResponse *response = (const Xqueue__V1__GetResponse *)(const void *)rpc_message_body(reply);
    *out_view = (struct core_view){.state = response->state,
                                   .delivery_state = response->delivery_state,
                                   .attempt = response->attempt,
                                   .failures = response->failures,
                                   .delivery_attempts = response->delivery_attempts};
    text_copy(out_view->grader, sizeof(out_view->grader), response->grader);
    text_copy(out_view->message, sizeof(out_view->message), response->message);
    if (response->result != NULL) {
        copy_bytes(out_view->result, sizeof(out_view->result), response->result->body);
    }
    rpc_message_free(reply);
    return STATUS_OK;
}

/* 0 in either: does not count. */
static bool await_view(struct core_caller *caller, uint64_t id, Xqueue__V1__SubmissionState state,
                       Xqueue__V1__DeliveryState delivery_state)
{
    const int64_t deadline_us = clock_monotonic_us() + (int64_t)CORE_CALLER_PATIENCE_MS * 1000;
    struct core_view view = {0};

    while (clock_monotonic_us() < deadline_us) {
        if (core_get(caller, id, &view) == STATUS_OK && (state == 0 || view.state == state) &&
            (delivery_state == 0 || view.delivery_state == delivery_state)) {
            return true;
        }
    }
    (void)fprintf(stderr, "submission %llu: state %d, delivery %d\n", (unsigned long long)id, (int)view.state,
                  (int)view.delivery_state);
    return false;
}

bool core_await_state(struct core_caller *caller, uint64_t id, Xqueue__V1__SubmissionState state)
{
    return await_view(caller, id, state, XQUEUE__V1__DELIVERY_STATE__DELIVERY_STATE_UNSPECIFIED);
}

bool core_await_delivery(struct core_caller *caller, uint64_t id, Xqueue__V1__DeliveryState state)
{
    return await_view(caller, id, XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_UNSPECIFIED, state);
}

/* ---- graders ---- */

void core_lease_read(const Xqueue__V1__Grant *grant, struct core_lease *out_lease)
{
    *out_lease = (struct core_lease){.id = grant->lease->submission_id, .attempt = grant->attempt};
    text_copy(out_lease->key, sizeof(out_lease->key), grant->lease->lease_key);
    copy_bytes(out_lease->body, sizeof(out_lease->body), grant->submission->body);
}

static Xqueue__V1__LeaseRef lease_ref(const struct core_lease *lease)
{
    Xqueue__V1__LeaseRef ref = XQUEUE__V1__LEASE_REF__INIT;

    ref.submission_id = lease->id;
    ref.lease_key = as_field(lease->key);
    return ref;
}

enum status core_ask_lease(struct core_caller *caller, const struct core_lease_question *asked, struct core_lease *out_lease)
{
    Xqueue__V1__LeaseRequest request = XQUEUE__V1__LEASE_REQUEST__INIT;
    Xqueue__V1__LeaseRequest__LabelsEntry entry = XQUEUE__V1__LEASE_REQUEST__LABELS_ENTRY__INIT;
    Xqueue__V1__LeaseRequest__LabelsEntry *labels[] = {&entry};
    const struct core_question question = {"/xqueue.v1.Graders/Lease", &xqueue__v1__lease_response__descriptor, &request.base};
    struct rpc_message *reply = NULL;

    request.queue = as_field(asked->queue);
    request.grader = as_field(asked->grader);
    request.max = 1;
    request.wait_ms = asked->wait_ms;
    entry.key = as_field(asked->label.name);
    entry.value = as_field(asked->label.value);
    request.labels = labels;
    request.n_labels = asked->label.name != NULL ? 1 : 0;
    const enum status status = core_caller_ask(caller, &question, &reply, NULL);
    if (status == STATUS_OK) {
        const Xqueue__V1__LeaseResponse *response = (const Xqueue__V1__LeaseResponse *)(const void *)rpc_message_body(reply);
        *out_lease = (struct core_lease){.id = 0};
        if (response->n_grants > 0) {
            core_lease_read(response->grants[0], out_lease);
        }
        rpc_message_free(reply);
    }
    return status;
}

enum status core_take_lease(struct core_caller *caller, const char *queue, const char *grader, int64_t wait_ms,
                            struct core_lease *out_lease)
{
    return core_ask_lease(caller, &(struct core_lease_question){.queue = queue, .grader = grader, .wait_ms = wait_ms},
                          out_lease);
}

enum status core_complete(struct core_caller *caller, const struct core_lease *lease, const char *result, bool *out_already,
                          struct error *error)
{
    Xqueue__V1__CompleteRequest request = XQUEUE__V1__COMPLETE_REQUEST__INIT;
    Xqueue__V1__LeaseRef ref = lease_ref(lease);
    const struct core_question question = {"/xqueue.v1.Graders/Complete", &xqueue__v1__complete_response__descriptor,
                                           &request.base};
    struct rpc_message *reply = NULL;

    request.lease = &ref;
    request.result = as_bytes(result);
    const enum status status = core_caller_ask(caller, &question, &reply, error);
    if (status == STATUS_OK) {
        if (out_already != NULL) {
            *out_already = ((const Xqueue__V1__CompleteResponse *)(const void *)rpc_message_body(reply))->already;
        }
        rpc_message_free(reply);
    }
    return status;
}

enum status core_fail(struct core_caller *caller, const struct core_lease *lease, Xqueue__V1__FailKind kind,
                      const char *message, Xqueue__V1__SubmissionState *out_state)
{
    Xqueue__V1__FailRequest request = XQUEUE__V1__FAIL_REQUEST__INIT;
    Xqueue__V1__LeaseRef ref = lease_ref(lease);
    const struct core_question question = {"/xqueue.v1.Graders/Fail", &xqueue__v1__fail_response__descriptor, &request.base};
    struct rpc_message *reply = NULL;

    request.lease = &ref;
    request.kind = kind;
    request.message = as_field(message);
    const enum status status = core_caller_ask(caller, &question, &reply, NULL);
    if (status == STATUS_OK) {
        *out_state = ((const Xqueue__V1__FailResponse *)(const void *)rpc_message_body(reply))->state;
        rpc_message_free(reply);
    }
    return status;
}

enum status core_release(struct core_caller *caller, const struct core_lease *lease)
{
    Xqueue__V1__ReleaseRequest request = XQUEUE__V1__RELEASE_REQUEST__INIT;
    Xqueue__V1__LeaseRef ref = lease_ref(lease);
    const struct core_question question = {"/xqueue.v1.Graders/Release", &xqueue__v1__release_response__descriptor,
                                           &request.base};

    request.lease = &ref;
    return core_caller_ask(caller, &question, NULL, NULL);
}

enum status core_extend(struct core_caller *caller, const struct core_lease *lease, int64_t *out_expires_in_ms)
{
    Xqueue__V1__ExtendRequest request = XQUEUE__V1__EXTEND_REQUEST__INIT;
    Xqueue__V1__LeaseRef ref = lease_ref(lease);
    const struct core_question question = {"/xqueue.v1.Graders/Extend", &xqueue__v1__extend_response__descriptor,
                                           &request.base};
    struct rpc_message *reply = NULL;

    request.lease = &ref;
    const enum status status = core_caller_ask(caller, &question, &reply, NULL);
    if (status == STATUS_OK) {
        *out_expires_in_ms = ((const Xqueue__V1__ExtendResponse *)(const void *)rpc_message_body(reply))->expires_in_ms;
        rpc_message_free(reply);
    }
    return status;
}
