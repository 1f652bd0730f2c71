/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"
#include "service/administering.h"
#include "service/methods/contract.h"
#include "service/methods/method.h"
#include "service/methods/methods.h"
#include "xqueue/v1/admin.pb-c.h"

/* ---- GetStatistics ---- */

struct statistics_method {
    struct method_command base;
    struct figures figures;
    int64_t at_ms;
};

static void statistics_fill(Xqueue__V1__QueueStatistics *to, const struct queue_figures *from)
{
    xqueue__v1__queue_statistics__init(to);
    to->ready_count = (uint64_t)from->counts.ready;
    to->leased_count = (uint64_t)from->counts.leased;
    to->delayed_count = (uint64_t)from->counts.delayed;
    to->dead_count = (uint64_t)from->counts.dead;
    to->oldest_ready_ms = from->oldest_ready_ms;
    to->configured = from->queue != NULL;
    if (from->queue) {
        to->submitted_total = (uint64_t)from->queue->totals[QUEUE_SUBMITTED];
        to->graded_total = (uint64_t)from->queue->totals[QUEUE_GRADED];
        to->failed_total = (uint64_t)from->queue->totals[QUEUE_FAILED];
        to->expired_total = (uint64_t)from->queue->totals[QUEUE_EXPIRED];
        to->grading_ms_median = queue_median_ms(from->queue);
    }
}

static enum status statistics_perform(struct method_command *method, struct queues *queues)
{
    struct statistics_method *statistics = (struct statistics_method *)method;
    const Xqueue__V1__GetStatisticsRequest *request =
        (const Xqueue__V1__GetStatisticsRequest *)rpc_message_body(method->message);
    enum status status = method_check_queue(method->call, METHOD_ADMIN, request->queue, &method->error);
    if (status == STATUS_OK) {
        status = administering_read_figures(queues, request->queue, &statistics->figures, &method->error);
    }
    if (status == STATUS_OK) {
        statistics->at_ms = queues->now_ms;
    }
    return status;
}

static void statistics_reply(struct method_command *method)
{
    const struct statistics_method *statistics = (const struct statistics_method *)method;
    const struct figures *figures = &statistics->figures;
    Xqueue__V1__QueueStatistics *queues = memory_allocate_array(figures->queue_count, sizeof *queues);
    Xqueue__V1__QueueStatistics **pointers = memory_allocate_array(figures->queue_count, sizeof(void *));
    for (size_t i = 0; i < figures->queue_count; i++) {
        statistics_fill(&queues[i], &figures->queues[i]);
        queues[i].queue = figures->queues[i].name;
        pointers[i] = &queues[i];
    }
    Xqueue__V1__Statistics reply = XQUEUE__V1__STATISTICS__INIT;
    reply.at_ms = statistics->at_ms;
    reply.queues = pointers;
    reply.n_queues = figures->queue_count;
    reply.graders = (uint32_t)figures->grader_count;
    reply.deliveries_pending = (uint64_t)(figures->deliveries.pending + figures->deliveries.in_flight);
    reply.deliveries_undeliverable = (uint64_t)figures->deliveries.undeliverable;
    rpc_server_call_reply(method->call, &reply.base);
    memory_free(pointers);
    memory_free(queues);
}

static void statistics_finish(struct method_command *method)
{
    figures_finish(&((struct statistics_method *)method)->figures);
}

static const struct method_steps statistics_steps = {
    .size = sizeof(struct statistics_method),
    .perform = statistics_perform,
    .reply = statistics_reply,
    .finish = statistics_finish,
};

static void on_get_statistics(struct rpc_server_call *call, struct rpc_message *message)
{
    const Xqueue__V1__GetStatisticsRequest *request = (const Xqueue__V1__GetStatisticsRequest *)rpc_message_body(message);
    if (!method_text_fits(request->queue, STORE_NAME_MAX - 1)) {
        method_refuse(call, message, "STATISTICS_INVALID", "queue has at most 128 bytes");
        return;
    }
    method_start(call, message, &statistics_steps);
}

/* ---- ListGraders ---- */

struct graders_method {
    struct method_command base;
    struct grader_views views;
};

static enum status list_graders_perform(struct method_command *method, struct queues *queues)
{
    const Xqueue__V1__ListGradersRequest *request = (const Xqueue__V1__ListGradersRequest *)rpc_message_body(method->message);
    struct graders_method *graders = (struct graders_method *)method;
    enum status status = method_check_queue(method->call, METHOD_ADMIN, request->queue, &method->error);
    return status == STATUS_OK ? administering_list_graders(queues, request->queue, &graders->views, &method->error) : status;
}

static void grader_info_fill(Xqueue__V1__GraderInfo *to, const struct grader_view *from)
{
    xqueue__v1__grader_info__init(to);
    to->grader = contract_text(from->name);
    to->instance = contract_text(from->instance);
    to->sdk = contract_text(from->sdk);
    to->peer = contract_text(from->peer);
    to->queues = (char **)(uintptr_t)from->queues; /* only read */
    to->n_queues = from->queue_count;
    to->slots = (uint32_t)from->slots;
    to->credit = (uint32_t)from->credit;
    to->in_flight = (uint32_t)from->in_flight;
    to->connected_at_ms = from->connected_at_ms;
    to->heard_at_ms = from->heard_at_ms;
    to->quiet_for_ms = from->quiet_for_ms;
}

static void list_graders_reply(struct method_command *method)
{
    const struct grader_views *views = &((struct graders_method *)method)->views;
    Xqueue__V1__GraderInfo *graders = memory_allocate_array(views->count, sizeof *graders);
    Xqueue__V1__GraderInfo **pointers = memory_allocate_array(views->count, sizeof(void *));
    for (size_t i = 0; i < views->count; i++) {
        grader_info_fill(&graders[i], &views->items[i]);
        pointers[i] = &graders[i];
    }
    Xqueue__V1__ListGradersResponse reply = XQUEUE__V1__LIST_GRADERS_RESPONSE__INIT;
    reply.graders = pointers;
    reply.n_graders = views->count;
    rpc_server_call_reply(method->call, &reply.base);
    memory_free(pointers);
    memory_free(graders);
}

static void list_graders_finish(struct method_command *method)
{
    grader_views_finish(&((struct graders_method *)method)->views);
}

static const struct method_steps list_graders_steps = {
    .size = sizeof(struct graders_method),
    .perform = list_graders_perform,
    .reply = list_graders_reply,
    .finish = list_graders_finish,
};

static void on_list_graders(struct rpc_server_call *call, struct rpc_message *message)
{
    const Xqueue__V1__ListGradersRequest *request = (const Xqueue__V1__ListGradersRequest *)rpc_message_body(message);
    if (!method_text_fits(request->queue, STORE_NAME_MAX - 1)) {
        method_refuse(call, message, "GRADERS_INVALID", "queue has at most 128 bytes");
        return;
    }
    method_start(call, message, &list_graders_steps);
}

const struct rpc_method admin_queues_methods[] = {
    {.path = "/xqueue.v1.Admin/ListGraders",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__list_graders_request__descriptor,
     .on_message = on_list_graders,
     .role = METHOD_ADMIN | METHOD_PER_QUEUE},
    {.path = "/xqueue.v1.Admin/GetStatistics",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__get_statistics_request__descriptor,
     .on_message = on_get_statistics,
     .role = METHOD_ADMIN | METHOD_PER_QUEUE},
    {0},
};
