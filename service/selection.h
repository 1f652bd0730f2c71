/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which submissions an administrator means, and the way through them: one after the other, from a place that can be told to the
 * caller as text, so that a call of his goes on where the one before ended. The way follows the indexes of the wanted states
 * when there is one for each of them, else it comes by every submission.
 *
 * Threading: engine thread only; the text of a place is pure.
 */
#ifndef SERVICE_SELECTION_H
#define SERVICE_SELECTION_H

#include "service/queue.h"

enum {
    SELECTION_IDS_MAX = 1000,
    SELECTION_MESSAGE_BYTES_MAX = 256,
    SELECTION_TOKEN_MAX = 129, /* text of a place, and a NUL */
    SELECTION_ALL_STATES = (1 << SUBMISSION_STATE_END) - 2,
    SELECTION_LIVE_STATES = 1 << SUBMISSION_READY | 1 << SUBMISSION_LEASED | 1 << SUBMISSION_DELAYED,
    SELECTION_ALL_DELIVERIES = (1 << DELIVERY_STATE_END) - 2,
};

/* All of it must fit. Texts are borrowed; "" = any. */
struct selection {
    const int64_t *ids; /* ascending, borrowed */
    size_t id_count;    /* 0 = any */
    const char *queue;  /* may be one that is not configured any more */
    int64_t queue_id;   /* 0 = any; set by selection_resolve */
    unsigned states;    /* bits 1 << enum submission_state */
    unsigned delivery_states;
    int64_t submitted_from_ms;
    int64_t submitted_until_ms; /* INT64_MAX = no bound */
    const char *grader;
    const char *fairness_key;
    const char *message_contains;
    int64_t failures_min;
};

struct selection_place {
    enum store_walk walk;
    struct store_place at;
};

struct selection_place selection_start(void);

/* "" is the start. Writes and reads the text of a place. False: it is none. */
void selection_write_place(const struct selection_place *place, char out[SELECTION_TOKEN_MAX]);
bool selection_read_place(const char *text, struct selection_place *out_place);

/* Finds the queue. STATUS_NOT_FOUND QUEUE_NOT_FOUND: there never was one of that name. */
enum status selection_resolve(struct queues *queues, struct selection *selection, struct error *error) STATUS_CHECKED;

/* Looks at one submission, the first after *place, and moves on. STATUS_NOT_FOUND: that was all. */
enum status selection_next(struct queues *queues, const struct selection *selection, struct selection_place *place,
                           struct store_submission *out_row, bool *out_matches) STATUS_CHECKED;

#endif
