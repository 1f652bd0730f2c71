/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sets of labels that the live submissions of one queue ask for, and how many wait with each: so a grader is handed the
 * first in the ready order of what it can take, without a look at the others, however many they are. Submissions that ask for
 * nothing have the set 0, which is not kept here.
 *
 * A cache of the store, as all counts of a queue.
 *
 * Threading: engine thread only.
 */
#ifndef SERVICE_LABEL_SETS_H
#define SERVICE_LABEL_SETS_H

#include "base/map.h"
#include "service/store/store.h"

struct queue;
struct queues;

enum {
    /* Different sets that the live submissions of a queue may ask for: as many places are looked at for each grant. */
    LABEL_SETS_PER_QUEUE_MAX = 64,
    LABEL_SETS_FULL_RETRY_MS = 60000,
};

struct label_set {
    struct map_node by_id;
    int64_t id;
    struct labels labels; /* owned */
    int64_t ready_count;
    int64_t live_count; /* READY, LEASED or DELAYED */
};

struct label_sets {
    struct map by_id;
};

void label_sets_init(struct label_sets *sets);
void label_sets_finish(struct label_sets *sets);
struct label_set *label_sets_find(const struct label_sets *sets, int64_t id); /* NULL: no live submission asks for it */
size_t label_sets_count(const struct label_sets *sets);
struct label_set *label_sets_first(const struct label_sets *sets);                       /* NULL: none */
struct label_set *label_sets_next(const struct label_sets *sets, struct label_set *set); /* NULL at the end */

/* Reads the queue's sets anew. */
enum status label_sets_load(struct queues *queues, struct queue *queue) STATUS_CHECKED;

/* Keeps the counts true over a move of row that has just been stored; 0: it did not exist before, or does not after. */
void label_sets_count_move(struct queues *queues, struct queue *queue, const struct store_submission *row,
                           enum submission_state from, enum submission_state to);

/* Is there a READY one that a grader with these labels can take? */
bool label_sets_have_ready(const struct queue *queue, const struct labels *offered);

/* The first READY one in the ready order that a grader with these labels can take. STATUS_NOT_FOUND: none. */
enum status label_sets_next_ready(struct queues *queues, const struct queue *queue, const struct labels *offered,
                                  struct store_submission *out_row) STATUS_CHECKED;

/* How many READY ones of the queue come before row in the ready order, whatever they ask for; counted up to max. */
enum status label_sets_count_before(struct queues *queues, const struct queue *queue, const struct store_submission *row,
                                    int64_t max, int64_t *out_count) STATUS_CHECKED;

#endif
