/* SPDX-License-Identifier: Apache-2.0 */
/* Queues as administrators see and change them: their settings, pausing, draining, deleting. */
#include <stdint.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/methods/contract.h"
#include "service/methods/method.h"
#include "service/methods/methods.h"
#include "service/roster.h"
#include "xqueue/v1/admin.pb-c.h"

/* ---- what is told of a queue ---- */

/* As it was in the transaction; texts are borrowed from the queue, which outlives the batch. */
struct settings_view {
    struct config_queue settings;
    bool paused;
    bool draining;
    bool is_configured;
};

static struct settings_view settings_view_of(const struct queue *queue)
{
    return (struct settings_view){.settings = *queue->settings,
                                  .paused = queue->paused,
                                  .draining = queue->draining,
                                  .is_configured = queue->is_configured};
}

static void settings_fill(Xqueue__V1__QueueSettings *to, const struct settings_view *view)
{
    const struct config_queue *from = &view->settings;
    xqueue__v1__queue_settings__init(to);
    to->name = from->name;
    to->push_url = from->push_url;
    to->lease_ms = from->lease_ms;
    to->hard_limit_ms = from->hard_limit_ms;
    to->accept_within_ms = from->accept_within_ms;
    to->attempts_max = (uint32_t)from->attempts_max;
    to->poison_graders_max = (uint32_t)from->poison_graders_max;
    to->retry_delay_ms = from->retry_delay_ms;
    to->retry_delay_ms_max = from->retry_delay_ms_max;
    to->ready_max = (uint64_t)from->ready_max;
    to->body_bytes_max = (uint64_t)from->body_bytes_max;
    to->submits_per_minute_max = (uint32_t)from->submits_per_minute_max;
    to->paused = view->paused;
    to->draining = view->draining;
    to->configured = view->is_configured;
}

/* ---- ListQueueSettings ---- */

struct list_settings_method {
    struct method_command base;
    struct settings_view *views; /* owned */
    size_t count;
};

static enum status list_settings_perform(struct method_command *method, struct queues *queues)
{
    struct list_settings_method *list = (struct list_settings_method *)method;
    list->views = memory_allocate_array(queues->all.count, sizeof *list->views);
    for (struct list_node *node = list_first(&queues->all); node; node = list_next(&queues->all, node)) {
        list->views[list->count++] = settings_view_of(LIST_OWNER(node, struct queue, node));
    }
    return STATUS_OK;
}

static void list_settings_reply(struct method_command *method)
{
    const struct list_settings_method *list = (const struct list_settings_method *)method;
    Xqueue__V1__QueueSettings *queues = memory_allocate_array(list->count, sizeof *queues);
    Xqueue__V1__QueueSettings **pointers = memory_allocate_array(list->count, sizeof(void *));
    for (size_t i = 0; i < list->count; i++) {
        settings_fill(&queues[i], &list->views[i]);
        pointers[i] = &queues[i];
    }
    Xqueue__V1__ListQueueSettingsResponse reply = XQUEUE__V1__LIST_QUEUE_SETTINGS_RESPONSE__INIT;
    reply.queues = pointers;
    reply.n_queues = list->count;
    rpc_server_call_reply(method->call, &reply.base);
    memory_free(pointers);
    memory_free(queues);
}

static void list_settings_finish(struct method_command *method)
{
    memory_free(((struct list_settings_method *)method)->views);
}

static const struct method_steps list_settings_steps = {
    .size = sizeof(struct list_settings_method),
    .perform = list_settings_perform,
    .reply = list_settings_reply,
    .finish = list_settings_finish,
};

static void on_list_queue_settings(struct rpc_server_call *call, struct rpc_message *message)
{
    method_start(call, message, &list_settings_steps);
}

/* ---- what all that change a queue have in common ---- */

struct settings_method {
    struct method_command base;
    struct config_queue wanted; /* CreateQueue and UpdateQueue: owned */
    struct settings_view view;
};

static void settings_reply(struct method_command *method)
{
    const struct settings_view *view = &((struct settings_method *)method)->view;
    Xqueue__V1__QueueSettings reply;
    settings_fill(&reply, view);
    log_event(LOG_INFO, "queue_changed", LOG_TEXT("method", rpc_server_call_method(method->call)->path),
              LOG_TEXT("queue", view->settings.name), LOG_INT("paused", view->paused), LOG_INT("draining", view->draining),
              LOG_TEXT("by", method_identity(method->call)->user));
    rpc_server_call_reply(method->call, &reply.base);
}

static void settings_finish(struct method_command *method)
{
    config_queue_finish(&((struct settings_method *)method)->wanted);
}

