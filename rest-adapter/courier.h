/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings outcomes to the LMS: leases deliveries from the core, POSTs each to its callback URL, and tells the core what came of
 * it. When to try again is the core's business; the courier tries each lease once.
 *
 *     lease ──▶ post ──▶ answered 200 ──▶ Acknowledge
 *                 ├────▶ any other end ──▶ Fail (counted)
 *                 ├────▶ URL unusable or not allowed ──▶ Fail (permanent)
 *                 └────▶ no place in time, or stopping ──▶ Fail (uncounted)
 *
 * It holds at most callbacks.parallel_max deliveries, from the lease until the core knows how it ended. While a report could
 * not be told (core away), nothing more is leased: the core might hand out the same delivery again.
 *
 * Threading: any thread. Three threads of its own: leasing, posting (http_client), telling again (courier_reports).
 */
#ifndef REST_ADAPTER_COURIER_H
#define REST_ADAPTER_COURIER_H

#include <stdint.h>

#include "base/config.h"
#include "base/status.h"
#include "rest-adapter/core_client.h"

enum {
    COURIER_LEASE_MAX = 16,        /* deliveries in one reply: with the longest bodies it stays below RPC_MESSAGE_BYTES_MAX */
    COURIER_WAIT_MS = 20000,       /* long poll */
    COURIER_PAUSE_MS = 100,        /* after the first failed lease, doubling */
    COURIER_PAUSE_MS_MAX = 2000,   /* a core that is back is found within that */
    COURIER_PLACE_WAIT_MS = 5000,  /* of a post for a place of its origin; one whose LMS is failing does not wait */
    COURIER_PLACE_RETRY_MS = 2000, /* for those that got none, */
    COURIER_FAILING_RETRY_MS = 10000, /* and whose LMS is failing */
    COURIER_CROWDED_PAUSE_MS = 100,   /* of leasing, after one got none: the core may hand it out again at once */
    COURIER_REPORT_MARGIN_MS = 1000,  /* of a lease, for the report */
    COURIER_STOP_REPORT_MS = 2000,    /* for the last reports when stopping */
};

struct courier;

/*
 * Starts. config and core are borrowed for the courier's life. The core need not be there. STATUS_INVALID (callbacks),
 * STATUS_NO_MEMORY; text in error.
 */
enum status courier_create(const struct config *config, struct core_client *core, struct courier **out_courier,
                           struct error *error) STATUS_CHECKED;

/*
 * Leases nothing more, waits up to grace_ms for running posts, ends those that are left and gives them back uncounted. Takes
 * at most grace_ms + COURIER_STOP_REPORT_MS + twice config.rest.core_timeout_ms. Before core_client_cancel. Idempotent.
 */
void courier_stop(struct courier *courier, int64_t grace_ms);

/* Stops without grace if that has not been done. Before core_client_destroy. NULL is fine. */
void courier_destroy(struct courier *courier);

#endif
