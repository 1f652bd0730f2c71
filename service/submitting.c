/* SPDX-License-Identifier: Apache-2.0 */
#include "service/submitting.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/grading.h"
#include "service/rules/order.h"

/* ---- handing in ---- */

/* STATUS_NOT_FOUND: the request id is new. */
static enum status submitting_find_earlier(struct queues *queues, const struct submit_order *order, const struct queue *queue,
                                           struct submit_receipt *receipt, struct error *error)
{
    if (order->request.request_id[0] == '\0') {
        return STATUS_NOT_FOUND;
    }
    uint8_t digest[SECRET_DIGEST_BYTES];
    int64_t id = 0;
    enum status status = store_find_request(queues->store, order->request.submitter, order->request.request_id, &id, digest);
    status = queues_stored(queues, status);
    if (status != STATUS_OK) {
        return status;
    }
    if (memcmp(digest, order->request.digest, sizeof digest) != 0) {
        return error_set(error, STATUS_EXISTS, "REQUEST_ID_REUSED", "the request id was used for another submission");
    }
    *receipt = (struct submit_receipt){.submission_id = id, .ready_count = queue->ready_count, .already = true};
    return STATUS_OK;
}

/* Will the submission take the place of one that waits in the same queue? */
static bool submitting_takes_a_place(struct queues *queues, const struct submit_order *order, const struct queue *queue)
{
    struct store_submission row;
    return order->replace_key_length > 0 &&
           queues_stored(queues, store_find_replaceable(queues->store, order->replace_key, order->replace_key_length, 0,
                                                        &row)) == STATUS_OK &&
           row.queue_id == queue->id && row.state != SUBMISSION_LEASED;
}

static enum status submitting_refuse_full(const char *reason, int64_t retry_after_ms, const char *text, struct error *error)
{
    enum status status = error_set(error, STATUS_FULL, reason, "%s", text);
    error->retry_after_ms = retry_after_ms;
    return status;
}

static int64_t submitting_label_set_id(const struct queues *queues, const struct submit_order *order)
{
    uint8_t salt[16];
    store_identity(queues->store, salt);
    return labels_set_id(&order->content.labels, salt);
}

/* What there is no room for now. */
static enum status submitting_check_room(struct queues *queues, const struct submit_order *order, const struct queue *queue,
                                         struct error *error)
{
    const struct config_queue *settings = queue->settings;
    char text[ERROR_TEXT_MAX];
    bool is_full = queue->ready_count + queue->delayed_count >= settings->ready_max;
    if (is_full && !submitting_takes_a_place(queues, order, queue)) {
        snprintf(text, sizeof text, "%lld submissions wait in queue '%s': it is full", (long long)settings->ready_max,
                 settings->name);
        return submitting_refuse_full("QUEUE_FULL", SUBMITTING_QUEUE_FULL_RETRY_MS, text, error);
    }
    int64_t label_set_id = submitting_label_set_id(queues, order);
    if (label_set_id != 0 && !label_sets_find(&queue->label_sets, label_set_id) &&
        label_sets_count(&queue->label_sets) >= LABEL_SETS_PER_QUEUE_MAX) {
        snprintf(text, sizeof text, "what is in queue '%s' asks for %d different sets of labels already", settings->name,
                 LABEL_SETS_PER_QUEUE_MAX);
        return submitting_refuse_full("LABEL_SETS_FULL", LABEL_SETS_FULL_RETRY_MS, text, error);
    }
    int64_t per_minute = settings->submits_per_minute_max;
    int64_t wait_ms =
        per_minute > 0 ? submit_rates_wait_ms(&queue->submit_rates, order->request.submitter, per_minute, queues->now_ms) : 0;
    if (wait_ms > 0) {
        snprintf(text, sizeof text, "a submitter may hand in %lld times a minute to queue '%s'", (long long)per_minute,
                 settings->name);
        return submitting_refuse_full("RATE_LIMITED", wait_ms, text, error);
    }
    return STATUS_OK;
}

