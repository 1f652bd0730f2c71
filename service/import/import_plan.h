/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a move is going to do, decided before anything is written: one small entry for each submission of the original that is
 * not over, its fate, its place in the order, who supersedes it.
 *
 * First import_plan_add for every submission, then import_plan_settle, then import_plan_find while the source is read again.
 *
 * Threading: one thread at a time.
 */
#ifndef SERVICE_IMPORT_IMPORT_PLAN_H
#define SERVICE_IMPORT_IMPORT_PLAN_H

#include "service/import/import_judge.h"

enum { IMPORT_SUBMISSIONS_MAX = 5000000 }; /* that are not over; about 150 bytes each */

struct import_entry {
    int64_t id;
    int64_t arrived_at_us;
    int64_t virtual_ms;       /* its place: no smaller than that of any that arrived before, in the same queue */
    int64_t superseded_by_id; /* IMPORT_SUPERSEDED */
    const struct config_queue *queue;
    enum import_fate fate;
    bool has_replace_key;
    bool files_are_external;
    bool files_are_unreadable;
    bool key_is_unusable;
    uint8_t replace_key[SECRET_DIGEST_BYTES];
    uint8_t digest[SECRET_DIGEST_BYTES];
};

struct import_plan {
    struct import_entry *entries; /* owned */
    size_t count;
    size_t capacity;
};

/*
 * Adds submission as it was judged. What is over is only counted, in report. STATUS_FULL: IMPORT_SUBMISSIONS_MAX.
 */
enum status import_plan_add(struct import_plan *plan, const struct legacy_submission *submission,
                            const struct import_judgement *judgement, struct import_report *report,
                            struct error *error) STATUS_CHECKED;

/*
 * All are added. Decides, with what the store has (NULL: there is none yet), and counts in report. Inside a transaction; writes
 * nothing. STATUS_EXISTS: ids of the source are taken by submissions that did not come from it; STATUS_INVALID: the source
 * has an id twice; what the store answers. Text in error.
 */
enum status import_plan_settle(struct import_plan *plan, struct store *store, struct import_report *report,
                               struct error *error) STATUS_CHECKED;

/* The entry of that id; NULL: it is not in the plan. After settling. */
const struct import_entry *import_plan_find(const struct import_plan *plan, int64_t id);

void import_plan_finish(struct import_plan *plan); /* zeroed is fine */

/* Does a submission of that fate get a row of ours? */
bool import_fate_is_taken(enum import_fate fate);

#endif
