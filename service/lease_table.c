/* SPDX-License-Identifier: Apache-2.0 */
#include "service/lease_table.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "service/queue.h"

void lease_table_init(struct lease_table *table)
{
    map_init(&table->by_submission);
    heap_init(&table->due);
    list_init(&table->ended);
}

void lease_table_finish(struct lease_table *table, struct graders *graders)
{
    struct live_lease *lease = NULL;
    while ((lease = lease_table_first(table)) != NULL) {
        lease_table_remove(table, lease);
    }
    lease_table_forget_ended(table, graders);
    map_finish(&table->by_submission);
    heap_finish(&table->due);
}

struct live_lease *lease_table_add(struct lease_table *table, const struct live_lease *lease)
{
    assert(lease_table_find(table, lease->submission_id) == NULL);
    struct live_lease *added = memory_copy(lease, sizeof *lease);
    added->progress = lease->progress ? memory_copy(lease->progress, sizeof *lease->progress) : NULL;
    map_put(&table->by_submission, &added->by_submission, &added->submission_id, sizeof added->submission_id);
    list_append(&added->grader->leases, &added->grader_node);
    added->grader->unaccepted_bytes += added->unaccepted_bytes;
    lease_table_reschedule(table, added);
    return added;
}

struct live_lease *lease_table_find(const struct lease_table *table, int64_t submission_id)
{
    struct map_node *node = map_find(&table->by_submission, &submission_id, sizeof submission_id);
    return node ? MAP_OWNER(node, struct live_lease, by_submission) : NULL;
}

struct live_lease *lease_table_find_held(struct lease_table *table, int64_t submission_id, const char *key)
{
    struct live_lease *lease = lease_table_find(table, submission_id);
    if (!lease || !text_equal_secret(lease->key, strlen(lease->key), key, strlen(key))) {
        return NULL;
    }
    return lease;
}

void lease_table_accept(struct live_lease *lease)
{
    lease->accepted = true;
    lease->counted = true;
    lease->grader->unaccepted_bytes -= lease->unaccepted_bytes;
    lease->unaccepted_bytes = 0;
}

void lease_table_note(struct live_lease *lease, const struct progress *progress)
{
    if (!lease->progress) {
        lease->progress = MEMORY_NEW(struct progress);
    }
    *lease->progress = *progress;
}

void lease_table_remove(struct lease_table *table, struct live_lease *lease)
{
    lease->grader->unaccepted_bytes -= lease->unaccepted_bytes;
    map_remove(&table->by_submission, &lease->by_submission);
    heap_remove(&table->due, &lease->due);
    list_remove(&lease->grader->leases, &lease->grader_node);
    lease->grader->ended_count++;
    list_append(&table->ended, &lease->grader_node);
}

const struct live_lease *lease_table_find_ended(const struct lease_table *table, int64_t submission_id, const char *key)
{
    for (struct list_node *node = list_first(&table->ended); node; node = list_next(&table->ended, node)) {
        const struct live_lease *lease = LIST_OWNER(node, struct live_lease, grader_node);
        if (lease->submission_id == submission_id && strcmp(lease->key, key) == 0) {
            return lease;
        }
    }
    return NULL;
}

void lease_table_forget_ended(struct lease_table *table, struct graders *graders)
{
    struct list_node *node = NULL;
    while ((node = list_take_first(&table->ended)) != NULL) {
        struct live_lease *lease = LIST_OWNER(node, struct live_lease, grader_node);
        lease->grader->ended_count--;
        graders_forget_idle(graders, lease->grader);
        memory_free(lease->progress);
        memory_free(lease);
    }
}

void lease_table_reschedule(struct lease_table *table, struct live_lease *lease)
{
    int64_t due_ms = lease->expires_at_ms;
    if (!lease->accepted && lease->accept_until_ms < due_ms) {
        due_ms = lease->accept_until_ms;
    } else if (lease->accepted && !lease->warned) {
        due_ms -= lease->queue->settings->lease_ms / LEASE_WARNING_DIVISOR;
    }
    heap_schedule(&table->due, &lease->due, due_ms);
}

struct live_lease *lease_table_next_due(struct lease_table *table, int64_t now_ms)
{
    struct heap_node *node = heap_first(&table->due);
    return node && node->due_ms <= now_ms ? HEAP_OWNER(node, struct live_lease, due) : NULL;
}

int64_t lease_table_next_due_ms(const struct lease_table *table)
{
    return heap_next_due_ms(&table->due);
}

void lease_table_grace(struct lease_table *table, struct live_lease *lease, int64_t now_ms)
{
    const struct config_queue *settings = lease->queue->settings;
    int64_t full_ms = clock_add_ms(now_ms, settings->lease_ms);
    int64_t last_ms = clock_add_ms(now_ms, settings->hard_limit_ms);
    /* Stored times are those of the clock before: when it was set back, they would keep the submission for as long. */
    lease->hard_limit_at_ms = lease->hard_limit_at_ms < last_ms ? lease->hard_limit_at_ms : last_ms;
    lease->hard_limit_at_ms = lease->hard_limit_at_ms < full_ms ? full_ms : lease->hard_limit_at_ms;
    lease->expires_at_ms = full_ms;
    lease->accept_until_ms = clock_add_ms(now_ms, settings->accept_within_ms);
    lease->warned = false;
    lease_table_reschedule(table, lease);
}

void lease_table_give_grace(struct lease_table *table, int64_t now_ms)
{
    for (struct live_lease *lease = lease_table_first(table); lease; lease = lease_table_after(table, lease)) {
        lease_table_grace(table, lease, now_ms);
    }
}

struct live_lease *lease_table_first(const struct lease_table *table)
{
    struct map_node *node = map_first(&table->by_submission);
    return node ? MAP_OWNER(node, struct live_lease, by_submission) : NULL;
}

struct live_lease *lease_table_after(const struct lease_table *table, const struct live_lease *lease)
{
    struct map_node *node = map_next(&table->by_submission, &lease->by_submission);
    return node ? MAP_OWNER(node, struct live_lease, by_submission) : NULL;
}

size_t lease_table_count(const struct lease_table *table)
{
    return map_count(&table->by_submission);
}
