/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/text.h"
#include "service/listing.h"
#include "service/methods/contract.h"
#include "service/methods/method.h"
#include "service/methods/methods.h"
#include "service/methods/watch_stream.h"
#include "service/rules/order.h"
#include "service/submitted_files.h"
#include "service/submitting.h"
#include "xqueue/v1/submissions.pb-c.h"

enum { SUBMISSIONS_TOKEN_MAX = 24 }; /* text of an id, and a NUL */

/* ---- Submit ---- */

struct submit_method {
    struct method_command base;
    struct submit_order order;
    struct store_file files[SUBMITTING_FILES_MAX];
    struct label labels[LABELS_ASKED_MAX];
    struct submit_receipt receipt;
};

/* Whether somebody can be reached there shows the delivery; what never can is refused while the submitter is listening. */
static bool submit_is_callback(const char *url)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (strncasecmp(url, schemes[i], strlen(schemes[i])) == 0) {
            return true;
        }
    }
    return url[0] == '\0';
}

/* The first thing that is wrong with a request, or NULL. */
static const char *submit_fault(const Xqueue__V1__SubmitRequest *request)
{
    const struct {
        bool ok;
        const char *text;
    } checks[] = {
        {text_is_name(request->queue, STORE_NAME_MAX - 1), "queue is 1 to 128 bytes without control characters"},
        {method_text_fits(request->request_id, STORE_REQUEST_ID_MAX - 1), "request_id has at most 128 bytes"},
        {request->header.len <= SUBMITTING_HEADER_BYTES_MAX, "header has at most 65,536 bytes"},
        {request->body.len <= SUBMITTING_BODY_BYTES_MAX, "body has at most 3,145,728 bytes"},
        {request->n_files <= SUBMITTING_FILES_MAX, "at most 100 files"},
        {request->n_labels <= LABELS_ASKED_MAX, "at most 16 labels"},
        {method_text_fits(request->callback_url, SUBMITTING_CALLBACK_URL_BYTES_MAX), "callback_url has at most 8,192 bytes"},
        {submit_is_callback(request->callback_url), "callback_url begins with http:// or https://"},
        {method_text_fits(request->results_channel, STORE_NAME_MAX - 1), "results_channel has at most 128 bytes"},
        {request->callback_url[0] == '\0' || request->results_channel[0] == '\0', "callback_url or results_channel, not both"},
        {request->replace_key.len <= STORE_REPLACE_KEY_MAX, "replace_key has at most 64 bytes"},
        {method_text_fits(request->fairness_key, STORE_NAME_MAX - 1), "fairness_key has at most 128 bytes"},
        {request->priority < ORDER_PRIORITY_END, "priority is 0, 1 or 2"},
        {request->not_before_ms >= 0 && request->not_before_ms <= SUBMITTING_NOT_BEFORE_MS_MAX,
         "not_before_ms is out of range"},
        {request->expire_after_ms >= 0 && request->expire_after_ms <= SUBMITTING_EXPIRE_AFTER_MS_MAX,
         "expire_after_ms is out of range"},
        {method_text_fits(request->trace_parent, SUBMITTING_TRACE_PARENT_BYTES_MAX), "trace_parent has at most 128 bytes"},
        {method_text_fits(request->trace_state, SUBMITTING_TRACE_STATE_BYTES_MAX), "trace_state has at most 512 bytes"},
        {request->cost <= ORDER_COST_MAX, "cost is at most 1,000,000"},
    };
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        if (!checks[i].ok) {
            return checks[i].text;
        }
    }
    return NULL;
}

static bool submit_file_fits(const Xqueue__V1__File *file)
{
    return text_is_name(file->name, SUBMITTING_FILE_NAME_BYTES_MAX) &&
           method_text_fits(file->url, SUBMITTING_FILE_URL_BYTES_MAX) &&
           method_text_fits(file->file_id, SUBMITTING_FILE_ID_BYTES_MAX) &&
           method_text_fits(file->filename, SUBMITTING_FILE_NAME_BYTES_MAX) && file->size_bytes <= INT64_MAX &&
           (file->sha256.len == 0 || file->sha256.len == SECRET_DIGEST_BYTES);
}

