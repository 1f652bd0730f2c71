/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/grader_endpoints.h"

#include <stdint.h>
#include <string.h>

#include "base/secret.h"
#include "rest-adapter/direct_files.h"
#include "rest-adapter/http_form.h"
#include "rest-adapter/legacy_header.h"
#include "rest-adapter/queue_length.h"
#include "xqueue/v1/graders.pb-c.h"
#include "xqueue/v1/submissions.pb-c.h"

enum { QUEUE_NAMES_BYTES_MAX = LEGACY_NAME_BYTES_MAX };

static const struct rpc_client_method list_queues_method = {"/xqueue.v1.Submissions/ListQueues",
                                                            &xqueue__v1__list_queues_response__descriptor};
static const struct rpc_client_method lease_method = {"/xqueue.v1.Graders/Lease", &xqueue__v1__lease_response__descriptor};
static const struct rpc_client_method complete_method = {"/xqueue.v1.Graders/Complete",
                                                         &xqueue__v1__complete_response__descriptor};

/* ---- get_queuelen ---- */

static void say_queue_names(struct endpoint *endpoint)
{
    Xqueue__V1__ListQueuesRequest request = XQUEUE__V1__LIST_QUEUES_REQUEST__INIT;
    const Xqueue__V1__ListQueuesResponse *response = NULL;
    struct rpc_message *reply = NULL;
    struct error error = {0};
    struct text names;
    enum status status = endpoint_call(endpoint, &list_queues_method, &request.base, &reply, &error);

    if (status != STATUS_OK) {
        endpoint_fail(endpoint, status, &error, (struct span){0});
        return;
    }
    response = (const Xqueue__V1__ListQueuesResponse *)(const void *)rpc_message_body(reply);
    text_init(&names, QUEUE_NAMES_BYTES_MAX);
    for (size_t i = 0; i < response->n_queues; i++) {
        text_append_format(&names, "%s%s", i > 0 ? ", " : "", response->queues[i]);
    }
    endpoint_say(endpoint, LEGACY_QUEUE_NAMES, (struct span){names.bytes, names.length});
    text_finish(&names);
    rpc_message_free(reply);
}

static void say_queue_length(struct endpoint *endpoint, struct span queue)
{
    struct queue_length length = {0};
    struct error error = {0};
    enum status status = STATUS_NOT_FOUND;

    if (endpoint_is_queue_name(queue)) {
        status = queue_length_ask(endpoint, queue.bytes, &length, &error);
    }
    if (status == STATUS_NOT_FOUND) {
        say_queue_names(endpoint);
        return;
    }
    if (status != STATUS_OK) {
        endpoint_fail(endpoint, status, &error, queue);
        return;
    }
    http_reply_header(endpoint->reply, "Content-Type", LEGACY_REPLY_CONTENT_TYPE);
    legacy_reply_number(&endpoint->reply->body, length.counted);
}

void get_queuelen_serve(struct endpoint *endpoint)
{
    struct form form;
    struct span queue = endpoint_query(endpoint, "queue_name", &form);

    if (queue.bytes != NULL) {
        say_queue_length(endpoint, queue);
    } else if (endpoint_is_logged_in(endpoint)) {
        endpoint_say(endpoint, LEGACY_QUEUELEN_NEEDS_NAME, (struct span){0});
    }
    form_finish(&form);
}

/* ---- get_submission ---- */

static void say_submission(struct endpoint *endpoint, const Xqueue__V1__Grant *grant)
{
    const Xqueue__V1__Submission *submission = grant->submission;
    struct legacy_submission legacy = {.id = submission->id,
                                       .key = grant->lease->lease_key,
                                       .body = {(const char *)submission->body.data, submission->body.len}};
    struct direct_files direct;

    direct_files_init(&direct, submission->n_files);
    for (size_t i = 0; i < submission->n_files; i++) {
        direct_files_add(&direct, endpoint->adapter->files, submission->files[i]->name, submission->files[i]->url);
    }
    legacy.files = direct.items;
    legacy.file_count = direct.count;
    http_reply_header(endpoint->reply, "Content-Type", LEGACY_REPLY_CONTENT_TYPE);
    legacy_reply_submission(&endpoint->reply->body, &legacy);
    direct_files_finish(&direct);
}

