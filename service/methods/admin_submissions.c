/* SPDX-License-Identifier: Apache-2.0 */
/* Search, and what is done to many submissions at once: one way for all of them, in slices that the engine does between others.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/bulk.h"
#include "service/methods/contract.h"
#include "service/methods/method.h"
#include "service/methods/methods.h"
#include "xqueue/v1/admin.pb-c.h"

enum { BULK_ID_TEXT_MAX = 24 };

struct bulk_method {
    struct method_command base;
    struct bulk_order order;
    struct bulk bulk;
    bool begun;
    int64_t ids[SELECTION_IDS_MAX];
};

/* What an Xqueue__V1__SubmissionFilter without anything set is. */
static const Xqueue__V1__SubmissionFilter no_filter = XQUEUE__V1__SUBMISSION_FILTER__INIT;

/* ---- what the request must be ---- */

/* The names of states as bits; false: one is none. No names: all. */
static bool bulk_take_states(struct selection *selection, const Xqueue__V1__SubmissionFilter *filter)
{
    if (!contract_states(filter->states, filter->n_states, &selection->states)) {
        return false;
    }
    selection->delivery_states = filter->n_delivery_states == 0 ? SELECTION_ALL_DELIVERIES : 0;
    for (size_t i = 0; i < filter->n_delivery_states; i++) {
        int state = (int)filter->delivery_states[i];
        if (state < DELIVERY_NONE || state >= DELIVERY_STATE_END) {
            return false;
        }
        selection->delivery_states |= 1U << state;
    }
    return true;
}

static int compare_ids(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void bulk_take_ids(struct bulk_method *method, const Xqueue__V1__SubmissionFilter *filter)
{
    for (size_t i = 0; i < filter->n_submission_ids; i++) {
        method->ids[i] = filter->submission_ids[i] <= INT64_MAX ? (int64_t)filter->submission_ids[i] : INT64_MAX;
    }
    qsort(method->ids, filter->n_submission_ids, sizeof method->ids[0], compare_ids);
    method->order.selection.ids = method->ids;
    method->order.selection.id_count = filter->n_submission_ids;
}

static const char *bulk_filter_fault(const Xqueue__V1__SubmissionFilter *filter)
{
    const struct {
        bool ok;
        const char *text;
    } checks[] = {
        {filter->n_submission_ids <= SELECTION_IDS_MAX, "at most 1,000 submission_ids"},
        {method_text_fits(filter->queue, STORE_NAME_MAX - 1), "queue has at most 128 bytes"},
        {method_text_fits(filter->grader, STORE_NAME_MAX - 1), "grader has at most 128 bytes"},
        {method_text_fits(filter->fairness_key, STORE_NAME_MAX - 1), "fairness_key has at most 128 bytes"},
        {strlen(filter->message_contains) <= SELECTION_MESSAGE_BYTES_MAX, "message_contains has at most 256 bytes"},
        {filter->submitted_from_ms >= 0 && filter->submitted_until_ms >= 0, "times are not negative"},
    };
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        if (!checks[i].ok) {
            return checks[i].text;
        }
    }
    return NULL;
}

/* Fills the order's selection and place. The first thing that is wrong, or NULL. */
static const char *bulk_take_filter(struct bulk_method *method, const Xqueue__V1__SubmissionFilter *filter,
                                    const char *page_token)
{
    filter = filter ? filter : &no_filter;
    const char *fault = bulk_filter_fault(filter);
    if (fault) {
        return fault;
    }
    method->order.selection = (struct selection){
        .queue = filter->queue,
        .submitted_from_ms = filter->submitted_from_ms,
        .submitted_until_ms = filter->submitted_until_ms > 0 ? filter->submitted_until_ms : INT64_MAX,
        .grader = filter->grader,
        .fairness_key = filter->fairness_key,
        .message_contains = filter->message_contains,
        .failures_min = filter->failures_min,
    };
    bulk_take_ids(method, filter);
    if (!bulk_take_states(&method->order.selection, filter)) {
        return "a state is none of those that there are";
    }
    return selection_read_place(page_token, &method->order.from) ? NULL : "page_token is not one of an earlier answer";
}

/* ---- the way ---- */

