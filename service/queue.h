/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queues, and everything in memory that the rules work on: counts, live leases, graders and who of them waits, parked
 * polls, and what is to be told after the commit. The store has the truth; all that is here can be read again from it.
 *
 * What is done to the queues stands in files of its own: submitting (submit, get), grading (grant, accept, complete, fail,
 * release, expire), delivering, work_session (one connected grader), roster (which queues there are). Here: finding queues,
 * the tick, dispatch, parking, effects.
 *
 * Threading: engine thread only, inside the engine's transaction, except queues_create and _destroy (no engine running).
 */
#ifndef SERVICE_QUEUE_H
#define SERVICE_QUEUE_H

#include "base/config.h"
#include "base/list.h"
#include "base/map.h"
#include "service/engine.h"
#include "service/event_rates.h"
#include "service/grader_link.h"
#include "service/label_sets.h"
#include "service/lease_table.h"
#include "service/recent.h"
#include "service/recent_pollers.h"
#include "service/submit_rates.h"
#include "service/waiting_graders.h"

enum {
    QUEUE_TICK_BATCH_MAX = 500, /* due things of one kind done in one transaction; the rest in the next, at once */
};

/* What is counted from the start of the service on. */
enum queue_event { QUEUE_SUBMITTED, QUEUE_GRADED, QUEUE_FAILED, QUEUE_EXPIRED, QUEUE_EVENT_END };

struct file_folder;

struct queue {
    struct list_node node;               /* in queues->all, or in ->deleted */
    const struct config_queue *settings; /* borrowed from the configuration; or own */
    struct config_queue own;             /* of a queue that an administrator made; else zeroed */
    int64_t id;
    bool is_configured; /* from the configuration */
    bool is_confirmed;  /* of the roster: the store has it */
    bool paused;        /* grants none */
    bool draining;      /* takes none */
    int64_t ready_count;
    int64_t leased_count;
    int64_t delayed_count;
    int64_t dead_count;
    uint64_t moves; /* of its submissions, and of who grades them, so far: who watches looks again */
    int64_t totals[QUEUE_EVENT_END];
    struct event_rates rates[QUEUE_EVENT_END];
    int64_t uncommitted[QUEUE_EVENT_END]; /* of the running batch */
    struct list_node counted;             /* in queues->counted while something is uncommitted */
    struct recent grading_ms;             /* how long the last gradings took */
    struct recent costs;                  /* of what was handed in last */
    struct label_sets label_sets;
    struct submit_rates submit_rates;
    struct list waiters; /* of struct waiting_place: graders with credit, next one first */
    struct list polls;   /* parked Lease commands, oldest first; what they offer stands in their labels */
    struct recent_pollers pollers;
    struct map_node by_name;
    struct map_node by_id;
};

struct queues {
    const struct config *config; /* borrowed */
    struct store *store;         /* borrowed */
    struct file_folder *files;   /* borrowed; NULL: no file is kept here */
    int64_t now_ms;              /* of the running batch */
    bool stopping;               /* nothing is granted any more, polls are answered empty */
    enum status failure;         /* STATUS_OK, or what the store answered: the batch must be rolled back */
    struct list all;             /* of struct queue; owned: the configuration's in its order, then the others */
    struct list deleted;         /* of struct queue, in this batch; owned */
    bool pauses_changed;         /* sessions may have to be told */
    struct map by_name;
    struct map by_id;
    struct lease_table leases;
    struct graders graders;
    struct list delivery_polls; /* parked Deliveries.Lease commands, and streams that wait for deliveries */
    struct list delivery_sessions;
    bool deliveries_moved;      /* since the couriers who wait were asked last; moves, and deletes that let others go ahead */
    int64_t deliveries_seen_ms; /* when that was */
    struct list greetings;      /* parked, each until its new stream has said Hello */
    struct map watched;         /* submissions that somebody watches, see watching.c */
    size_t watch_count;
    int64_t watch_turn_ms;       /* when watches began to count in this turn */
    int64_t watch_spent_us;      /* on counting in this turn */
    struct heap parked;          /* every parked command by its deadline */
    struct list unparked;        /* to be run again in this batch */
    struct list effects;         /* of struct effect: told after the commit */
    struct list sessions;        /* of struct work_session */
    struct list closed_sessions; /* freed after the batch */
    struct heap session_timers;
    uint32_t random_state;
    uint64_t rollbacks;    /* so far: whoever works over several batches sees whether one was lost */
    struct list bulks;     /* parked between two slices */
    struct list periodic;  /* parked streams that look again after a while */
    size_t periodic_count; /* of them, parked or not */
    struct list counted;   /* of struct queue */
};

