/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks over many submissions, a row at a time, so that whoever walks can stop anywhere and change what was found: the next row
 * is the first one after a place, in the order of the index that the walk follows.
 */
#include <assert.h>

#include "service/store/store_internal.h"

/* One row for each walk: its statement, the columns of its order, and whether the queue stands first in it. */
static const struct {
    enum statement statement;
    int keys;
    bool by_queue;
} walks[STORE_WALK_END] = {
    [STORE_WALK_ALL] = {STATEMENT_WALK_ALL, 1, false},
    [STORE_WALK_DELAYED] = {STATEMENT_WALK_DELAYED, 3, false},
    [STORE_WALK_READY] = {STATEMENT_WALK_READY, 5, true},
    [STORE_WALK_LEASED] = {STATEMENT_WALK_LEASED, 2, true},
    [STORE_WALK_DEAD] = {STATEMENT_WALK_DEAD, 2, true},
    [STORE_WALK_UNGRADABLE] = {STATEMENT_WALK_UNGRADABLE, 2, true},
    [STORE_WALK_UNDELIVERABLE] = {STATEMENT_WALK_UNDELIVERABLE, 2, true},
};

static struct store_place first_place(void)
{
    struct store_place place;
    for (int i = 0; i < STORE_PLACE_KEYS; i++)
        place.keys[i] = INT64_MIN;
    return place;
}

struct store_place store_walk_start(void)
{
    return first_place();
}

static struct store_place place_of(enum store_walk walk, const struct store_submission *row)
{
    struct store_place place = first_place();
    int count = 0;
    if (walk == STORE_WALK_DELAYED)
        place.keys[count++] = row->ready_at_ms;
    if (walk != STORE_WALK_ALL)
        place.keys[count++] = row->queue_id;
    if (walk == STORE_WALK_READY) {
        place.keys[count++] = row->label_set_id;
        place.keys[count++] = row->rank;
        place.keys[count++] = row->virtual_ms;
    }
    place.keys[count++] = row->id;
    assert(count == walks[walk].keys);
    return place;
}

enum status store_walk_next(struct store *store, enum store_walk walk, int64_t queue_id, struct store_place *place,
                            struct store_submission *out_row)
{
    assert(walk >= STORE_WALK_ALL && walk < STORE_WALK_END);
    struct store_place from = *place;
    bool by_queue = walks[walk].by_queue && queue_id != 0;
    if (by_queue && from.keys[0] < queue_id) {
        from = first_place();
        from.keys[0] = queue_id;
    }
    struct query query = query_start(store, walks[walk].statement);
    for (int i = 0; i < walks[walk].keys; i++)
        query_bind_int(&query, from.keys[i]);
    struct store_submission row;
    enum status status = store_read_only_submission(&query, &row);
    if (status != STATUS_OK)
        return status;
    if (by_queue && row.queue_id != queue_id)
        return STATUS_NOT_FOUND;
    *place = place_of(walk, &row);
    *out_row = row;
    return STATUS_OK;
}
