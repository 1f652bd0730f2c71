/* SPDX-License-Identifier: Apache-2.0 */
#include "service/roster.h"

#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "service/work_session.h"

/* ---- in memory ---- */

static void roster_init_queue(struct queue *queue)
{
    list_init(&queue->waiters);
    list_init(&queue->polls);
    label_sets_init(&queue->label_sets);
    submit_rates_init(&queue->submit_rates);
    recent_pollers_init(&queue->pollers);
}

static void roster_finish_queue(struct queue *queue)
{
    label_sets_finish(&queue->label_sets);
    submit_rates_finish(&queue->submit_rates);
    recent_pollers_finish(&queue->pollers);
}

static void roster_put(struct queues *queues, struct queue *queue)
{
    list_append(&queues->all, &queue->node);
    map_put(&queues->by_name, &queue->by_name, queue->settings->name, strlen(queue->settings->name));
    map_put(&queues->by_id, &queue->by_id, &queue->id, sizeof queue->id);
}

static struct queue *roster_add_configured(struct queues *queues, const struct config_queue *settings, int64_t id)
{
    struct queue *queue = MEMORY_NEW(struct queue);
    queue->settings = settings;
    queue->id = id;
    queue->is_configured = true;
    roster_init_queue(queue);
    roster_put(queues, queue);
    return queue;
}

static struct queue *roster_add_stored(struct queues *queues, const char *name, int64_t id)
{
    struct queue *queue = MEMORY_NEW(struct queue);
    config_queue_init(&queue->own, name);
    queue->settings = &queue->own;
    queue->id = id;
    roster_init_queue(queue);
    roster_put(queues, queue);
    return queue;
}

static void roster_remove(struct queues *queues, struct queue *queue)
{
    struct list_node *node = NULL;
    while ((node = list_first(&queue->polls)) != NULL) {
        queues_unpark(queues, LIST_OWNER(node, struct engine_command, node));
    }
    struct list_node *next = NULL;
    for (node = list_first(&queues->sessions); node; node = next) {
        next = list_next(&queues->sessions, node); /* the session may leave the list */
        work_session_lose_queue(queues, LIST_OWNER(node, struct work_session, node), queue);
    }
    list_remove(&queues->counted, &queue->counted);
    list_remove(&queues->all, &queue->node);
    map_remove(&queues->by_name, &queue->by_name);
    map_remove(&queues->by_id, &queue->by_id);
    list_append(&queues->deleted, &queue->node);
}

static struct queue *roster_revive(struct queues *queues, int64_t id)
{
    for (struct list_node *node = list_first(&queues->deleted); node; node = list_next(&queues->deleted, node)) {
        struct queue *queue = LIST_OWNER(node, struct queue, node);
        if (queue->id == id) {
            list_remove(&queues->deleted, node);
            roster_put(queues, queue);
            return queue;
        }
    }
    return NULL;
}

static void roster_free_all(struct list *list)
{
    struct list_node *node = NULL;
    while ((node = list_take_first(list)) != NULL) {
        struct queue *queue = LIST_OWNER(node, struct queue, node);
        roster_finish_queue(queue);
        config_queue_finish(&queue->own);
        memory_free(queue);
    }
}

void roster_free_deleted(struct queues *queues)
{
    roster_free_all(&queues->deleted);
}

void roster_finish(struct queues *queues)
{
    roster_free_all(&queues->all);
    roster_free_all(&queues->deleted);
}

/* ---- between memory and store ---- */

static void roster_take_settings(struct config_queue *to, const struct store_queue_settings *from)
{
    to->lease_ms = from->lease_ms;
    to->hard_limit_ms = from->hard_limit_ms;
    to->accept_within_ms = from->accept_within_ms;
    to->attempts_max = from->attempts_max;
    to->poison_graders_max = from->poison_graders_max;
    to->retry_delay_ms = from->retry_delay_ms;
    to->retry_delay_ms_max = from->retry_delay_ms_max;
    to->ready_max = from->ready_max;
    to->body_bytes_max = from->body_bytes_max;
    to->submits_per_minute_max = from->submits_per_minute_max;
}

static struct store_queue_settings roster_settings_of(const struct config_queue *from)
{
    return (struct store_queue_settings){
        .lease_ms = from->lease_ms,
        .hard_limit_ms = from->hard_limit_ms,
        .accept_within_ms = from->accept_within_ms,
        .attempts_max = from->attempts_max,
        .poison_graders_max = from->poison_graders_max,
        .retry_delay_ms = from->retry_delay_ms,
        .retry_delay_ms_max = from->retry_delay_ms_max,
        .ready_max = from->ready_max,
        .body_bytes_max = from->body_bytes_max,
        .submits_per_minute_max = from->submits_per_minute_max,
    };
}

/* Of every queue that the store knows, most of which are here already. */
static void roster_on_queue(void *context, const struct store_queue *stored)
{
    struct queues *queues = context;
    struct queue *queue = queues_find_by_id(queues, stored->id);
    if (!queue && !stored->has_settings) {
        return; /* not configured any more, or deleted */
    }
    if (!queue) {
        queue = roster_revive(queues, stored->id);
    }
    if (!queue) {
        queue = roster_add_stored(queues, stored->name, stored->id);
    }
    queue->paused = stored->paused;
    queue->draining = stored->draining;
    queue->is_confirmed = true;
    if (queue->is_configured && stored->has_settings && queues->rollbacks == 0) {
        log_event(LOG_WARN, "queue_hidden", LOG_TEXT("queue", stored->name),
                  LOG_TEXT("text", "an administrator made a queue of this name, too: the configuration's settings count"));
    } else if (!queue->is_configured) {
        roster_take_settings(&queue->own, &stored->settings);
    }
}