static bool submit_take_files(struct submit_method *submit, const Xqueue__V1__SubmitRequest *request)
{
    for (size_t i = 0; i < request->n_files; i++) {
        const Xqueue__V1__File *file = request->files[i];
        if (!submit_file_fits(file)) {
            return false;
        }
        struct store_file *to = &submit->files[i];
        *to = (struct store_file){
            .name = file->name,
            .url = file->url,
            .file_id = file->file_id,
            .filename = file->filename,
            .size_bytes = file->size_bytes,
            .has_sha256 = file->sha256.len > 0,
        };
        if (to->has_sha256) {
            memcpy(to->sha256, file->sha256.data, sizeof to->sha256);
        }
    }
    return true;
}

static void submit_digest(const Xqueue__V1__SubmitRequest *request, uint8_t out[SECRET_DIGEST_BYTES])
{
    size_t size = xqueue__v1__submit_request__get_packed_size(request);
    uint8_t *packed = memory_allocate(size);
    xqueue__v1__submit_request__pack(request, packed);
    secret_digest(packed, size, out);
    memory_free(packed);
}

static void submit_take_order(struct submit_method *submit, const Xqueue__V1__SubmitRequest *request)
{
    submit->order = (struct submit_order){
        .queue = request->queue,
        .request =
            {
                .submitter = method_identity(submit->base.call)->user,
                .request_id = request->request_id,
                .fairness_key = request->fairness_key,
                .cost = request->cost > 0 ? request->cost : 1,
            },
        .content =
            {
                .header = request->header.data,
                .header_length = request->header.len,
                .body = request->body.data,
                .body_length = request->body.len,
                .callback_url = request->callback_url,
                .results_channel = request->results_channel,
                .trace_parent = request->trace_parent,
                .trace_state = request->trace_state,
                .files = submit->files,
                .file_count = request->n_files,
            },
        .priority = request->priority,
        .not_before_ms = request->not_before_ms,
        .expire_after_ms = request->expire_after_ms,
        .replace_key = request->replace_key.data,
        .replace_key_length = request->replace_key.len,
    };
    if (request->request_id[0] != '\0') {
        submit_digest(request, submit->order.request.digest);
    }
}

static enum status submit_perform(struct method_command *method, struct queues *queues)
{
    struct submit_method *submit = (struct submit_method *)method;
    const Xqueue__V1__SubmitRequest *request = (const Xqueue__V1__SubmitRequest *)rpc_message_body(method->message);
    struct labels labels = {.items = submit->labels};
    if (!submit_take_files(submit, request) ||
        !contract_take_labels(&labels, LABELS_ASKED_MAX, request->labels, request->n_labels)) {
        return error_set(&method->error, STATUS_INVALID, "SUBMIT_INVALID",
                         "a file or label breaks its bounds, or a label is named twice");
    }
    enum status status = method_check_queue(method->call, METHOD_SUBMIT, request->queue, &method->error);
    if (status != STATUS_OK) {
        return status;
    }
    submit_take_order(submit, request);
    submit->order.content.labels = labels;
    status = submitted_files_find(queues, submit->files, request->n_files, &method->error);
    if (status != STATUS_OK) {
        return status;
    }
    return submitting_submit(queues, &submit->order, &submit->receipt, &method->error);
}

static void submit_reply(struct method_command *method)
{
    struct submit_method *submit = (struct submit_method *)method;
    Xqueue__V1__SubmitResponse reply = XQUEUE__V1__SUBMIT_RESPONSE__INIT;
    reply.submission_id = (uint64_t)submit->receipt.submission_id;
    reply.ready_count = (uint64_t)submit->receipt.ready_count;
    reply.already = submit->receipt.already;
    reply.superseded_ids = (uint64_t *)submit->receipt.superseded_ids; /* ids are positive: the same bits */
    reply.n_superseded_ids = submit->receipt.superseded_count;
    rpc_server_call_reply(method->call, &reply.base);
}

static void submit_finish(struct method_command *method)
{
    memory_free(((struct submit_method *)method)->receipt.superseded_ids);
}

static const struct method_steps submit_steps = {
    .size = sizeof(struct submit_method),
    .perform = submit_perform,
    .reply = submit_reply,
    .finish = submit_finish,
};

