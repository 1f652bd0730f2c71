/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graders that we know of, how much each of them has in flight over all paths, and who waits for submissions of which
 * queue, in fair order: whoever was granted something goes to the end.
 *
 * Threading: engine thread only.
 */
#ifndef SERVICE_WAITING_GRADERS_H
#define SERVICE_WAITING_GRADERS_H

#include "base/list.h"
#include "base/map.h"
#include "service/store/store.h"

struct queue;
struct work_session;

/* One grader by its lasting name; lives while it has a session or something in flight. */
enum {
    /* As long as this much is on its way to a grader it is granted no more: its stream keeps 16 MiB at most. */
    GRADER_UNACCEPTED_BYTES_MAX = 4 * 1024 * 1024,
};

struct grader {
    char name[STORE_NAME_MAX];
    struct list leases;           /* of struct live_lease: its in-flight count */
    struct work_session *session; /* the connected stream, or NULL */
    int64_t session_count;        /* of sessions that point here: also those that are closed and not freed yet */
    int64_t leases_max;           /* in-flight limit over all paths */
    int64_t unaccepted_bytes;     /* of its grants that no Accept has answered yet */
    struct map_node by_name;
};

struct graders {
    struct map by_name;
    int64_t leases_max; /* of a grader that names no smaller number */
};

/* A session's place in one queue's round. Linked while the session can take more. */
struct waiting_place {
    struct list_node node;
    struct queue *queue;
    struct work_session *session;
};

void graders_init(struct graders *graders, int64_t leases_max);
void graders_finish(struct graders *graders);

struct grader *graders_find(struct graders *graders, const char *name); /* NULL: none */
struct grader *graders_find_or_create(struct graders *graders, const char *name);
/* Forgets the grader if it has neither lease nor session, closed ones included. */
void graders_forget_idle(struct graders *graders, struct grader *grader);

bool grader_has_room(const struct grader *grader);

/* The next place of the queue's round, moved to the end of it; NULL when nobody waits. */
struct waiting_place *waiting_place_next(struct queue *queue);

#endif
