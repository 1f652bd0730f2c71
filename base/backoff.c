/* SPDX-License-Identifier: Apache-2.0 */
#include "base/backoff.h"

#include <assert.h>

/* Any odd constant does; this is 2^64 divided by the golden ratio. */
#define SEED_MIX UINT64_C(0x9e3779b97f4a7c15)

void backoff_init(struct backoff *backoff, int64_t first_ms, int64_t longest_ms, uint64_t seed)
{
    assert(first_ms >= 1 && first_ms <= longest_ms);
    *backoff = (struct backoff){.first_ms = first_ms, .longest_ms = longest_ms, .next_ms = first_ms};
    backoff->random = seed ^ SEED_MIX;
    if (backoff->random == 0)
        backoff->random = SEED_MIX;
}

/* Marsaglia, "Xorshift RNGs" (2003), the triple 13, 7, 17. */
static uint64_t next_random(struct backoff *backoff)
{
    backoff->random ^= backoff->random << 13;
    backoff->random ^= backoff->random >> 7;
    backoff->random ^= backoff->random << 17;
    return backoff->random;
}

int64_t backoff_next_ms(struct backoff *backoff)
{
    int64_t upper_ms = backoff->next_ms;
    int64_t lower_ms = (upper_ms + 1) / 2;
    backoff->next_ms = upper_ms > backoff->longest_ms / 2 ? backoff->longest_ms : upper_ms * 2;
    return lower_ms + (int64_t)(next_random(backoff) % (uint64_t)(upper_ms - lower_ms + 1));
}

void backoff_reset(struct backoff *backoff)
{
    backoff->next_ms = backoff->first_ms;
}
