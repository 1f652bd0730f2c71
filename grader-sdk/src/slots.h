/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The threads that run the host's handler, one submission each at a time. They know nothing of the wire.
 *
 * Threading: slots_give on any thread (lock); create and destroy on one.
 */
#ifndef GRADER_SDK_SRC_SLOTS_H
#define GRADER_SDK_SRC_SLOTS_H

#include "base/status.h"
#include "grader-sdk/src/submission.h"

struct slots;

/*
 * Starts count threads (all signals blocked in them) that call handler(submission, context), then submission_answer_missing,
 * then inbox_post_returned. STATUS_NO_MEMORY: no memory, or the system refuses so many threads.
 */
enum status slots_create(unsigned count, xqueue_handler *handler, void *context, struct slots **out_slots) STATUS_CHECKED;

/* Hands a submission to the next free thread; it waits when there is none. The caller bounds how many wait. */
void slots_give(struct slots *slots, struct xqueue_submission *submission);

/* Every submission given must have returned. Joins the threads. NULL is fine. */
void slots_destroy(struct slots *slots);

#endif
