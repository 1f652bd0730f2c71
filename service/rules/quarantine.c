/* SPDX-License-Identifier: Apache-2.0 */
#include "service/rules/quarantine.h"

#include "base/clock.h"
#include "service/rules/retry.h"

static bool is_news(const struct quarantine *quarantine, const struct quarantine_failure *failure)
{
    bool went_with_the_last = failure->lost && failure->granted_at_ms <= quarantine->lost_at_ms;
    return !went_with_the_last && failure->submission_id != quarantine->submission_id;
}

bool quarantine_on_failure(struct quarantine *quarantine, const struct quarantine_bounds *bounds,
                           const struct quarantine_failure *failure)
{
    if (bounds->failures_max == 0 || quarantine_is_quiet(quarantine) || !is_news(quarantine, failure))
        return false;
    quarantine->failures++;
    quarantine->submission_id = failure->submission_id;
    quarantine->lost_at_ms = failure->lost ? failure->now_ms : quarantine->lost_at_ms;
    bool on_trial = quarantine->rounds > 0;
    if (!on_trial && quarantine->failures < bounds->failures_max)
        return false;
    int64_t period_ms = retry_doubled_ms(bounds->first_ms, quarantine->rounds, bounds->period_ms_max);
    quarantine->rounds++;
    quarantine->until_ms = clock_add_ms(failure->now_ms, period_ms);
    return true;
}

bool quarantine_on_success(struct quarantine *quarantine)
{
    bool was_quiet = quarantine_is_quiet(quarantine);
    *quarantine = (struct quarantine){0};
    return was_quiet;
}

void quarantine_end_period(struct quarantine *quarantine)
{
    quarantine->until_ms = 0;
}

bool quarantine_is_quiet(const struct quarantine *quarantine)
{
    return quarantine->until_ms > 0;
}

int64_t quarantine_leases_max(const struct quarantine *quarantine, int64_t leases_max)
{
    if (quarantine_is_quiet(quarantine))
        return 0;
    return quarantine->rounds > 0 && leases_max > 1 ? 1 : leases_max;
}

bool quarantine_is_clean(const struct quarantine *quarantine)
{
    return quarantine->failures == 0;
}
