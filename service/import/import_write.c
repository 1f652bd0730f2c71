/* SPDX-License-Identifier: Apache-2.0 */
#include "service/import/import_write.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/rules/order.h"

enum { US_PER_MS = 1000 };

static int64_t earlier(int64_t a_ms, int64_t b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

static void copy_grader(const struct legacy_submission *submission, char out[STORE_NAME_MAX])
{
    char *name = memory_allocate(submission->grader.length + 1);
    memcpy(name, submission->grader.bytes, submission->grader.length);
    bool is_name = strlen(name) == submission->grader.length && text_is_name(name, submission->grader.length);
    (void)text_copy(out, STORE_NAME_MAX, is_name ? name : "");
    memory_free(name);
}

/*
 * The newest lease, whatever has become of it: who has its key may answer until somebody else is granted the submission.
 */
static void set_lease(struct store_submission *row, const struct legacy_submission *submission,
                      const struct import_judgement *judgement, int64_t now_ms)
{
    if (judgement->lease_key[0] == '\0')
        return;
    int64_t pulled_at_ms = earlier(submission->pulled_at_ms, now_ms);
    row->attempt = 1;
    row->leased_at_ms = pulled_at_ms;
    row->lease_expires_at_ms = clock_add_ms(pulled_at_ms, judgement->queue->lease_ms);
    row->lease_hard_limit_at_ms = clock_add_ms(pulled_at_ms, judgement->queue->hard_limit_ms);
    memcpy(row->lease_key, judgement->lease_key, sizeof row->lease_key);
    copy_grader(submission, row->grader);
}

static struct store_submission make_row(const struct legacy_submission *submission, const struct import_judgement *judgement,
                                        const struct import_entry *entry, int64_t now_ms)
{
    struct store_submission row = {
        .id = submission->id,
        .state = SUBMISSION_READY,
        .rank = order_rank(ORDER_PRIORITY_NORMAL),
        .virtual_ms = earlier(entry->virtual_ms, now_ms),
        .submitted_at_ms = earlier(submission->arrived_at_us / US_PER_MS, now_ms),
        .state_at_ms = now_ms,
        .has_destination = judgement->has_replace_key,
        .superseded_by_id = entry->superseded_by_id,
    };
    if (judgement->has_replace_key) {
        memcpy(row.replace_key, judgement->replace_key, sizeof judgement->replace_key);
        row.replace_key_length = sizeof judgement->replace_key;
    }
    if (judgement->why_dead[0] != '\0')
        snprintf(row.message, sizeof row.message, "its callback URL cannot be used: %s", judgement->why_dead);
    set_lease(&row, submission, judgement, now_ms);
    return row;
}

static enum status insert(struct store *store, const struct legacy_submission *submission,
                          const struct import_judgement *judgement, const struct import_entry *entry,
                          struct store_submission *row)
{
    static char nothing[] = "";
    const struct store_content content = {
        .header = (void *)(uintptr_t)submission->header.bytes, // borrowed, and only read
        .header_length = submission->header.length,
        .body = (void *)(uintptr_t)submission->body.bytes,
        .body_length = submission->body.length,
        .callback_url = judgement->callback_url,
        .results_channel = nothing,
        .trace_parent = nothing,
        .trace_state = nothing,
        .files = judgement->files,
        .file_count = judgement->file_count,
    };
    // The original does not keep who submitted: no user's, so only administrators see it.
    const struct store_request request = {.submitter = "", .request_id = "", .fairness_key = "", .cost = 1};
    enum status status = store_queue_id(store, judgement->queue->name, &row->queue_id);
    return status == STATUS_OK ? store_import_submission(store, row, &content, &request, entry->digest) : status;
}

static bool is_newer(const struct store_submission *row, const struct store_submission *than)
{
    if (row->submitted_at_ms != than->submitted_at_ms)
        return row->submitted_at_ms > than->submitted_at_ms;
    return row->id > than->id;
}

/* Older ones that are still to be graded give way. There may be a newer one when by is graded already. */
static enum status supersede_stored(struct store *store, const struct store_submission *by, int64_t now_ms)
{
    for (;;) {
        struct store_submission row;
        enum status status = store_find_replaceable(store, by->replace_key, by->replace_key_length, by->id, &row);
        if (status != STATUS_OK)
            return status == STATUS_NOT_FOUND ? STATUS_OK : status;
        if (is_newer(&row, by))
            return STATUS_OK;
        row.superseded_by_id = by->id;
        row.state_at_ms = now_ms;
        status = store_move_submission(store, &row, SUBMISSION_SUPERSEDED);
        if (status != STATUS_OK)
            return status;
    }
}

static enum status write_delivery(struct store *store, const struct legacy_submission *submission,
                                  const struct store_submission *row, int64_t now_ms)
{
    struct store_delivery delivery = {
        .submission_id = row->id,
        .queue_id = row->queue_id,
        .state = DELIVERY_PENDING,
        .outcome = DELIVERY_OUTCOME_RESULT,
        .generation = row->generation,
        .attempt = submission->failures,
        .due_at_ms = now_ms,
        .state_at_ms = now_ms,
        .replace_key_length = row->replace_key_length,
    };
    memcpy(delivery.replace_key, row->replace_key, row->replace_key_length);
    return store_insert_delivery(store, &delivery);
}

static enum status write_result(struct store *store, const struct legacy_submission *submission, struct store_submission *row,
                                int64_t now_ms)
{
    row->generation = 1;
    struct store_result result = {
        .body = (void *)(uintptr_t)submission->result.bytes, // borrowed, and only read
        .body_length = submission->result.length,
        .attempt = row->attempt,
        .generation = row->generation,
        .completed_at_ms = submission->returned_at_ms,
    };
    secret_digest(submission->result.bytes, submission->result.length, result.digest);
    (void)text_copy(result.grader, sizeof result.grader, row->grader);
    enum status status = store_save_result(store, row->id, &result);
    if (status == STATUS_OK)
        status = store_move_submission(store, row, SUBMISSION_GRADED);
    return status == STATUS_OK ? write_delivery(store, submission, row, now_ms) : status;
}

enum status import_write(struct store *store, const struct legacy_submission *submission,
                         const struct import_judgement *judgement, const struct import_entry *entry, int64_t now_ms)
{
    assert(import_fate_is_taken(entry->fate));
    struct store_submission row = make_row(submission, judgement, entry, now_ms);
    enum status status = insert(store, submission, judgement, entry, &row);
    if (status != STATUS_OK)
        return status;
    switch (entry->fate) {
    case IMPORT_GRADED:
        status = write_result(store, submission, &row, now_ms);
        break;
    case IMPORT_SUPERSEDED:
        return store_move_submission(store, &row, SUBMISSION_SUPERSEDED);
    case IMPORT_DEAD:
        return store_move_submission(store, &row, SUBMISSION_DEAD);
    case IMPORT_LEASED:
        status = store_move_submission(store, &row, SUBMISSION_LEASED);
        break;
    default:
        break;
    }
    return status == STATUS_OK ? supersede_stored(store, &row, now_ms) : status;
}
