/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a queue is, as the legacy interface counts: of a queue that graders come to, what they could pull now; of a queue
 * that is pushed (push_url), everything that has not been graded yet.
 *
 * Threading: as endpoint.
 */
#ifndef REST_ADAPTER_QUEUE_LENGTH_H
#define REST_ADAPTER_QUEUE_LENGTH_H

#include "rest-adapter/endpoint.h"

struct queue_length {
    int64_t ready;   /* could be pulled now */
    int64_t counted; /* what get_queuelen says */
};

/* Asks the core in the client's session; as endpoint_call. STATUS_NOT_FOUND: no such queue. */
enum status queue_length_ask(struct endpoint *endpoint, const char *queue, struct queue_length *out_length,
                             struct error *error) STATUS_CHECKED;

/* Does xqueue-rest post the submissions of this queue to their grader? */
bool queue_length_is_pushed(const struct endpoint *endpoint, const char *queue);

#endif
