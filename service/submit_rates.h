/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast each submitter may hand in to one queue: a bucket of as many submissions as a minute allows, which fills evenly. As
 * in the generic cell rate algorithm (ITU-T I.371) a bucket is one number, the time when it will be full; one that is full is
 * forgotten. Memory only: after a restart, and after a batch that was rolled back, every bucket is full.
 *
 * Threading: engine thread only.
 */
#ifndef SERVICE_SUBMIT_RATES_H
#define SERVICE_SUBMIT_RATES_H

#include <stdint.h>

#include "base/map.h"

struct submit_rates {
    struct map by_submitter; /* of struct submit_rate, the one that took longest ago first */
};

void submit_rates_init(struct submit_rates *rates);
void submit_rates_finish(struct submit_rates *rates);
void submit_rates_clear(struct submit_rates *rates); /* fills every bucket */

/* How long until submitter may hand in once more, at least 1; 0: now. per_minute: at least 1. */
int64_t submit_rates_wait_ms(const struct submit_rates *rates, const char *submitter, int64_t per_minute, int64_t now_ms);

/* It hands in now. */
void submit_rates_take(struct submit_rates *rates, const char *submitter, int64_t per_minute, int64_t now_ms);

#endif
