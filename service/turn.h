/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the engine does each time it wakes, without its thread: one transaction with everything that waits and everything that
 * is due, one commit, all answers. The engine's thread drives it by the real clock, the simulation by virtual time.
 *
 * Threading: engine thread only.
 */
#ifndef SERVICE_TURN_H
#define SERVICE_TURN_H

#include "base/list.h"
#include "base/log.h"
#include "service/engine.h"

struct turn {
    struct store *store;   /* borrowed */
    struct queues *queues; /* borrowed */
    void (*on_storage_failure)(void *context, const char *text);
    void *context;
    struct list batch; /* of struct engine_command: what is run next, filled by the caller */
    struct list finished;
    int64_t due_ms; /* when there is something to do although nobody asks */
    bool failed;    /* the store cannot be trusted: nothing is run any more, and nothing was answered */
    struct log_once disk_full;
    struct log_once disk_busy;
};

/* The storage, queues and on_storage_failure of options are used. Due at once. */
void turn_init(struct turn *turn, const struct engine_options *options, int64_t now_ms);

/*
 * Runs the batch and what is due at now_ms. Afterwards batch is empty, but for a database in which somebody else writes: then
 * it waits there, for the next turn. A turn that comes much later than it was due gives grace to the leases first.
 */
void turn_run(struct turn *turn, int64_t now_ms);

/* Between turns: moves the log into the database when it has grown; earlier when nobody waits. */
void turn_checkpoint(struct turn *turn, bool idle);

/* The last turn: nobody is left who could wake what is parked. */
void turn_end_parked(struct turn *turn, int64_t now_ms);

#endif
