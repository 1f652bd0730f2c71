/* SPDX-License-Identifier: Apache-2.0 */
#include "service/event_rates.h"

#include <assert.h>

/* Empties what has become too old, so that the slot of number can be counted in. A clock that stood still stays where it was.
 */
static void ring_advance(uint32_t *slots, int64_t count, int64_t *newest, int64_t number)
{
    int64_t first = number - *newest < count ? *newest + 1 : number - count + 1;
    for (int64_t at = first; at <= number; at++) {
        slots[at % count] = 0;
    }
    *newest = number > *newest ? number : *newest;
}

static void ring_add(uint32_t *slot, int64_t count)
{
    *slot = count < UINT32_MAX - (int64_t)*slot ? *slot + (uint32_t)count : UINT32_MAX;
}

/* Of the last wanted slots that end with number. */
static int64_t ring_sum(const uint32_t *slots, int64_t count, int64_t newest, int64_t number, int64_t wanted)
{
    int64_t first = number - wanted + 1;
    int64_t oldest = newest - count + 1;
    int64_t sum = 0;
    first = first > oldest ? first : oldest;
    first = first > 0 ? first : 0;
    for (int64_t at = first; at <= newest; at++) {
        sum += slots[at % count];
    }
    return sum;
}

void event_rates_add(struct event_rates *rates, int64_t now_ms, int64_t count)
{
    assert(now_ms >= 0 && count >= 0);
    ring_advance(rates->short_slots, EVENT_RATES_SHORT_SLOTS, &rates->short_newest, now_ms / EVENT_RATES_SHORT_MS);
    ring_advance(rates->long_slots, EVENT_RATES_LONG_SLOTS, &rates->long_newest, now_ms / EVENT_RATES_LONG_MS);
    ring_add(&rates->short_slots[rates->short_newest % EVENT_RATES_SHORT_SLOTS], count);
    ring_add(&rates->long_slots[rates->long_newest % EVENT_RATES_LONG_SLOTS], count);
}

int64_t event_rates_last_minute(const struct event_rates *rates, int64_t now_ms)
{
    return ring_sum(rates->short_slots, EVENT_RATES_SHORT_SLOTS, rates->short_newest, now_ms / EVENT_RATES_SHORT_MS,
                    EVENT_RATES_SHORT_SLOTS);
}

int64_t event_rates_last_minutes(const struct event_rates *rates, int64_t now_ms, int minutes)
{
    assert(minutes > 1 && minutes <= EVENT_RATES_LONG_SLOTS);
    return ring_sum(rates->long_slots, EVENT_RATES_LONG_SLOTS, rates->long_newest, now_ms / EVENT_RATES_LONG_MS, minutes);
}
