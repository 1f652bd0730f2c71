/* SPDX-License-Identifier: Apache-2.0 */
#include "service/rules/retry.h"

#include <assert.h>

enum retry_verdict retry_judge(const struct retry_facts *facts)
{
    if (facts->failures >= facts->attempts_max)
        return RETRY_USED_UP;
    return facts->lost_graders >= facts->poison_graders_max ? RETRY_POISON : RETRY_AGAIN;
}

int64_t retry_doubled_ms(int64_t first_ms, int64_t times, int64_t max_ms)
{
    int64_t delay_ms = first_ms;
    for (; times > 0 && delay_ms < max_ms && delay_ms > 0; times--)
        delay_ms = delay_ms > max_ms / 2 ? max_ms : delay_ms * 2;
    return delay_ms < max_ms ? delay_ms : max_ms;
}

/* span * random / 2^32 without a 128-bit product. */
static int64_t scaled(int64_t span, uint32_t random)
{
    uint64_t high = (uint64_t)span >> 32;
    uint64_t low = (uint64_t)span & UINT32_MAX;
    return (int64_t)(high * random + ((low * random) >> 32));
}

int64_t retry_delay_ms(int64_t failures, int64_t first_ms, int64_t max_ms, uint32_t random)
{
    assert(failures >= 1);
    assert(first_ms >= 0);
    assert(max_ms >= 0);
    int64_t delay_ms = retry_doubled_ms(first_ms, failures - 1, max_ms);
    int64_t sure_ms = delay_ms / 2;
    return sure_ms + scaled(delay_ms - sure_ms, random);
}
