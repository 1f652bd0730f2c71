/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What administrators do to many submissions at once, or want to see of them. A bulk is done in slices of a few milliseconds,
 * each in a transaction of its own, so that everybody else is served meanwhile:
 *
 *     bulk_begin -> bulk_slice, again in later transactions until bulk->over -> bulk_finished, bulk_write_token -> bulk_finish
 *
 * When the transaction of a slice is rolled back, the next slice begins again where that one began.
 *
 * Threading: engine thread only.
 */
#ifndef SERVICE_BULK_H
#define SERVICE_BULK_H

#include "service/selection.h"

enum {
    BULK_LIMIT_DEFAULT = 1000, /* submissions changed by one bulk */
    BULK_LIMIT_MAX = 10000,
    BULK_PAGE_DEFAULT = 100, /* submissions seen by one search */
    BULK_PAGE_MAX = 1000,
    BULK_LOOK_AHEAD_MAX = 50000, /* looked at, only to be counted, after the last one that was changed */
    BULK_SLICE_ROWS_MAX = 1000,  /* looked at in one slice */
    BULK_SLICE_US = 10000,       /* how long a slice lasts; the submission that it ends with comes on top */
    BULK_RUNNING_MAX = 4,        /* at the same time; more are refused */
    BULK_BUSY_RETRY_MS = 1000,
};

enum bulk_kind {
    BULK_SEARCH = 1, /* nothing is changed */
    BULK_REQUEUE,
    BULK_RETIRE,
    BULK_PURGE,
    BULK_REQUEUE_DELIVERIES,
    BULK_REGRADE,
    BULK_KIND_END
};

struct bulk_order {
    enum bulk_kind kind;
    struct selection selection;
    struct selection_place from;
    int64_t limit;       /* 1 to BULK_LIMIT_MAX (BULK_PAGE_MAX for a search) */
    const char *reason;  /* "" = a text of our own; borrowed */
    bool dry_run;        /* only count */
    bool tell_nobody;    /* RETIRE: without a delivery */
    int64_t regrade_id;  /* REGRADE: adds to this one; 0 = a new one */
    bool unfinished_too; /* PURGE: whatever its state and that of its delivery */
};

/* What a search found. */
struct bulk_item {
    struct store_submission row;
    bool has_delivery;
    struct store_delivery delivery;
    char queue[STORE_NAME_MAX];
};

/* All of *item of the submission row. Errors: those of the store. */
enum status bulk_item_read(struct queues *queues, const struct store_submission *row, struct bulk_item *item) STATUS_CHECKED;

struct bulk_progress {
    struct selection_place place;      /* of the last one that was looked at */
    struct selection_place done_place; /* of the last one that was done, or where it began */
    int64_t matched;
    int64_t done;
    int64_t looked_ahead;
    int64_t regrade_id; /* REGRADE: 0 = none yet */
    bool at_end;        /* everything has been looked at */
};

struct bulk {
    struct bulk_order order;
    struct bulk_progress progress;
    struct bulk_progress before; /* the last slice */
    uint64_t rollbacks;          /* of the queues, at the last slice */
    bool over;
    struct bulk_item *items; /* SEARCH: progress.done of them; owned */
};

/* order is copied. STATUS_NOT_FOUND QUEUE_NOT_FOUND, BULK_NOT_FOUND. */
enum status bulk_begin(struct queues *queues, struct bulk *bulk, const struct bulk_order *order,
                       struct error *error) STATUS_CHECKED;
/* Does some more, or, when there is nothing more to do, sets over. Errors: those of the store. */
enum status bulk_slice(struct queues *queues, struct bulk *bulk) STATUS_CHECKED;
/* Nothing that matches is left, as far as this bulk can say. */
bool bulk_finished(const struct bulk *bulk);
/* Where another bulk goes on; "" when there is nothing more. */
void bulk_write_token(const struct bulk *bulk, char out[SELECTION_TOKEN_MAX]);
void bulk_finish(struct bulk *bulk); /* frees what it holds; zeroed is fine */

#endif
