/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bulk calls of the administrator, repeated until nothing that matches is left, and what people and scripts are told of them.
 *
 * Threading: main thread only.
 */
#ifndef SERVICE_CTL_BULK_H
#define SERVICE_CTL_BULK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rpc/rpc_client_call.h"
#include "service/ctl/command.h"
#include "xqueue/v1/admin.pb-c.h"

enum { BULK_LIMIT_MAX = 10000, BULK_ID_MAX = 65 }; /* submissions of one call, by the contract */

struct bulk {
    struct command_call *call;
    const struct rpc_client_method *method;
    const char *verb; /* "give up", "delete" */
    const char *done; /* "gave up", "deleted" */
    int64_t pause_ms; /* between two calls */
    /* what was done so far; zeroed at first */
    uint64_t matched_count;
    uint64_t done_count;
    char bulk_id[BULK_ID_MAX]; /* of a regrade: for watching it; all calls of a run are one */
};

extern const struct rpc_client_method bulk_retire_method, bulk_purge_method;

/*
 * Repeats request (whose page_token is overwritten) until it is finished, with request->dry_run once. Counts up the bulk.
 * Errors: those of the calls; STATUS_CANCELED after a signal: a part is done.
 */
enum status bulk_run(struct bulk *bulk, Xqueue__V1__BulkRequest *request, struct error *error) STATUS_CHECKED;

/* Prints what was done, also after a failure, which it tells. What to exit with. */
int bulk_finish(const struct bulk *bulk, enum status status, const struct error *error);

#endif