/*
 * Makes queues from config, with ids and counts from the store (transactions of its own), and the live leases, which all get
 * grace. Errors: those of the store, text in error.
 */
enum status queues_create(const struct config *config, struct store *store, int64_t now_ms, struct queues **out_queues,
                          struct error *error) STATUS_CHECKED;
void queues_destroy(struct queues *queues); /* NULL is fine */

struct queue *queues_find(struct queues *queues, const char *name);       /* NULL: none */
struct queue *queues_find_by_id(const struct queues *queues, int64_t id); /* NULL: a queue that is not configured any more */
/* STATUS_NOT_FOUND with the fixed reason QUEUE_NOT_FOUND. */
enum status queues_find_named(struct queues *queues, const char *name, struct queue **out_queue,
                              struct error *error) STATUS_CHECKED;

/* Reads its counts from the store. */
enum status queues_read_count(struct queues *queues, struct queue *queue) STATUS_CHECKED;

/* Does all work that is due at queues->now_ms, and grants what is ready to those who wait. */
void queues_tick(struct queues *queues);
/* When the next tick is due; INT64_MAX: nothing is planned. At the end of the transaction. */
int64_t queues_next_due_ms(struct queues *queues);

/* Reads counts and leases again after a rollback; what graders told (credit, accepts) is kept. Answers what the store answers.
 */
enum status queues_reload(struct queues *queues) STATUS_CHECKED;

/* Every status of a store call passes here: remembers those that spoil the batch. Returns status. */
enum status queues_stored(struct queues *queues, enum status status) STATUS_CHECKED;

/* Keeps the counts of row's queue true over a move that has just been stored; 0: see label_sets_count_move. */
void queues_count_move(struct queues *queues, const struct store_submission *row, enum submission_state from,
                       enum submission_state to);
/* Stores the move and keeps the counts true. from 0 in counts: see queues_count_move. */
enum status queues_move(struct queues *queues, struct store_submission *row, enum submission_state to) STATUS_CHECKED;

/* One more, if the batch is committed. Queues that are not configured any more are not counted. */
void queues_count_event(struct queues *queues, int64_t queue_id, enum queue_event event);
/* A grading of the queue took so long. */
void queues_note_grading(struct queues *queues, int64_t queue_id, int64_t duration_ms);
/* The median of the last ones; 0: none yet. */
int64_t queue_median_ms(const struct queue *queue);

uint32_t queues_random(struct queues *queues);

/* ---- told after the commit ---- */

/* A notice for a session, applied after the commit; dropped after a rollback. grant (may be NULL) is taken. */
struct effect {
    struct list_node node;
    struct work_session *session;
    struct grader_notice notice;
};
struct grader_notice *queues_notify(struct queues *queues, struct work_session *session, enum grader_notice_kind kind);
void queues_apply_effects(struct queues *queues); /* after a commit */
void queues_drop_effects(
    struct queues *queues); /* after a rollback: credit that grants had used comes back; pings and ends are still told */

/* ---- parked commands ---- */

/* Parks command in polls until something may have come for it, or until deadline_ms; then its run is called again. */
void queues_park(struct queues *queues, struct engine_command *command, struct list *polls, int64_t deadline_ms);
/* Takes command out of its park, if it is in one. */
void queues_unpark(struct queues *queues, struct engine_command *command);

/* Stop granting; tell every session; unpark every poll. */
void queues_stop(struct queues *queues);

#endif
