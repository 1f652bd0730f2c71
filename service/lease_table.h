/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The live leases in memory: who holds what until when. The store has every one of them too; here they are renewed without a
 * write. At most one per submission. A lease is due when something has to be done about it: accept window over, warning,
 * expiry.
 *
 * Threading: engine thread only.
 */
#ifndef SERVICE_LEASE_TABLE_H
#define SERVICE_LEASE_TABLE_H

#include "base/clock.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/text.h"
#include "service/rules/lease.h"

struct grader;
struct graders;
struct queue;

enum {
    LEASE_INSTANCE_MAX = 65,
    PROGRESS_TEXT_PHASE_MAX = 65, /* both with a NUL */
    PROGRESS_TEXT_NOTE_MAX = 513,
    PROGRESS_PERCENT_MAX = 100,
    LEASE_WARNING_DIVISOR = 4, /* the holder is warned when a quarter of the lease is left */
};

/* How far the holder of a lease says that it is. */
struct progress {
    char phase[PROGRESS_TEXT_PHASE_MAX];
    uint32_t percent; /* 0 to PROGRESS_PERCENT_MAX */
    char note[PROGRESS_TEXT_NOTE_MAX];
};

struct live_lease {
    int64_t submission_id;
    char key[LEASE_KEY_LENGTH + 1];
    struct queue *queue;               /* borrowed */
    struct grader *grader;             /* borrowed; counts this lease as in flight */
    struct list_node grader_node;      /* in grader->leases, or in table->ended */
    char instance[LEASE_INSTANCE_MAX]; /* of the grader that holds it; "" = unary, or not heard of since a restart */
    bool streamed;                     /* belongs to the grader's stream: notices go there */
    bool accepted;
    bool counted; /* its expiry counts as a failure of the submission */
    bool warned;
    int64_t unaccepted_bytes; /* of the grant, while it is on its way to a stream; counted in the grader */
    int64_t accept_until_ms;
    int64_t expires_at_ms;
    int64_t stored_expires_at_ms;
    int64_t hard_limit_at_ms;
    struct progress *progress; /* owned; the latest note, NULL: none yet. In memory alone: a restart forgets it */
    struct heap_node due;
    struct map_node by_submission;
};

struct lease_table {
    struct map by_submission;
    struct heap due;
    struct list ended; /* of struct live_lease: those that ended in the running batch */
};

void lease_table_init(struct lease_table *table);
void lease_table_finish(struct lease_table *table, struct graders *graders); /* frees all leases */

/* Adds a copy of lease, its note copied too, and schedules it. The submission must have none. Links it into the grader's list.
 */
struct live_lease *lease_table_add(struct lease_table *table, const struct live_lease *lease);
struct live_lease *lease_table_find(const struct lease_table *table, int64_t submission_id); /* NULL: none */
/* NULL when there is none or its key is another. */
struct live_lease *lease_table_find_held(struct lease_table *table, int64_t submission_id, const char *key);
/* The holder has it: accepted and counted. Reschedule afterwards; the grader may have room for more. */
void lease_table_accept(struct live_lease *lease);
/* Keeps a copy in place of the note before. */
void lease_table_note(struct live_lease *lease, const struct progress *progress);
/* It has ended. Kept until the batch is over: should that be rolled back, the lease is as it was. */
void lease_table_remove(struct lease_table *table, struct live_lease *lease);
/* The one that ended in the running batch with that key; NULL: none. */
const struct live_lease *lease_table_find_ended(const struct lease_table *table, int64_t submission_id, const char *key);
/* The batch is over. */
void lease_table_forget_ended(struct lease_table *table, struct graders *graders);
/* Call after changing accepted, warned or a time. */
void lease_table_reschedule(struct lease_table *table, struct live_lease *lease);
/* The lease that is due first, if it is due at now_ms; else NULL. */
struct live_lease *lease_table_next_due(struct lease_table *table, int64_t now_ms);
int64_t lease_table_next_due_ms(const struct lease_table *table); /* INT64_MAX: none */
/* The time that stood still for us shall not count against graders: every lease runs on for its queue's full length.
 */
void lease_table_give_grace(struct lease_table *table, int64_t now_ms);
/* The same for one. */
void lease_table_grace(struct lease_table *table, struct live_lease *lease, int64_t now_ms);
/* In no order that matters; NULL at the end. Take the next one before removing lease. */
struct live_lease *lease_table_first(const struct lease_table *table);
struct live_lease *lease_table_after(const struct lease_table *table, const struct live_lease *lease);
size_t lease_table_count(const struct lease_table *table);

#endif
