/* SPDX-License-Identifier: Apache-2.0 */
#include "service/rules/lease.h"

#include "base/clock.h"

static enum lease_verdict judge_second_result(const struct lease_facts *facts)
{
    if (facts->same_result)
        return LEASE_ALREADY;
    return facts->may_amend ? LEASE_AMEND : LEASE_RESULT_EXISTS;
}

enum lease_verdict lease_judge_result(const struct lease_facts *facts)
{
    // Only its newest lease may learn what became of a submission.
    if (!facts->key_matches)
        return LEASE_STALE;
    switch (facts->state) {
    case SUBMISSION_LEASED:
    // From here the lease is over, but nobody was granted another one: the work is not thrown away.
    case SUBMISSION_READY:
    case SUBMISSION_DELAYED:
    case SUBMISSION_DEAD:
        return LEASE_ACCEPT;
    case SUBMISSION_GRADED:
        return judge_second_result(facts);
    case SUBMISSION_CANCELED:
    case SUBMISSION_SUPERSEDED:
        return LEASE_UNWANTED;
    case SUBMISSION_UNGRADABLE: // the grader's own last word
    case SUBMISSION_STATE_END:
        break;
    }
    return LEASE_STALE;
}

bool lease_is_held(const struct lease_facts *facts)
{
    return facts->state == SUBMISSION_LEASED && facts->key_matches;
}

int64_t lease_expiry_ms(int64_t now_ms, int64_t lease_ms, int64_t hard_limit_at_ms)
{
    int64_t expiry_ms = clock_add_ms(now_ms, lease_ms);
    return expiry_ms < hard_limit_at_ms ? expiry_ms : hard_limit_at_ms;
}
