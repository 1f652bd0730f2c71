/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bringing outcomes to the LMS: leased by couriers, acknowledged, or tried again. Nothing here ever grades again.
 *
 * Threading: engine thread only.
 */
#ifndef SERVICE_DELIVERING_H
#define SERVICE_DELIVERING_H

#include "service/queue.h"

enum { DELIVERING_LEASES_PER_CALL_MAX = 100, DELIVERING_RETRY_MS_MAX = 86400000 };

/* Starts, or starts again, the delivery of row's outcome, if it has a destination. */
enum status delivering_start(struct queues *queues, const struct store_submission *row,
                             enum delivery_outcome outcome) STATUS_CHECKED;

struct delivery_order { /* all borrowed */
    const char *courier;
    const char *instance;
    const char *channel;         /* "" = callbacks over HTTP */
    const struct rights *rights; /* whose role deliver says which queues; NULL: all */
    size_t max;                  /* 1 to DELIVERING_LEASES_PER_CALL_MAX */
    size_t bytes_max;            /* of URLs, headers and results together; passed by the last one only when it is the first */
};

/* One delivery just leased. */
struct delivery_lease {
    struct store_delivery row;
    const char *queue; /* borrowed; "" when not configured any more */
    struct store_content content;
    struct store_result result; /* body NULL unless the outcome is RESULT */
    char message[STORE_MESSAGE_MAX];
};
void delivery_lease_finish(struct delivery_lease *lease);

/* Leases up to order->max that are due. What an earlier instance of the courier still held is due again first. */
enum status delivering_lease(struct queues *queues, const struct delivery_order *order, struct delivery_lease *out_leases,
                             size_t *out_count) STATUS_CHECKED;

/* Both of an IN_FLIGHT row. It did not reach the LMS: due again at once, and that try does not count. */
enum status delivering_take_back(struct queues *queues, struct store_delivery *row) STATUS_CHECKED;
/* Its lease runs for its whole length from now. */
enum status delivering_renew(struct queues *queues, struct store_delivery *row) STATUS_CHECKED;

/* Errors of both: STATUS_NOT_FOUND SUBMISSION_NOT_FOUND; STATUS_STALE DELIVERY_STALE. */
enum status delivering_acknowledge(struct queues *queues, int64_t submission_id, const char *key, bool *out_already,
                                   struct error *error) STATUS_CHECKED;

struct delivery_failure {
    const char *message;
    bool permanent;
    bool uncounted;
    int64_t retry_after_ms;
    bool out_undeliverable;
    int64_t out_retry_after_ms;
};
enum status delivering_fail(struct queues *queues, int64_t submission_id, const char *key, struct delivery_failure *failure,
                            struct error *error) STATUS_CHECKED;

/* The submission is to be graded again: an outcome that nobody has been told is not to be told any more. */
enum status delivering_withdraw(struct queues *queues, int64_t submission_id) STATUS_CHECKED;
/* An UNDELIVERABLE one is due now, with all tries anew. */
enum status delivering_requeue(struct queues *queues, int64_t submission_id) STATUS_CHECKED;

/* Deliveries whose courier vanished are due again; wakes parked polls when something is due. */
void delivering_tick(struct queues *queues);
int64_t delivering_next_due_ms(struct queues *queues);

#endif