static enum status bulk_start(struct bulk_method *bulk, struct queues *queues)
{
    struct error *error = &bulk->base.error;
    if (queues->bulks.count >= BULK_RUNNING_MAX) {
        enum status status =
            error_set(error, STATUS_FULL, "BULK_BUSY", "%d such calls are being worked on already", BULK_RUNNING_MAX);
        error->retry_after_ms = BULK_BUSY_RETRY_MS;
        return status;
    }
    bulk->begun = true;
    return bulk_begin(queues, &bulk->bulk, &bulk->order, error);
}

static enum status bulk_perform(struct method_command *method, struct queues *queues)
{
    struct bulk_method *bulk = (struct bulk_method *)method;
    if (queues->stopping) {
        return error_set(&method->error, STATUS_UNAVAILABLE, "DRAINING", "the service is stopping");
    }
    if (rpc_server_call_is_over(method->call)) {
        return STATUS_CANCELED; /* nobody waits for the rest */
    }
    enum status status = method_check_queue(method->call, METHOD_ADMIN, bulk->order.selection.queue, &method->error);
    if (status == STATUS_OK && !bulk->begun) {
        status = bulk_start(bulk, queues);
    }
    if (status == STATUS_OK) {
        status = bulk_slice(queues, &bulk->bulk);
    }
    if (status == STATUS_OK && !bulk->bulk.over) {
        queues_park(queues, &method->command, &queues->bulks, queues->now_ms);
    }
    return status;
}

static void bulk_method_finish(struct method_command *method)
{
    bulk_finish(&((struct bulk_method *)method)->bulk);
}

/* ---- Search ---- */

static void search_reply(struct method_command *method)
{
    const struct bulk *bulk = &((struct bulk_method *)method)->bulk;
    int64_t now_ms = clock_now_ms(method_service(method->call)->clock);
    char token[SELECTION_TOKEN_MAX];
    bulk_write_token(bulk, token);
    Xqueue__V1__ListResponse *reply = contract_list(bulk->items, (size_t)bulk->progress.done, token, now_ms);
    rpc_server_call_reply(method->call, &reply->base);
    contract_list_destroy(reply);
}

static const struct method_steps search_steps = {
    .size = sizeof(struct bulk_method),
    .perform = bulk_perform,
    .reply = search_reply,
    .finish = bulk_method_finish,
};

static void on_search(struct rpc_server_call *call, struct rpc_message *message)
{
    const Xqueue__V1__SearchRequest *request = (const Xqueue__V1__SearchRequest *)rpc_message_body(message);
    if (request->page_size > BULK_PAGE_MAX) {
        method_refuse(call, message, "SEARCH_INVALID", "page_size is at most 1,000");
        return;
    }
    struct bulk_method *search = (struct bulk_method *)method_create(call, message, &search_steps);
    const char *fault = bulk_take_filter(search, request->filter, request->page_token);
    if (fault) {
        method_fail_invalid(&search->base, "SEARCH_INVALID", fault);
        return;
    }
    search->order.kind = BULK_SEARCH;
    search->order.reason = "";
    search->order.limit = request->page_size > 0 ? request->page_size : BULK_PAGE_DEFAULT;
    method_submit(&search->base);
}

/* ---- Requeue, Retire, Purge, RequeueDeliveries ---- */

static void bulk_reply(struct method_command *method)
{
    const struct bulk *bulk = &((struct bulk_method *)method)->bulk;
    char token[SELECTION_TOKEN_MAX];
    bulk_write_token(bulk, token);
    char bulk_id[BULK_ID_TEXT_MAX] = "";
    if (bulk->progress.regrade_id != 0) {
        snprintf(bulk_id, sizeof bulk_id, "%" PRId64, bulk->progress.regrade_id);
    }
    Xqueue__V1__BulkResponse reply = XQUEUE__V1__BULK_RESPONSE__INIT;
    reply.bulk_id = bulk_id;
    reply.matched = (uint64_t)bulk->progress.matched;
    reply.done = (uint64_t)bulk->progress.done;
    reply.finished = bulk_finished(bulk);
    reply.next_page_token = token;
    if (!bulk->order.dry_run) {
        log_event(LOG_INFO, "submissions_changed", LOG_TEXT("method", rpc_server_call_method(method->call)->path),
                  LOG_TEXT("by", method_identity(method->call)->user), LOG_INT("count", bulk->progress.done),
                  LOG_TEXT("reason", bulk->order.reason));
    }
    rpc_server_call_reply(method->call, &reply.base);
}

