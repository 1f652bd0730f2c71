/* SPDX-License-Identifier: Apache-2.0 */
#include "service/lease_recovery.h"

#include <string.h>

#include "service/work_session.h"

/* A start: nobody has been heard of yet, so its expiry would not count; and what was promised in memory may be more than what
 * was stored, so it gets grace. */
static void recovery_start(struct queues *queues, struct live_lease *lease)
{
    lease->accepted = true;
    lease_table_grace(&queues->leases, lease_table_add(&queues->leases, lease), queues->now_ms);
}

/* It ended in the batch that was rolled back: it goes on as it was. */
static void recovery_resume(struct queues *queues, struct live_lease *lease, const struct live_lease *ended)
{
    const struct work_session *session = lease->grader->session;
    if (lease->grader == ended->grader) { /* else that one took it over in the same batch */
        memcpy(lease->instance, ended->instance, sizeof lease->instance);
        lease->streamed = ended->streamed && session && strcmp(session->instance, ended->instance) == 0;
    }
    lease->accepted = ended->accepted;
    lease->counted = ended->counted;
    lease->warned = ended->warned;
    lease->unaccepted_bytes = ended->unaccepted_bytes;
    lease->accept_until_ms = ended->accept_until_ms;
    lease->expires_at_ms = ended->expires_at_ms;
    lease->hard_limit_at_ms = ended->hard_limit_at_ms;
    lease->progress = ended->progress; /* copied */
    lease_table_add(&queues->leases, lease);
}

/* A lease found in the store that memory does not know. */
static void recovery_restore(void *context, const struct store_submission *row)
{
    struct queues *queues = context;
    struct queue *queue = queues_find_by_id(queues, row->queue_id);
    if (!queue || lease_table_find_held(&queues->leases, row->id, row->lease_key)) {
        return; /* without its queue it waits, untouched, until the queue is configured again */
    }
    struct live_lease *other = lease_table_find(&queues->leases, row->id);
    if (other) {
        lease_table_remove(&queues->leases, other);
    }
    struct live_lease lease = {
        .submission_id = row->id,
        .queue = queue,
        .grader = graders_find_or_create(&queues->graders, row->grader),
        .expires_at_ms = row->lease_expires_at_ms,
        .stored_expires_at_ms = row->lease_expires_at_ms,
        .hard_limit_at_ms = row->lease_hard_limit_at_ms,
    };
    memcpy(lease.key, row->lease_key, sizeof lease.key);
    const struct live_lease *ended = lease_table_find_ended(&queues->leases, row->id, row->lease_key);
    if (ended) {
        recovery_resume(queues, &lease, ended);
    } else {
        recovery_start(queues, &lease);
    }
}

/* Who took it over did so in a batch that is not stored: it is grader's, whichever start of it that was. */
static void recovery_hand_back(struct queues *queues, struct live_lease *lease, const char *grader)
{
    struct grader *taker = lease->grader;
    if (strcmp(taker->name, grader) == 0) {
        return;
    }
    list_remove(&taker->leases, &lease->grader_node);
    lease->grader = graders_find_or_create(&queues->graders, grader);
    list_append(&lease->grader->leases, &lease->grader_node);
    lease->instance[0] = '\0';
    lease->streamed = false;
    graders_forget_idle(&queues->graders, taker);
}

/* Leases that memory made up in the batch that was rolled back, and what it believes to be stored of the others. */
static enum status recovery_drop_unstored(struct queues *queues)
{
    struct live_lease *next = NULL;
    for (struct live_lease *lease = lease_table_first(&queues->leases); lease; lease = next) {
        next = lease_table_after(&queues->leases, lease);
        struct store_submission row;
        enum status status = store_find_submission(queues->store, lease->submission_id, &row);
        if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
            return status;
        }
        if (status == STATUS_NOT_FOUND || row.state != SUBMISSION_LEASED || strcmp(row.lease_key, lease->key) != 0) {
            struct grader *grader = lease->grader;
            lease_table_remove(&queues->leases, lease);
            graders_forget_idle(&queues->graders, grader);
        } else {
            lease->stored_expires_at_ms = row.lease_expires_at_ms;
            recovery_hand_back(queues, lease, row.grader);
        }
    }
    return STATUS_OK;
}

enum status lease_recovery_load(struct queues *queues)
{
    return store_visit_leased(queues->store, recovery_restore, queues);
}

enum status lease_recovery_reload(struct queues *queues)
{
    enum status status = recovery_drop_unstored(queues);
    return status == STATUS_OK ? lease_recovery_load(queues) : status;
}
