/* SPDX-License-Identifier: Apache-2.0 */
#include "service/recent.h"

#include <stdlib.h>
#include <string.h>

void recent_note(struct recent *recent, int64_t value)
{
    recent->values[recent->count++ % RECENT_MAX] = value;
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

int64_t recent_median(const struct recent *recent)
{
    int64_t sorted[RECENT_MAX];
    size_t count = recent->count < RECENT_MAX ? recent->count : RECENT_MAX;
    if (count == 0) {
        return 0;
    }
    memcpy(sorted, recent->values, count * sizeof sorted[0]);
    qsort(sorted, count, sizeof sorted[0], compare);
    return sorted[count / 2];
}
