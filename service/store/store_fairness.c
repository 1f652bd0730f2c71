/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fair order remembers of each fairness key.
 */
#include "service/store/store_internal.h"

/* More than one, so that whoever hands in clears away faster than it adds. */
enum { OLD_ROWS_AT_ONCE = 2 };

enum status store_find_fairness(struct store *store, int64_t queue_id, const char *key, int64_t *out_free_at_ms)
{
    struct query query = query_start(store, STATEMENT_FIND_FAIRNESS);
    query_bind_int(&query, queue_id);
    query_bind_text(&query, key);
    enum status status = query_row(&query);
    if (status != STATUS_OK)
        return status;
    *out_free_at_ms = query_int(&query);
    return query_end(&query);
}

static enum status delete_old(struct store *store, int64_t now_ms)
{
    struct query query = query_start(store, STATEMENT_DELETE_OLD_FAIRNESS);
    query_bind_int(&query, now_ms);
    query_bind_int(&query, OLD_ROWS_AT_ONCE);
    return query_run(&query, NULL);
}

enum status store_save_fairness(struct store *store, int64_t queue_id, const char *key, int64_t free_at_ms, int64_t now_ms)
{
    struct query query = query_start(store, STATEMENT_SAVE_FAIRNESS);
    query_bind_int(&query, queue_id);
    query_bind_text(&query, key);
    query_bind_int(&query, free_at_ms);
    enum status status = query_run(&query, NULL);
    return status == STATUS_OK ? delete_old(store, now_ms) : status;
}
