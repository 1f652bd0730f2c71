/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The service as it is, without threads, in virtual time: the real rules over the real store, driven through the engine's own
 * turn, on a disk that fails when it is told to. What is asked of it waits in a batch until the next turn, as with the engine.
 *
 * A process that ends takes with it what was not committed. When a commit itself failed nobody knows whether it counts: a
 * witness, stored in the same transaction, tells after the start.
 *
 * Threading: one run, one thread; one world at a time in a process, because of the disk.
 */
#ifndef TESTS_SIMULATION_WORLD_H
#define TESTS_SIMULATION_WORLD_H

#include "base/config.h"
#include "service/queue.h"
#include "service/turn.h"
#include "tests/simulation/trace.h"

#define WORLD_START_MS INT64_C(1700000000000)

struct world;

/* Something that is asked of the service. Embedded in what the asker knows of it. */
struct ask {
    struct engine_command command; /* first */
    struct list_node node;         /* in world->asks */
    struct world *world;
    bool ran;    /* at least once */
    bool parked; /* set by run: nothing to answer yet */
    enum status status;
    struct error error;
    /* In the transaction. */
    enum status (*run)(struct ask *ask, struct queues *queues);
    /* After it: answered is what the asker is told; true: it was stored and ask->status counts. Then the ask is freed. */
    void (*told)(struct ask *ask, bool stored);
    void (*finish)(struct ask *ask); /* frees what it holds; may be NULL */
};

struct world {
    struct trace *trace; /* borrowed */
    char folder[64];
    char path[96];
    struct config *config; /* owned */
    struct store *store;   /* owned */
    struct queues *queues; /* owned */
    struct turn turn;
    int64_t now_ms;
    struct list asks; /* of struct ask: all that were not answered */
    bool disk_may_fail;
    uint64_t witness; /* of the running batch; 0: none */
    uint64_t witnesses;
    uint64_t turns;
    uint64_t rollbacks;
    uint64_t storage_failures;
    /* Called when the process has ended, before the next one starts; committed: the batch that was under way counts. */
    void (*on_end)(void *context, bool committed);
    /* Called when it has started again. */
    void (*on_start)(void *context);
    void *context;
};

/* Makes a folder of its own and starts. False: it could not, text in trace. */
bool world_start(struct world *world, struct trace *trace, const char *yaml);
void world_finish(struct world *world);
/* Removes the files of a world whose process died. */
void world_clear(const struct world *world);

/* size: of the whole ask. Zeroed, to be filled in and given to world_ask. */
void *world_new_ask(struct world *world, size_t size);
void world_ask(struct ask *ask); /* takes it */

/* Runs the batch and what is due now. Starts the process again when the disk failed. */
void world_turn(struct world *world);
/* Lets time pass; wakes whenever something is due. asleep: the whole process did not run meanwhile. */
void world_pass(struct world *world, int64_t ms, bool asleep);

/* The process ends as if killed, and starts again; the wall clock may have been set by jump_ms. */
void world_restart(struct world *world, int64_t jump_ms);

/* From the nth access on, until healed or started again. */
void world_break_disk(struct world *world, int fault, int nth);
void world_heal_disk(struct world *world);

#endif