static void lease_submission(struct endpoint *endpoint, struct span queue)
{
    Xqueue__V1__LeaseRequest request = XQUEUE__V1__LEASE_REQUEST__INIT;
    const Xqueue__V1__LeaseResponse *response = NULL;
    struct rpc_message *reply = NULL;
    struct error error = {0};
    enum status status = STATUS_OK;

    request.queue = (char *)queue.bytes;
    request.max = 1;
    request.grader = endpoint->client;
    status = endpoint_call(endpoint, &lease_method, &request.base, &reply, &error);
    if (status == STATUS_FULL && strcmp(error.reason, "GRADER_QUIET") == 0) {
        endpoint_say(endpoint, LEGACY_QUEUE_EMPTY, queue); // there is nothing for this poller; it comes again
        return;
    }
    if (status != STATUS_OK) {
        endpoint_fail(endpoint, status, &error, queue);
        return;
    }
    response = (const Xqueue__V1__LeaseResponse *)(const void *)rpc_message_body(reply);
    if (response->n_grants == 0) {
        endpoint_say(endpoint, LEGACY_QUEUE_EMPTY, queue);
    } else if (response->grants[0]->submission == NULL || response->grants[0]->lease == NULL) {
        endpoint_fail(endpoint, STATUS_INTERNAL, NULL, queue);
    } else {
        say_submission(endpoint, response->grants[0]);
    }
    rpc_message_free(reply);
}

/* What a pull would say, without one: of a queue that is not empty, nothing. */
static void look_at_queue(struct endpoint *endpoint, struct span queue)
{
    struct queue_length length = {0};
    struct error error = {0};
    enum status status = queue_length_ask(endpoint, queue.bytes, &length, &error);

    if (status != STATUS_OK) {
        endpoint_fail(endpoint, status, &error, queue);
    } else if (length.ready == 0) {
        endpoint_say(endpoint, LEGACY_QUEUE_EMPTY, queue);
    } else {
        http_reply_header(endpoint->reply, "Content-Type", LEGACY_REPLY_CONTENT_TYPE);
    }
}

void get_submission_serve(struct endpoint *endpoint)
{
    struct form form;
    struct span queue = endpoint_query(endpoint, "queue_name", &form);
    bool is_question = endpoint->request->method == HTTP_HEAD || endpoint->request->method == HTTP_OPTIONS;

    if (queue.bytes != NULL && endpoint_is_queue_name(queue)) {
        if (is_question) {
            look_at_queue(endpoint, queue);
        } else {
            lease_submission(endpoint, queue);
        }
    } else if (endpoint_is_logged_in(endpoint)) {
        endpoint_say(endpoint, queue.bytes == NULL ? LEGACY_SUBMISSION_NEEDS_NAME : LEGACY_QUEUE_NOT_FOUND, queue);
    }
    form_finish(&form);
}

/* ---- put_result ---- */

static void complete_submission(struct endpoint *endpoint, struct legacy_result_header *header, struct span body)
{
    static const char no_key[] = "00000000000000000000000000000000"; // has the form of a key, and is none
    Xqueue__V1__CompleteRequest request = XQUEUE__V1__COMPLETE_REQUEST__INIT;
    Xqueue__V1__LeaseRef lease = XQUEUE__V1__LEASE_REF__INIT;
    struct rpc_message *reply = NULL;
    struct error error = {0};
    enum status status = STATUS_OK;

    lease.submission_id = header->submission_id;
    lease.lease_key = strlen(header->key) == sizeof(no_key) - 1 ? header->key : (char *)no_key;
    request.lease = &lease;
    request.result.data = (uint8_t *)body.bytes;
    request.result.len = body.length;
    request.amend = 1;
    status = endpoint_call(endpoint, &complete_method, &request.base, &reply, &error);
    if (status != STATUS_OK) {
        endpoint_fail(endpoint, status, &error, (struct span){0});
        return;
    }
    rpc_message_free(reply);
    endpoint_say(endpoint, LEGACY_RESULT_ACCEPTED, (struct span){0});
}

static void take_result(struct endpoint *endpoint, const struct form *form)
{
    struct span header_text = form_get(form, "xqueue_header");
    struct span body = form_get(form, "xqueue_body");
    struct legacy_result_header header;
    struct error error = {0};
    enum status status = STATUS_OK;

    if (header_text.bytes == NULL || body.bytes == NULL) {
        if (endpoint_is_logged_in(endpoint)) {
            endpoint_say(endpoint, LEGACY_PUT_RESULT_INVALID, (struct span){0});
        }
        return;
    }
    status = legacy_result_header_parse(header_text, &header, &error);
    if (status == STATUS_OK) {
        status = endpoint_check_body(body, &error);
    }
    if (status == STATUS_OK) {
        complete_submission(endpoint, &header, body);
    } else if (endpoint_is_logged_in(endpoint)) {
        endpoint_fail(endpoint, status, &error, (struct span){0});
    }
}

void put_result_serve(struct endpoint *endpoint)
{
    struct form_limits limits = http_form_limits(&endpoint->adapter->config->rest);
    struct form form;

    if (endpoint->request->method != HTTP_POST) {
        if (endpoint_is_logged_in(endpoint)) {
            endpoint_say(endpoint, LEGACY_PUT_RESULT_NEEDS_POST, (struct span){0});
        }
        return;
    }
    form_init(&form, &limits);
    if (endpoint_read_form(endpoint, NULL, &form)) {
        take_result(endpoint, &form);
    }
    form_finish(&form);
}
