/* SPDX-License-Identifier: Apache-2.0 */
#include "service/grading.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/delivering.h"
#include "service/grader_standing.h"
#include "service/rules/retry.h"
#include "service/submitting.h"
#include "service/watching.h"

/* ---- granting ---- */

/* What a grant needs beside the queue. */
struct grant_holder {
    struct grader *grader;
    struct work_session *session; /* NULL: unary, accepted from the start */
    const struct labels *labels;  /* that the grader has */
};

static enum status grading_store_grant(struct queues *queues, struct queue *queue, struct store_submission *row,
                                       const struct grader *grader)
{
    const struct config_queue *settings = queue->settings;
    row->attempt++;
    secret_key(row->lease_key);
    text_copy(row->grader, sizeof row->grader, grader->name);
    row->leased_at_ms = queues->now_ms;
    row->lease_hard_limit_at_ms = clock_add_ms(queues->now_ms, settings->hard_limit_ms);
    row->lease_expires_at_ms = lease_expiry_ms(queues->now_ms, settings->lease_ms, row->lease_hard_limit_at_ms);
    return queues_move(queues, row, SUBMISSION_LEASED);
}

static void grading_remember_lease(struct queues *queues, struct queue *queue, const struct store_submission *row,
                                   const struct grant_holder *holder, size_t bytes)
{
    struct live_lease lease = {
        .submission_id = row->id,
        .queue = queue,
        .grader = holder->grader,
        .streamed = holder->session != NULL,
        .accepted = holder->session == NULL,
        .counted = holder->session == NULL,
        .unaccepted_bytes = holder->session ? (int64_t)bytes : 0,
        .accept_until_ms = clock_add_ms(queues->now_ms, queue->settings->accept_within_ms),
        .expires_at_ms = row->lease_expires_at_ms,
        .stored_expires_at_ms = row->lease_expires_at_ms,
        .hard_limit_at_ms = row->lease_hard_limit_at_ms,
    };
    memcpy(lease.key, row->lease_key, sizeof lease.key);
    if (holder->session) {
        text_copy(lease.instance, sizeof lease.instance, holder->session->instance);
    }
    lease_table_add(&queues->leases, &lease);
}

/*
 * The next one that a grader with these labels can take. One whose time is over is dead from that moment on, also when the tick
 * has not come by yet. STATUS_NOT_FOUND: none is ready.
 */
