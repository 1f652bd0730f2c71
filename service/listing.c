/* SPDX-License-Identifier: Apache-2.0 */
#include "service/listing.h"

#include <assert.h>

#include "base/clock.h"
#include "base/memory.h"

static bool listing_wants(const struct selection *selection, const struct store_submission *row)
{
    return (selection->queue_id == 0 || row->queue_id == selection->queue_id) && (selection->states & 1U << row->state) != 0;
}

/* Looks at one. STATUS_NOT_FOUND: that was all. */
static enum status listing_step(struct queues *queues, const struct listing_order *order, const struct selection *selection,
                                struct listing *listing)
{
    struct store_submission row;
    enum status status = store_next_submitted(queues->store, order->submitter, listing->next_before_id, &row);
    status = queues_stored(queues, status);
    if (status != STATUS_OK) {
        return status;
    }
    listing->next_before_id = row.id;
    if (!listing_wants(selection, &row)) {
        return STATUS_OK;
    }
    status = bulk_item_read(queues, &row, &listing->items[listing->count]);
    listing->count += status == STATUS_OK;
    return status;
}

enum status listing_read(struct queues *queues, const struct listing_order *order, struct listing *out_listing,
                         struct error *error)
{
    assert(order->page_size >= 1 && order->page_size <= LISTING_PAGE_MAX);
    struct selection selection = {.queue = order->queue, .states = order->states};
    enum status status = selection_resolve(queues, &selection, error);
    if (status != STATUS_OK) {
        return status;
    }
    struct listing listing = {.next_before_id = order->before_id};
    listing.items = memory_allocate_array(order->page_size, sizeof *listing.items);
    int64_t began_us = clock_monotonic_us();
    for (int left = LISTING_ROWS_MAX; left > 0 && status == STATUS_OK && listing.count < order->page_size; left--) {
        status = listing_step(queues, order, &selection, &listing);
        if (clock_monotonic_us() - began_us >= LISTING_US) {
            break;
        }
    }
    if (status == STATUS_NOT_FOUND) {
        listing.next_before_id = 0;
        status = STATUS_OK;
    }
    if (status == STATUS_OK) {
        *out_listing = listing;
    } else {
        listing_finish(&listing);
    }
    return status;
}

void listing_finish(struct listing *listing)
{
    memory_free(listing->items);
    *listing = (struct listing){0};
}
