/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long to wait before trying again: doubling from first_ms to longest_ms, each cut by a random part of up to half, so that
 * many who lost the same server do not come back at the same moment.
 *
 * Threading: none of its own.
 */
#ifndef REST_ADAPTER_RETRY_PAUSE_H
#define REST_ADAPTER_RETRY_PAUSE_H

#include <stdint.h>

struct retry_pause {
    int64_t first_ms; /* > 0 */
    int64_t longest_ms;
    int64_t next_ms; /* 0: first_ms */
};

/* The pause before the next try, in (longest_ms / 2, longest_ms] at most. */
int64_t retry_pause_next_ms(struct retry_pause *pause);

/* It worked: the next pause is short again. */
void retry_pause_reset(struct retry_pause *pause);

#endif
