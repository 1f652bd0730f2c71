/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which origins do not take callbacks at the moment: so that the log has one line when an LMS stops taking them and one when
 * it takes them again, not one for each of ten thousand tries.
 *
 * Remembers LMS_HEALTH_ORIGINS_MAX failing origins; beyond that the one that failed first is forgotten (its next failure is
 * logged again).
 *
 * Threading: none of its own; the courier guards it.
 */
#ifndef REST_ADAPTER_LMS_HEALTH_H
#define REST_ADAPTER_LMS_HEALTH_H

#include <stdbool.h>

#include "base/list.h"

enum { LMS_HEALTH_ORIGINS_MAX = 256 };

struct lms_health {
    struct list failing; /* of struct failing_origin, the first to fail first */
};

void lms_health_init(struct lms_health *health);
void lms_health_finish(struct lms_health *health);

bool lms_health_is_failing(const struct lms_health *health, const char *origin);

/* Returns true the first time since the origin was last well: to be logged. */
bool lms_health_failed(struct lms_health *health, const char *origin);

/* Returns true if the origin was failing: its recovery is to be logged. */
bool lms_health_answered(struct lms_health *health, const char *origin);

#endif
