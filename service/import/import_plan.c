/* SPDX-License-Identifier: Apache-2.0 */
#include "service/import/import_plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { US_PER_MS = 1000, ID_TEXT_MAX = 24, CAPACITY_FIRST = 256 };

bool import_fate_is_taken(enum import_fate fate)
{
    return fate == IMPORT_WAITING || fate == IMPORT_LEASED || fate == IMPORT_GRADED || fate == IMPORT_SUPERSEDED ||
           fate == IMPORT_DEAD;
}

static bool is_live(enum import_fate fate)
{
    return fate == IMPORT_WAITING || fate == IMPORT_LEASED;
}

/* ---- counting ---- */

static void count(struct import_report *report, const struct config_queue *queue, enum import_fate fate)
{
    report->totals[fate]++;
    for (size_t at = 0; queue && at < report->queue_count; at++) {
        if (strcmp(report->queues[at].name, queue->name) == 0)
            report->queues[at].counts[fate]++;
    }
}

static void note_unknown_queue(struct import_report *report, struct span queue)
{
    char name[STORE_NAME_MAX];
    snprintf(name, sizeof name, "%.*s", (int)(queue.length < sizeof name ? queue.length : sizeof name - 1), queue.bytes);
    import_names_add(&report->unknown_queues, name);
}

static void count_entry(struct import_report *report, const struct import_entry *entry)
{
    char id[ID_TEXT_MAX];
    count(report, entry->queue, entry->fate);
    if (entry->fate == IMPORT_TOO_LARGE) {
        snprintf(id, sizeof id, "%" PRId64, entry->id);
        import_names_add(&report->too_large, id);
    }
    if (!import_fate_is_taken(entry->fate))
        return;
    report->external_files += entry->files_are_external;
    report->unreadable_files += entry->files_are_unreadable;
    report->unusable_keys += entry->key_is_unusable;
}

/* ---- adding ---- */

enum status import_plan_add(struct import_plan *plan, const struct legacy_submission *submission,
                            const struct import_judgement *judgement, struct import_report *report, struct error *error)
{
    if (judgement->fate == IMPORT_RETIRED || judgement->fate == IMPORT_UNKNOWN_QUEUE) {
        count(report, judgement->queue, judgement->fate);
        if (judgement->fate == IMPORT_UNKNOWN_QUEUE)
            note_unknown_queue(report, submission->queue);
        return STATUS_OK;
    }
    if (plan->count == IMPORT_SUBMISSIONS_MAX) {
        return error_set(error, STATUS_FULL, "TOO_MANY", "the source has more than %d submissions that are not over",
                         IMPORT_SUBMISSIONS_MAX);
    }
    if (plan->count == plan->capacity) {
        plan->capacity = plan->capacity ? plan->capacity * 2 : CAPACITY_FIRST;
        plan->entries = memory_resize(plan->entries, plan->capacity * sizeof *plan->entries);
    }
    struct import_entry *entry = &plan->entries[plan->count++];
    *entry = (struct import_entry){
        .id = submission->id,
        .arrived_at_us = submission->arrived_at_us,
        .queue = judgement->queue,
        .fate = judgement->fate,
        .has_replace_key = judgement->has_replace_key,
        .files_are_external = judgement->files_are_external,
        .files_are_unreadable = judgement->files_are_unreadable,
        .key_is_unusable = judgement->key_is_unusable,
    };
    memcpy(entry->replace_key, judgement->replace_key, sizeof entry->replace_key);
    import_digest(submission, entry->digest);
    return STATUS_OK;
}

/* ---- orders ---- */

static int compare_numbers(int64_t left, int64_t right)
{
    return left < right ? -1 : left > right;
}

static int by_id(const void *a, const void *b)
{
    const struct import_entry *left = a;
    const struct import_entry *right = b;
    return compare_numbers(left->id, right->id);
}

static int by_arrival(const void *a, const void *b)
{
    const struct import_entry *left = *(struct import_entry *const *)a;
    const struct import_entry *right = *(struct import_entry *const *)b;
    int order = compare_numbers(left->arrived_at_us, right->arrived_at_us);
    return order ? order : compare_numbers(left->id, right->id);
}

static int by_queue_and_arrival(const void *a, const void *b)
{
    const struct import_entry *left = *(struct import_entry *const *)a;
    const struct import_entry *right = *(struct import_entry *const *)b;
    int order = strcmp(left->queue->name, right->queue->name);
    return order ? order : by_arrival(a, b);
}

static int by_replace_key_and_arrival(const void *a, const void *b)
{
    const struct import_entry *left = *(struct import_entry *const *)a;
    const struct import_entry *right = *(struct import_entry *const *)b;
    int order = memcmp(left->replace_key, right->replace_key, sizeof left->replace_key);
    return order ? order : by_arrival(a, b);
}

/*
 * The store orders by milliseconds, then ids; the original by microseconds. Where ids do not follow the arrival within a
 * millisecond, the later one is placed a millisecond later.
 */
static void place_all(struct import_entry **sorted, size_t count)
{
    qsort(sorted, count, sizeof(void *), by_queue_and_arrival);
    for (size_t at = 0; at < count; at++) {
        struct import_entry *entry = sorted[at];
        const struct import_entry *before = at > 0 && sorted[at - 1]->queue == entry->queue ? sorted[at - 1] : NULL;
        int64_t least_ms = before ? before->virtual_ms + (before->id > entry->id) : 0;
        entry->virtual_ms = entry->arrived_at_us / US_PER_MS;
        if (entry->virtual_ms < least_ms)
            entry->virtual_ms = least_ms;
    }
}