static enum status grading_next(struct queues *queues, const struct queue *queue, const struct labels *labels,
                                struct store_submission *out_row)
{
    for (int left = QUEUE_TICK_BATCH_MAX; left > 0; left--) {
        enum status status = label_sets_next_ready(queues, queue, labels, out_row);
        if (status != STATUS_OK || !submitting_is_over(queues, out_row)) {
            return status;
        }
        status = submitting_give_up(queues, out_row);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_NOT_FOUND; /* the next batch goes on, at once */
}

/* STATUS_NOT_FOUND: nothing is ready. */
static enum status grading_grant(struct queues *queues, struct queue *queue, const struct grant_holder *holder,
                                 struct grant *out_grant)
{
    struct store_submission row;
    enum status status = grading_next(queues, queue, holder->labels, &row);
    if (status != STATUS_OK) {
        return status;
    }
    status = grading_store_grant(queues, queue, &row, holder->grader);
    struct grant grant = {
        .submission_id = row.id,
        .queue = queue->settings->name,
        .attempt = row.attempt,
        .submitted_at_ms = row.submitted_at_ms,
        .lease_ms = queue->settings->lease_ms,
        .accept_within_ms = queue->settings->accept_within_ms,
        .hard_limit_ms = queue->settings->hard_limit_ms,
    };
    memcpy(grant.lease_key, row.lease_key, sizeof grant.lease_key);
    if (status == STATUS_OK) {
        status = queues_stored(queues, store_read_content(queues->store, row.id, &grant.content));
    }
    if (status != STATUS_OK) {
        return status;
    }
    grading_remember_lease(queues, queue, &row, holder, store_content_size(&grant.content));
    *out_grant = grant;
    return STATUS_OK;
}

enum status grading_grant_to_session(struct queues *queues, struct queue *queue, struct work_session *session)
{
    struct grant *grant = MEMORY_NEW(struct grant);
    struct grant_holder holder = {.grader = session->grader, .session = session, .labels = &session->labels};
    enum status status = grading_grant(queues, queue, &holder, grant);
    if (status != STATUS_OK) {
        memory_free(grant);
        return status;
    }
    session->credit--;
    session->credit_bytes -= (int64_t)grant->content.body_length;
    work_session_update_waiting(queues, session);
    queues_notify(queues, session, GRADER_NOTICE_GRANT)->grant = grant;
    return STATUS_OK;
}

static bool grading_may_lease(const struct queues *queues, const struct queue *queue, const struct grader *grader)
{
    return queue->ready_count > 0 && !queue->paused && grader_has_room(grader) && !queues->stopping;
}

enum status grading_lease(struct queues *queues, struct queue *queue, const struct lease_order *order, struct grant *out_grants,
                          size_t *out_count)
{
    struct grader *grader = graders_find_or_create(&queues->graders, order->grader);
    if (!grader->session) {
        int64_t leases_max = queues->graders.leases_max;
        grader->leases_max = order->slots > 0 && order->slots < leases_max ? order->slots : leases_max;
    }
    struct grant_holder holder = {.grader = grader, .labels = &order->labels};
    recent_pollers_note(&queue->pollers, &order->labels, queues->now_ms);
    size_t count = 0;
    size_t bytes = 0;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && count < order->max && bytes < GRADING_LEASE_BYTES_MAX &&
           grading_may_lease(queues, queue, grader)) {
        status = grading_grant(queues, queue, &holder, &out_grants[count]);
        if (status == STATUS_OK) {
            bytes += store_content_size(&out_grants[count].content);
            count++;
        }
    }
    if (grader->session) {
        work_session_update_waiting(queues, grader->session); /* it has less room now */
    }
    graders_forget_idle(&queues->graders, grader);
    *out_count = count;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* ---- what all answers have in common ---- */

static enum status grading_find(struct queues *queues, struct lease_name lease, struct store_submission *out_row,
                                struct lease_facts *out_facts, struct error *error)
{
    enum status status = queues_stored(queues, store_find_submission(queues->store, lease.submission_id, out_row));
    if (status == STATUS_NOT_FOUND) {
        return error_set(error, status, "SUBMISSION_NOT_FOUND", "there is no submission %lld", (long long)lease.submission_id);
    }
    if (status != STATUS_OK) {
        return status;
    }
    *out_facts = (struct lease_facts){
        .state = out_row->state,
        .key_matches = out_row->lease_key[0] != '\0' &&
                       text_equal_secret(out_row->lease_key, strlen(out_row->lease_key), lease.key, strlen(lease.key)),
    };
    return STATUS_OK;
}

static enum status grading_refuse(const struct lease_facts *facts, struct error *error)
{
    bool unwanted = facts->key_matches && (facts->state == SUBMISSION_SUPERSEDED || facts->state == SUBMISSION_CANCELED);
    if (unwanted) {
        return error_set(error, STATUS_STALE, "LEASE_SUPERSEDED", "the submission was superseded or canceled");
    }
    return error_set(error, STATUS_STALE, "LEASE_STALE", "the lease is not the newest live one of the submission");
}

/* For what only the holder of a live lease may do. */
static enum status grading_find_held(struct queues *queues, struct lease_name lease, struct store_submission *out_row,
                                     struct error *error)
{
    struct lease_facts facts = {0};
    enum status status = grading_find(queues, lease, out_row, &facts, error);
    if (status == STATUS_OK && !lease_is_held(&facts)) {
        return grading_refuse(&facts, error);
    }
    return status;
}

/* The lease is over; its holder hears of it when reason is not 0. */
static void grading_forget_lease(struct queues *queues, struct live_lease *lease, enum lost_reason reason)
{
    struct grader *grader = lease->grader;
    struct work_session *session = grader->session;
    if (session && lease->streamed && reason != 0) {
        struct grader_notice *notice = queues_notify(queues, session, GRADER_NOTICE_LOST);
        notice->submission_id = lease->submission_id;
        memcpy(notice->lease_key, lease->key, sizeof notice->lease_key);
        notice->reason = reason;
    }
    lease_table_remove(&queues->leases, lease);
    if (session) {
        work_session_lease_gone(queues, session);
    }
    graders_forget_idle(&queues->graders, grader);
}

void grading_forget_lease_of(struct queues *queues, int64_t submission_id, enum lost_reason reason)
{
    struct live_lease *lease = lease_table_find(&queues->leases, submission_id);
    if (lease) {
        grading_forget_lease(queues, lease, reason);
    }
}

/* ---- holding ---- */

/* What was on its way has come: there may be room for more on the stream. */
static void grading_mark_accepted(struct queues *queues, struct live_lease *lease)
{
    bool was_on_its_way = lease->unaccepted_bytes > 0;
    lease_table_accept(lease);
    if (was_on_its_way && lease->grader->session) {
        work_session_update_waiting(queues, lease->grader->session);
    }
}

/* The lease is none of the live ones: why not. */
static enum status grading_refuse_unheld(struct queues *queues, struct lease_name name, struct error *error)
{
    struct store_submission row;
    struct lease_facts facts = {0};
    enum status status = grading_find(queues, name, &row, &facts, error);
    return status == STATUS_OK ? grading_refuse(&facts, error) : status;
}

enum status grading_accept(struct queues *queues, struct lease_name name, struct error *error)
{
    struct live_lease *lease = lease_table_find_held(&queues->leases, name.submission_id, name.key);
    if (!lease) {
        return grading_refuse_unheld(queues, name, error);
    }
    if (!lease->accepted) {
        grading_mark_accepted(queues, lease);
        lease_table_reschedule(&queues->leases, lease);
    }
    return STATUS_OK;
}

enum status grading_extend(struct queues *queues, struct lease_name name, int64_t *out_expires_in_ms, struct error *error)
{
    struct live_lease *lease = lease_table_find_held(&queues->leases, name.submission_id, name.key);
    if (!lease) {
        return grading_refuse_unheld(queues, name, error);
    }
    if (queues->now_ms >= lease->hard_limit_at_ms) {
        return error_set(error, STATUS_STALE, "LEASE_STALE", "the lease is at its hard limit");
    }
    int64_t lease_ms = lease->queue->settings->lease_ms;
    int64_t expires_at_ms = lease_expiry_ms(queues->now_ms, lease_ms, lease->hard_limit_at_ms);
    grading_mark_accepted(queues, lease);
    /* A lease that runs longer than before earns a new warning; at the hard limit the one that was given will do. */
    lease->warned = lease->warned && expires_at_ms == lease->expires_at_ms;
    lease->expires_at_ms = expires_at_ms;
    if (lease->stored_expires_at_ms < lease->expires_at_ms) {
        lease->stored_expires_at_ms = clock_add_ms(lease->expires_at_ms, lease_ms / LEASE_STORED_SLACK_DIVISOR);
        enum status status = store_renew_lease(queues->store, lease->submission_id, lease->key, lease->stored_expires_at_ms);
        status = queues_stored(queues, status);
        if (status != STATUS_OK) {
            return error_set(error, status, NULL, "the lease could not be renewed");
        }
    }
    lease_table_reschedule(&queues->leases, lease);
    *out_expires_in_ms = lease->expires_at_ms - queues->now_ms;
    return STATUS_OK;
}

enum status grading_report(struct queues *queues, struct lease_name name, const struct progress *progress, struct error *error)
{
    struct live_lease *lease = lease_table_find_held(&queues->leases, name.submission_id, name.key);
    if (!lease) {
        return grading_refuse_unheld(queues, name, error);
    }
    lease_table_note(lease, progress);
    watching_note_progress(queues, lease->submission_id);
    return STATUS_OK;
}

const struct progress *grading_progress(const struct queues *queues, int64_t submission_id)
{
    const struct live_lease *lease = lease_table_find(&queues->leases, submission_id);
    return lease ? lease->progress : NULL;
}

enum status grading_release(struct queues *queues, struct lease_name lease, int64_t delay_ms, struct error *error)
{
    struct store_submission row;
    if (delay_ms < 0) {
        return error_set(error, STATUS_INVALID, "RELEASE_INVALID", "delay_ms is not negative");
    }
    enum status status = grading_find_held(queues, lease, &row, error);
    if (status != STATUS_OK) {
        return status;
    }
    delay_ms = delay_ms < GRADING_RELEASE_MS_MAX ? delay_ms : GRADING_RELEASE_MS_MAX;
    row.lease_key[0] = '\0'; /* who gave it back cannot hand in a result any more */
    row.ready_at_ms = clock_add_ms(queues->now_ms, delay_ms);
    status = queues_move(queues, &row, delay_ms > 0 ? SUBMISSION_DELAYED : SUBMISSION_READY);
    if (status == STATUS_OK) {
        grading_forget_lease_of(queues, row.id, 0);
    }
    return status;
}

/* ---- ending well ---- */

static enum status grading_store_result(struct queues *queues, struct store_submission *row, struct store_bytes body,
                                        const uint8_t digest[SECRET_DIGEST_BYTES])
{
    if (row->state != SUBMISSION_GRADED) {
        queues_count_event(queues, row->queue_id, QUEUE_GRADED);
        queues_note_grading(queues, row->queue_id, queues->now_ms - row->leased_at_ms);
    }
    row->generation++;
    struct store_result result = {
        .body = (void *)(uintptr_t)body.data, /* borrowed, and only read */
        .body_length = body.length,
        .attempt = row->attempt,
        .generation = row->generation,
        .completed_at_ms = queues->now_ms,
    };
    memcpy(result.digest, digest, sizeof result.digest);
    text_copy(result.grader, sizeof result.grader, row->grader);
    enum status status = queues_stored(queues, store_save_result(queues->store, row->id, &result));
    if (status == STATUS_OK) {
        row->message[0] = '\0';
        status = queues_move(queues, row, SUBMISSION_GRADED);
    }
    if (status == STATUS_OK) {
        status = delivering_start(queues, row, DELIVERY_OUTCOME_RESULT);
    }
    struct grader *grader = graders_find(&queues->graders, row->grader);
    if (status == STATUS_OK && grader) {
        grader_succeeded(queues, grader);
    }
    if (status == STATUS_OK) {
        grading_forget_lease_of(queues, row->id, 0);
    }
    return status;
}

static enum status grading_same_result(struct queues *queues, int64_t id, const uint8_t digest[SECRET_DIGEST_BYTES],
                                       bool *out_same)
{
    struct store_result stored;
    enum status status = queues_stored(queues, store_read_result(queues->store, id, false, &stored));
    if (status == STATUS_OK) {
        *out_same = memcmp(stored.digest, digest, SECRET_DIGEST_BYTES) == 0;
    }
    return status;
}

enum status grading_complete(struct queues *queues, struct lease_name lease, struct store_bytes body, bool amend,
                             struct grading_completion *out, struct error *error)
{
    if (body.length > GRADING_RESULT_BYTES_MAX) {
        return error_set(error, STATUS_INVALID, "RESULT_TOO_LARGE", "a result has at most %d bytes", GRADING_RESULT_BYTES_MAX);
    }
    struct store_submission row;
    struct lease_facts facts = {0};
    enum status status = grading_find(queues, lease, &row, &facts, error);
    if (status != STATUS_OK) {
        return status;
    }
    uint8_t digest[SECRET_DIGEST_BYTES];
    secret_digest(body.data, body.length, digest);
    facts.may_amend = amend;
    if (facts.state == SUBMISSION_GRADED && facts.key_matches) {
        status = grading_same_result(queues, row.id, digest, &facts.same_result);
        if (status != STATUS_OK) {
            return status;
        }
    }
    switch (lease_judge_result(&facts)) {
    case LEASE_ACCEPT:
    case LEASE_AMEND:
        status = grading_store_result(queues, &row, body, digest);
        *out = (struct grading_completion){.generation = row.generation};
        return status;
    case LEASE_ALREADY:
        *out = (struct grading_completion){.already = true, .generation = row.generation};
        return STATUS_OK;
    case LEASE_RESULT_EXISTS:
        return error_set(error, STATUS_STALE, "RESULT_EXISTS", "another result of this lease is stored already");
    default:
        return grading_refuse(&facts, error);
    }
}

/* ---- ending badly ---- */

enum status grading_end(struct queues *queues, struct store_submission *row, enum submission_state to, enum lost_reason reason)
{
    enum status status = queues_move(queues, row, to);
    bool has_result = row->generation > 0; /* graded once more, in vain: that is what the student keeps */
    if (status == STATUS_OK && to == SUBMISSION_DEAD) {
        log_event(LOG_WARN, "submission_dead", LOG_INT("submission", row->id), LOG_INT("failures", row->failures),
                  LOG_TEXT("text", row->message));
    }
    if (status == STATUS_OK && to == SUBMISSION_DEAD && !has_result) {
        status = delivering_start(queues, row, DELIVERY_OUTCOME_DEAD);
    } else if (status == STATUS_OK && to == SUBMISSION_UNGRADABLE && !has_result) {
        status = delivering_start(queues, row, DELIVERY_OUTCOME_UNGRADABLE);
    }
    if (status == STATUS_OK) {
        grading_forget_lease_of(queues, row->id, reason);
    }
    return status;
}

static enum status grading_fail_transient(struct queues *queues, const struct config_queue *settings,
                                          struct store_submission *row, struct grading_failure *failure)
{
    row->failures++;
    if (row->failures >= settings->attempts_max) {
        failure->out_state = SUBMISSION_DEAD;
        return grading_end(queues, row, SUBMISSION_DEAD, 0);
    }
    int64_t delay_ms =
        retry_delay_ms(row->failures, settings->retry_delay_ms, settings->retry_delay_ms_max, queues_random(queues));
    int64_t asked_ms = failure->retry_after_ms < GRADING_RETRY_MS_MAX ? failure->retry_after_ms : GRADING_RETRY_MS_MAX;
    delay_ms = delay_ms > asked_ms ? delay_ms : asked_ms;
    row->ready_at_ms = clock_add_ms(queues->now_ms, delay_ms);
    failure->out_state = SUBMISSION_DELAYED;
    failure->out_ready_after_ms = delay_ms;
    enum status status = queues_move(queues, row, SUBMISSION_DELAYED);
    if (status == STATUS_OK) {
        grading_forget_lease_of(queues, row->id, 0);
    }
    return status;
}

enum status grading_fail(struct queues *queues, struct lease_name lease, struct grading_failure *failure, struct error *error)
{
    struct store_submission row;
    enum status status = grading_find_held(queues, lease, &row, error);
    if (status != STATUS_OK) {
        return status;
    }
    queues_count_event(queues, row.queue_id, QUEUE_FAILED);
    row.lease_key[0] = '\0'; /* who gave up cannot hand in a result any more */
    text_copy(row.message, sizeof row.message, failure->message);
    if (failure->ungradable) {
        failure->out_state = SUBMISSION_UNGRADABLE;
        return grading_end(queues, &row, SUBMISSION_UNGRADABLE, 0);
    }
    const struct queue *queue = queues_find_by_id(queues, row.queue_id);
    if (!queue) {
        return error_set(error, STATUS_NOT_FOUND, "QUEUE_NOT_FOUND", "the submission's queue is not configured any more");
    }
    const struct live_lease *held = lease_table_find(&queues->leases, row.id);
    if (held) {
        grader_failed(queues, held->grader, &row, false);
    }
    return grading_fail_transient(queues, queue->settings, &row, failure);
}

enum lost_reason grading_lost_reason(struct queues *queues, struct lease_name lease)
{
    struct store_submission row;
    struct lease_facts facts = {0};
    struct error error;
    if (grading_find(queues, lease, &row, &facts, &error) != STATUS_OK || !facts.key_matches) {
        return LOST_STALE;
    }
    switch (row.state) {
    case SUBMISSION_SUPERSEDED:
        return LOST_SUPERSEDED;
    case SUBMISSION_CANCELED:
        return LOST_CANCELED;
    case SUBMISSION_READY:
    case SUBMISSION_DELAYED:
    case SUBMISSION_DEAD:
        return LOST_EXPIRED;
    default:
        return LOST_STALE;
    }
}

/* ---- time ---- */

/* The holder went down with the lease, as far as we know. */
static enum status grading_count_loss(struct queues *queues, const struct live_lease *lease, struct store_submission *row,
                                      bool *out_is_over)
{
    const struct config_queue *settings = lease->queue->settings;
    struct retry_facts facts = {.failures = ++row->failures,
                                .attempts_max = settings->attempts_max,
                                .poison_graders_max = settings->poison_graders_max};
    enum status status = store_note_lost_grader(queues->store, row->id, lease->grader->name, &facts.lost_graders);
    status = queues_stored(queues, status);
    if (status != STATUS_OK) {
        return status;
    }
    grader_failed(queues, lease->grader, row, true);
    enum retry_verdict verdict = retry_judge(&facts);
    text_copy(row->message, sizeof row->message,
              verdict == RETRY_POISON ? "several graders were lost while they graded it"
                                      : "the grader did not renew its lease in time");
    *out_is_over = verdict != RETRY_AGAIN;
    return STATUS_OK;
}

enum status grading_expire(struct queues *queues, struct live_lease *lease, enum lost_reason reason)
{
    struct store_submission row;
    enum status status = queues_stored(queues, store_find_submission(queues->store, lease->submission_id, &row));
    if (status != STATUS_OK) {
        return status;
    }
    log_event(LOG_INFO, "lease_expired", LOG_INT("submission", row.id), LOG_TEXT("queue", lease->queue->settings->name),
              LOG_TEXT("grader", row.grader), LOG_INT("attempt", row.attempt), LOG_INT("counted", lease->counted));
    queues_count_event(queues, row.queue_id, QUEUE_EXPIRED);
    bool is_over = false;
    if (lease->counted) {
        status = grading_count_loss(queues, lease, &row, &is_over);
    }
    if (status != STATUS_OK || is_over) {
        return status == STATUS_OK ? grading_end(queues, &row, SUBMISSION_DEAD, reason) : status;
    }
    status = queues_move(queues, &row, SUBMISSION_READY);
    if (status == STATUS_OK) {
        grading_forget_lease(queues, lease, reason);
    }
    return status;
}

static void grading_warn(struct queues *queues, struct live_lease *lease)
{
    lease->warned = true;
    lease_table_reschedule(&queues->leases, lease);
    if (lease->streamed && lease->grader->session) {
        struct grader_notice *notice = queues_notify(queues, lease->grader->session, GRADER_NOTICE_SOON);
        notice->submission_id = lease->submission_id;
        memcpy(notice->lease_key, lease->key, sizeof notice->lease_key);
        notice->duration_ms = lease->expires_at_ms - queues->now_ms;
    }
}

static enum status grading_do_due(struct queues *queues, struct live_lease *lease)
{
    if (lease->expires_at_ms <= queues->now_ms) {
        bool at_limit = lease->expires_at_ms >= lease->hard_limit_at_ms;
        return grading_expire(queues, lease, at_limit ? LOST_HARD_LIMIT : LOST_EXPIRED);
    }
    if (!lease->accepted) {
        return grading_expire(queues, lease, LOST_NOT_ACCEPTED);
    }
    grading_warn(queues, lease);
    return STATUS_OK;
}

void grading_tick(struct queues *queues)
{
    struct live_lease *lease = NULL;
    for (int left = QUEUE_TICK_BATCH_MAX; left > 0 && queues->failure == STATUS_OK; left--) {
        lease = lease_table_next_due(&queues->leases, queues->now_ms);
        if (!lease || grading_do_due(queues, lease) != STATUS_OK) {
            return;
        }
    }
}
