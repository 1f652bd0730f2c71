/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all submissions of one call of xqueue-submit share, and when a call that failed is made again.
 *
 * Threading: any thread, after submit_run_init and before submit_run_finish.
 */
#ifndef GRADER_SDK_TOOLS_SUBMIT_RUN_H
#define GRADER_SDK_TOOLS_SUBMIT_RUN_H

#include <stdbool.h>

#include "base/backoff.h"
#include "base/client/connection.h"
#include "grader-sdk/tools/submit_input.h"
#include "grader-sdk/tools/submit_options.h"

struct submit_attachments;

struct submit_run {
    const struct submit_options *options; /* borrowed */
    struct connection *connection;        /* owned */
    struct submit_input header, payload;
    struct submit_attachments *attachments; /* owned; NULL: none */
    _Atomic bool was_reached;               /* xqueued has answered */
    _Atomic int64_t lost_since_ms;          /* by clock_system; 0: it answers */
};

/* Reads what is needed, connects. On an error everything is said; returns what to exit with, 0 = go on. To be finished in both
 * cases. */
int submit_run_init(struct submit_run *run, const struct submit_options *options);
void submit_run_finish(struct submit_run *run);

/* Has --reconnect passed without an answer, or was there never one? */
bool submit_run_is_lost(const struct submit_run *run);

/* The calls for one submission. */
struct submit_tries {
    struct submit_run *run;
    struct backoff backoff;
    int64_t until_ms; /* by clock_system; CLOCK_NEVER: no bound */
    bool is_late;     /* until_ms has come */
    void (*on_wait)(void *context,
                    const char *text); /* "the queue is full ...": why it takes longer; NULL: nobody wants to know */
    void *context;
};

void submit_tries_init(struct submit_tries *tries, struct submit_run *run);

/* It worked. */
void submit_tries_reset(struct submit_tries *tries);

/*
 * After a call that answered *status: waits and says true when it is to be made again, because the connection broke, or because
 * xqueued said when to come again. false: it stays with *status, which is STATUS_CANCELED after a signal, and STATUS_TIMEOUT
 * with is_late when until_ms came.
 */
bool submit_tries_again(struct submit_tries *tries, enum status *status, struct error *error) STATUS_CHECKED;

#endif
