/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether to try again, and how long to wait before: exponential, capped, with jitter, so that what failed together does not
 * come back together.
 *
 * Threading: pure.
 */
#ifndef SERVICE_RULES_RETRY_H
#define SERVICE_RULES_RETRY_H

#include <stdint.h>

/* What became of the tries of one submission so far, and the bounds of its queue. */
struct retry_facts {
    int64_t failures; /* counted ones: transient failures and leases that ended unheard */
    int64_t attempts_max;
    int64_t lost_graders; /* different ones whose leases ended unheard */
    int64_t poison_graders_max;
};
enum retry_verdict {
    RETRY_AGAIN,
    RETRY_USED_UP, /* as many failures as attempts_max */
    RETRY_POISON,  /* poison_graders_max graders went down on it: it is the submission, not one of them */
};
enum retry_verdict retry_judge(const struct retry_facts *facts);

/*
 * The pause after the failures-th failure in a row (from 1): first_ms doubled failures - 1 times, at most max_ms, of which the
 * upper half is jitter: between half and all of it. random: 32 uniform bits from the caller.
 */
int64_t retry_delay_ms(int64_t failures, int64_t first_ms, int64_t max_ms, uint32_t random);

/* first_ms doubled so many times, at most max_ms. */
int64_t retry_doubled_ms(int64_t first_ms, int64_t times, int64_t max_ms);

#endif
