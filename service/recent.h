/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last few figures of a kind, and what is usual among them.
 *
 * Threading: none of its own.
 */
#ifndef SERVICE_RECENT_H
#define SERVICE_RECENT_H

#include <stddef.h>
#include <stdint.h>

enum { RECENT_MAX = 51 };

/* Zeroed is empty. */
struct recent {
    int64_t values[RECENT_MAX]; /* a ring */
    size_t count;               /* so far */
};

void recent_note(struct recent *recent, int64_t value);
/* The median of the last RECENT_MAX; 0: none yet. */
int64_t recent_median(const struct recent *recent);

#endif
