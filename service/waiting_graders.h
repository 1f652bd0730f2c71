/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graders that we know of, how much each of them has in flight over all paths, and who waits for submissions of which
 * queue, in fair order: whoever was granted something goes to the end.
 *
 * Threading: engine thread only.
 */
#ifndef SERVICE_WAITING_GRADERS_H
#define SERVICE_WAITING_GRADERS_H

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "service/rules/quarantine.h"
#include "service/store/store.h"

struct queue;
struct queues;
struct work_session;

enum {
    /* As long as this much is on its way to a grader it is granted no more: its stream keeps 16 MiB at most. */
    GRADER_UNACCEPTED_BYTES_MAX = 4 * 1024 * 1024,
    /* Of those that hold nothing and are not connected but have failed; the one seen longest ago is forgotten for a new one. */
    GRADERS_REMEMBERED_MAX = 1000,
};

/* One grader by its lasting name; lives while it has a session or something in flight, or failures to be remembered. */
struct grader {
    char name[STORE_NAME_MAX];
    struct list leases;           /* of struct live_lease: its in-flight count */
    struct work_session *session; /* the connected stream, or NULL */
    int64_t ended_count;          /* of leases that ended in the running batch, and come back should it fail */
    int64_t session_count;        /* of sessions that point here: also those that are closed and not freed yet */
    int64_t leases_max;           /* in-flight limit over all paths */
    int64_t unaccepted_bytes;     /* of its grants that no Accept has answered yet */
    struct quarantine quarantine;
    struct quarantine stored_quarantine; /* before the running batch, while in graders->judged */
    struct list_node judged_node;
    struct list_node remembered_node;
    struct heap_node quiet_end; /* scheduled while it is quiet */
    struct map_node by_name;
};

struct graders {
    struct map by_name;
    struct list judged;     /* whose quarantine the running batch changes */
    struct list remembered; /* see GRADERS_REMEMBERED_MAX; seen longest ago first */
    struct heap quiet_ends;
    int64_t leases_max; /* of a grader that names no smaller number */
};

/* A session's place in one queue's round. Linked while the session can take more. */
struct waiting_place {
    struct list_node node;
    struct queue *queue;
    struct work_session *session;
    bool pause_is_told; /* it knows that the queue is paused */
};

void graders_init(struct graders *graders, int64_t leases_max);
void graders_finish(struct graders *graders);

struct grader *graders_find(struct graders *graders, const char *name); /* NULL: none */
struct grader *graders_find_or_create(struct graders *graders, const char *name);
/* Forgets the grader if it has neither lease nor session, closed ones included, nor failures; those within limits. */
void graders_forget_idle(struct graders *graders, struct grader *grader);

/* May it hold one more lease, over all paths? */
bool grader_has_room(const struct grader *grader);

/*
 * Is there anybody who could be granted row, which is live, sooner or later: a grader with a stream that is not draining, or a
 * poller seen lately (recent_pollers), that has all labels which row asks for? False is what WatchEvent.nobody_can_grade tells;
 * it may change with the next grader that connects.
 */
bool graders_can_take(const struct queues *queues, const struct store_submission *row);

/* The same for all that ask for these labels in the queue. */
bool graders_cover(const struct queues *queues, const struct queue *queue, const struct labels *asked);

/* The next place of the queue's round, moved to the end of it; NULL when nobody waits. */
struct waiting_place *waiting_place_next(struct queue *queue);

#endif
