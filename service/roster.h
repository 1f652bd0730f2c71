/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which queues there are: those of the configuration, and those that administrators make, change and delete while the service
 * runs. A queue of the configuration hides a stored one of the same name.
 *
 * A deleted queue stays in memory to the end of its batch, because grants and replies of that batch may still name it; after a
 * rollback it is back.
 *
 * Threading: engine thread only, but for roster_load and roster_finish (no engine running).
 */
#ifndef SERVICE_ROSTER_H
#define SERVICE_ROSTER_H

#include "service/queue.h"

enum { ROSTER_STORED_MAX = 10000 }; /* queues beside those of the configuration */

/* All queues, at the start; inside a transaction. Errors: those of the store. */
enum status roster_load(struct queues *queues) STATUS_CHECKED;
/* Makes memory what the store says, after a rollback; inside a transaction. Counts are not read. */
enum status roster_reload(struct queues *queues) STATUS_CHECKED;
/* Frees those that were deleted: once the batch has been answered. */
void roster_free_deleted(struct queues *queues);
void roster_finish(struct queues *queues); /* frees all queues */

/* A queue as somebody wants it. */
struct queue_order {
    const struct config_queue *settings; /* checked by config_queue_fault; push_url ""; borrowed */
    bool paused;
    bool draining;
};

/* STATUS_EXISTS QUEUE_EXISTS; STATUS_FULL QUEUES_FULL. Whoever had a queue of that name before finds its finished submissions.
 */
enum status roster_create(struct queues *queues, const struct queue_order *order, struct queue **out_queue,
                          struct error *error) STATUS_CHECKED;
/*
 * Other settings, from now on; leases that run keep theirs until they are renewed. Paused and draining stay as they are.
 * STATUS_NOT_FOUND QUEUE_NOT_FOUND; STATUS_WRONG_STATE QUEUE_CONFIGURED.
 */
enum status roster_update(struct queues *queues, const struct config_queue *settings, struct queue **out_queue,
                          struct error *error) STATUS_CHECKED;
/* Both for every queue, also those of the configuration. STATUS_NOT_FOUND QUEUE_NOT_FOUND. */
enum status roster_pause(struct queues *queues, const char *name, bool paused, struct queue **out_queue,
                         struct error *error) STATUS_CHECKED;
enum status roster_drain(struct queues *queues, const char *name, bool draining, struct queue **out_queue,
                         struct error *error) STATUS_CHECKED;
/*
 * Only one without READY, LEASED and DELAYED submissions; finished ones stay. Polls of it are answered NOT_FOUND; sessions lose
 * it, and end (NOT_FOUND QUEUE_NOT_FOUND) when it was the last one they had. STATUS_NOT_FOUND QUEUE_NOT_FOUND;
 * STATUS_WRONG_STATE QUEUE_CONFIGURED or QUEUE_NOT_EMPTY.
 */
enum status roster_delete(struct queues *queues, const char *name, struct error *error) STATUS_CHECKED;

#endif
