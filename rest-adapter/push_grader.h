/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Grades the submissions of one queue by posting them to its push_url: a grader of the SDK with queues.NAME.push_parallel_max
 * slots, whose handler is one POST.
 *
 *     granted ──▶ post ──▶ answered 200 ──▶ the answer is the result
 *                   ├────▶ any other end ──▶ failed (counted, tried again later, Retry-After is honoured; too often: dead,
 *                   │                        and the courier tells the LMS)
 *                   └────▶ no place, or stopping ──▶ handed back (uncounted)
 *
 * A service that is away is waited for; one that refuses this grader (no such queue, wrong password) is asked again with
 * growing pauses, as it may be about to change. push_graders has all of them.
 *
 * Threading: any thread. One thread of its own, beside those of the SDK.
 */
#ifndef REST_ADAPTER_PUSH_GRADER_H
#define REST_ADAPTER_PUSH_GRADER_H

#include <stdint.h>

#include "base/config.h"
#include "base/status.h"
#include "rest-adapter/files.h"
#include "rest-adapter/http_client.h"

enum {
    PUSH_GRADER_PAUSE_MS = 500, /* after the service has refused it, doubling */
    PUSH_GRADER_PAUSE_MS_MAX = 60000,
    PUSH_GRADER_CROWDED_MS = 1000, /* a submission that got no place is kept back for so long */
};

struct push_grader;

/* All borrowed for the grader's life. */
struct push_grader_options {
    const struct config *config;
    const struct config_queue *queue; /* of config, with a push_url */
    struct files *files;
    struct http_client *http; /* trusts the configuration; has a place for each slot */
};

/* Starts. The service need not be there. STATUS_INVALID, STATUS_NO_MEMORY; text in error. */
enum status push_grader_create(const struct push_grader_options *options, struct push_grader **out_grader,
                               struct error *error) STATUS_CHECKED;

/* Takes nothing more, finishes what it has; returns at once. A second call hands back what is left, unfinished. */
void push_grader_stop(struct push_grader *grader);

/* Waits until it has stopped. false: not before deadline_ms (clock_now_ms). */
bool push_grader_wait(struct push_grader *grader, int64_t deadline_ms);

/* Stops, waits for its handlers, frees. NULL is fine. */
void push_grader_destroy(struct push_grader *grader);

#endif
