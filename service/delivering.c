/* SPDX-License-Identifier: Apache-2.0 */
#include "service/delivering.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/rules/retry.h"
#include "service/watching.h"

static enum status delivering_move(struct queues *queues, struct store_delivery *row, enum delivery_state to)
{
    row->state_at_ms = queues->now_ms;
    queues->deliveries_moved = true;
    watching_wake(queues, row->submission_id);
    return queues_stored(queues, store_move_delivery(queues->store, row, to));
}

/* ---- starting ---- */

static enum status delivering_insert(struct queues *queues, const struct store_submission *submission,
                                     enum delivery_outcome outcome)
{
    struct store_content content;
    enum status status = queues_stored(queues, store_read_content(queues->store, submission->id, &content));
    if (status != STATUS_OK) {
        return status;
    }
    struct store_delivery row = {
        .submission_id = submission->id,
        .queue_id = submission->queue_id,
        .state = DELIVERY_PENDING,
        .outcome = outcome,
        .generation = submission->generation,
        .due_at_ms = queues->now_ms,
        .state_at_ms = queues->now_ms,
        .replace_key_length = submission->replace_key_length,
    };
    text_copy(row.channel, sizeof row.channel, content.results_channel);
    memcpy(row.replace_key, submission->replace_key, submission->replace_key_length);
    store_content_finish(&content);
    queues->deliveries_moved = true;
    return queues_stored(queues, store_insert_delivery(queues->store, &row));
}

enum status delivering_start(struct queues *queues, const struct store_submission *submission, enum delivery_outcome outcome)
{
    if (!submission->has_destination) {
        return STATUS_OK;
    }
    struct store_delivery row;
    enum status status = queues_stored(queues, store_find_delivery(queues->store, submission->id, &row));
    if (status == STATUS_NOT_FOUND) {
        return delivering_insert(queues, submission, outcome);
    }
    if (status != STATUS_OK) {
        return status;
    }
    row.outcome = outcome;
    row.generation = submission->generation;
    row.attempt = 0;
    row.due_at_ms = queues->now_ms;
    row.lease_key[0] = '\0'; /* whoever is bringing the earlier outcome cannot acknowledge this one */
    row.message[0] = '\0';
    return delivering_move(queues, &row, DELIVERY_PENDING);
}

/* ---- leasing ---- */

void delivery_lease_finish(struct delivery_lease *lease)
{
    store_content_finish(&lease->content);
    memory_free(lease->result.body);
    lease->result.body = NULL;
}

static enum status delivering_take_back_abandoned(struct queues *queues, const struct delivery_order *order)
{
    for (int left = QUEUE_TICK_BATCH_MAX; left > 0; left--) {
        struct store_delivery row;
        enum status status = store_find_abandoned_delivery(queues->store, order->courier, order->instance, &row);
        status = queues_stored(queues, status);
        if (status == STATUS_OK) {
            row.due_at_ms = queues->now_ms;
            status = delivering_move(queues, &row, DELIVERY_PENDING);
        }
        if (status != STATUS_OK) {
            return status == STATUS_NOT_FOUND ? STATUS_OK : status;
        }
    }
    return STATUS_OK;
}

static enum status delivering_read_lease(struct queues *queues, struct delivery_lease *lease)
{
    int64_t id = lease->row.submission_id;
    struct queue *queue = queues_find_by_id(queues, lease->row.queue_id);
    lease->queue = queue ? queue->settings->name : "";
    enum status status = queues_stored(queues, store_read_content(queues->store, id, &lease->content));
    if (status == STATUS_OK && lease->row.outcome == DELIVERY_OUTCOME_RESULT) {
        return queues_stored(queues, store_read_result(queues->store, id, true, &lease->result));
    }
    if (status == STATUS_OK) {
        struct store_submission submission;
        status = queues_stored(queues, store_find_submission(queues->store, id, &submission));
        if (status == STATUS_OK) {
            text_copy(lease->message, sizeof lease->message, submission.message);
        }
    }
    return status;
}