static enum status submitting_check(struct queues *queues, const struct submit_order *order, const struct queue *queue,
                                    struct error *error)
{
    const struct config_queue *settings = queue->settings;
    if (queues->stopping) {
        return error_set(error, STATUS_UNAVAILABLE, "DRAINING", "the service is stopping");
    }
    if (queue->draining) {
        return error_set(error, STATUS_WRONG_STATE, "QUEUE_DRAINING", "the queue '%s' takes no submissions for now",
                         settings->name);
    }
    if ((int64_t)order->content.body_length > settings->body_bytes_max) {
        return error_set(error, STATUS_INVALID, "BODY_TOO_LARGE", "a body in queue '%s' has at most %lld bytes", settings->name,
                         (long long)settings->body_bytes_max);
    }
    return submitting_check_room(queues, order, queue, error);
}

/* Where it stands in the fair order: its own time, and what its key has handed in before. */
static enum status submitting_take_turn(struct queues *queues, const struct submit_order *order, struct queue *queue,
                                        int64_t *out_virtual_ms)
{
    const struct store_request *request = &order->request;
    recent_note(&queue->costs, request->cost);
    if (request->fairness_key[0] == '\0') {
        *out_virtual_ms = queues->now_ms;
        return STATUS_OK;
    }
    int64_t free_at_ms = 0;
    enum status status = store_find_fairness(queues->store, queue->id, request->fairness_key, &free_at_ms);
    status = queues_stored(queues, status);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
        return status;
    }
    int64_t cost_ms = order_cost_ms(request->cost, recent_median(&queue->costs), recent_median(&queue->grading_ms));
    struct order_turn turn = order_take_turn(queues->now_ms, free_at_ms, cost_ms);
    *out_virtual_ms = turn.virtual_ms;
    status = store_save_fairness(queues->store, queue->id, request->fairness_key, turn.free_at_ms, queues->now_ms);
    return queues_stored(queues, status);
}

static struct store_submission submitting_row(const struct queues *queues, const struct submit_order *order,
                                              const struct queue *queue)
{
    struct store_submission row = {
        .queue_id = queue->id,
        .state = order->not_before_ms > 0 ? SUBMISSION_DELAYED : SUBMISSION_READY,
        .rank = order_rank(order->priority),
        .submitted_at_ms = queues->now_ms,
        .state_at_ms = queues->now_ms,
        .ready_at_ms = clock_add_ms(queues->now_ms, order->not_before_ms),
        .expires_at_ms = order->expire_after_ms > 0 ? clock_add_ms(queues->now_ms, order->expire_after_ms) : 0,
        .has_destination = order->content.callback_url[0] != '\0' || order->content.results_channel[0] != '\0',
        .replace_key_length = order->replace_key_length,
        .label_set_id = submitting_label_set_id(queues, order),
    };
    if (order->replace_key_length > 0) {
        memcpy(row.replace_key, order->replace_key, order->replace_key_length);
    }
    return row;
}

static enum status submitting_insert(struct queues *queues, const struct submit_order *order, struct queue *queue,
                                     int64_t *out_id)
{
    struct store_submission row = submitting_row(queues, order, queue);
    enum status status = submitting_take_turn(queues, order, queue, &row.virtual_ms);
    if (status != STATUS_OK) {
        return status;
    }
    /* What waits for its time first has not waited for its turn meanwhile. */
    row.virtual_ms = row.virtual_ms > row.ready_at_ms ? row.virtual_ms : row.ready_at_ms;
    status = queues_stored(queues, store_insert_submission(queues->store, &row, &order->content, &order->request));
    if (status == STATUS_OK) {
        queues_count_move(queues, &row, 0, row.state);
        queues_count_event(queues, row.queue_id, QUEUE_SUBMITTED);
        if (queue->settings->submits_per_minute_max > 0) {
            submit_rates_take(&queue->submit_rates, order->request.submitter, queue->settings->submits_per_minute_max,
                              queues->now_ms);
        }
        *out_id = row.id;
    }
    return status;
}