static void on_submit(struct rpc_server_call *call, struct rpc_message *message)
{
    const char *fault = submit_fault((const Xqueue__V1__SubmitRequest *)rpc_message_body(message));
    if (fault) {
        method_refuse(call, message, "SUBMIT_INVALID", fault);
        return;
    }
    method_start(call, message, &submit_steps);
}

/* ---- Get ---- */

struct get_method {
    struct method_command base;
    struct submission_view view;
};

static enum status get_perform(struct method_command *method, struct queues *queues)
{
    const Xqueue__V1__GetRequest *request = (const Xqueue__V1__GetRequest *)rpc_message_body(method->message);
    const struct identity *identity = method_identity(method->call);
    int64_t id = contract_id(request->submission_id);
    bool is_admin = false;
    enum status status = method_check_viewer(method->call, queues, id, &is_admin, &method->error);
    if (status != STATUS_OK) {
        return status;
    }
    struct view_request view = {
        .id = id,
        .user = identity->user,
        .may_see_all = is_admin,
        .with_content = request->with_submission,
        .with_result = request->with_result,
    };
    return submitting_view(queues, &view, &((struct get_method *)method)->view, &method->error);
}

static void get_reply(struct method_command *method)
{
    const struct submission_view *view = &((struct get_method *)method)->view;
    Xqueue__V1__GetResponse reply = XQUEUE__V1__GET_RESPONSE__INIT;
    Xqueue__V1__Result result = XQUEUE__V1__RESULT__INIT;
    contract_fill_view(&reply, &view->row, view->has_delivery ? &view->delivery : NULL,
                       clock_now_ms(method_service(method->call)->clock));
    reply.queue = contract_text(view->queue);
    if (view->has_content) {
        reply.submission = contract_submission(&view->content);
        reply.submission->id = reply.submission_id;
        reply.submission->queue = reply.queue;
        reply.submission->submitted_at_ms = reply.submitted_at_ms;
    }
    if (view->has_result) {
        result.body = contract_bytes(view->result.body, view->result.body_length);
        result.attempt = (uint32_t)view->result.attempt;
        result.generation = (uint32_t)view->result.generation;
        result.grader = contract_text(view->result.grader);
        result.completed_at_ms = view->result.completed_at_ms;
        reply.result = &result;
    }
    rpc_server_call_reply(method->call, &reply.base);
    contract_submission_destroy(reply.submission);
}

static void get_finish(struct method_command *method)
{
    submission_view_finish(&((struct get_method *)method)->view);
}

static const struct method_steps get_steps = {
    .size = sizeof(struct get_method),
    .perform = get_perform,
    .reply = get_reply,
    .finish = get_finish,
};

static void on_get(struct rpc_server_call *call, struct rpc_message *message)
{
    method_start(call, message, &get_steps);
}

/* ---- GetQueue, ListQueues ---- */

struct get_queue_method {
    struct method_command base;
    const char *queue; /* borrowed from the queue, which outlives the batch */
    int64_t ready_count;
    int64_t leased_count;
    int64_t delayed_count;
    bool paused;
    bool draining;
};

static enum status get_queue_perform(struct method_command *method, struct queues *queues)
{
    struct get_queue_method *get = (struct get_queue_method *)method;
    const Xqueue__V1__GetQueueRequest *request = (const Xqueue__V1__GetQueueRequest *)rpc_message_body(method->message);
    struct queue *queue = NULL;
    enum status status = method_check_queue(method->call, METHOD_ANYBODY, request->queue, &method->error);
    if (status == STATUS_OK) {
        status = queues_find_named(queues, request->queue, &queue, &method->error);
    }
    if (status == STATUS_OK) {
        get->queue = queue->settings->name;
        get->ready_count = queue->ready_count;
        get->leased_count = queue->leased_count;
        get->delayed_count = queue->delayed_count;
        get->paused = queue->paused;
        get->draining = queue->draining;
    }
    return status;
}

