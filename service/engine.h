/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine thread: the only one that touches the queues and the store. It takes all waiting commands, runs them in one
 * transaction, does what is due, commits once, and then answers all of them (group commit).
 *
 * A command is embedded in the object of whoever asks. Its life: engine_submit -> run, once or, when it parks, again -> done,
 * exactly once, after the commit (or the rollback) -> the asker frees it.
 *
 * When the disk is full every command of the batch is answered STATUS_UNAVAILABLE, reason STORAGE_FULL, and nothing of it is
 * kept. When the disk fails nothing is answered: on_storage_failure is called, which must end the process.
 *
 * Threading: engine_submit from any thread; run and done on the engine thread.
 */
#ifndef SERVICE_ENGINE_H
#define SERVICE_ENGINE_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/status.h"

struct engine;
struct labels;
struct queues;
struct store;

enum engine_step {
    ENGINE_DONE, /* finished, one way or the other */
    ENGINE_PARK, /* parked with queues_park; will be run again */
};

enum { ENGINE_STALL_MS = 3000 }; /* the engine woke so much too late: leases get grace */

struct engine_command {
    struct list_node node; /* the engine's, or a park's */
    struct heap_node deadline;
    struct list *park;            /* where it is parked; NULL: nowhere */
    const struct labels *offered; /* parked in a queue's polls: by whoever asks; borrowed while it is parked */
    bool memory_only;             /* run touches nothing that is stored: it is run even when its batch cannot be stored */
    bool timed_out;               /* run again because the deadline passed, or because the service stops */
    enum engine_step (*run)(struct engine_command *command, struct queues *queues);
    /* committed: STATUS_OK, or why nothing of the batch was kept (error says more); outcomes of run count only with STATUS_OK.
     */
    void (*done)(struct engine_command *command, enum status committed, const struct error *error);
};

struct engine_options {
    struct clock *clock;
    struct store *store;   /* borrowed; used by the engine alone while it runs */
    struct queues *queues; /* borrowed likewise */
    int64_t commands_max;
    void (*on_storage_failure)(void *context, const char *text); /* engine thread; must not return to normal work */
    void *context;
};

/* Starts the thread. NULL: no thread to be had. */
struct engine *engine_create(const struct engine_options *options);

/* STATUS_UNAVAILABLE: commands_max are waiting, or the engine stops; done is never called then. */
enum status engine_submit(struct engine *engine, struct engine_command *command) STATUS_CHECKED;

/* For commands that end things and must not be lost: not bounded by commands_max. Asserts that the engine is not being
 * destroyed. */
void engine_submit_ending(struct engine *engine, struct engine_command *command);

/* Runs what was submitted, answers parked commands, ends the thread, frees. NULL is fine. */
void engine_destroy(struct engine *engine);

#endif
