/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hot rows of submissions: in, out, and the one move.
 */
#include <assert.h>

#include "service/store/store_internal.h"

/* Reads the columns of SUBMISSION_COLUMNS. */
static void read_row(struct query *query, struct store_submission *row)
{
    row->id = query_int(query);
    row->queue_id = query_int(query);
    row->state = submission_state_from_name(query_borrow_text(query));
    row->rank = query_int(query);
    row->virtual_ms = query_int(query);
    row->submitted_at_ms = query_int(query);
    row->state_at_ms = query_int(query);
    row->ready_at_ms = query_int(query);
    row->expires_at_ms = query_int(query);
    row->attempt = query_int(query);
    row->failures = query_int(query);
    query_text(query, row->lease_key, sizeof row->lease_key);
    query_text(query, row->grader, sizeof row->grader);
    row->leased_at_ms = query_int(query);
    row->lease_expires_at_ms = query_int(query);
    row->lease_hard_limit_at_ms = query_int(query);
    row->generation = query_int(query);
    row->superseded_by_id = query_int(query);
    row->has_destination = query_int(query) != 0;
    row->replace_key_length = query_short_bytes(query, row->replace_key, sizeof row->replace_key);
    query_text(query, row->message, sizeof row->message);
    row->label_set_id = query_int(query);
    if (row->state == 0)
        query_damage(query, "a submission has an unknown state");
}

enum status store_read_only_submission(struct query *query, struct store_submission *out_row)
{
    enum status status = query_row(query);
    if (status != STATUS_OK)
        return status;
    struct store_submission row;
    read_row(query, &row);
    status = query_end(query);
    if (status == STATUS_OK)
        *out_row = row;
    return status;
}

/* The columns of SUBMISSION_NEW_COLUMNS. */
static void bind_row(struct query *query, const struct store_submission *row)
{
    query_bind_int(query, row->queue_id);
    query_bind_text(query, submission_state_name(row->state));
    query_bind_int(query, row->rank);
    query_bind_int(query, row->virtual_ms);
    query_bind_int(query, row->submitted_at_ms);
    query_bind_int(query, row->state_at_ms);
    query_bind_int(query, row->ready_at_ms);
    query_bind_int(query, row->expires_at_ms);
    query_bind_int(query, row->attempt);
    query_bind_int(query, row->failures);
    query_bind_text(query, row->lease_key);
    query_bind_text(query, row->grader);
    query_bind_int(query, row->leased_at_ms);
    query_bind_int(query, row->lease_expires_at_ms);
    query_bind_int(query, row->lease_hard_limit_at_ms);
    query_bind_int(query, row->generation);
    query_bind_int(query, row->superseded_by_id);
    query_bind_int(query, row->has_destination);
    query_bind_bytes(query, row->replace_key, row->replace_key_length);
    query_bind_text(query, row->message);
    query_bind_int(query, row->label_set_id);
}

enum status store_insert_submission_as(struct store *store, const struct store_submission *row)
{
    struct query query = query_start(store, STATEMENT_IMPORT_SUBMISSION);
    bind_row(&query, row);
    query_bind_int(&query, row->id);
    return query_run(&query, NULL);
}

static enum status insert_row(struct store *store, struct store_submission *row)
{
    struct query query = query_start(store, STATEMENT_INSERT_SUBMISSION);
    bind_row(&query, row);
    enum status status = query_run(&query, NULL);
    if (status == STATUS_OK)
        row->id = sqlite3_last_insert_rowid(store->db);
    return status;
}

enum status store_delete_submission(struct store *store, int64_t id)
{
    struct query query = query_start(store, STATEMENT_DELETE_SUBMISSION);
    query_bind_int(&query, id);
    return query_run(&query, NULL);
}

enum status store_insert_submission(struct store *store, struct store_submission *row, const struct store_content *content,
                                    const struct store_request *request)
{
    assert(row->state == SUBMISSION_READY || row->state == SUBMISSION_DELAYED);
    assert(row->replace_key_length <= sizeof row->replace_key);
    enum status status = insert_row(store, row);
    if (status != STATUS_OK)
        return status;
    status = store_insert_content(store, row->id, content, request);
    if (status != STATUS_EXISTS)
        return status;
    // The request id is taken; the transaction goes on, so nothing of this submission may stay.
    enum status deleted = store_delete_submission(store, row->id);
    return deleted == STATUS_OK ? STATUS_EXISTS : deleted;
}

enum status store_find_submission(struct store *store, int64_t id, struct store_submission *out_row)
{
    struct query query = query_start(store, STATEMENT_FIND_SUBMISSION);
    query_bind_int(&query, id);
    return store_read_only_submission(&query, out_row);
}

