/* SPDX-License-Identifier: Apache-2.0 */
/* Administrators: purge what is over, requeue what is dead, give up what is not. */
#include <inttypes.h>

#include "service/bulk.h"
#include "service/roster.h"
#include "tests/simulation/actors.h"

enum { PURGE_ABOVE = 150, IDS_MAX = 64 };

/* One bulk in one transaction: how far a slice comes is a matter of real time, which does not exist here. */
struct bulk_ask {
    struct ask ask; /* first */
    struct simulation *simulation;
    struct bulk_order order;
    int64_t ids[IDS_MAX];
    size_t id_count;
    int64_t done;
};

static enum status bulk_run(struct ask *ask, struct queues *queues)
{
    struct bulk_ask *administrator = (struct bulk_ask *)ask;
    struct bulk bulk;
    administrator->order.selection.ids = administrator->ids;
    administrator->order.selection.id_count = administrator->id_count;
    enum status status = bulk_begin(queues, &bulk, &administrator->order, &ask->error);
    while (status == STATUS_OK && !bulk.over)
        status = bulk_slice(queues, &bulk);
    administrator->done = bulk.progress.done;
    bulk_finish(&bulk);
    return status;
}

static void bulk_changed(struct bulk_ask *administrator, struct model_submission *submission)
{
    struct model *model = &administrator->simulation->model;
    switch (administrator->order.kind) {
    case BULK_REQUEUE:
        model_requeued(model, submission);
        break;
    case BULK_REGRADE:
        model_regraded(model, submission);
        break;
    case BULK_RETIRE:
        model_retired(model, submission, administrator->order.tell_nobody);
        break;
    case BULK_PURGE:
        model_purged_rightly(model, submission);
        model_purged(model, submission);
        break;
    default:
        model_delivery_requeued(model, submission);
        break;
    }
}

static void bulk_told(struct ask *ask, bool stored)
{
    static const char *const words[BULK_KIND_END] = {
        [BULK_REQUEUE] = "requeues",
        [BULK_RETIRE] = "retires",
        [BULK_REGRADE] = "has graded once more",
        [BULK_PURGE] = "purges",
        [BULK_REQUEUE_DELIVERIES] = "requeues the delivery of",
    };
    struct bulk_ask *administrator = (struct bulk_ask *)ask;
    struct trace *trace = &administrator->simulation->trace;
    if (!stored)
        return;
    if (ask->status != STATUS_OK)
        trace_break(trace, PROMISE_ANSWER, "an administrator is answered %s", status_name(ask->status));
    trace_add(trace, "an administrator %s %" PRId64 " and %zu more: %" PRId64 " done", words[administrator->order.kind],
              administrator->ids[0], administrator->id_count - 1, administrator->done);
    if (administrator->done != (int64_t)administrator->id_count && administrator->id_count > 1)
        trace_break(trace, PROMISE_STATE, "not all of those that are over could be purged");
    for (size_t at = 0; at < administrator->id_count && administrator->done > 0; at++) {
        struct model_submission *submission = model_find(&administrator->simulation->model, administrator->ids[at]);
        if (submission)
            bulk_changed(administrator, submission);
        else
            trace_break(trace, PROMISE_ACKNOWLEDGED, "%" PRId64 " was changed, which is not there", administrator->ids[at]);
    }
}

static struct bulk_ask *bulk_new(struct simulation *simulation, enum bulk_kind kind)
{
    struct bulk_ask *administrator = world_new_ask(&simulation->world, sizeof *administrator);
    administrator->ask.run = bulk_run;
    administrator->ask.told = bulk_told;
    administrator->simulation = simulation;
    administrator->order = (struct bulk_order){
        .kind = kind,
        .selection =
            {
                .queue = "",
                .states = SELECTION_ALL_STATES,
                .delivery_states = SELECTION_ALL_DELIVERIES,
                .submitted_from_ms = INT64_MIN,
                .submitted_until_ms = INT64_MAX,
                .grader = "",
                .fairness_key = "",
                .message_contains = "",
            },
        .from = selection_start(),
        .limit = BULK_LIMIT_MAX,
        .reason = "",
    };
    return administrator;
}

static void bulk_ask_some(struct simulation *simulation, struct bulk_ask *administrator)
{
    struct model *model = &simulation->model;
    administrator->ids[0] = model->count > 0 ? model->items[simulation_roll(simulation, (uint32_t)model->count)]->id : 1;
    administrator->id_count = 1;
    world_ask(&administrator->ask);
}

/* Nothing is to become of it any more, for certain, whatever is asked in the same batch. */
static bool is_over(const struct model_submission *submission)
{
    const struct model_delivery *delivery = &submission->delivery;
    return submission->fate != FATE_LIVE && !delivery->loose &&
           (delivery->bringing == BRINGING_NOTHING || delivery->bringing == BRINGING_DONE);
}