static size_t delivery_lease_size(const struct delivery_lease *lease)
{
    return strlen(lease->content.callback_url) + lease->content.header_length + lease->result.body_length;
}

/* Of the queues that the courier delivers for, the one that is due first. STATUS_NOT_FOUND: nothing is. */
static enum status delivering_next_of_queues(struct queues *queues, const struct delivery_order *order,
                                             struct store_delivery *out_row)
{
    bool found = false;
    for (size_t i = 0; i < order->rights->count; i++) {
        struct store_delivery row;
        int64_t queue_id = 0;
        if (!(order->rights->queues[i].roles & CONFIG_ROLE_DELIVER)) {
            continue;
        }
        enum status status = queues_stored(queues, store_find_queue(queues->store, order->rights->queues[i].queue, &queue_id));
        if (status == STATUS_OK) {
            status = store_next_due_delivery_of_queue(queues->store, queue_id, order->channel, queues->now_ms, &row);
            status = queues_stored(queues, status);
        }
        if (status == STATUS_OK && (!found || row.due_at_ms < out_row->due_at_ms)) {
            *out_row = row;
            found = true;
        } else if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
            return status;
        }
    }
    return found ? STATUS_OK : STATUS_NOT_FOUND;
}

static enum status delivering_next(struct queues *queues, const struct delivery_order *order, struct store_delivery *out_row)
{
    if (order->rights && !(order->rights->everywhere & CONFIG_ROLE_DELIVER)) {
        return delivering_next_of_queues(queues, order, out_row);
    }
    return queues_stored(queues, store_next_due_delivery(queues->store, order->channel, queues->now_ms, out_row));
}

/* STATUS_NOT_FOUND: nothing is due, or what is due does not fit into bytes_left any more. */
static enum status delivering_lease_one(struct queues *queues, const struct delivery_order *order, size_t bytes_left,
                                        struct delivery_lease *out_lease)
{
    struct delivery_lease *lease = MEMORY_NEW(struct delivery_lease);
    struct store_delivery *row = &lease->row;
    enum status status = delivering_next(queues, order, row);
    if (status == STATUS_OK) {
        status = delivering_read_lease(queues, lease);
    }
    if (status == STATUS_OK && delivery_lease_size(lease) > bytes_left) {
        status = STATUS_NOT_FOUND;
    }
    if (status == STATUS_OK) {
        row->attempt++;
        secret_key(row->lease_key);
        row->lease_expires_at_ms = clock_add_ms(queues->now_ms, queues->config->delivery.lease_ms);
        text_copy(row->courier, sizeof row->courier, order->courier);
        text_copy(row->instance, sizeof row->instance, order->instance);
        status = delivering_move(queues, row, DELIVERY_IN_FLIGHT);
    }
    if (status == STATUS_OK) {
        *out_lease = *lease;
    } else {
        delivery_lease_finish(lease);
    }
    memory_free(lease);
    return status;
}

