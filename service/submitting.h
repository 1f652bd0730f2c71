/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What submitters do: hand in, and ask how it stands.
 *
 * Threading: engine thread only.
 */
#ifndef SERVICE_SUBMITTING_H
#define SERVICE_SUBMITTING_H

#include "service/queue.h"

enum {
    SUBMITTING_HEADER_BYTES_MAX = 65536,
    SUBMITTING_BODY_BYTES_MAX = 3 * 1024 * 1024,
    SUBMITTING_FILES_MAX = 100,
    SUBMITTING_FILE_URL_BYTES_MAX = 4096,
    SUBMITTING_FILE_NAME_BYTES_MAX = 255,
    SUBMITTING_FILE_ID_BYTES_MAX = 64,
    SUBMITTING_CALLBACK_URL_BYTES_MAX = 8192,
    SUBMITTING_TRACE_PARENT_BYTES_MAX = 128,
    SUBMITTING_TRACE_STATE_BYTES_MAX = 512,
    SUBMITTING_QUEUE_FULL_RETRY_MS = 5000,
};

#define SUBMITTING_NOT_BEFORE_MS_MAX   INT64_C(2592000000)  /* 30 days */
#define SUBMITTING_EXPIRE_AFTER_MS_MAX INT64_C(31536000000) /* a year */

/* Already checked against the bounds above, except what only the queue knows. Everything borrowed. */
struct submit_order {
    const char *queue;
    struct store_request request;
    struct store_content content;
    uint32_t priority; /* < ORDER_PRIORITY_END */
    int64_t not_before_ms;
    int64_t expire_after_ms;
    const uint8_t *replace_key;
    size_t replace_key_length;
};

struct submit_receipt {
    int64_t submission_id;
    int64_t ready_count;
    bool already;
    int64_t *superseded_ids; /* owned by the caller, memory_free */
    size_t superseded_count;
};

/*
 * Stores a submission and supersedes those with its replace key. Errors: NOT_FOUND QUEUE_NOT_FOUND; EXISTS REQUEST_ID_REUSED;
 * FULL QUEUE_FULL, RATE_LIMITED, LABEL_SETS_FULL (each with a retry delay); WRONG_STATE QUEUE_DRAINING; INVALID BODY_TOO_LARGE
 * (the queue's own limit); UNAVAILABLE DRAINING. After an error nothing was stored or superseded.
 */
enum status submitting_submit(struct queues *queues, const struct submit_order *order, struct submit_receipt *out_receipt,
                              struct error *error) STATUS_CHECKED;

struct submission_view {
    struct store_submission row;
    const char *queue; /* borrowed from the queue; "" when it is not configured any more */
    bool has_delivery;
    struct store_delivery delivery;
    bool has_content;
    struct store_content content;
    bool has_result;
    struct store_result result;
};
void submission_view_finish(struct submission_view *view);

/* How submission id stands. user: who asks; sees only its own unless may_see_all. STATUS_NOT_FOUND SUBMISSION_NOT_FOUND. */
struct view_request {
    int64_t id;
    const char *user;
    bool may_see_all;
    bool with_content;
    bool with_result;
};
/* May the user see that there is such a submission? STATUS_NOT_FOUND SUBMISSION_NOT_FOUND. */
enum status submitting_may_see(struct queues *queues, const struct view_request *request, struct error *error) STATUS_CHECKED;
enum status submitting_view(struct queues *queues, const struct view_request *request, struct submission_view *out_view,
                            struct error *error) STATUS_CHECKED;

struct cancel_order {
    int64_t id;
    const char *user; /* who asks; may take back only its own, unless may_cancel_all */
    bool may_cancel_all;
    const char *reason; /* for people; "" = a text of our own */
};
/*
 * Takes a live submission back: CANCELED, without a delivery, for its submitter knows. A grader that works on it hears so. OK
 * also when it was CANCELED already, which leaves its reason as it is. STATUS_NOT_FOUND SUBMISSION_NOT_FOUND;
 * STATUS_WRONG_STATE WRONG_STATE: it is in another final state.
 */
enum status submitting_cancel(struct queues *queues, const struct cancel_order *order, struct error *error) STATUS_CHECKED;

/* Is row live, with its time (expire_after) over? */
bool submitting_is_over(const struct queues *queues, const struct store_submission *row);
/* Then it is dead: the student is told, and whoever holds it hears LOST_EXPIRED; its result is taken all the same, if it comes.
 */
enum status submitting_give_up(struct queues *queues, struct store_submission *row) STATUS_CHECKED;

/* Submissions that are due to become READY, or to be given up as expired. */
void submitting_tick(struct queues *queues);
int64_t submitting_next_due_ms(struct queues *queues);

#endif
