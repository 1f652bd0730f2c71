/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long to wait before trying again: exponential, capped, with jitter, so that what failed together does not come back
 * together.
 *
 * Threading: pure.
 */
#ifndef SERVICE_RULES_RETRY_H
#define SERVICE_RULES_RETRY_H

#include <stdint.h>

/*
 * The pause after the failures-th failure in a row (from 1): first_ms doubled failures - 1 times, at most max_ms, of which the
 * upper half is jitter: between half and all of it. random: 32 uniform bits from the caller.
 */
int64_t retry_delay_ms(int64_t failures, int64_t first_ms, int64_t max_ms, uint32_t random);

#endif
