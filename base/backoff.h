/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long to wait before trying again: doubling from a first to a longest pause, each drawn at random from its upper half, so
 * that a thousand who lost the same service do not all come back in the same moment.
 *
 * Threading: pure; one backoff belongs to one thread.
 */
#ifndef BASE_BACKOFF_H
#define BASE_BACKOFF_H

#include <stdint.h>

struct backoff {
    int64_t first_ms;
    int64_t longest_ms;
    int64_t next_ms; /* upper end of the next pause */
    uint64_t random; /* state of xorshift64, never 0 */
};

/* 1 <= first_ms <= longest_ms. seed: any number, different in each process. */
void backoff_init(struct backoff *backoff, int64_t first_ms, int64_t longest_ms, uint64_t seed);

/* The pause before the next try, 1 to longest_ms; longer at each call. */
int64_t backoff_next_ms(struct backoff *backoff);

/* It worked: the next pause is a first one again. */
void backoff_reset(struct backoff *backoff);

#endif