enum status delivering_lease(struct queues *queues, const struct delivery_order *order, struct delivery_lease *out_leases,
                             size_t *out_count)
{
    size_t count = 0;
    enum status status = delivering_take_back_abandoned(queues, order);
    size_t bytes_left = SIZE_MAX; /* the first one is taken whatever its size */
    while (status == STATUS_OK && count < order->max && !queues->stopping) {
        status = delivering_lease_one(queues, order, bytes_left, &out_leases[count]);
        if (status == STATUS_OK) {
            size_t size = delivery_lease_size(&out_leases[count]);
            bytes_left = count == 0 ? order->bytes_max : bytes_left;
            bytes_left = size < bytes_left ? bytes_left - size : 0;
            count++;
        }
    }
    *out_count = count;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status delivering_take_back(struct queues *queues, struct store_delivery *row)
{
    row->attempt -= row->attempt > 0;
    row->due_at_ms = queues->now_ms;
    return delivering_move(queues, row, DELIVERY_PENDING);
}

enum status delivering_renew(struct queues *queues, struct store_delivery *row)
{
    row->lease_expires_at_ms = clock_add_ms(queues->now_ms, queues->config->delivery.lease_ms);
    return queues_stored(queues, store_renew_delivery(queues->store, row));
}

/* ---- answering ---- */

static enum status delivering_find(struct queues *queues, int64_t submission_id, const char *key,
                                   struct store_delivery *out_row, struct error *error)
{
    enum status status = queues_stored(queues, store_find_delivery(queues->store, submission_id, out_row));
    if (status == STATUS_NOT_FOUND) {
        return error_set(error, status, "SUBMISSION_NOT_FOUND", "there is no delivery of a submission %lld",
                         (long long)submission_id);
    }
    if (status != STATUS_OK) {
        return status;
    }
    size_t length = strlen(out_row->lease_key);
    if (length == 0 || !text_equal_secret(out_row->lease_key, length, key, strlen(key))) {
        return error_set(error, STATUS_STALE, "DELIVERY_STALE", "the delivery was leased again or has a newer result");
    }
    return STATUS_OK;
}

enum status delivering_acknowledge(struct queues *queues, int64_t submission_id, const char *key, bool *out_already,
                                   struct error *error)
{
    struct store_delivery row;
    enum status status = delivering_find(queues, submission_id, key, &row, error);
    if (status != STATUS_OK) {
        return status;
    }
    *out_already = row.state == DELIVERY_DELIVERED;
    if (*out_already) {
        return STATUS_OK;
    }
    if (!delivery_move_is_legal(row.state, DELIVERY_DELIVERED)) {
        return error_set(error, STATUS_STALE, "DELIVERY_STALE", "the delivery has been given up");
    }
    row.message[0] = '\0';
    return delivering_move(queues, &row, DELIVERY_DELIVERED);
}

/* When the failed delivery is due again; row->attempt counts this try unless the courier could not make it. */
static int64_t delivering_retry_delay_ms(struct queues *queues, struct store_delivery *row,
                                         const struct delivery_failure *failure)
{
    const struct config_delivery *settings = &queues->config->delivery;
    int64_t asked_ms = failure->retry_after_ms < DELIVERING_RETRY_MS_MAX ? failure->retry_after_ms : DELIVERING_RETRY_MS_MAX;
    if (failure->uncounted) {
        row->attempt -= row->attempt > 0;
        return asked_ms;
    }
    int64_t delay_ms =
        retry_delay_ms(row->attempt, settings->retry_delay_ms, settings->retry_delay_ms_max, queues_random(queues));
    return delay_ms > asked_ms ? delay_ms : asked_ms;
}

enum status delivering_fail(struct queues *queues, int64_t submission_id, const char *key, struct delivery_failure *failure,
                            struct error *error)
{
    struct store_delivery row;
    enum status status = delivering_find(queues, submission_id, key, &row, error);
    if (status == STATUS_OK && row.state != DELIVERY_IN_FLIGHT) {
        status = error_set(error, STATUS_STALE, "DELIVERY_STALE", "the delivery is not in flight any more");
    }
    if (status != STATUS_OK) {
        return status;
    }
    text_copy(row.message, sizeof row.message, failure->message);
    bool tries_used_up = !failure->uncounted && row.attempt >= queues->config->delivery.attempts_max;
    if (failure->permanent || tries_used_up) {
        failure->out_undeliverable = true;
        log_event(LOG_WARN, "undeliverable", LOG_INT("submission", submission_id), LOG_INT("attempt", row.attempt),
                  LOG_TEXT("text", row.message));
        return delivering_move(queues, &row, DELIVERY_UNDELIVERABLE);
    }
    failure->out_retry_after_ms = delivering_retry_delay_ms(queues, &row, failure);
    row.due_at_ms = clock_add_ms(queues->now_ms, failure->out_retry_after_ms);
    return delivering_move(queues, &row, DELIVERY_PENDING);
}

/* ---- what administrators do ---- */

enum status delivering_withdraw(struct queues *queues, int64_t submission_id)
{
    struct store_delivery row;
    enum status status = queues_stored(queues, store_find_delivery(queues->store, submission_id, &row));
    if (status == STATUS_OK && (row.state == DELIVERY_PENDING || row.state == DELIVERY_UNDELIVERABLE)) {
        queues->deliveries_moved = true;
        watching_wake(queues, submission_id);
        return queues_stored(queues, store_delete_delivery(queues->store, submission_id));
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status delivering_requeue(struct queues *queues, int64_t submission_id)
{
    struct store_delivery row;
    enum status status = queues_stored(queues, store_find_delivery(queues->store, submission_id, &row));
    if (status == STATUS_OK) {
        row.attempt = 0;
        row.due_at_ms = queues->now_ms;
        row.message[0] = '\0';
        status = delivering_move(queues, &row, DELIVERY_PENDING);
    }
    return status;
}

/* ---- time ---- */

static void delivering_take_back_overdue(struct queues *queues)
{
    struct store_delivery row;
    for (int left = QUEUE_TICK_BATCH_MAX; left > 0 && queues->failure == STATUS_OK; left--) {
        if (queues_stored(queues, store_next_overdue_delivery(queues->store, queues->now_ms, &row)) != STATUS_OK) {
            return;
        }
        log_event(LOG_INFO, "delivery_lease_expired", LOG_INT("submission", row.submission_id),
                  LOG_TEXT("courier", row.courier));
        text_copy(row.message, sizeof row.message, "the courier was not heard of again");
        row.due_at_ms = queues->now_ms;
        /* A delivery that takes its couriers down with it is given up like any other. */
        bool tries_used_up = row.attempt >= queues->config->delivery.attempts_max;
        if (delivering_move(queues, &row, tries_used_up ? DELIVERY_UNDELIVERABLE : DELIVERY_PENDING) != STATUS_OK) {
            return;
        }
    }
}

/* Has anything become due since this was asked last? What was due before has been offered to all who wait. */
static bool delivering_has_news(struct queues *queues)
{
    bool moved = queues->deliveries_moved;
    int64_t seen_ms = moved ? INT64_MIN : queues->deliveries_seen_ms;
    int64_t due_ms = CLOCK_NEVER;
    queues->deliveries_moved = false;
    queues->deliveries_seen_ms = queues->now_ms;
    return queues_stored(queues, store_next_delivery_due_ms(queues->store, seen_ms, &due_ms)) == STATUS_OK &&
           due_ms <= queues->now_ms;
}

/* Wakes every parked courier when something is due: whichever channel it is for, the others park again. */
void delivering_tick(struct queues *queues)
{
    delivering_take_back_overdue(queues);
    if (list_is_empty(&queues->delivery_polls) || !delivering_has_news(queues)) {
        return;
    }
    struct list_node *node = NULL;
    while ((node = list_first(&queues->delivery_polls)) != NULL) {
        queues_unpark(queues, LIST_OWNER(node, struct engine_command, node));
    }
}

int64_t delivering_next_due_ms(struct queues *queues)
{
    struct store_delivery row;
    int64_t due_ms = CLOCK_NEVER;
    if (queues_stored(queues, store_next_overdue_delivery(queues->store, INT64_MAX, &row)) == STATUS_OK) {
        due_ms = row.lease_expires_at_ms;
    }
    int64_t pending_ms = CLOCK_NEVER;
    /* What is due already was offered in the tick: those who wait did not want it. */
    if (!list_is_empty(&queues->delivery_polls) &&
        queues_stored(queues, store_next_delivery_due_ms(queues->store, queues->now_ms, &pending_ms)) == STATUS_OK &&
        pending_ms < due_ms) {
        due_ms = pending_ms;
    }
    return due_ms;
}
