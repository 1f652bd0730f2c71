/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many life cycles a second this machine's disk can keep: insert (submit), select and update (lease), update (complete),
 * of submissions with bodies of 1 KiB. 32 operations share a transaction; 256 rows wait and 256 are leased at any time, so that
 * a row is not touched thrice in one transaction. WAL, synchronous=FULL, a checkpoint every 10,000 pages.
 *
 * Once with the least SQL that could do it (the limit), once through our own store.
 *
 * Threading: any thread, one at a time in a folder.
 */
#ifndef TESTS_BENCH_BENCH_SQLITE_H
#define TESTS_BENCH_BENCH_SQLITE_H

#include <stdint.h>

#include "base/status.h"

enum {
    BENCH_SQLITE_OPERATIONS = 32, /* per transaction */
    BENCH_SQLITE_WINDOW = 256,    /* waiting rows, and leased rows */
    BENCH_SQLITE_BODY_BYTES = 1024,
    BENCH_SQLITE_CHECKPOINT_PAGES = 10000,
};

struct bench_sqlite_result {
    int64_t cycles; /* whole ones: submitted, leased and completed */
    double seconds; /* measured */
    double cycles_per_second;
    double transactions_per_second;
};

/*
 * Runs for about that many seconds (> 0) on a database of its own in folder, removed before and afterwards. STATUS_INTERNAL: it
 * could not be made, read or written.
 */
enum status bench_sqlite_run(const char *folder, double seconds, struct bench_sqlite_result *out) STATUS_CHECKED;

/*
 * The same life cycles through service/store/store.h, with all that the service does there: the content is read at the lease,
 * the row is read again and a small result saved at completion. Statuses: those of the store.
 */
enum status bench_sqlite_run_store(const char *folder, double seconds, struct bench_sqlite_result *out) STATUS_CHECKED;

#endif