/* After the new one is in: a submission never gives way to one that was not stored. */
static enum status submitting_supersede(struct queues *queues, const struct submit_order *order, struct submit_receipt *receipt)
{
    if (order->replace_key_length == 0) {
        return STATUS_OK;
    }
    for (;;) {
        struct store_submission row;
        enum status status =
            store_find_replaceable(queues->store, order->replace_key, order->replace_key_length, receipt->submission_id, &row);
        status = queues_stored(queues, status);
        if (status != STATUS_OK) {
            return status == STATUS_NOT_FOUND ? STATUS_OK : status;
        }
        row.superseded_by_id = receipt->submission_id;
        status = grading_end(queues, &row, SUBMISSION_SUPERSEDED, LOST_SUPERSEDED);
        if (status != STATUS_OK) {
            return status;
        }
        size_t size = (receipt->superseded_count + 1) * sizeof *receipt->superseded_ids;
        receipt->superseded_ids = memory_resize(receipt->superseded_ids, size);
        receipt->superseded_ids[receipt->superseded_count++] = row.id;
    }
}

enum status submitting_submit(struct queues *queues, const struct submit_order *order, struct submit_receipt *out_receipt,
                              struct error *error)
{
    struct queue *queue = NULL;
    enum status status = queues_find_named(queues, order->queue, &queue, error);
    if (status != STATUS_OK) {
        return status;
    }
    status = submitting_find_earlier(queues, order, queue, out_receipt, error);
    if (status != STATUS_NOT_FOUND) {
        return status;
    }
    status = submitting_check(queues, order, queue, error);
    if (status != STATUS_OK) {
        return status;
    }
    struct submit_receipt receipt = {0};
    status = submitting_insert(queues, order, queue, &receipt.submission_id);
    if (status == STATUS_OK) {
        status = submitting_supersede(queues, order, &receipt);
    }
    if (status != STATUS_OK) {
        memory_free(receipt.superseded_ids);
        return error_set(error, status, NULL, "the submission could not be stored");
    }
    receipt.ready_count = queue->ready_count;
    *out_receipt = receipt;
    return STATUS_OK;
}

/* ---- looking ---- */

void submission_view_finish(struct submission_view *view)
{
    store_content_finish(&view->content);
    memory_free(view->result.body);
    view->result.body = NULL;
}

/* STATUS_NOT_FOUND: there is none, or it is another's. */
static enum status submitting_check_owner(struct queues *queues, int64_t id, const char *user)
{
    char submitter[STORE_USER_MAX];
    enum status status = queues_stored(queues, store_find_submitter(queues->store, id, submitter));
    if (status == STATUS_OK && strcmp(submitter, user) != 0) {
        return STATUS_NOT_FOUND;
    }
    return status;
}

static enum status submitting_not_found(int64_t id, struct error *error)
{
    return error_set(error, STATUS_NOT_FOUND, "SUBMISSION_NOT_FOUND", "there is no submission %lld", (long long)id);
}

enum status submitting_may_see(struct queues *queues, const struct view_request *request, struct error *error)
{
    struct store_submission row;
    enum status status = request->may_see_all ? queues_stored(queues, store_find_submission(queues->store, request->id, &row))
                                              : submitting_check_owner(queues, request->id, request->user);
    return status == STATUS_NOT_FOUND ? submitting_not_found(request->id, error) : status;
}