/* Keeps the run small. In a batch of its own: an amended result before it would make something unfinished of it. */
void administrator_purges(struct simulation *simulation)
{
    struct model *model = &simulation->model;
    if (model->count < PURGE_ABOVE)
        return;
    world_turn(&simulation->world);
    struct bulk_ask *administrator = bulk_new(simulation, BULK_PURGE);
    if (simulation_roll(simulation, 3) == 0) { /* any, whether it may be or not */
        bulk_ask_some(simulation, administrator);
        return;
    }
    int64_t last_id = 0;
    while (administrator->id_count < IDS_MAX) {
        const struct model_submission *oldest = NULL;
        for (size_t at = 0; at < model->count; at++) {
            const struct model_submission *item = model->items[at];
            if (item->id > last_id && is_over(item) && (!oldest || item->id < oldest->id))
                oldest = item;
        }
        if (!oldest)
            break;
        last_id = oldest->id;
        administrator->ids[administrator->id_count++] = last_id;
    }
    if (administrator->id_count == 0)
        administrator->ids[administrator->id_count++] = model->last_id + 1000000; /* nobody's */
    world_ask(&administrator->ask);
    world_turn(&simulation->world);
}

void administrator_requeues(struct simulation *simulation)
{
    bulk_ask_some(simulation, bulk_new(simulation, BULK_REQUEUE));
}

void administrator_retires(struct simulation *simulation)
{
    struct bulk_ask *administrator = bulk_new(simulation, BULK_RETIRE);
    administrator->order.tell_nobody = simulation_roll(simulation, 3) == 0;
    bulk_ask_some(simulation, administrator);
}

void administrator_requeues_deliveries(struct simulation *simulation)
{
    bulk_ask_some(simulation, bulk_new(simulation, BULK_REQUEUE_DELIVERIES));
}

/* One that gives way to no other with its key, nor makes another give way. */
void administrator_regrades(struct simulation *simulation)
{
    struct model *model = &simulation->model;
    if (model->count == 0)
        return;
    const struct model_submission *submission = model->items[simulation_roll(simulation, (uint32_t)model->count)];
    if (submission->replace_key != 0)
        return;
    struct bulk_ask *administrator = bulk_new(simulation, BULK_REGRADE);
    administrator->ids[0] = submission->id;
    administrator->id_count = 1;
    world_ask(&administrator->ask);
}

/* ---- queues ---- */

struct queue_ask {
    struct ask ask; /* first */
    struct simulation *simulation;
    int queue;
    bool pauses; /* else it drains */
    bool on;
};

static enum status queue_run(struct ask *ask, struct queues *queues)
{
    struct queue_ask *said = (struct queue_ask *)ask;
    struct queue *queue = NULL;
    const char *name = queues->config->queues[said->queue].name;
    return said->pauses ? roster_pause(queues, name, said->on, &queue, &ask->error)
                        : roster_drain(queues, name, said->on, &queue, &ask->error);
}

static void queue_told(struct ask *ask, bool stored)
{
    const struct queue_ask *said = (const struct queue_ask *)ask;
    struct model *model = &said->simulation->model;
    if (!stored)
        return;
    trace_add(model->trace, "q%d %s %s: %s", said->queue, said->on ? "is" : "is no longer",
              said->pauses ? "paused" : "draining", status_name(ask->status));
    if (ask->status != STATUS_OK)
        trace_break(model->trace, PROMISE_ANSWER, "a queue cannot be paused or drained: %s", ask->error.text);
    (said->pauses ? model->paused : model->draining)[said->queue] = said->on;
}

static void queue_ask(struct simulation *simulation, int queue, bool pauses, bool on)
{
    struct queue_ask *said = world_new_ask(&simulation->world, sizeof *said);
    said->ask.run = queue_run;
    said->ask.told = queue_told;
    said->simulation = simulation;
    said->queue = queue;
    said->pauses = pauses;
    said->on = on;
    world_ask(&said->ask);
}

void administrator_stops_queue(struct simulation *simulation)
{
    int queue = (int)simulation_roll(simulation, SIMULATION_QUEUES);
    bool pauses = simulation_roll(simulation, 2);
    queue_ask(simulation, queue, pauses, simulation_roll(simulation, 4) == 0);
}

void administrator_lets_all_queues_go(struct simulation *simulation)
{
    for (int queue = 0; queue < SIMULATION_QUEUES; queue++) {
        queue_ask(simulation, queue, true, false);
        queue_ask(simulation, queue, false, false);
    }
}