/* Of each replace key the newest is the one that counts: an older one that is still to be graded gives way. */
static void supersede_older(struct import_entry **sorted, size_t count)
{
    const struct import_entry *newer = NULL;
    qsort(sorted, count, sizeof(void *), by_replace_key_and_arrival);
    for (size_t at = count; at > 0; at--) {
        struct import_entry *entry = sorted[at - 1];
        if (!entry->has_replace_key || !(import_fate_is_taken(entry->fate) || entry->fate == IMPORT_ALREADY))
            continue;
        if (newer && is_live(entry->fate) && memcmp(newer->replace_key, entry->replace_key, sizeof entry->replace_key) == 0) {
            entry->fate = IMPORT_SUPERSEDED;
            entry->superseded_by_id = newer->id;
        }
        newer = entry;
    }
}

/* ---- what the store has ---- */

static enum status store_failed(struct store *store, enum status status, struct error *error)
{
    return error_set(error, status, "STORAGE_FAILED", "database: %s", store_error_text(store));
}

static enum status collides(const struct import_entry *entry, struct error *error)
{
    return error_set(error, STATUS_EXISTS, "ID_TAKEN",
                     "submission %" PRId64
                     " of the source: this id belongs to another submission here, which did not come from "
                     "this source. Import into a new database",
                     entry->id);
}

/* May the id be used? Ours are never given again, also when their submissions are gone. */
static enum status check_id(struct store *store, const struct import_entry *entry, int64_t last_id, struct error *error)
{
    struct store_submission row;
    enum status status = store_find_submission(store, entry->id, &row);
    if (status == STATUS_OK)
        return collides(entry, error);
    if (status != STATUS_NOT_FOUND)
        return store_failed(store, status, error);
    if (entry->id > last_id)
        return STATUS_OK;
    status = store_id_is_reserved(store, entry->id);
    if (status == STATUS_NOT_FOUND)
        return collides(entry, error);
    return status == STATUS_OK ? STATUS_OK : store_failed(store, status, error);
}

/* One of the same callback URL that came here since is newer. */
static enum status check_replaced(struct store *store, struct import_entry *entry, struct error *error)
{
    struct store_submission row;
    if (!is_live(entry->fate))
        return STATUS_OK;
    enum status status = store_find_replaceable(store, entry->replace_key, sizeof entry->replace_key, entry->id, &row);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_OK : store_failed(store, status, error);
    if (row.submitted_at_ms > entry->arrived_at_us / US_PER_MS) {
        entry->fate = IMPORT_SUPERSEDED;
        entry->superseded_by_id = row.id;
    }
    return STATUS_OK;
}

static enum status check_entry(struct store *store, struct import_entry *entry, int64_t last_id, struct error *error)
{
    uint8_t digest[SECRET_DIGEST_BYTES];
    enum status status = store_find_imported(store, entry->id, digest);
    if (status == STATUS_OK) {
        if (memcmp(digest, entry->digest, sizeof digest) != 0)
            return collides(entry, error);
        entry->fate = IMPORT_ALREADY;
        return STATUS_OK;
    }
    if (status != STATUS_NOT_FOUND)
        return store_failed(store, status, error);
    status = import_fate_is_taken(entry->fate) ? check_id(store, entry, last_id, error) : STATUS_OK;
    return status == STATUS_OK ? check_replaced(store, entry, error) : status;
}

static enum status check_store(struct import_plan *plan, struct store *store, struct error *error)
{
    int64_t last_id = 0;
    enum status status = store_last_id(store, &last_id);
    if (status != STATUS_OK)
        return store_failed(store, status, error);
    for (size_t at = 0; at < plan->count && status == STATUS_OK; at++)
        status = check_entry(store, &plan->entries[at], last_id, error);
    return status;
}

/* ---- settling ---- */

enum status import_plan_settle(struct import_plan *plan, struct store *store, struct import_report *report, struct error *error)
{
    if (plan->count > 0)
        qsort(plan->entries, plan->count, sizeof *plan->entries, by_id);
    for (size_t at = 1; at < plan->count; at++) {
        if (plan->entries[at - 1].id == plan->entries[at].id) {
            return error_set(error, STATUS_INVALID, "ID_TWICE", "the source has submission %" PRId64 " twice",
                             plan->entries[at].id);
        }
    }
    enum status status = store ? check_store(plan, store, error) : STATUS_OK;
    if (status != STATUS_OK)
        return status;
    struct import_entry **sorted = memory_allocate_array(plan->count, sizeof(void *));
    for (size_t at = 0; at < plan->count; at++)
        sorted[at] = &plan->entries[at];
    if (plan->count > 0) {
        place_all(sorted, plan->count);
        supersede_older(sorted, plan->count);
    }
    memory_free(sorted);
    for (size_t at = 0; at < plan->count; at++)
        count_entry(report, &plan->entries[at]);
    return STATUS_OK;
}

const struct import_entry *import_plan_find(const struct import_plan *plan, int64_t id)
{
    const struct import_entry wanted = {.id = id};
    return plan->count > 0 ? bsearch(&wanted, plan->entries, plan->count, sizeof *plan->entries, by_id) : NULL;
}

void import_plan_finish(struct import_plan *plan)
{
    memory_free(plan->entries);
    *plan = (struct import_plan){0};
}
