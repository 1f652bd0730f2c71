/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a grader that keeps failing is left alone for a while.
 *
 *              failures_max in a row              a success
 *    TRUSTED ------------------------> QUIET ----------------+
 *       ^                              |  ^                   |
 *       |                    its time  |  | one failure more  |
 *       |       a success      is over v  | (longer)          |
 *       +--------------------------- ON TRIAL                 |
 *       +----------------------------------------------------+
 *
 * Quiet: it is granted nothing. On trial: one lease at a time. What one bad submission does to it, or one crash to all that it
 * held, is one failure.
 *
 * Threading: pure.
 */
#ifndef SERVICE_RULES_QUARANTINE_H
#define SERVICE_RULES_QUARANTINE_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed: nothing is known of it. */
struct quarantine {
    int64_t failures;      /* in a row */
    int64_t submission_id; /* of the last one; failing at it again is no news; 0 = none */
    int64_t lost_at_ms;    /* the last time that it lost a lease; what it was granted before went with that; 0 = never */
    int64_t rounds;        /* quiet periods since its last success */
    int64_t until_ms;      /* of the quiet period; 0 = not quiet */
};

struct quarantine_bounds {
    int64_t failures_max; /* 0 = nobody is ever quiet */
    int64_t first_ms;     /* the first period; each one after it is twice as long */
    int64_t period_ms_max;
};

/* One attempt of a grader that did not end well. */
struct quarantine_failure {
    int64_t submission_id;
    int64_t granted_at_ms;
    bool lost; /* its lease ended unheard; else it said so itself */
    int64_t now_ms;
};

/* True when a quiet period begins with it. During one nothing counts. */
bool quarantine_on_failure(struct quarantine *quarantine, const struct quarantine_bounds *bounds,
                           const struct quarantine_failure *failure);

/* A result. True when it ends a quiet period. Nothing is held against it any more. */
bool quarantine_on_success(struct quarantine *quarantine);

/* Its time is over: it is on trial. */
void quarantine_end_period(struct quarantine *quarantine);

bool quarantine_is_quiet(const struct quarantine *quarantine);

/* The most leases that it may hold, of leases_max. */
int64_t quarantine_leases_max(const struct quarantine *quarantine, int64_t leases_max);

/* Is there anything to be remembered? */
bool quarantine_is_clean(const struct quarantine *quarantine);

#endif
