/* SPDX-License-Identifier: Apache-2.0 */
#include "service/regrading.h"

#include "service/grading.h"
#include "service/rules/order.h"

enum status regrading_begin(struct queues *queues, int64_t *out_id)
{
    return queues_stored(queues, store_begin_regrade(queues->store, queues->now_ms, out_id));
}

enum status regrading_find(struct queues *queues, int64_t id, struct store_regrade *out_regrade, struct error *error)
{
    enum status status = queues_stored(queues, store_find_regrade(queues->store, id, out_regrade));
    if (status == STATUS_NOT_FOUND) {
        return error_set(error, status, "BULK_NOT_FOUND", "there is no regrade '%lld', or it has been over for long",
                         (long long)id);
    }
    return status;
}

enum status regrading_find_older(struct queues *queues, const struct store_submission *row, struct store_submission *out_row)
{
    if (row->replace_key_length == 0) {
        return STATUS_NOT_FOUND;
    }
    enum status status = store_find_replaceable(queues->store, row->replace_key, row->replace_key_length, row->id, out_row);
    status = queues_stored(queues, status);
    bool gives_way = status == STATUS_OK && out_row->id < row->id && out_row->generation > 0;
    return status == STATUS_OK && !gives_way ? STATUS_NOT_FOUND : status;
}

static enum status regrading_call_off(struct queues *queues, struct store_submission *row)
{
    enum status status = regrading_end(queues, row->id, false);
    if (status == STATUS_OK) {
        row->message[0] = '\0';
        status = queues_move(queues, row, SUBMISSION_GRADED);
    }
    if (status == STATUS_OK) {
        grading_forget_lease_of(queues, row->id, LOST_SUPERSEDED);
    }
    return status;
}

enum status regrading_add(struct queues *queues, int64_t regrade_id, struct store_submission *row)
{
    struct store_submission older;
    enum status status = regrading_find_older(queues, row, &older);
    if (status == STATUS_OK) {
        status = regrading_call_off(queues, &older);
    }
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
        return status;
    }
    row->failures = 0;
    row->expires_at_ms = 0; /* it was graded in time */
    row->ready_at_ms = queues->now_ms;
    row->rank = order_rank(ORDER_PRIORITY_LOW);
    row->virtual_ms = queues->now_ms;
    row->lease_key[0] = '\0'; /* whoever graded it before must not hand that in as the new result */
    row->message[0] = '\0';
    status = queues_move(queues, row, SUBMISSION_READY);
    if (status == STATUS_OK) {
        status = queues_stored(queues, store_forget_lost_graders(queues->store, row->id));
    }
    if (status == STATUS_OK) {
        status = queues_stored(queues, store_insert_regraded(queues->store, regrade_id, row->id));
    }
    return status;
}

bool regrading_is_second(const struct store_submission *row, enum submission_state to)
{
    return row->generation > (to == SUBMISSION_GRADED ? 1 : 0);
}

enum status regrading_end(struct queues *queues, int64_t submission_id, bool is_graded)
{
    enum status status = queues_stored(queues, store_end_regraded(queues->store, submission_id, is_graded));
    return status == STATUS_NOT_FOUND ? STATUS_OK : status; /* its second result came by another way */
}