static void get_queue_reply(struct method_command *method)
{
    const struct get_queue_method *get = (const struct get_queue_method *)method;
    Xqueue__V1__GetQueueResponse reply = XQUEUE__V1__GET_QUEUE_RESPONSE__INIT;
    reply.queue = contract_text(get->queue);
    reply.ready_count = (uint64_t)get->ready_count;
    reply.leased_count = (uint64_t)get->leased_count;
    reply.delayed_count = (uint64_t)get->delayed_count;
    reply.paused = get->paused;
    reply.draining = get->draining;
    rpc_server_call_reply(method->call, &reply.base);
}

static const struct method_steps get_queue_steps = {
    .size = sizeof(struct get_queue_method),
    .perform = get_queue_perform,
    .reply = get_queue_reply,
};

static void on_get_queue(struct rpc_server_call *call, struct rpc_message *message)
{
    method_start(call, message, &get_queue_steps);
}

struct list_queues_method {
    struct method_command base;
    char **names; /* owned; the texts are borrowed from the queues, which outlive the batch */
    size_t count;
};

static enum status list_queues_perform(struct method_command *method, struct queues *queues)
{
    struct list_queues_method *list = (struct list_queues_method *)method;
    list->names = memory_allocate_array(queues->all.count, sizeof *list->names);
    struct rights rights;
    access_read_rights(method_service(method->call)->access, method_identity(method->call), &rights);
    for (struct list_node *node = list_first(&queues->all); node; node = list_next(&queues->all, node)) {
        char *name = LIST_OWNER(node, struct queue, node)->settings->name;
        if (rights_for(&rights, name) != 0) {
            list->names[list->count++] = name;
        }
    }
    rights_finish(&rights);
    return STATUS_OK;
}

static void list_queues_reply(struct method_command *method)
{
    const struct list_queues_method *list = (const struct list_queues_method *)method;
    Xqueue__V1__ListQueuesResponse reply = XQUEUE__V1__LIST_QUEUES_RESPONSE__INIT;
    reply.queues = list->names;
    reply.n_queues = list->count;
    rpc_server_call_reply(method->call, &reply.base);
}

static void list_queues_finish(struct method_command *method)
{
    memory_free(((struct list_queues_method *)method)->names);
}

static const struct method_steps list_queues_steps = {
    .size = sizeof(struct list_queues_method),
    .perform = list_queues_perform,
    .reply = list_queues_reply,
    .finish = list_queues_finish,
};

static void on_list_queues(struct rpc_server_call *call, struct rpc_message *message)
{
    method_start(call, message, &list_queues_steps);
}

/* ---- List ---- */

struct list_method {
    struct method_command base;
    struct listing_order order;
    struct listing listing;
};