/* Optional parts: STATUS_NOT_FOUND only means that there is none. */
static enum status submitting_found(enum status status, bool *out_has)
{
    *out_has = status == STATUS_OK;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status submitting_read_view(struct queues *queues, const struct view_request *request, struct submission_view *view)
{
    enum status status = queues_stored(queues, store_find_submission(queues->store, request->id, &view->row));
    if (status == STATUS_OK) {
        status = queues_stored(queues, store_find_delivery(queues->store, request->id, &view->delivery));
        status = submitting_found(status, &view->has_delivery);
    }
    if (status == STATUS_OK && request->with_content) {
        status = queues_stored(queues, store_read_content(queues->store, request->id, &view->content));
        status = submitting_found(status, &view->has_content);
    }
    if (status == STATUS_OK && request->with_result) {
        status = queues_stored(queues, store_read_result(queues->store, request->id, true, &view->result));
        status = submitting_found(status, &view->has_result);
    }
    return status;
}

enum status submitting_view(struct queues *queues, const struct view_request *request, struct submission_view *out_view,
                            struct error *error)
{
    struct submission_view *view = MEMORY_NEW(struct submission_view);
    enum status status = request->may_see_all ? STATUS_OK : submitting_check_owner(queues, request->id, request->user);
    if (status == STATUS_OK) {
        status = submitting_read_view(queues, request, view);
    }
    if (status == STATUS_OK) {
        struct queue *queue = queues_find_by_id(queues, view->row.queue_id);
        view->queue = queue ? queue->settings->name : "";
        *out_view = *view;
    } else {
        submission_view_finish(view);
    }
    memory_free(view);
    return status == STATUS_NOT_FOUND ? submitting_not_found(request->id, error) : status;
}

/* ---- taking back ---- */

enum status submitting_cancel(struct queues *queues, const struct cancel_order *order, struct error *error)
{
    struct store_submission row;
    enum status status = order->may_cancel_all ? STATUS_OK : submitting_check_owner(queues, order->id, order->user);
    if (status == STATUS_OK) {
        status = queues_stored(queues, store_find_submission(queues->store, order->id, &row));
    }
    if (status != STATUS_OK) {
        return status == STATUS_NOT_FOUND ? submitting_not_found(order->id, error) : status;
    }
    if (row.state == SUBMISSION_CANCELED) {
        return STATUS_OK;
    }
    if (!submission_is_live(row.state)) {
        return error_set(error, STATUS_WRONG_STATE, "WRONG_STATE", "submission %lld is %s: there is nothing to take back",
                         (long long)order->id, submission_state_name(row.state));
    }
    text_copy(row.message, sizeof row.message, order->reason[0] != '\0' ? order->reason : "taken back by its submitter");
    return grading_end(queues, &row, SUBMISSION_CANCELED, LOST_CANCELED);
}

/* ---- time ---- */

static void submitting_ready_due(struct queues *queues)
{
    struct store_submission row;
    for (int left = QUEUE_TICK_BATCH_MAX; left > 0 && queues->failure == STATUS_OK; left--) {
        if (queues_stored(queues, store_next_delayed(queues->store, queues->now_ms, &row)) != STATUS_OK ||
            queues_move(queues, &row, SUBMISSION_READY) != STATUS_OK) {
            return;
        }
    }
}

bool submitting_is_over(const struct queues *queues, const struct store_submission *row)
{
    return row->expires_at_ms > 0 && row->expires_at_ms <= queues->now_ms && submission_is_live(row->state);
}

enum status submitting_give_up(struct queues *queues, struct store_submission *row)
{
    text_copy(row->message, sizeof row->message, "not graded within the time that its submitter gave it");
    return grading_end(queues, row, SUBMISSION_DEAD, LOST_EXPIRED);
}

static void submitting_expire_due(struct queues *queues)
{
    struct store_submission row;
    for (int left = QUEUE_TICK_BATCH_MAX; left > 0 && queues->failure == STATUS_OK; left--) {
        if (queues_stored(queues, store_next_expiring(queues->store, queues->now_ms, &row)) != STATUS_OK) {
            return;
        }
        if (submitting_give_up(queues, &row) != STATUS_OK) {
            return;
        }
    }
}

void submitting_tick(struct queues *queues)
{
    submitting_ready_due(queues);
    submitting_expire_due(queues);
}

int64_t submitting_next_due_ms(struct queues *queues)
{
    struct store_submission row;
    int64_t due_ms = CLOCK_NEVER;
    if (queues_stored(queues, store_next_delayed(queues->store, INT64_MAX, &row)) == STATUS_OK) {
        due_ms = row.ready_at_ms;
    }
    if (queues_stored(queues, store_next_expiring(queues->store, INT64_MAX, &row)) == STATUS_OK && row.expires_at_ms < due_ms) {
        due_ms = row.expires_at_ms;
    }
    return due_ms;
}
