/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept of queues beside their names: the settings of those that administrators made, who is paused and who drains.
 */
#include "service/store/store_internal.h"

static void bind_settings(struct query *query, const struct store_queue_settings *settings)
{
    query_bind_int(query, settings->lease_ms);
    query_bind_int(query, settings->hard_limit_ms);
    query_bind_int(query, settings->accept_within_ms);
    query_bind_int(query, settings->attempts_max);
    query_bind_int(query, settings->poison_graders_max);
    query_bind_int(query, settings->retry_delay_ms);
    query_bind_int(query, settings->retry_delay_ms_max);
    query_bind_int(query, settings->ready_max);
    query_bind_int(query, settings->body_bytes_max);
    query_bind_int(query, settings->submits_per_minute_max);
}

static void read_queue(struct query *query, struct store_queue *queue)
{
    queue->id = query_int(query);
    query_text(query, queue->name, sizeof queue->name);
    queue->paused = query_int(query) != 0;
    queue->draining = query_int(query) != 0;
    queue->has_settings = query_int(query) != 0;
    queue->settings.lease_ms = query_int(query);
    queue->settings.hard_limit_ms = query_int(query);
    queue->settings.accept_within_ms = query_int(query);
    queue->settings.attempts_max = query_int(query);
    queue->settings.poison_graders_max = query_int(query);
    queue->settings.retry_delay_ms = query_int(query);
    queue->settings.retry_delay_ms_max = query_int(query);
    queue->settings.ready_max = query_int(query);
    queue->settings.body_bytes_max = query_int(query);
    queue->settings.submits_per_minute_max = query_int(query);
}

enum status store_insert_queue_settings(struct store *store, int64_t queue_id, const struct store_queue_settings *settings)
{
    struct query query = query_start(store, STATEMENT_INSERT_QUEUE_SETTINGS);
    bind_settings(&query, settings);
    query_bind_int(&query, queue_id);
    return query_run(&query, NULL);
}

enum status store_update_queue_settings(struct store *store, int64_t queue_id, const struct store_queue_settings *settings)
{
    struct query query = query_start(store, STATEMENT_UPDATE_QUEUE_SETTINGS);
    bind_settings(&query, settings);
    query_bind_int(&query, queue_id);
    return query_run_on_one(&query, STATUS_NOT_FOUND);
}

enum status store_delete_queue_settings(struct store *store, int64_t queue_id)
{
    struct query query = query_start(store, STATEMENT_DELETE_QUEUE_SETTINGS);
    query_bind_int(&query, queue_id);
    return query_run_on_one(&query, STATUS_NOT_FOUND);
}

enum status store_set_queue_gates(struct store *store, int64_t queue_id, bool paused, bool draining)
{
    struct query query = query_start(store, STATEMENT_SET_QUEUE_GATES);
    query_bind_int(&query, paused);
    query_bind_int(&query, draining);
    query_bind_int(&query, queue_id);
    return query_run_on_one(&query, STATUS_NOT_FOUND);
}

enum status store_visit_queue_settings(struct store *store, void (*visit)(void *context, const struct store_queue *queue),
                                       void *context)
{
    struct query query = query_start(store, STATEMENT_VISIT_QUEUE_SETTINGS);
    enum status status = query_row(&query);
    for (; status == STATUS_OK; status = query_row(&query)) {
        struct store_queue queue;
        read_queue(&query, &queue);
        if (!query.damage)
            visit(context, &queue);
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}
