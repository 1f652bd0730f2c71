/* SPDX-License-Identifier: Apache-2.0 */
#include "service/bulk.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/delivering.h"
#include "service/grading.h"
#include "service/regrading.h"
#include "service/watching.h"

/* ---- what is done to one submission ---- */

enum status bulk_item_read(struct queues *queues, const struct store_submission *row, struct bulk_item *item)
{
    struct queue *queue = queues_find_by_id(queues, row->queue_id);
    item->row = *row;
    enum status status = STATUS_OK;
    if (queue) {
        text_copy(item->queue, sizeof item->queue, queue->settings->name);
    } else {
        status = queues_stored(queues, store_read_queue_name(queues->store, row->queue_id, item->queue));
    }
    if (status == STATUS_OK) {
        status = queues_stored(queues, store_find_delivery(queues->store, row->id, &item->delivery));
        item->has_delivery = status == STATUS_OK;
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status bulk_show(struct queues *queues, struct bulk *bulk, struct store_submission *row)
{
    return bulk_item_read(queues, row, &bulk->items[bulk->progress.done]);
}

static enum status bulk_retire(struct queues *queues, struct bulk *bulk, struct store_submission *row)
{
    const char *reason = bulk->order.reason;
    text_copy(row->message, sizeof row->message, reason[0] != '\0' ? reason : "given up by an administrator");
    if (bulk->order.tell_nobody) {
        row->has_destination = false; /* not stored: it only keeps this outcome from being delivered */
    }
    return grading_end(queues, row, SUBMISSION_DEAD, LOST_ADMIN);
}

static enum status bulk_requeue(struct queues *queues, struct bulk *bulk, struct store_submission *row)
{
    (void)bulk;
    row->failures = 0;
    row->expires_at_ms = 0; /* it may have expired already */
    row->ready_at_ms = queues->now_ms;
    row->message[0] = '\0';
    enum status status = queues_move(queues, row, SUBMISSION_READY);
    if (status == STATUS_OK) {
        status = queues_stored(queues, store_forget_lost_graders(queues->store, row->id));
    }
    /* A result from before is to be told, whatever comes of it now. */
    return status == STATUS_OK && row->generation == 0 ? delivering_withdraw(queues, row->id) : status;
}

static enum status bulk_purge(struct queues *queues, struct bulk *bulk, struct store_submission *row)
{
    (void)bulk;
    enum status status = row->generation > 0 ? regrading_end(queues, row->id, false) : STATUS_OK;
    if (status == STATUS_OK) {
        status = queues_stored(queues, store_delete_submission(queues->store, row->id));
    }
    if (status == STATUS_OK) {
        queues->deliveries_moved = true;
        watching_wake(queues, row->id);
        queues_count_move(queues, row, row->state, 0);
        grading_forget_lease_of(queues, row->id, LOST_ADMIN);
    }
    return status;
}

static enum status bulk_requeue_delivery(struct queues *queues, struct bulk *bulk, struct store_submission *row)
{
    (void)bulk;
    return delivering_requeue(queues, row->id);
}

static enum status bulk_regrade(struct queues *queues, struct bulk *bulk, struct store_submission *row)
{
    struct bulk_progress *progress = &bulk->progress;
    enum status status = progress->regrade_id == 0 ? regrading_begin(queues, &progress->regrade_id) : STATUS_OK;
    return status == STATUS_OK ? regrading_add(queues, progress->regrade_id, row) : status;
}

/* Another submission has taken its place by now: to grade this one as well would tell the student twice. */
static enum status bulk_is_replaced(struct queues *queues, const struct store_submission *row, bool *out_is)
{
    struct store_submission other;
    *out_is = false;
    if (row->replace_key_length == 0) {
        return STATUS_OK;
    }
    enum status status = store_find_replaceable(queues->store, row->replace_key, row->replace_key_length, row->id, &other);
    status = queues_stored(queues, status);
    *out_is = status == STATUS_OK;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* In a queue that is not there nobody would grade it; and what takes its place counts, unless that is to give way itself. */
static enum status bulk_cannot_be_regraded(struct queues *queues, const struct store_submission *row, bool *out_is)
{
    *out_is = queues_find_by_id(queues, row->queue_id) == NULL;
    if (*out_is) {
        return STATUS_OK;
    }
    enum status status = bulk_is_replaced(queues, row, out_is);
    if (status == STATUS_OK && *out_is) {
        struct store_submission older;
        status = regrading_find_older(queues, row, &older);
        *out_is = status == STATUS_NOT_FOUND;
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* ---- the kinds ---- */

enum {
    BULK_FINAL_STATES = SELECTION_ALL_STATES & ~SELECTION_LIVE_STATES,
    BULK_OVER_DELIVERIES = 1 << DELIVERY_NONE | 1 << DELIVERY_DELIVERED | 1 << DELIVERY_UNDELIVERABLE,
};

static const struct {
    unsigned states; /* that it can be done to */
    unsigned delivery_states;
    enum status (*change)(struct queues *queues, struct bulk *bulk, struct store_submission *row);
    enum status (*leaves_out)(struct queues *queues, const struct store_submission *row, bool *out_is); /* may be NULL */
} kinds[BULK_KIND_END] = {
    [BULK_SEARCH] = {SELECTION_ALL_STATES, SELECTION_ALL_DELIVERIES, bulk_show, NULL},
    [BULK_REQUEUE] = {1 << SUBMISSION_DEAD | 1 << SUBMISSION_UNGRADABLE, SELECTION_ALL_DELIVERIES, bulk_requeue,
                      bulk_is_replaced},
    [BULK_RETIRE] = {SELECTION_LIVE_STATES, SELECTION_ALL_DELIVERIES, bulk_retire, NULL},
    [BULK_PURGE] = {BULK_FINAL_STATES, BULK_OVER_DELIVERIES, bulk_purge, NULL},
    [BULK_REQUEUE_DELIVERIES] = {SELECTION_ALL_STATES, 1 << DELIVERY_UNDELIVERABLE, bulk_requeue_delivery, NULL},
    [BULK_REGRADE] = {1 << SUBMISSION_GRADED, SELECTION_ALL_DELIVERIES, bulk_regrade, bulk_cannot_be_regraded},
};

/* ---- slices ---- */

enum status bulk_begin(struct queues *queues, struct bulk *bulk, const struct bulk_order *order, struct error *error)
{
    assert(order->kind >= BULK_SEARCH && order->kind < BULK_KIND_END);
    assert(order->limit >= 1 && order->limit <= BULK_LIMIT_MAX);
    *bulk = (struct bulk){.order = *order, .rollbacks = queues->rollbacks};
    struct selection *selection = &bulk->order.selection;
    if (order->kind != BULK_PURGE || !order->unfinished_too) {
        selection->states &= kinds[order->kind].states;
        selection->delivery_states &= kinds[order->kind].delivery_states;
    }
    bulk->progress.place = order->from;
    bulk->progress.done_place = order->from;
    bulk->progress.regrade_id = order->regrade_id;
    bulk->before = bulk->progress;
    if (order->regrade_id != 0) {
        struct store_regrade known;
        enum status status = regrading_find(queues, order->regrade_id, &known, error);
        if (status != STATUS_OK) {
            return status;
        }
    }
    if (order->kind == BULK_SEARCH) {
        assert(order->limit <= BULK_PAGE_MAX);
        bulk->items = memory_allocate_array((size_t)order->limit, sizeof *bulk->items);
    }
    return selection_resolve(queues, selection, error);
}

static bool bulk_may_change(const struct bulk *bulk)
{
    return !bulk->order.dry_run && bulk->progress.done < bulk->order.limit;
}

static bool bulk_has_all(const struct bulk *bulk)
{
    const struct bulk_progress *progress = &bulk->progress;
    bool looks_ahead = bulk->order.kind != BULK_SEARCH && progress->looked_ahead < BULK_LOOK_AHEAD_MAX;
    return progress->at_end || (!bulk->order.dry_run && !bulk_may_change(bulk) && !looks_ahead);
}

static enum status bulk_take(struct queues *queues, struct bulk *bulk, struct store_submission *row)
{
    struct bulk_progress *progress = &bulk->progress;
    progress->matched++;
    if (!bulk_may_change(bulk)) {
        return STATUS_OK;
    }
    enum status status = kinds[bulk->order.kind].change(queues, bulk, row);
    if (status == STATUS_OK) {
        progress->done++;
        progress->done_place = progress->place;
    }
    return status;
}

/* Looks at one. */
static enum status bulk_step(struct queues *queues, struct bulk *bulk)
{
    struct bulk_progress *progress = &bulk->progress;
    struct store_submission row;
    bool matches = false;
    bool is_left_out = false;
    enum status status = selection_next(queues, &bulk->order.selection, &progress->place, &row, &matches);
    if (status == STATUS_NOT_FOUND) {
        progress->at_end = true;
        return STATUS_OK;
    }
    if (status == STATUS_OK && matches && kinds[bulk->order.kind].leaves_out) {
        status = kinds[bulk->order.kind].leaves_out(queues, &row, &is_left_out);
    }
    if (status == STATUS_OK && !bulk->order.dry_run && !bulk_may_change(bulk)) {
        progress->looked_ahead++;
    }
    return status == STATUS_OK && matches && !is_left_out ? bulk_take(queues, bulk, &row) : status;
}

enum status bulk_slice(struct queues *queues, struct bulk *bulk)
{
    if (bulk->rollbacks != queues->rollbacks) {
        bulk->progress = bulk->before;
    }
    bulk->rollbacks = queues->rollbacks;
    bulk->before = bulk->progress;
    /* Only now: what the slice before changed has been committed, and a tick has seen it. */
    bulk->over = bulk_has_all(bulk);
    int64_t began_us = clock_monotonic_us();
    enum status status = STATUS_OK;
    for (int left = BULK_SLICE_ROWS_MAX; left > 0 && status == STATUS_OK && !bulk_has_all(bulk); left--) {
        status = bulk_step(queues, bulk);
        if (clock_monotonic_us() - began_us >= BULK_SLICE_US) {
            break;
        }
    }
    return status;
}

bool bulk_finished(const struct bulk *bulk)
{
    return bulk->progress.at_end && bulk->progress.matched == bulk->progress.done;
}

void bulk_write_token(const struct bulk *bulk, char out[SELECTION_TOKEN_MAX])
{
    out[0] = '\0';
    if (!bulk_finished(bulk) && !bulk->order.dry_run) {
        selection_write_place(&bulk->progress.done_place, out);
    }
}

void bulk_finish(struct bulk *bulk)
{
    memory_free(bulk->items);
    bulk->items = NULL;
}