static enum status list_perform(struct method_command *method, struct queues *queues)
{
    struct list_method *list = (struct list_method *)method;
    if (list->order.queue[0] != '\0') {
        enum status status = method_check_queue(method->call, METHOD_SUBMIT_OR_ADMIN, list->order.queue, &method->error);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return listing_read(queues, &list->order, &list->listing, &method->error);
}

static void list_reply(struct method_command *method)
{
    const struct listing *listing = &((struct list_method *)method)->listing;
    char token[SUBMISSIONS_TOKEN_MAX] = "";
    if (listing->next_before_id > 0) {
        (void)snprintf(token, sizeof token, "%" PRId64, listing->next_before_id);
    }
    Xqueue__V1__ListResponse *reply =
        contract_list(listing->items, listing->count, token, clock_now_ms(method_service(method->call)->clock));
    rpc_server_call_reply(method->call, &reply->base);
    contract_list_destroy(reply);
}

static void list_finish(struct method_command *method)
{
    listing_finish(&((struct list_method *)method)->listing);
}

static const struct method_steps list_steps = {
    .size = sizeof(struct list_method),
    .perform = list_perform,
    .reply = list_reply,
    .finish = list_finish,
};

/* The first thing that is wrong with a request, or NULL; fills the order. */
static const char *list_take_order(struct listing_order *order, const Xqueue__V1__ListRequest *request)
{
    *order = (struct listing_order){
        .queue = request->queue,
        .before_id = INT64_MAX,
        .page_size = request->page_size > 0 ? request->page_size : LISTING_PAGE_DEFAULT,
    };
    if (!method_text_fits(request->queue, STORE_NAME_MAX - 1)) {
        return "queue has at most 128 bytes";
    }
    if (request->page_size > LISTING_PAGE_MAX) {
        return "page_size is at most 1,000";
    }
    if (!contract_states(request->states, request->n_states, &order->states)) {
        return "a state is none of those that there are";
    }
    if (request->page_token[0] != '\0' && text_to_int64(request->page_token, 1, INT64_MAX, &order->before_id) != STATUS_OK) {
        return "page_token is not one of an earlier answer";
    }
    return NULL;
}

static void on_list(struct rpc_server_call *call, struct rpc_message *message)
{
    struct list_method *list = (struct list_method *)method_create(call, message, &list_steps);
    const Xqueue__V1__ListRequest *request = (const Xqueue__V1__ListRequest *)rpc_message_body(message);
    const char *fault = list_take_order(&list->order, request);
    if (fault) {
        method_fail_invalid(&list->base, "LIST_INVALID", fault);
        return;
    }
    list->order.submitter = method_identity(call)->user;
    method_submit(&list->base);
}

/* ---- Cancel ---- */

static enum status cancel_perform(struct method_command *method, struct queues *queues)
{
    const Xqueue__V1__CancelRequest *request = (const Xqueue__V1__CancelRequest *)rpc_message_body(method->message);
    const struct identity *identity = method_identity(method->call);
    int64_t id = contract_id(request->submission_id);
    bool is_admin = false;
    enum status status = method_check_viewer(method->call, queues, id, &is_admin, &method->error);
    if (status != STATUS_OK) {
        return status;
    }
    struct cancel_order order = {
        .id = id,
        .user = identity->user,
        .may_cancel_all = is_admin,
        .reason = request->reason,
    };
    return submitting_cancel(queues, &order, &method->error);
}

static void cancel_reply(struct method_command *method)
{
    Xqueue__V1__CancelResponse reply = XQUEUE__V1__CANCEL_RESPONSE__INIT;
    reply.state = XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_CANCELED;
    rpc_server_call_reply(method->call, &reply.base);
}

static const struct method_steps cancel_steps = {
    .size = sizeof(struct method_command), .perform = cancel_perform, .reply = cancel_reply};

static void on_cancel(struct rpc_server_call *call, struct rpc_message *message)
{
    const Xqueue__V1__CancelRequest *request = (const Xqueue__V1__CancelRequest *)rpc_message_body(message);
    if (!method_text_fits(request->reason, STORE_MESSAGE_MAX - 1)) {
        method_refuse(call, message, "CANCEL_INVALID", "reason has at most 1,024 bytes and no control characters");
        return;
    }
    method_start(call, message, &cancel_steps);
}

const struct rpc_method submissions_methods[] = {
    {.path = "/xqueue.v1.Submissions/Submit",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__submit_request__descriptor,
     .on_message = on_submit,
     .role = METHOD_SUBMIT | METHOD_PER_QUEUE},
    {.path = "/xqueue.v1.Submissions/Get",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__get_request__descriptor,
     .on_message = on_get,
     .role = METHOD_SUBMIT_OR_ADMIN | METHOD_PER_QUEUE},
    {.path = "/xqueue.v1.Submissions/GetQueue",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__get_queue_request__descriptor,
     .on_message = on_get_queue,
     .role = METHOD_ANYBODY},
    {.path = "/xqueue.v1.Submissions/ListQueues",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__list_queues_request__descriptor,
     .on_message = on_list_queues,
     .role = METHOD_ANYBODY},
    {.path = "/xqueue.v1.Submissions/List",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__list_request__descriptor,
     .on_message = on_list,
     .role = METHOD_SUBMIT_OR_ADMIN | METHOD_PER_QUEUE},
    {.path = "/xqueue.v1.Submissions/Cancel",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__cancel_request__descriptor,
     .on_message = on_cancel,
     .role = METHOD_SUBMIT_OR_ADMIN | METHOD_PER_QUEUE},
    {.path = "/xqueue.v1.Submissions/Watch",
     .kind = RPC_SERVER_STREAM,
     .request = &xqueue__v1__watch_request__descriptor,
     .on_message = watch_stream_on_request,
     .on_close = standing_on_close,
     .on_drained = standing_on_drained,
     .role = METHOD_SUBMIT_OR_ADMIN | METHOD_PER_QUEUE},
    {0},
};
