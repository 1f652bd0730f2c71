/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may still say something about a submission, and until when a lease runs.
 *
 * Threading: pure.
 */
#ifndef SERVICE_RULES_LEASE_H
#define SERVICE_RULES_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "service/rules/submission.h"

enum {
    LEASE_KEY_LENGTH = 32,
    /* A stored expiry runs this much further than the promised one, so that few renewals need a write: expiry + lease / this.
     */
    LEASE_STORED_SLACK_DIVISOR = 2,
};

/* What is to be done with a result that came with a lease key. */
enum lease_verdict {
    LEASE_ACCEPT,        /* the newest lease; there is no result yet */
    LEASE_ALREADY,       /* the same result is there */
    LEASE_AMEND,         /* another result of the same lease is there, and the caller may replace it */
    LEASE_RESULT_EXISTS, /* the same, but the caller may not */
    LEASE_STALE,         /* not the newest lease, or the submission moved on */
    LEASE_UNWANTED,      /* SUPERSEDED or CANCELED: nobody wants the result any more */
};

/* The facts that a verdict is made of. */
struct lease_facts {
    enum submission_state state;
    bool key_matches; /* the caller's key is the newest of the submission */
    bool same_result; /* GRADED: the stored result has the caller's digest */
    bool may_amend;
};

enum lease_verdict lease_judge_result(const struct lease_facts *facts);

/* Fail, release, extend, accept: only a live lease can. True when state is LEASED and the key matches. */
bool lease_is_held(const struct lease_facts *facts);

/* When a lease renewed now runs out: now + lease_ms, but not after hard_limit_at_ms. */
int64_t lease_expiry_ms(int64_t now_ms, int64_t lease_ms, int64_t hard_limit_at_ms);

#endif
