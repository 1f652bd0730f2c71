/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which graders were lost on which submission.
 */
#include <assert.h>

#include "service/store/store_internal.h"

enum status store_note_lost_grader(struct store *store, int64_t submission_id, const char *grader, int64_t *out_count)
{
    assert(grader[0] != '\0');
    struct query insert = query_start(store, STATEMENT_INSERT_LOST_GRADER);
    query_bind_int(&insert, submission_id);
    query_bind_text(&insert, grader);
    enum status status = query_run(&insert, NULL);
    if (status != STATUS_OK)
        return status;
    struct query count = query_start(store, STATEMENT_COUNT_LOST_GRADERS);
    query_bind_int(&count, submission_id);
    status = query_row(&count);
    if (status != STATUS_OK)
        return status;
    int64_t graders = query_int(&count);
    status = query_end(&count);
    if (status == STATUS_OK)
        *out_count = graders;
    return status;
}

enum status store_forget_lost_graders(struct store *store, int64_t submission_id)
{
    struct query query = query_start(store, STATEMENT_DELETE_LOST_GRADERS);
    query_bind_int(&query, submission_id);
    return query_run(&query, NULL);
}