static const struct method_steps bulk_steps = {
    .size = sizeof(struct bulk_method),
    .perform = bulk_perform,
    .reply = bulk_reply,
    .finish = bulk_method_finish,
};

/* False: it is none. */
static bool bulk_take_id(struct bulk_order *order, enum bulk_kind kind, const char *bulk_id)
{
    return bulk_id[0] == '\0' ||
           (kind == BULK_REGRADE && text_to_int64(bulk_id, 1, INT64_MAX, &order->regrade_id) == STATUS_OK);
}

static void bulk_on_request(struct rpc_server_call *call, struct rpc_message *message, enum bulk_kind kind)
{
    const Xqueue__V1__BulkRequest *request = (const Xqueue__V1__BulkRequest *)rpc_message_body(message);
    struct bulk_method *bulk = (struct bulk_method *)method_create(call, message, &bulk_steps);
    const char *fault = bulk_take_filter(bulk, request->filter, request->page_token);
    if (!fault && request->limit > BULK_LIMIT_MAX) {
        fault = "limit is at most 10,000";
    }
    if (!fault && !method_text_fits(request->reason, STORE_MESSAGE_MAX - 1)) {
        fault = "reason has at most 1,024 bytes and no control characters";
    }
    if (!fault && !bulk_take_id(&bulk->order, kind, request->bulk_id)) {
        fault = "bulk_id is that of a regrade, for Regrade alone";
    }
    if (fault) {
        method_fail_invalid(&bulk->base, "BULK_INVALID", fault);
        return;
    }
    bulk->order.kind = kind;
    bulk->order.limit = request->limit > 0 ? request->limit : BULK_LIMIT_DEFAULT;
    bulk->order.reason = request->reason;
    bulk->order.dry_run = request->dry_run;
    bulk->order.tell_nobody = request->tell_nobody;
    bulk->order.unfinished_too = request->unfinished_too;
    method_submit(&bulk->base);
}

static void on_requeue(struct rpc_server_call *call, struct rpc_message *message)
{
    bulk_on_request(call, message, BULK_REQUEUE);
}

static void on_retire(struct rpc_server_call *call, struct rpc_message *message)
{
    bulk_on_request(call, message, BULK_RETIRE);
}

static void on_purge(struct rpc_server_call *call, struct rpc_message *message)
{
    bulk_on_request(call, message, BULK_PURGE);
}

static void on_regrade(struct rpc_server_call *call, struct rpc_message *message)
{
    bulk_on_request(call, message, BULK_REGRADE);
}

static void on_requeue_deliveries(struct rpc_server_call *call, struct rpc_message *message)
{
    bulk_on_request(call, message, BULK_REQUEUE_DELIVERIES);
}

const struct rpc_method admin_submissions_methods[] = {
    {.path = "/xqueue.v1.Admin/Search",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__search_request__descriptor,
     .on_message = on_search,
     .role = METHOD_ADMIN | METHOD_PER_QUEUE},
    {.path = "/xqueue.v1.Admin/Requeue",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__bulk_request__descriptor,
     .on_message = on_requeue,
     .role = METHOD_ADMIN | METHOD_PER_QUEUE},
    {.path = "/xqueue.v1.Admin/Retire",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__bulk_request__descriptor,
     .on_message = on_retire,
     .role = METHOD_ADMIN | METHOD_PER_QUEUE},
    {.path = "/xqueue.v1.Admin/Purge",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__bulk_request__descriptor,
     .on_message = on_purge,
     .role = METHOD_ADMIN | METHOD_PER_QUEUE},
    {.path = "/xqueue.v1.Admin/Regrade",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__bulk_request__descriptor,
     .on_message = on_regrade,
     .role = METHOD_ADMIN | METHOD_PER_QUEUE},
    {.path = "/xqueue.v1.Admin/RequeueDeliveries",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__bulk_request__descriptor,
     .on_message = on_requeue_deliveries,
     .role = METHOD_ADMIN | METHOD_PER_QUEUE},
    {0},
};
