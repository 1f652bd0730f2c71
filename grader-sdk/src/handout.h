/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where submissions change hands: the link gives what was granted, whoever grades takes it (a slot's thread, or the host itself
 * in xqueue_grader_next) and closes it. Here also stand the news for the host: leases that are lost, and the end.
 *
 *  NOWHERE --give--> WAITING --take--> HELD --close--> NOWHERE: the link is told that it has returned
 *     ^                 |              ^  |              ^
 *     +----take back----+        take--+  +--lost--> UNTOLD --close--+
 *
 * The descriptor, where there is one, is readable as long as handout_take would return something at once.
 *
 * Threading: any thread (lock).
 */
#ifndef GRADER_SDK_SRC_HANDOUT_H
#define GRADER_SDK_SRC_HANDOUT_H

#include <pthread.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/status.h"
#include "grader-sdk/include/xqueue/grader.h"

/* Where a submission is; UNTOLD: held, lost, and the host has not been told. */
enum handout_place { HANDOUT_NOWHERE, HANDOUT_WAITING, HANDOUT_HELD, HANDOUT_UNTOLD, HANDOUT_PLACE_COUNT };

enum handout_news { HANDOUT_NOTHING, HANDOUT_SUBMISSION, HANDOUT_LOST, HANDOUT_END };

struct handout_options {
    bool for_host;   /* who takes is the host itself: there is a descriptor */
    bool tells_lost; /* losses are news */
};

struct handout {
    /* immutable after init */
    struct handout_options with;
    int descriptor; /* eventfd; -1: none */

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* guarded by mutex */
    struct list places[HANDOUT_PLACE_COUNT]; /* xqueue_submission.handout_node; NOWHERE has none */
    bool is_readable;                        /* the descriptor */
    bool has_ended;
    struct xqueue_error outcome; /* with has_ended */
};

/* STATUS_UNAVAILABLE: no descriptor is left; handout_finish is needed all the same. */
enum status handout_init(struct handout *handout, const struct handout_options *options) STATUS_CHECKED;
void handout_finish(struct handout *handout); /* nothing is in it any more */

/* ---- for the link ---- */

/* The caller bounds how many wait. */
void handout_give(struct handout *handout, struct xqueue_submission *submission);
/* false: somebody has it. */
bool handout_take_back(struct handout *handout, struct xqueue_submission *submission);
/* What is held, unless it was closed meanwhile, has lost its lease. */
void handout_tell_lost(struct handout *handout, struct xqueue_submission *submission);
/* Only the first outcome counts. Nothing waits, or will. outcome->status may be OK. */
void handout_end(struct handout *handout, const struct xqueue_error *outcome);

/* ---- for who grades ---- */

/*
 * Waits for news until deadline_ms; *out_submission is written with SUBMISSION and LOST. END comes again and again, when the
 * losses are told.
 */
enum handout_news handout_take(struct handout *handout, struct clock *clock, int64_t deadline_ms,
                               struct xqueue_submission **out_submission);
/* Gives a held submission back to the link, which frees it; without an answer it fails (transient). */
void handout_close(struct handout *handout, struct xqueue_submission *submission);
void handout_close_all(struct handout *handout); /* that are held, by whomever */
/* How it ended: XQUEUE_STATUS_WRONG_STATE when it has not. error may be NULL; filled when not OK. */
enum xqueue_status handout_outcome(struct handout *handout, struct xqueue_error *error);

#endif
