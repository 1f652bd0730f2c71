/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The threads that run the host's handler, one submission each at a time: they take from the handout as a host without a
 * handler does. They know nothing of the wire.
 *
 * Threading: create and destroy on one thread.
 */
#ifndef GRADER_SDK_SRC_SLOTS_H
#define GRADER_SDK_SRC_SLOTS_H

#include "base/status.h"
#include "grader-sdk/src/handout.h"
#include "grader-sdk/src/settings.h"

struct slots;

/*
 * Starts as many threads as there are slots (all signals blocked in them), which take, call the handler, and close, until the
 * handout ends. settings, handout and clock are borrowed. STATUS_NO_MEMORY: no memory, or the system refuses so many threads;
 * *out_slots is written all the same, with those that run, or NULL.
 */
enum status slots_create(const struct settings *settings, struct handout *handout, struct clock *clock,
                         struct slots **out_slots) STATUS_CHECKED;

/* The handout must have ended. Joins the threads, when their handlers have returned. NULL is fine. */
void slots_destroy(struct slots *slots);

#endif
