/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The link between a grader and the service: logs in, opens the Work stream, greets, gives credit, takes grants, renews leases,
 * hands in answers until they are confirmed, drains, and starts anew whenever the stream ends.
 *
 *   AWAY --time--> LOGIN --token--> GREETING --Welcome--> WORKING
 *    ^ ^             |                 |                   |   |
 *    | +---failed----+----stream ended-+-------------------+   | silence, drained, over
 *    | |                               +--no Welcome--> CLOSING <---+
 *    | +--------------------------------stream ended------+
 *    +--over, everything has returned--> FINISHED
 *
 * (Without a user AWAY goes straight to GREETING.) Leases outlive streams: what is held is named in the next Hello.
 *
 * Threading: work_link_run is the link thread, which owns the state; RPC callbacks, who grades and who stops only post into
 * the inbox.
 */
#ifndef GRADER_SDK_SRC_WORK_LINK_H
#define GRADER_SDK_SRC_WORK_LINK_H

#include "base/clock.h"
#include "base/rpc/rpc_client_call.h"
#include "grader-sdk/src/handout.h"
#include "grader-sdk/src/inbox.h"
#include "grader-sdk/src/report.h"
#include "grader-sdk/src/settings.h"

enum { WORK_LINK_INSTANCE_BYTES = 16 };

/* How long everything takes; tests have less patience. */
struct work_link_timing {
    int64_t backoff_first_ms;
    int64_t backoff_longest_ms;
    int64_t login_timeout_ms;
    int64_t welcome_timeout_ms; /* from opening the stream */
    int64_t progress_pause_ms;  /* the least between two messages with progress notes */
    int64_t fetch_silence_ms;   /* without a message of a file, then the call is made once more */
    int64_t farewell_ms;        /* after draining, and after canceling, for the service to confirm and end the stream */
};

/* The timing of the real world. */
const struct work_link_timing *work_link_timing_default(void);

struct work_link_options {
    const struct settings *settings;
    const struct report *report;
    struct clock *clock;
    const struct work_link_timing *timing;
    struct inbox *inbox;
    struct rpc_channel *channel;
    struct handout *handout;
    uint8_t instance[WORK_LINK_INSTANCE_BYTES]; /* random */
};

struct work_link;

/* Everything in options is borrowed for the link's life. STATUS_NO_MEMORY. */
enum status work_link_create(const struct work_link_options *options, struct work_link **out_link) STATUS_CHECKED;

/*
 * Works until the wish to stop is fulfilled, or the service refuses for good; then the handout ends, with the outcome. Returns
 * when everything has been closed, too, and no RPC callback comes any more.
 */
void work_link_run(struct work_link *link);

void work_link_destroy(struct work_link *link); /* after work_link_run, or never run. NULL is fine */

#endif