/* queue counts with STATUS_OK alone. */
static enum status settings_answer(struct method_command *method, enum status status, const struct queue *queue)
{
    if (status == STATUS_OK) {
        ((struct settings_method *)method)->view = settings_view_of(queue);
    }
    return status;
}

/* ---- CreateQueue, UpdateQueue ---- */

/* A number of the contract, in which 0 is the default. Larger than any range: it stays so. */
static void settings_take(int64_t *number, uint64_t wanted)
{
    if (wanted > 0) {
        *number = wanted < INT64_MAX ? (int64_t)wanted : INT64_MAX;
    }
}

static void settings_take_duration(int64_t *number, int64_t wanted)
{
    *number = wanted != 0 ? wanted : *number;
}

static void settings_take_all(struct config_queue *to, const Xqueue__V1__QueueSettings *from)
{
    settings_take_duration(&to->lease_ms, from->lease_ms);
    settings_take_duration(&to->hard_limit_ms, from->hard_limit_ms);
    settings_take_duration(&to->accept_within_ms, from->accept_within_ms);
    settings_take_duration(&to->retry_delay_ms, from->retry_delay_ms);
    settings_take_duration(&to->retry_delay_ms_max, from->retry_delay_ms_max);
    settings_take(&to->attempts_max, from->attempts_max);
    settings_take(&to->poison_graders_max, from->poison_graders_max);
    settings_take(&to->ready_max, from->ready_max);
    settings_take(&to->body_bytes_max, from->body_bytes_max);
    settings_take(&to->submits_per_minute_max, from->submits_per_minute_max);
}

/* The first thing that is wrong, as text in out; false: nothing. */
static bool settings_fault(const Xqueue__V1__QueueSettings *from, char out[CONFIG_FAULT_MAX])
{
    const struct {
        bool ok;
        const char *text;
    } checks[] = {
        {from != NULL, "queue is missing"},
        {from && text_is_name(from->name, CONFIG_NAME_BYTES_MAX), "name is 1 to 128 bytes without control characters"},
        {from && from->push_url[0] == '\0', "push_url can only be set in the configuration file, where xqueue-rest reads it"},
    };
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        if (!checks[i].ok) {
            (void)text_copy(out, CONFIG_FAULT_MAX, checks[i].text);
            return true;
        }
    }
    return false;
}

static void settings_start(struct rpc_server_call *call, struct rpc_message *message, const struct method_steps *steps,
                           const Xqueue__V1__QueueSettings *from)
{
    struct settings_method *method = (struct settings_method *)method_create(call, message, steps);
    char fault[CONFIG_FAULT_MAX];
    bool is_wrong = settings_fault(from, fault);
    if (!is_wrong) {
        config_queue_init(&method->wanted, from->name);
        settings_take_all(&method->wanted, from);
        is_wrong = config_queue_fault(&method->wanted, fault);
    }
    if (is_wrong) {
        method_fail_invalid(&method->base, "QUEUE_INVALID", fault);
        return;
    }
    method_submit(&method->base);
}

static enum status create_queue_perform(struct method_command *method, struct queues *queues)
{
    const Xqueue__V1__CreateQueueRequest *request = (const Xqueue__V1__CreateQueueRequest *)rpc_message_body(method->message);
    const struct queue_order order = {.settings = &((struct settings_method *)method)->wanted,
                                      .paused = request->queue->paused,
                                      .draining = request->queue->draining};
    struct queue *queue = NULL;
    enum status status = roster_create(queues, &order, &queue, &method->error);
    return settings_answer(method, status, queue);
}

static const struct method_steps create_queue_steps = {
    .size = sizeof(struct settings_method),
    .perform = create_queue_perform,
    .reply = settings_reply,
    .finish = settings_finish,
};

static void on_create_queue(struct rpc_server_call *call, struct rpc_message *message)
{
    const Xqueue__V1__CreateQueueRequest *request = (const Xqueue__V1__CreateQueueRequest *)rpc_message_body(message);
    settings_start(call, message, &create_queue_steps, request->queue);
}

static enum status update_queue_perform(struct method_command *method, struct queues *queues)
{
    struct queue *queue = NULL;
    const struct config_queue *wanted = &((struct settings_method *)method)->wanted;
    enum status status = roster_update(queues, wanted, &queue, &method->error);
    return settings_answer(method, status, queue);
}

static const struct method_steps update_queue_steps = {
    .size = sizeof(struct settings_method),
    .perform = update_queue_perform,
    .reply = settings_reply,
    .finish = settings_finish,
};

