/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A grader of the SDK that runs in a thread of the test, against a scripted xqueued. What its handler does stands in the body
 * of the submission:
 *
 *     "echo"     completes with "graded"             "silent"  returns without an answer
 *     "wait"     waits for grader_rig_open, then as "echo"     "fail"    fails, transient, "no compiler", 250 ms
 *     "until_lost" waits until its lease is lost, then completes   "release" hands back for 500 ms
 *     "note"     tells "testing", 40 %, then as "wait"  "big"   completes with GRADER_RIG_BIG_BYTES bytes
 *     "linger"   as "echo", then as "wait" without a further answer
 *
 * Threading: the test's thread.
 */
#ifndef TESTS_SUPPORT_GRADER_RIG_H
#define TESTS_SUPPORT_GRADER_RIG_H

#include <pthread.h>
#include <stdbool.h>

#include "grader-sdk/include/xqueue/grader.h"
#include "tests/support/scripted_xqueued.h"

enum {
    GRADER_RIG_BIG_BYTES = 3000000,
    GRADER_RIG_LOG_MAX = 65536,
};

struct grader_rig {
    struct scripted_xqueued *core;
    struct xqueue_grader_options options; /* to be changed between init and start */
    struct xqueue_grader *grader;
    pthread_t thread;
    bool is_running; /* the thread was started and not joined */
    enum xqueue_status outcome;
    struct xqueue_error error;

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* guarded by mutex */
    bool is_open;
    int running; /* handlers that run now */
    int running_most;
    int returned;
    int lost;                       /* calls of on_lost */
    enum xqueue_lost lost_reason;   /* of the last */
    enum xqueue_status last_answer; /* what the last handler's answer got */
    char log[GRADER_RIG_LOG_MAX];   /* all lines */
};

/* Starts a scripted xqueued on listener (NULL: a free port of 127.0.0.1) and fills options: queue "cs101", one slot. */
void grader_rig_init(struct grader_rig *rig, const char *listener);
/* Creates the grader, with little patience. Fails the test when it cannot be created. */
void grader_rig_create(struct grader_rig *rig);
/* Creates it, and runs it in a thread. */
void grader_rig_start(struct grader_rig *rig);
/* Lets every "wait" go on, now and later. */
void grader_rig_open(struct grader_rig *rig);
/* Waits until so many handlers have been running at one time, have returned, or have been told that their lease is lost. */
bool grader_rig_await_running(struct grader_rig *rig, int count);
bool grader_rig_await_returned(struct grader_rig *rig, int count);
bool grader_rig_await_lost(struct grader_rig *rig, int count);
/* Waits until the log contains text; counts how often it does. */
bool grader_rig_await_log(struct grader_rig *rig, const char *text);
int grader_rig_count_log(struct grader_rig *rig, const char *text);
/* Waits for xqueue_grader_run to return, and returns what it did. */
enum xqueue_status grader_rig_join(struct grader_rig *rig);
/* Stops what still runs, the hard way. */
void grader_rig_finish(struct grader_rig *rig);

#endif
