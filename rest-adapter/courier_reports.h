/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells the core what became of deliveries. What the core cannot take at the moment is kept and told again, with growing
 * pauses: the delivery key stays good while the core is away, so an LMS that took a result is not called again for it.
 *
 * An acknowledgement is kept until the core answers it; a failure until the delivery's lease is over, when the core knows by
 * itself that it has to try again. Their number is bounded by the courier's places.
 *
 * Threading: any thread; on_end runs on the core client's thread or on the one of this module, with no lock held, and must not
 * block.
 */
#ifndef REST_ADAPTER_COURIER_REPORTS_H
#define REST_ADAPTER_COURIER_REPORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "rest-adapter/core_client.h"

enum {
    COURIER_REPORT_KEY_MAX = 65,        /* bytes of a delivery key including the final NUL */
    COURIER_REPORT_PAUSE_MS = 50,       /* before the second try */
    COURIER_REPORT_PAUSE_MS_MAX = 1000, /* well below any lease */
};

enum courier_report_kind { COURIER_REPORT_ACKNOWLEDGE, COURIER_REPORT_FAIL };

struct courier_report {
    enum courier_report_kind kind;
    uint64_t submission_id;
    char delivery_key[COURIER_REPORT_KEY_MAX];
    /* COURIER_REPORT_FAIL, as in the contract's FailDeliveryRequest */
    char message[ERROR_TEXT_MAX];
    bool permanent;
    bool uncounted;
    int64_t retry_after_ms;
    int64_t lease_over_at_ms; /* clock_system: told no more after that */
};

struct courier_reports;

/*
 * The report is over. STATUS_OK: the core knows. STATUS_TIMEOUT: a failure that could not be told before the lease was over.
 * STATUS_CANCELED: stopped first. Anything else: the core refused it (STATUS_STALE: leased again since); text in error.
 */
typedef void courier_reports_on_end(void *context, void *item, enum status status, const struct error *error);

/* core: borrowed for the life. Starts the thread. NULL: no thread. */
struct courier_reports *courier_reports_create(struct core_client *core, courier_reports_on_end *on_end, void *context);

/* Tells the core, without blocking; on_end(context, item, ...) comes exactly once, not from within.
 */
void courier_reports_send(struct courier_reports *reports, const struct courier_report *report, void *item);

/* How many reports have failed at least once and are not over: while there are any, the core may lease the same deliveries
 * again. */
size_t courier_reports_retrying(struct courier_reports *reports);

/*
 * Gives up what waits for its next try and waits for running calls (config.rest.core_timeout_ms at most). Every on_end has
 * come then. NULL is fine.
 */
void courier_reports_destroy(struct courier_reports *reports);

#endif
