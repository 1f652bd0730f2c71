/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Those who watch submissions: what one of them has been told, and when it is to look again. The store has all of it; here is
 * only who wants to know.
 *
 * A change of the submission or of its delivery wakes its watches at once (watching_wake). Where it stands in the ready order
 * changes with every other submission, and its grader may say more often how far it is than anybody reads: both are looked at
 * again at most once in WATCHING_REFRESH_MS, by all watches together for at most WATCHING_LOOK_US in WATCHING_TURN_MS, so that
 * it keeps nobody waiting: who does not get a turn tells an older place for a little longer.
 *
 * Threading: engine thread only.
 */
#ifndef SERVICE_WATCHING_H
#define SERVICE_WATCHING_H

#include "service/submitting.h"

enum {
    WATCHING_MAX = 10000,         /* at one time */
    WATCHING_PER_USER_MAX = 5000, /* of them of one user */
    WATCHING_FULL_RETRY_MS = 5000,
    WATCHING_REFRESH_MS = 1000,
    WATCHING_LOOK_US = 10000,
    WATCHING_TURN_MS = 100,
    WATCHING_POSITION_MAX = 10000, /* counted so far; stands for this many or more */
};

/* How a submission stands, as a watch sees it. */
struct watch_view {
    struct store_submission row;
    bool has_delivery;
    struct store_delivery delivery;
    char queue[STORE_NAME_MAX];
    int64_t position;      /* READY: how many are before it */
    int64_t estimate_ms;   /* until a result; 0 = unknown */
    bool nobody_can_grade; /* READY or DELAYED: see graders_can_take */
    bool has_progress;     /* LEASED: */
    struct progress progress;
};

/* One who watches. */
struct watch {
    struct engine_command *command; /* borrowed: looks, and is parked in between */
    struct list parked;             /* for queues_park: of the command */
    struct list_node node;          /* in the watched submission's list */
    struct watched *watched;        /* NULL: not open */
    const char *user;               /* borrowed */
    bool has_told;
    uint8_t told[SECRET_DIGEST_BYTES]; /* what it was told last */
    uint8_t seen[SECRET_DIGEST_BYTES]; /* what the last look saw */
    int64_t queue_id;                  /* then */
    int64_t position;                  /* as counted last; -1 = not since it became READY */
    uint64_t counted_moves;            /* of the queue, then */
    int64_t refresh_at_ms;             /* when it may be counted again */
};

/* Opens watch (zeroed but for command and user). Errors: STATUS_NOT_FOUND SUBMISSION_NOT_FOUND; STATUS_FULL WATCHES_FULL. */
enum status watch_open(struct queues *queues, struct watch *watch, const struct view_request *request,
                       struct error *error) STATUS_CHECKED;
void watch_close(struct queues *queues, struct watch *watch); /* one that is not open is fine */

/* Woken by time alone: is there nothing to look for, or no time to look? Then until watch->refresh_at_ms, which is set anew. */
bool watch_rests(struct queues *queues, struct watch *watch);
/* Looks. *out_changed: something is different from what was told last. STATUS_NOT_FOUND SUBMISSION_NOT_FOUND: it was purged. */
enum status watch_look(struct queues *queues, struct watch *watch, struct watch_view *out_view, bool *out_changed,
                       struct error *error) STATUS_CHECKED;
/* After the commit: what the last look saw has been told. */
void watch_told(struct watch *watch);
/* When to look again although nothing has happened to the submission itself. */
int64_t watch_refresh_ms(const struct watch *watch, const struct watch_view *view);

/* Neither the submission nor its delivery will change any more by itself. */
bool watch_view_is_final(const struct watch_view *view);

/* Its grader has said how far it is: watches look when they may again. */
void watching_note_progress(struct queues *queues, int64_t submission_id);
/* Something about the submission was changed in this batch. */
void watching_wake(struct queues *queues, int64_t submission_id);

#endif
