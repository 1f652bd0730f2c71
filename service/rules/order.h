/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one ready order: priority rank, then virtual time, then id. Without priorities and fairness keys that is first come,
 * first served.
 *
 * Threading: pure.
 */
#ifndef SERVICE_RULES_ORDER_H
#define SERVICE_RULES_ORDER_H

#include <stdint.h>

enum { ORDER_PRIORITY_NORMAL = 0, ORDER_PRIORITY_HIGH = 1, ORDER_PRIORITY_LOW = 2, ORDER_PRIORITY_END };

/* The sort rank of a priority class of the contract: high 0, normal 1, low 2. Asserts priority < ORDER_PRIORITY_END. */
int64_t order_rank(uint32_t priority);

#endif
