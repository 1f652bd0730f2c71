/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Submissions that are graded once more. Such a submission waits at low priority and keeps its result until there is a new one,
 * which is delivered like the first. When it cannot be graded this time (DEAD, UNGRADABLE, CANCELED, deleted) nobody is told:
 * the result that the student has stays.
 *
 * Threading: engine thread only.
 */
#ifndef SERVICE_REGRADING_H
#define SERVICE_REGRADING_H

#include "service/queue.h"

/* A new regrade, to which submissions are added. */
enum status regrading_begin(struct queues *queues, int64_t *out_id) STATUS_CHECKED;
/* STATUS_NOT_FOUND BULK_NOT_FOUND: there never was one, or it has been over for long. */
enum status regrading_find(struct queues *queues, int64_t id, struct store_regrade *out_regrade,
                           struct error *error) STATUS_CHECKED;

/*
 * One with the same replace key that was submitted before row and waits to be graded once more, or is. It gives way when row is
 * added: of several with one key the last one counts. STATUS_NOT_FOUND: none.
 */
enum status regrading_find_older(struct queues *queues, const struct store_submission *row,
                                 struct store_submission *out_row) STATUS_CHECKED;

/* GRADED -> READY, with all attempts anew; counted in the regrade. An older one is GRADED again, as it was, and counts as
 * failed. */
enum status regrading_add(struct queues *queues, int64_t regrade_id, struct store_submission *row) STATUS_CHECKED;

/* Has the submission a result from before? Its generation counts results. */
bool regrading_is_second(const struct store_submission *row, enum submission_state to);
/* For every move of a submission from a live state to a final one, and for one that is deleted. */
enum status regrading_end(struct queues *queues, int64_t submission_id, bool is_graded) STATUS_CHECKED;

#endif
