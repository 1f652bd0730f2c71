/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a grader stands: what its failures and results do to it (rules/quarantine.h), and how it hears of it. Kept in memory: a
 * restart of the service forgives. A batch that is rolled back changes nothing.
 *
 * Threading: engine thread only.
 */
#ifndef SERVICE_GRADER_STANDING_H
#define SERVICE_GRADER_STANDING_H

#include "service/queue.h"

struct store_submission;

/* The grader failed at row; lost: its lease ended unheard, else it said so. row still has the lease's facts. */
void grader_failed(struct queues *queues, struct grader *grader, const struct store_submission *row, bool lost);

/* A result of the grader is stored. */
void grader_succeeded(struct queues *queues, struct grader *grader);

/* How long it is still quiet; 0: it is not. */
int64_t grader_quiet_for_ms(const struct grader *grader, int64_t now_ms);

/* STATUS_OK, or STATUS_FULL GRADER_QUIET with how long: the grader of that name gets nothing now. */
enum status graders_check_quiet(struct queues *queues, const char *name, struct error *error) STATUS_CHECKED;

/* Says it on the grader's new stream, if it is quiet. */
void grader_tell_quiet(struct queues *queues, struct work_session *session);

/* Ends the quiet periods that are over. */
void graders_tick(struct queues *queues);
int64_t graders_next_due_ms(const struct queues *queues);

/* The batch is over; after a rollback every grader stands as before it. */
void graders_settle(struct queues *queues, bool committed);

#endif