static void on_update_queue(struct rpc_server_call *call, struct rpc_message *message)
{
    const Xqueue__V1__UpdateQueueRequest *request = (const Xqueue__V1__UpdateQueueRequest *)rpc_message_body(message);
    settings_start(call, message, &update_queue_steps, request->queue);
}

/* ---- PauseQueue, DrainQueue ---- */

static enum status pause_queue_perform(struct method_command *method, struct queues *queues)
{
    const Xqueue__V1__PauseQueueRequest *request = (const Xqueue__V1__PauseQueueRequest *)rpc_message_body(method->message);
    struct queue *queue = NULL;
    enum status status = method_check_queue(method->call, METHOD_ADMIN, request->queue, &method->error);
    if (status != STATUS_OK) {
        return status;
    }
    status = roster_pause(queues, request->queue, request->paused, &queue, &method->error);
    return settings_answer(method, status, queue);
}

static const struct method_steps pause_queue_steps = {
    .size = sizeof(struct settings_method),
    .perform = pause_queue_perform,
    .reply = settings_reply,
    .finish = settings_finish,
};

static void on_pause_queue(struct rpc_server_call *call, struct rpc_message *message)
{
    method_start(call, message, &pause_queue_steps);
}

static enum status drain_queue_perform(struct method_command *method, struct queues *queues)
{
    const Xqueue__V1__DrainQueueRequest *request = (const Xqueue__V1__DrainQueueRequest *)rpc_message_body(method->message);
    struct queue *queue = NULL;
    enum status status = method_check_queue(method->call, METHOD_ADMIN, request->queue, &method->error);
    if (status != STATUS_OK) {
        return status;
    }
    status = roster_drain(queues, request->queue, request->draining, &queue, &method->error);
    return settings_answer(method, status, queue);
}

static const struct method_steps drain_queue_steps = {
    .size = sizeof(struct settings_method),
    .perform = drain_queue_perform,
    .reply = settings_reply,
    .finish = settings_finish,
};

static void on_drain_queue(struct rpc_server_call *call, struct rpc_message *message)
{
    method_start(call, message, &drain_queue_steps);
}

/* ---- DeleteQueue ---- */

static enum status delete_queue_perform(struct method_command *method, struct queues *queues)
{
    const Xqueue__V1__DeleteQueueRequest *request = (const Xqueue__V1__DeleteQueueRequest *)rpc_message_body(method->message);
    return roster_delete(queues, request->queue, &method->error);
}

static void delete_queue_reply(struct method_command *method)
{
    const Xqueue__V1__DeleteQueueRequest *request = (const Xqueue__V1__DeleteQueueRequest *)rpc_message_body(method->message);
    const Xqueue__V1__DeleteQueueResponse reply = XQUEUE__V1__DELETE_QUEUE_RESPONSE__INIT;
    log_event(LOG_INFO, "queue_deleted", LOG_TEXT("queue", request->queue),
              LOG_TEXT("by", method_identity(method->call)->user));
    rpc_server_call_reply(method->call, &reply.base);
}

static const struct method_steps delete_queue_steps = {
    .size = sizeof(struct method_command),
    .perform = delete_queue_perform,
    .reply = delete_queue_reply,
};

static void on_delete_queue(struct rpc_server_call *call, struct rpc_message *message)
{
    method_start(call, message, &delete_queue_steps);
}

const struct rpc_method admin_queue_settings_methods[] = {
    {.path = "/xqueue.v1.Admin/ListQueueSettings",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__list_queue_settings_request__descriptor,
     .on_message = on_list_queue_settings,
     .role = METHOD_ADMIN},
    {.path = "/xqueue.v1.Admin/CreateQueue",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__create_queue_request__descriptor,
     .on_message = on_create_queue,
     .role = METHOD_ADMIN},
    {.path = "/xqueue.v1.Admin/UpdateQueue",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__update_queue_request__descriptor,
     .on_message = on_update_queue,
     .role = METHOD_ADMIN},
    {.path = "/xqueue.v1.Admin/PauseQueue",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__pause_queue_request__descriptor,
     .on_message = on_pause_queue,
     .role = METHOD_ADMIN | METHOD_PER_QUEUE},
    {.path = "/xqueue.v1.Admin/DrainQueue",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__drain_queue_request__descriptor,
     .on_message = on_drain_queue,
     .role = METHOD_ADMIN | METHOD_PER_QUEUE},
    {.path = "/xqueue.v1.Admin/DeleteQueue",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__delete_queue_request__descriptor,
     .on_message = on_delete_queue,
     .role = METHOD_ADMIN},
    {0},
};
