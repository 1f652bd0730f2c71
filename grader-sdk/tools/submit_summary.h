/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of many submissions, in numbers.
 *
 * Threading: pure; one summary belongs to whoever guards it.
 */
#ifndef GRADER_SDK_TOOLS_SUBMIT_SUMMARY_H
#define GRADER_SDK_TOOLS_SUBMIT_SUMMARY_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "grader-sdk/tools/submit_outcome.h"

struct submit_summary {
    size_t total; /* how many there are to be */
    size_t done;
    size_t ends[SUBMIT_END_COUNT];
    size_t correct, not_correct; /* of those graded */
    size_t bad;                  /* did not end as they should (submit_outcome_is_good) */
    int64_t *took_us;            /* owned; from handing in to the result, of those graded */
    size_t took_count, took_capacity;
};

void submit_summary_finish(struct submit_summary *summary); /* zeroed is fine */
void submit_summary_add(struct submit_summary *summary, const struct submit_outcome *outcome, bool is_check);

/* By nearest rank: the smallest that percent (1 to 100) of all do not exceed; 0 when there are none. Sorts. */
int64_t submit_summary_percentile_us(struct submit_summary *summary, unsigned percent);

/* Lines for people, each ended; the caller's (memory_free). elapsed_us: of all together. */
char *submit_summary_text(struct submit_summary *summary, int64_t elapsed_us);

/* {"total", "done", "graded", "correct", ..., "p50_us", "p99_us", "longest_us"}: the caller's. */
json_t *submit_summary_json(struct submit_summary *summary, int64_t elapsed_us);

/* ---- while it goes on ---- */

struct submit_bar {
    size_t total, done, bad;
    size_t submitting, waiting, grading; /* of those that are open */
    int64_t elapsed_us;
};

enum { SUBMIT_BAR_TEXT_MAX = 256 };
/* "[=====>    ] 12/30  2 waiting, 2 being graded  1 failed  7.1/s  3 s left" on one line. Returns out. */
const char *submit_bar_text(const struct submit_bar *bar, char out[SUBMIT_BAR_TEXT_MAX]);

#endif