enum status roster_load(struct queues *queues)
{
    const struct config *config = queues->config;
    for (size_t i = 0; i < config->queue_count; i++) {
        int64_t id = 0;
        enum status status = store_queue_id(queues->store, config->queues[i].name, &id);
        if (status != STATUS_OK) {
            return status;
        }
        roster_add_configured(queues, &config->queues[i], id);
    }
    return roster_reload(queues);
}

enum status roster_reload(struct queues *queues)
{
    struct list_node *node = NULL;
    for (node = list_first(&queues->all); node; node = list_next(&queues->all, node)) {
        LIST_OWNER(node, struct queue, node)->is_confirmed = false;
    }
    enum status status = store_visit_queue_settings(queues->store, roster_on_queue, queues);
    struct list_node *next = NULL;
    for (node = list_first(&queues->all); node && status == STATUS_OK; node = next) {
        struct queue *queue = LIST_OWNER(node, struct queue, node);
        next = list_next(&queues->all, node);
        if (!queue->is_confirmed) {
            assert(!queue->is_configured);
            roster_remove(queues, queue); /* it was made in the batch that was rolled back */
        }
    }
    queues->pauses_changed = true;
    return status;
}

/* ---- what administrators do ---- */

static size_t roster_stored_count(const struct queues *queues)
{
    return queues->all.count - queues->config->queue_count;
}

enum status roster_create(struct queues *queues, const struct queue_order *order, struct queue **out_queue, struct error *error)
{
    const char *name = order->settings->name;
    int64_t id = 0;
    assert(order->settings->push_url[0] == '\0');
    if (queues_find(queues, name)) {
        return error_set(error, STATUS_EXISTS, "QUEUE_EXISTS", "there is a queue named '%s' already", name);
    }
    if (roster_stored_count(queues) >= ROSTER_STORED_MAX) {
        return error_set(error, STATUS_FULL, "QUEUES_FULL", "there are %d queues beside those of the configuration already",
                         ROSTER_STORED_MAX);
    }
    const struct store_queue_settings settings = roster_settings_of(order->settings);
    enum status status = queues_stored(queues, store_queue_id(queues->store, name, &id));
    if (status == STATUS_OK) {
        status = queues_stored(queues, store_insert_queue_settings(queues->store, id, &settings));
    }
    if (status == STATUS_OK) {
        status = queues_stored(queues, store_set_queue_gates(queues->store, id, order->paused, order->draining));
    }
    if (status != STATUS_OK) {
        return status;
    }
    struct queue *queue = roster_add_stored(queues, name, id);
    roster_take_settings(&queue->own, &settings);
    queue->paused = order->paused;
    queue->draining = order->draining;
    *out_queue = queue;
    return queues_read_count(queues, queue);
}

/* For what cannot be done to queues of the configuration. */
static enum status roster_find_stored(struct queues *queues, const char *name, struct queue **out_queue, struct error *error)
{
    enum status status = queues_find_named(queues, name, out_queue, error);
    if (status == STATUS_OK && (*out_queue)->is_configured) {
        return error_set(error, STATUS_WRONG_STATE, "QUEUE_CONFIGURED",
                         "the queue '%s' stands in the configuration file: change it there", name);
    }
    return status;
}

enum status roster_update(struct queues *queues, const struct config_queue *wanted, struct queue **out_queue,
                          struct error *error)
{
    struct queue *queue = NULL;
    enum status status = roster_find_stored(queues, wanted->name, &queue, error);
    if (status != STATUS_OK) {
        return status;
    }
    const struct store_queue_settings settings = roster_settings_of(wanted);
    status = queues_stored(queues, store_update_queue_settings(queues->store, queue->id, &settings));
    if (status == STATUS_OK) {
        roster_take_settings(&queue->own, &settings);
        *out_queue = queue;
    }
    return status;
}

static enum status roster_set_gates(struct queues *queues, struct queue *queue, bool paused, bool draining)
{
    enum status status = queues_stored(queues, store_set_queue_gates(queues->store, queue->id, paused, draining));
    if (status == STATUS_OK) {
        queues->pauses_changed = queues->pauses_changed || queue->paused != paused;
        queue->paused = paused;
        queue->draining = draining;
    }
    return status;
}

enum status roster_pause(struct queues *queues, const char *name, bool paused, struct queue **out_queue, struct error *error)
{
    enum status status = queues_find_named(queues, name, out_queue, error);
    return status == STATUS_OK ? roster_set_gates(queues, *out_queue, paused, (*out_queue)->draining) : status;
}

enum status roster_drain(struct queues *queues, const char *name, bool draining, struct queue **out_queue, struct error *error)
{
    enum status status = queues_find_named(queues, name, out_queue, error);
    return status == STATUS_OK ? roster_set_gates(queues, *out_queue, (*out_queue)->paused, draining) : status;
}

enum status roster_delete(struct queues *queues, const char *name, struct error *error)
{
    struct queue *queue = NULL;
    enum status status = roster_find_stored(queues, name, &queue, error);
    if (status != STATUS_OK) {
        return status;
    }
    int64_t live_count = queue->ready_count + queue->leased_count + queue->delayed_count;
    if (live_count > 0) {
        return error_set(error, STATUS_WRONG_STATE, "QUEUE_NOT_EMPTY", "%lld submissions in the queue '%s' are not finished",
                         (long long)live_count, name);
    }
    status = queues_stored(queues, store_delete_queue_settings(queues->store, queue->id));
    if (status == STATUS_OK) {
        status = queues_stored(queues, store_set_queue_gates(queues->store, queue->id, false, false));
    }
    if (status == STATUS_OK) {
        roster_remove(queues, queue);
        queues->pauses_changed = true;
    }
    return status;
}
