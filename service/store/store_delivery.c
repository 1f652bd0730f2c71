/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of deliveries: in, out, and the one move.
 */
#include <assert.h>

#include "service/store/store_internal.h"

/* Reads the columns of DELIVERY_COLUMNS. */
static void read_row(struct query *query, struct store_delivery *row)
{
    row->submission_id = query_int(query);
    row->queue_id = query_int(query);
    row->state = delivery_state_from_name(query_borrow_text(query));
    row->outcome = delivery_outcome_from_name(query_borrow_text(query));
    row->generation = query_int(query);
    row->attempt = query_int(query);
    row->due_at_ms = query_int(query);
    row->state_at_ms = query_int(query);
    query_text(query, row->lease_key, sizeof row->lease_key);
    row->lease_expires_at_ms = query_int(query);
    query_text(query, row->channel, sizeof row->channel);
    query_text(query, row->courier, sizeof row->courier);
    query_text(query, row->instance, sizeof row->instance);
    row->replace_key_length = query_short_bytes(query, row->replace_key, sizeof row->replace_key);
    query_text(query, row->message, sizeof row->message);
    if (row->state == 0 || row->outcome == 0)
        query_damage(query, "a delivery has an unknown state or outcome");
}

/* The one row of a bound query. */
static enum status find_row(struct query *query, struct store_delivery *out_row)
{
    enum status status = query_row(query);
    if (status != STATUS_OK)
        return status;
    struct store_delivery row;
    read_row(query, &row);
    status = query_end(query);
    if (status == STATUS_OK)
        *out_row = row;
    return status;
}

enum status store_insert_delivery(struct store *store, const struct store_delivery *row)
{
    assert(row->state == DELIVERY_PENDING);
    assert(row->replace_key_length <= sizeof row->replace_key);
    struct query query = query_start(store, STATEMENT_INSERT_DELIVERY);
    query_bind_int(&query, row->submission_id);
    query_bind_int(&query, row->queue_id);
    query_bind_text(&query, delivery_state_name(row->state));
    query_bind_text(&query, delivery_outcome_name(row->outcome));
    query_bind_int(&query, row->generation);
    query_bind_int(&query, row->attempt);
    query_bind_int(&query, row->due_at_ms);
    query_bind_int(&query, row->state_at_ms);
    query_bind_text(&query, row->lease_key);
    query_bind_int(&query, row->lease_expires_at_ms);
    query_bind_text(&query, row->channel);
    query_bind_text(&query, row->courier);
    query_bind_text(&query, row->instance);
    query_bind_bytes(&query, row->replace_key, row->replace_key_length);
    query_bind_text(&query, row->message);
    return query_run(&query, NULL);
}

enum status store_find_delivery(struct store *store, int64_t submission_id, struct store_delivery *out_row)
{
    struct query query = query_start(store, STATEMENT_FIND_DELIVERY);
    query_bind_int(&query, submission_id);
    return find_row(&query, out_row);
}

enum status store_next_due_delivery(struct store *store, const char *channel, int64_t due_ms, struct store_delivery *out_row)
{
    struct query query = query_start(store, STATEMENT_NEXT_DUE_DELIVERY);
    query_bind_text(&query, channel);
    query_bind_int(&query, due_ms);
    return find_row(&query, out_row);
}

enum status store_next_due_delivery_of_queue(struct store *store, int64_t queue_id, const char *channel, int64_t due_ms,
                                             struct store_delivery *out_row)
{
    struct query query = query_start(store, STATEMENT_NEXT_DUE_DELIVERY_OF_QUEUE);
    query_bind_text(&query, channel);
    query_bind_int(&query, due_ms);
    query_bind_int(&query, queue_id);
    return find_row(&query, out_row);
}

enum status store_next_delivery_due_ms(struct store *store, int64_t after_ms, int64_t *out_due_ms)
{
    struct query query = query_start(store, STATEMENT_NEXT_DELIVERY_DUE_MS);
    query_bind_int(&query, after_ms);
    enum status status = query_row(&query);
    if (status == STATUS_NOT_FOUND) {
        *out_due_ms = INT64_MAX;
        return STATUS_OK;
    }
    if (status != STATUS_OK)
        return status;
    *out_due_ms = query_int(&query);
    return query_end(&query);
}

enum status store_next_overdue_delivery(struct store *store, int64_t due_ms, struct store_delivery *out_row)
{
    struct query query = query_start(store, STATEMENT_NEXT_OVERDUE_DELIVERY);
    query_bind_int(&query, due_ms);
    return find_row(&query, out_row);
}

enum status store_find_abandoned_delivery(struct store *store, const char *courier, const char *instance,
                                          struct store_delivery *out_row)
{
    struct query query = query_start(store, STATEMENT_FIND_ABANDONED_DELIVERY);
    query_bind_text(&query, courier);
    query_bind_text(&query, instance);
    return find_row(&query, out_row);
}

enum status store_next_in_flight_delivery(struct store *store, const struct store_holder *holder, int64_t after_id,
                                          struct store_delivery *out_row)
{
    struct query query = query_start(store, STATEMENT_NEXT_IN_FLIGHT_DELIVERY);
    query_bind_text(&query, holder->courier);
    query_bind_text(&query, holder->instance);
    query_bind_text(&query, holder->channel);
    query_bind_int(&query, after_id);
    return find_row(&query, out_row);
}

enum status store_delete_delivery(struct store *store, int64_t submission_id)
{
    struct query query = query_start(store, STATEMENT_DELETE_DELIVERY);
    query_bind_int(&query, submission_id);
    return query_run(&query, NULL);
}

enum status store_count_deliveries(struct store *store, struct store_delivery_counts *out_counts)
{
    struct query query = query_start(store, STATEMENT_COUNT_DELIVERIES);
    enum status status = query_row(&query);
    if (status != STATUS_OK)
        return status;
    out_counts->pending = query_int(&query);
    out_counts->in_flight = query_int(&query);
    out_counts->undeliverable = query_int(&query);
    return query_end(&query);
}

enum status store_renew_delivery(struct store *store, const struct store_delivery *row)
{
    struct query query = query_start(store, STATEMENT_RENEW_DELIVERY);
    query_bind_int(&query, row->lease_expires_at_ms);
    query_bind_int(&query, row->submission_id);
    query_bind_text(&query, row->lease_key);
    return query_run_on_one(&query, STATUS_STALE);
}

enum status store_move_delivery(struct store *store, struct store_delivery *row, enum delivery_state to)
{
    assert(delivery_move_is_legal(row->state, to));
    assert(row->replace_key_length <= sizeof row->replace_key);
    struct query query = query_start(store, STATEMENT_MOVE_DELIVERY);
    query_bind_text(&query, delivery_state_name(to));
    query_bind_text(&query, delivery_outcome_name(row->outcome));
    query_bind_int(&query, row->generation);
    query_bind_int(&query, row->attempt);
    query_bind_int(&query, row->due_at_ms);
    query_bind_int(&query, row->state_at_ms);
    query_bind_text(&query, row->lease_key);
    query_bind_int(&query, row->lease_expires_at_ms);
    query_bind_text(&query, row->courier);
    query_bind_text(&query, row->instance);
    query_bind_bytes(&query, row->replace_key, row->replace_key_length);
    query_bind_text(&query, row->message);
    query_bind_int(&query, row->submission_id);
    query_bind_text(&query, delivery_state_name(row->state));
    enum status status = query_run_on_one(&query, STATUS_WRONG_STATE);
    if (status == STATUS_OK)
        row->state = to;
    return status;
}