enum status store_next_submitted(struct store *store, const char *submitter, int64_t before_id,
                                 struct store_submission *out_row)
{
    struct query query = query_start(store, STATEMENT_NEXT_SUBMITTED);
    query_bind_text(&query, submitter);
    query_bind_int(&query, before_id);
    return store_read_only_submission(&query, out_row);
}

enum status store_next_ready(struct store *store, int64_t queue_id, int64_t label_set_id, struct store_submission *out_row)
{
    struct query query = query_start(store, STATEMENT_NEXT_READY);
    query_bind_int(&query, queue_id);
    query_bind_int(&query, label_set_id);
    return store_read_only_submission(&query, out_row);
}

enum status store_count_before(struct store *store, const struct store_submission *row, int64_t label_set_id, int64_t max,
                               int64_t *out_count)
{
    struct query query = query_start(store, STATEMENT_COUNT_BEFORE);
    query_bind_int(&query, row->queue_id);
    query_bind_int(&query, label_set_id);
    query_bind_int(&query, row->rank);
    query_bind_int(&query, row->virtual_ms);
    query_bind_int(&query, row->id);
    query_bind_int(&query, max);
    enum status status = query_row(&query);
    if (status != STATUS_OK)
        return status;
    *out_count = query_int(&query);
    return query_end(&query);
}

enum status store_next_delayed(struct store *store, int64_t due_ms, struct store_submission *out_row)
{
    struct query query = query_start(store, STATEMENT_NEXT_DELAYED);
    query_bind_int(&query, due_ms);
    return store_read_only_submission(&query, out_row);
}

enum status store_next_expiring(struct store *store, int64_t due_ms, struct store_submission *out_row)
{
    struct query query = query_start(store, STATEMENT_NEXT_EXPIRING);
    query_bind_int(&query, due_ms);
    return store_read_only_submission(&query, out_row);
}

enum status store_find_replaceable(struct store *store, const uint8_t *replace_key, size_t length, int64_t not_id,
                                   struct store_submission *out_row)
{
    struct query query = query_start(store, STATEMENT_FIND_REPLACEABLE);
    query_bind_bytes(&query, replace_key, length);
    query_bind_int(&query, not_id);
    return store_read_only_submission(&query, out_row);
}

enum status store_move_submission(struct store *store, struct store_submission *row, enum submission_state to)
{
    assert(submission_move_is_legal(row->state, to));
    struct query query = query_start(store, STATEMENT_MOVE_SUBMISSION);
    query_bind_text(&query, submission_state_name(to));
    query_bind_int(&query, row->rank);
    query_bind_int(&query, row->virtual_ms);
    query_bind_int(&query, row->state_at_ms);
    query_bind_int(&query, row->ready_at_ms);
    query_bind_int(&query, row->expires_at_ms);
    query_bind_int(&query, row->attempt);
    query_bind_int(&query, row->failures);
    query_bind_text(&query, row->lease_key);
    query_bind_text(&query, row->grader);
    query_bind_int(&query, row->leased_at_ms);
    query_bind_int(&query, row->lease_expires_at_ms);
    query_bind_int(&query, row->lease_hard_limit_at_ms);
    query_bind_int(&query, row->generation);
    query_bind_int(&query, row->superseded_by_id);
    query_bind_text(&query, row->message);
    query_bind_int(&query, row->id);
    query_bind_text(&query, submission_state_name(row->state));
    enum status status = query_run_on_one(&query, STATUS_WRONG_STATE);
    if (status == STATUS_OK)
        row->state = to;
    return status;
}

enum status store_renew_lease(struct store *store, int64_t id, const char *lease_key, int64_t expires_at_ms)
{
    struct query query = query_start(store, STATEMENT_RENEW_LEASE);
    query_bind_int(&query, expires_at_ms);
    query_bind_int(&query, id);
    query_bind_text(&query, lease_key);
    return query_run_on_one(&query, STATUS_STALE);
}

enum status store_hand_over_lease(struct store *store, int64_t id, const char *lease_key, const char *grader)
{
    struct query query = query_start(store, STATEMENT_HAND_OVER_LEASE);
    query_bind_text(&query, grader);
    query_bind_int(&query, id);
    query_bind_text(&query, lease_key);
    return query_run_on_one(&query, STATUS_STALE);
}

enum status store_visit_leased(struct store *store, void (*visit)(void *context, const struct store_submission *row),
                               void *context)
{
    struct query query = query_start(store, STATEMENT_VISIT_LEASED);
    enum status status = query_row(&query);
    for (; status == STATUS_OK; status = query_row(&query)) {
        struct store_submission row;
        read_row(&query, &row);
        if (!query.damage)
            visit(context, &row);
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}
