/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a submitter sees of its own submissions: newest first, a page at a time. A page ends when it is full, and earlier when a
 * filter leaves out so many that looking on would keep others waiting; the next one goes on from there.
 *
 * Threading: engine thread only.
 */
#ifndef SERVICE_LISTING_H
#define SERVICE_LISTING_H

#include "service/bulk.h"

enum {
    LISTING_PAGE_DEFAULT = 100,
    LISTING_PAGE_MAX = 1000,
    LISTING_ROWS_MAX = 2000, /* looked at for one page */
    LISTING_US = 10000,      /* how long a page may take */
};

/* Texts are borrowed. */
struct listing_order {
    const char *submitter;
    const char *queue; /* "" = any; may be one that is not configured any more */
    unsigned states;   /* bits 1 << enum submission_state */
    int64_t before_id; /* only those with smaller ids; INT64_MAX = from the newest on */
    size_t page_size;  /* 1 to LISTING_PAGE_MAX */
};

struct listing {
    struct bulk_item *items; /* owned */
    size_t count;
    int64_t next_before_id; /* of the next page; 0 = this was the last */
};

/* STATUS_NOT_FOUND QUEUE_NOT_FOUND: there never was one of that name. */
enum status listing_read(struct queues *queues, const struct listing_order *order, struct listing *out_listing,
                         struct error *error) STATUS_CHECKED;
void listing_finish(struct listing *listing); /* frees what it holds; zeroed is fine */

#endif
