/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Submissions that are graded once more, in regrades whose progress is counted.
 */
#include <assert.h>

#include "service/store/store_internal.h"

enum { REGRADES_KEPT = 1000 };

enum status store_begin_regrade(struct store *store, int64_t now_ms, int64_t *out_id)
{
    struct query query = query_start(store, STATEMENT_INSERT_REGRADE);
    query_bind_int(&query, now_ms);
    enum status status = query_run(&query, NULL);
    if (status != STATUS_OK)
        return status;
    int64_t id = sqlite3_last_insert_rowid(store->db);
    query = query_start(store, STATEMENT_DELETE_OLD_REGRADES);
    query_bind_int(&query, id - REGRADES_KEPT);
    status = query_run(&query, NULL);
    if (status == STATUS_OK)
        *out_id = id;
    return status;
}

enum status store_find_regrade(struct store *store, int64_t id, struct store_regrade *out_regrade)
{
    struct query query = query_start(store, STATEMENT_FIND_REGRADE);
    query_bind_int(&query, id);
    enum status status = query_row(&query);
    if (status != STATUS_OK)
        return status;
    struct store_regrade regrade = {.total = query_int(&query)};
    regrade.graded = query_int(&query);
    regrade.failed = query_int(&query);
    status = query_end(&query);
    if (status == STATUS_OK)
        *out_regrade = regrade;
    return status;
}

static enum status count(struct store *store, int64_t id, struct store_regrade more)
{
    struct query query = query_start(store, STATEMENT_COUNT_REGRADE);
    query_bind_int(&query, more.total);
    query_bind_int(&query, more.graded);
    query_bind_int(&query, more.failed);
    query_bind_int(&query, id);
    return query_run_on_one(&query, STATUS_NOT_FOUND);
}

enum status store_insert_regraded(struct store *store, int64_t regrade_id, int64_t submission_id)
{
    enum status status = count(store, regrade_id, (struct store_regrade){.total = 1});
    if (status != STATUS_OK)
        return status;
    struct query query = query_start(store, STATEMENT_INSERT_REGRADED);
    query_bind_int(&query, submission_id);
    query_bind_int(&query, regrade_id);
    return query_run(&query, NULL);
}

enum status store_end_regraded(struct store *store, int64_t submission_id, bool is_graded)
{
    struct query query = query_start(store, STATEMENT_FIND_REGRADED);
    query_bind_int(&query, submission_id);
    enum status status = query_row(&query);
    if (status != STATUS_OK)
        return status;
    int64_t regrade_id = query_int(&query);
    status = query_end(&query);
    if (status != STATUS_OK)
        return status;
    query = query_start(store, STATEMENT_DELETE_REGRADED);
    query_bind_int(&query, submission_id);
    status = query_run(&query, NULL);
    if (status != STATUS_OK)
        return status;
    return count(store, regrade_id, (struct store_regrade){.graded = is_graded, .failed = !is_graded});
}
