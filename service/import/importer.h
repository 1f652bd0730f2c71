/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The move from an original's database into xqueued's, while neither runs. All of it is one transaction: it came, or it did
 * not, whatever happens in between; the same move again changes nothing.
 *
 * How: the source is read once to decide everything (import_plan), and, if nothing speaks against it, once more to write.
 *
 * Threading: one thread; holds the database's exclusive lock.
 */
#ifndef SERVICE_IMPORT_IMPORTER_H
#define SERVICE_IMPORT_IMPORTER_H

#include "base/config.h"
#include "base/status.h"
#include "service/import/import_report.h"

struct import_options {
    const struct config *config; /* queues, users, where the database is; borrowed */
    const char *source;          /* a file, or "-" */
    const char *database;        /* of a dump with several; NULL = there is only one */
    bool skip_unknown_queues;    /* leave out, instead of refusing, what is in queues that the configuration does not name */
    bool dry_run;                /* write nothing: count */
    int64_t now_ms;              /* wall time */
};

/*
 * Does it. On success *out_report is the caller's (import_report_finish). Nothing was changed on any other status (a database
 * may have been made, or brought to the newest version): STATUS_INVALID: the source is no whole original's, or (reason
 * UNKNOWN_QUEUE) has submissions in queues that are not configured; STATUS_EXISTS: ids of the source are taken;
 * STATUS_WRONG_STATE: the source is in use; STATUS_UNAVAILABLE: xqueued has the database; STATUS_NOT_FOUND, STATUS_FULL,
 * STATUS_DATA_LOSS as of the source and the store. Text in error.
 */
enum status import_run(const struct import_options *options, struct import_report *out_report,
                       struct error *error) STATUS_CHECKED;

#endif
