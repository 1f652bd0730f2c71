/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The states of bringing an outcome to the LMS. There is no row, and so no state, before there is an outcome.
 *
 *   (outcome) ──▶ PENDING ──lease──▶ IN_FLIGHT ──ack──▶ DELIVERED ──amended──▶ PENDING
 *                    ▲                   │
 *                    ├─fail, lease over──┤
 *                    │                   └─given up──▶ UNDELIVERABLE ──requeue, amended──▶ PENDING
 *
 * A late acknowledgement, after the lease of the delivery ran out and before it was leased again, moves PENDING to DELIVERED:
 * the LMS has it. An amended result moves any state to PENDING (PENDING to PENDING included). When the submission is requeued,
 * to be graded again, a PENDING or UNDELIVERABLE row is deleted: there is no outcome any more.
 *
 * Only store_move_delivery writes a state, and it asserts delivery_move_is_legal.
 *
 * Threading: pure.
 */
#ifndef SERVICE_RULES_DELIVERY_H
#define SERVICE_RULES_DELIVERY_H

#include <stdbool.h>

/* The numbers are those of xqueue.v1.DeliveryState; the names stand in the database. */
enum delivery_state {
    DELIVERY_NONE = 1,
    DELIVERY_PENDING,
    DELIVERY_IN_FLIGHT,
    DELIVERY_DELIVERED,
    DELIVERY_UNDELIVERABLE,
    DELIVERY_STATE_END
};

/* What the LMS is told. The numbers are those of xqueue.v1.Outcome. */
enum delivery_outcome { DELIVERY_OUTCOME_RESULT = 1, DELIVERY_OUTCOME_DEAD, DELIVERY_OUTCOME_UNGRADABLE, DELIVERY_OUTCOME_END };

bool delivery_move_is_legal(enum delivery_state from, enum delivery_state to);
const char *delivery_state_name(enum delivery_state state);
enum delivery_state delivery_state_from_name(const char *name);     /* 0: none */
const char *delivery_outcome_name(enum delivery_outcome outcome);   /* "RESULT" ... */
enum delivery_outcome delivery_outcome_from_name(const char *name); /* 0: none */

#endif
