/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call that stands until one side ends it, and what the service says on it: one engine command, which is run again and again.
 * It looks, and either parks until something may have come, or has found something, which is said after the commit; then it is
 * run again:
 *
 *     standing_begin -> look, parked -> look, found -> say -> look, parked -> ... -> leave (the call is over) -> finish
 *
 * So what is said is always true in the store, changes that come in quick succession become one, and nothing piles up for a
 * peer that reads slowly: while something is unread, nothing more is said, and one who reads nothing for
 * service.stream_unread_ms is sent away.
 *
 * Threading: standing_begin, _on_drained and _on_close on the loop's thread; the rest, and all steps, on the engine thread.
 */
#ifndef SERVICE_METHODS_STANDING_H
#define SERVICE_METHODS_STANDING_H

#include <stdatomic.h>

#include "service/methods/method.h"

struct standing;

struct standing_steps {
    /* In the transaction: parks the command (standing_park), or finds something to say. Not when the call is over. */
    enum engine_step (*look)(struct standing *standing, struct queues *queues);
    /* After a look that found something. committed: STATUS_OK, or nothing of it was kept, as error says. False: it has ended
     * the call, and no look comes any more. */
    bool (*say)(struct standing *standing, enum status committed, const struct error *error);
    /* The call is over: in a transaction of whatever comes then. */
    void (*leave)(struct standing *standing, struct queues *queues);
    void (*finish)(struct standing *standing); /* frees it, and what it holds */
};

/* The first member of whoever stands. */
struct standing {
    struct engine_command command;
    struct engine_command closing;
    const struct standing_steps *steps;
    struct rpc_server_call *call; /* counted */
    atomic_int references;        /* of the command that looks, of the open call, and others' */
    atomic_bool waits_for_reader; /* a look is due when everything has been read */

    /* engine thread only; no flag beside those of all threads, or compilers read both at once */
    int64_t unread_at_us; /* since when something is unread, see clock_monotonic_us; 0: nothing is */
    size_t unread_bytes;  /* then */
    bool gone;            /* the call is over, by whomever */
    bool timed_out;       /* this look comes because of the time that it was parked until */
    bool draining;        /* the service stops */
    bool unread;          /* the peer has been reading nothing for too long */
};

/* The call's data becomes standing, and the first look is on its way. */
void standing_begin(struct standing *standing, struct rpc_server_call *call, const struct standing_steps *steps);
/* For rpc_method.on_drained and .on_close. Harmless on calls that never began. */
void standing_on_drained(struct rpc_server_call *call);
void standing_on_close(struct rpc_server_call *call);

/* One more reference, and one less; the last one finishes. */
void standing_keep(struct standing *standing);
void standing_release(struct standing *standing);

/* In a look: may something be said now, or is something unread? */
bool standing_may_say(const struct standing *standing);
/* In a look: parks in polls until woken, at most until deadline_ms. Returns ENGINE_PARK. */
enum engine_step standing_park(struct standing *standing, struct queues *queues, struct list *polls, int64_t deadline_ms);
/* In any command: a look is due. */
void standing_wake(struct standing *standing, struct queues *queues);

#endif
