/* SPDX-License-Identifier: Apache-2.0 */
/* Everything compared with everything: what clients know, what the store has, what is in memory. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "tests/simulation/actors.h"

/* ---- memory and store ---- */

static void sweep_queue(struct simulation *simulation, const struct queue *queue)
{
    struct store_queue_counts counts = {0};
    if (store_count_queue(simulation->world.store, queue->id, &counts) != STATUS_OK)
        trace_break(&simulation->trace, PROMISE_MEMORY, "the store does not count");
    if (queue->ready_count != counts.ready || queue->leased_count != counts.leased || queue->delayed_count != counts.delayed ||
        queue->dead_count != counts.dead)
        trace_break(&simulation->trace, PROMISE_MEMORY,
                    "%s: memory %" PRId64 " ready %" PRId64 " leased %" PRId64 " delayed %" PRId64 " dead, store %" PRId64
                    " %" PRId64 " %" PRId64 " %" PRId64,
                    queue->settings->name, queue->ready_count, queue->leased_count, queue->delayed_count, queue->dead_count,
                    counts.ready, counts.leased, counts.delayed, counts.dead);
}

struct lease_search {
    struct simulation *simulation;
    size_t count;
};

static void sweep_leased(void *context, const struct store_submission *row)
{
    struct lease_search *search = context;
    search->count++;
    if (!lease_table_find_held(&search->simulation->world.queues->leases, row->id, row->lease_key))
        trace_break(&search->simulation->trace, PROMISE_MEMORY, "%" PRId64 " is leased in the store and not in memory",
                    row->id);
}

void sweep_counts(struct simulation *simulation)
{
    struct queues *queues = simulation->world.queues;
    struct lease_search search = {.simulation = simulation};
    if (simulation->trace.broken != PROMISE_KEPT || store_begin(simulation->world.store) != STATUS_OK)
        return;
    for (struct list_node *node = list_first(&queues->all); node; node = list_next(&queues->all, node))
        sweep_queue(simulation, LIST_OWNER(node, struct queue, node));
    if (store_visit_leased(simulation->world.store, sweep_leased, &search) != STATUS_OK)
        trace_break(&simulation->trace, PROMISE_MEMORY, "the store does not say what is leased");
    if (search.count != lease_table_count(&queues->leases))
        trace_break(&simulation->trace, PROMISE_MEMORY, "%zu leases in the store, %zu in memory", search.count,
                    lease_table_count(&queues->leases));
    store_rollback(simulation->world.store);
}

/* ---- the model and the store ---- */

static void sweep_result(struct simulation *simulation, const struct model_submission *submission)
{
    struct store_result result = {0};
    char expected[32];
    bool graded = submission->generation > 0;
    enum status status = store_read_result(simulation->world.store, submission->id, true, &result);
    snprintf(expected, sizeof expected, "%" PRIu64, submission->result);
    bool right = (status == STATUS_OK) == graded;
    if (right && graded)
        right = result.generation == submission->generation && result.body_length == strlen(expected) &&
                memcmp(result.body, expected, strlen(expected)) == 0;
    memory_free(result.body);
    if (!right)
        trace_break(&simulation->trace, PROMISE_ONE_RESULT, "the stored result of %" PRId64 " is not the one that was accepted",
                    submission->id);
}

static void sweep_submission(struct simulation *simulation, struct model_submission *submission)
{
    struct store *store = simulation->world.store;
    struct store_submission row;
    struct store_delivery delivery;
    if (store_find_submission(store, submission->id, &row) != STATUS_OK) {
        trace_break(&simulation->trace, PROMISE_ACKNOWLEDGED, "%" PRId64 " was acknowledged and is lost", submission->id);
        return;
    }
    model_seen(&simulation->model, submission, &row);
    enum status status = store_find_delivery(store, submission->id, &delivery);
    model_seen_delivery(&simulation->model, submission, status == STATUS_OK ? &delivery : NULL);
    sweep_result(simulation, submission);
    /* A lease that was promised is in memory too, as good as promised. */
    const struct model_lease *newest = model_newest(submission);
    if (submission->fate != FATE_LIVE || submission->surrendered || !model_is_promised(&simulation->model, newest))
        return;
    const struct live_lease *live = lease_table_find_held(&simulation->world.queues->leases, submission->id, newest->key);
    if (!live || live->expires_at_ms < newest->promised_until_ms)
        trace_break(&simulation->trace, PROMISE_ONE_LEASE, "lease #%u of %" PRId64 " ends before it was promised to",
                    newest->number, submission->id);
}

static void sweep_strangers(struct simulation *simulation)
{
    struct store_place place = store_walk_start();
    struct store_submission row;
    size_t count = 0;
    while (store_walk_next(simulation->world.store, STORE_WALK_ALL, 0, &place, &row) == STATUS_OK) {
        count++;
        if (!model_find(&simulation->model, row.id))
            trace_break(&simulation->trace, PROMISE_ACKNOWLEDGED, "%" PRId64 " is stored, and nobody was told", row.id);
    }
    if (count < simulation->model.count)
        trace_break(&simulation->trace, PROMISE_ACKNOWLEDGED, "%zu submissions were acknowledged and %zu are there",
                    simulation->model.count, count);
}

void sweep(struct simulation *simulation)
{
    sweep_counts(simulation);
    if (simulation->trace.broken != PROMISE_KEPT || store_begin(simulation->world.store) != STATUS_OK)
        return;
    for (size_t at = 0; at < simulation->model.count; at++)
        sweep_submission(simulation, simulation->model.items[at]);
    sweep_strangers(simulation);
    store_rollback(simulation->world.store);
}
