/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often something happened lately: counts of the last minute (to 5 s) and of the last hour (to a minute), in rings of a
 * fixed size.
 *
 * Threading: pure.
 */
#ifndef SERVICE_EVENT_RATES_H
#define SERVICE_EVENT_RATES_H

#include <stdint.h>

enum {
    EVENT_RATES_SHORT_MS = 5000, /* width of a slot */
    EVENT_RATES_SHORT_SLOTS = 12,
    EVENT_RATES_LONG_MS = 60000,
    EVENT_RATES_LONG_SLOTS = 60,
};

/* Zeroed is empty. */
struct event_rates {
    int64_t short_newest; /* number of the newest slot: time / width */
    int64_t long_newest;
    uint32_t short_slots[EVENT_RATES_SHORT_SLOTS];
    uint32_t long_slots[EVENT_RATES_LONG_SLOTS];
};

void event_rates_add(struct event_rates *rates, int64_t now_ms, int64_t count);

/* The running slot counts as one of the slots: from 55 s to a minute. */
int64_t event_rates_last_minute(const struct event_rates *rates, int64_t now_ms);
/* minutes: 2 to EVENT_RATES_LONG_SLOTS; likewise from minutes - 1 to minutes. */
int64_t event_rates_last_minutes(const struct event_rates *rates, int64_t now_ms, int minutes);

#endif
