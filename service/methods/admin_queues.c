/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"
#include "service/administering.h"
#include "service/methods/contract.h"
#include "service/methods/method.h"
#include "service/methods/methods.h"
#include "xqueue/v1/admin.pb-c.h"

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

/* The entries borrow their texts; the array of pointers is followed by what they point to. Free it with memory_free. */
static Xqueue__V1__GraderInfo__LabelsEntry **grader_info_labels(const struct labels *labels)
{
    size_t pointers = labels->count * sizeof(void *);
    Xqueue__V1__GraderInfo__LabelsEntry **entries = memory_allocate(pointers + labels->count * sizeof **entries);
    Xqueue__V1__GraderInfo__LabelsEntry *items = (void *)(entries + labels->count);
    for (size_t i = 0; i < labels->count; i++) {
        xqueue__v1__grader_info__labels_entry__init(&items[i]);
        items[i].key = labels->items[i].name;
        items[i].value = labels->items[i].value;
        entries[i] = &items[i];
    }
    return entries;
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
    to->labels = grader_info_labels(&from->labels);
    to->n_labels = from->labels.count;
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
    for (size_t i = 0; i < views->count; i++) {
        memory_free(graders[i].labels);
    }
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
    {0},
};
