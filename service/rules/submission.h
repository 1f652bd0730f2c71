/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The states of a submission and the moves between them.
 *
 *              not before                 complete
 *   (new) ──▶ DELAYED ─┐    READY ──grant──▶ LEASED ─────────▶ GRADED ──regrade──▶ READY
 *     │          ▲     └time─▲ ▲               │
 *     └──────────┼───────────┘ └─release, expire, not accepted─┤
 *                └──────────────────────fail (transient)──────┤
 *                                           attempts used up  ├──▶ DEAD ──requeue──▶ READY
 *                                           not gradable      └──▶ UNGRADABLE ──requeue──▶ READY
 *   READY, DELAYED, LEASED ──▶ CANCELED | SUPERSEDED | DEAD (expired as a whole, or given up by an administrator)
 *   READY, DELAYED, DEAD ──late result of the newest lease──▶ GRADED;  GRADED ──amended──▶ GRADED
 *
 * Only store_move_submission writes a state, and it asserts submission_move_is_legal.
 *
 * Threading: pure.
 */
#ifndef SERVICE_RULES_SUBMISSION_H
#define SERVICE_RULES_SUBMISSION_H

#include <stdbool.h>

/* The numbers are those of xqueue.v1.SubmissionState; the names stand in the database. */
enum submission_state {
    SUBMISSION_READY = 1,
    SUBMISSION_LEASED,
    SUBMISSION_DELAYED,
    SUBMISSION_GRADED,
    SUBMISSION_DEAD,
    SUBMISSION_CANCELED,
    SUBMISSION_SUPERSEDED,
    SUBMISSION_UNGRADABLE,
    SUBMISSION_STATE_END
};

bool submission_move_is_legal(enum submission_state from, enum submission_state to);

/* READY, LEASED or DELAYED: somebody still has to do something for its grade. */
bool submission_is_live(enum submission_state state);

/* "READY" ...; static. Asserts that state is one. */
const char *submission_state_name(enum submission_state state);

/* The state of that name; 0 when there is none. */
enum submission_state submission_state_from_name(const char *name);

#endif
