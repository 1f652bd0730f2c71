/* SPDX-License-Identifier: Apache-2.0 */
#include "service/label_sets.h"

#include <assert.h>

#include "base/memory.h"
#include "service/queue.h"
#include "service/rules/order.h"

void label_sets_init(struct label_sets *sets)
{
    map_init(&sets->by_id);
}

static void label_sets_remove(struct label_sets *sets, struct label_set *set)
{
    map_remove(&sets->by_id, &set->by_id);
    labels_finish(&set->labels);
    memory_free(set);
}

static void label_sets_clear(struct label_sets *sets)
{
    struct label_set *set = NULL;
    while ((set = label_sets_first(sets)) != NULL) {
        label_sets_remove(sets, set);
    }
}

void label_sets_finish(struct label_sets *sets)
{
    label_sets_clear(sets);
    map_finish(&sets->by_id);
}

static struct label_set *owner_of(struct map_node *node)
{
    return node ? MAP_OWNER(node, struct label_set, by_id) : NULL;
}

struct label_set *label_sets_find(const struct label_sets *sets, int64_t id)
{
    return owner_of(map_find(&sets->by_id, &id, sizeof id));
}

struct label_set *label_sets_first(const struct label_sets *sets)
{
    return owner_of(map_first(&sets->by_id));
}

struct label_set *label_sets_next(const struct label_sets *sets, struct label_set *set)
{
    return owner_of(map_next(&sets->by_id, &set->by_id));
}

size_t label_sets_count(const struct label_sets *sets)
{
    return map_count(&sets->by_id);
}

/* labels is taken. */
static struct label_set *label_sets_add(struct label_sets *sets, int64_t id, const struct labels *labels)
{
    struct label_set *set = MEMORY_NEW(struct label_set);
    set->id = id;
    set->labels = *labels;
    map_put(&sets->by_id, &set->by_id, &set->id, sizeof set->id);
    return set;
}

/* ---- as the store has them ---- */

struct label_sets_found {
    struct store_label_set *items; /* owned */
    size_t count;
};

static void on_label_set(void *context, const struct store_label_set *set)
{
    struct label_sets_found *found = context;
    found->items = memory_resize(found->items, (found->count + 1) * sizeof *found->items);
    found->items[found->count++] = *set;
}

enum status label_sets_load(struct queues *queues, struct queue *queue)
{
    struct label_sets_found found = {0};
    label_sets_clear(&queue->label_sets);
    enum status status = store_visit_label_sets(queues->store, queue->id, on_label_set, &found);
    for (size_t i = 0; i < found.count && status == STATUS_OK; i++) {
        struct labels labels;
        status = store_read_labels(queues->store, found.items[i].submission_id, &labels);
        if (status == STATUS_OK) {
            struct label_set *set = label_sets_add(&queue->label_sets, found.items[i].id, &labels);
            set->ready_count = found.items[i].ready;
            set->live_count = found.items[i].live;
        }
    }
    memory_free(found.items);
    return status;
}

/* ---- counting ---- */

static struct label_set *label_sets_find_or_add(struct queues *queues, struct queue *queue, const struct store_submission *row)
{
    struct label_set *set = label_sets_find(&queue->label_sets, row->label_set_id);
    struct labels labels;
    if (!set && queues_stored(queues, store_read_labels(queues->store, row->id, &labels)) == STATUS_OK) {
        set = label_sets_add(&queue->label_sets, row->label_set_id, &labels);
    }
    return set; /* NULL: the batch is lost, and all will be read again */
}

void label_sets_count_move(struct queues *queues, struct queue *queue, const struct store_submission *row,
                           enum submission_state from, enum submission_state to)
{
    struct label_set *set = row->label_set_id == 0 ? NULL : label_sets_find_or_add(queues, queue, row);
    if (!set) {
        return;
    }
    set->ready_count += (to == SUBMISSION_READY) - (from == SUBMISSION_READY);
    set->live_count += submission_is_live(to) - submission_is_live(from);
    assert(set->ready_count >= 0 && set->live_count >= set->ready_count);
    if (set->live_count == 0) {
        label_sets_remove(&queue->label_sets, set);
    }
}

/* ---- what a grader can take ---- */

static bool label_set_has_ready(const struct label_set *set, const struct labels *offered)
{
    return set->ready_count > 0 && labels_cover(offered, &set->labels);
}

static bool label_sets_have_ready_without(const struct queue *queue)
{
    int64_t labeled = 0;
    for (struct label_set *set = label_sets_first(&queue->label_sets); set; set = label_sets_next(&queue->label_sets, set)) {
        labeled += set->ready_count;
    }
    return queue->ready_count > labeled;
}

bool label_sets_have_ready(const struct queue *queue, const struct labels *offered)
{
    struct label_set *set = label_sets_first(&queue->label_sets);
    while (set && !label_set_has_ready(set, offered)) {
        set = label_sets_next(&queue->label_sets, set);
    }
    return set != NULL || label_sets_have_ready_without(queue);
}

static bool comes_before(const struct store_submission *a, const struct store_submission *b)
{
    const struct order_place left = {.rank = a->rank, .virtual_ms = a->virtual_ms, .id = a->id};
    const struct order_place right = {.rank = b->rank, .virtual_ms = b->virtual_ms, .id = b->id};
    return order_comes_before(&left, &right);
}

enum status label_sets_next_ready(struct queues *queues, const struct queue *queue, const struct labels *offered,
                                  struct store_submission *out_row)
{
    enum status found = STATUS_NOT_FOUND;
    if (label_sets_have_ready_without(queue)) {
        found = queues_stored(queues, store_next_ready(queues->store, queue->id, 0, out_row));
    }
    struct label_set *set = label_sets_first(&queue->label_sets);
    for (; set && (found == STATUS_OK || found == STATUS_NOT_FOUND); set = label_sets_next(&queue->label_sets, set)) {
        struct store_submission row;
        if (!label_set_has_ready(set, offered)) {
            continue;
        }
        enum status status = queues_stored(queues, store_next_ready(queues->store, queue->id, set->id, &row));
        if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
            return status;
        }
        if (status == STATUS_OK && (found != STATUS_OK || comes_before(&row, out_row))) {
            *out_row = row;
            found = STATUS_OK;
        }
    }
    return found;
}

enum status label_sets_count_before(struct queues *queues, const struct queue *queue, const struct store_submission *row,
                                    int64_t max, int64_t *out_count)
{
    int64_t count = 0;
    enum status status = queues_stored(queues, store_count_before(queues->store, row, 0, max, &count));
    struct label_set *set = label_sets_first(&queue->label_sets);
    for (; set && status == STATUS_OK && count < max; set = label_sets_next(&queue->label_sets, set)) {
        int64_t of_set = 0;
        if (set->ready_count > 0) {
            status = queues_stored(queues, store_count_before(queues->store, row, set->id, max - count, &of_set));
        }
        count += of_set;
    }
    if (status == STATUS_OK) {
        *out_count = count;
    }
    return status;
}
