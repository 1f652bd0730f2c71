/* SPDX-License-Identifier: Apache-2.0 */
#include "service/queue.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/delivering.h"
#include "service/grader_standing.h"
#include "service/grading.h"
#include "service/lease_recovery.h"
#include "service/regrading.h"
#include "service/roster.h"
#include "service/submitting.h"
#include "service/watching.h"
#include "service/work_session.h"

/* ---- making and finding ---- */

enum status queues_read_count(struct queues *queues, struct queue *queue)
{
    struct store_queue_counts counts;
    enum status status = queues_stored(queues, store_count_queue(queues->store, queue->id, &counts));
    if (status == STATUS_OK) {
        queue->ready_count = counts.ready;
        queue->leased_count = counts.leased;
        queue->delayed_count = counts.delayed;
        queue->dead_count = counts.dead;
        queue->moves++;
        status = queues_stored(queues, label_sets_load(queues, queue));
    }
    return status;
}

static enum status queues_read_counts(struct queues *queues)
{
    enum status status = STATUS_OK;
    for (struct list_node *node = list_first(&queues->all); node && status == STATUS_OK; node = list_next(&queues->all, node)) {
        status = queues_read_count(queues, LIST_OWNER(node, struct queue, node));
    }
    return status;
}

static enum status queues_load(struct queues *queues)
{
    enum status status = store_begin(queues->store);
    if (status != STATUS_OK) {
        return status;
    }
    status = roster_load(queues);
    if (status == STATUS_OK) {
        status = queues_read_counts(queues);
    }
    if (status == STATUS_OK) {
        status = lease_recovery_load(queues);
    }
    if (status == STATUS_OK) {
        status = store_commit(queues->store);
    }
    if (status != STATUS_OK) {
        store_rollback(queues->store);
    }
    return status;
}

enum status queues_create(const struct config *config, struct store *store, int64_t now_ms, struct queues **out_queues,
                          struct error *error)
{
    struct queues *queues = MEMORY_NEW(struct queues);
    queues->config = config;
    queues->store = store;
    queues->now_ms = now_ms;
    list_init(&queues->all);
    list_init(&queues->deleted);
    map_init(&queues->by_name);
    map_init(&queues->by_id);
    map_init(&queues->watched);
    lease_table_init(&queues->leases);
    graders_init(&queues->graders, config->service.grader_leases_max);
    list_init(&queues->delivery_polls);
    list_init(&queues->delivery_sessions);
    list_init(&queues->greetings);
    list_init(&queues->bulks);
    list_init(&queues->periodic);
    list_init(&queues->counted);
    heap_init(&queues->parked);
    list_init(&queues->unparked);
    list_init(&queues->effects);
    list_init(&queues->sessions);
    list_init(&queues->closed_sessions);
    heap_init(&queues->session_timers);
    secret_random(&queues->random_state, sizeof queues->random_state);
    enum status status = queues_load(queues);
    if (status != STATUS_OK) {
        queues_destroy(queues);
        return error_set(error, status, NULL, "cannot read the queues: %s", store_error_text(store));
    }
    *out_queues = queues;
    return STATUS_OK;
}

static void queues_free_closed_sessions(struct queues *queues)
{
    struct list_node *node = NULL;
    while ((node = list_take_first(&queues->closed_sessions)) != NULL) {
        struct work_session *session = LIST_OWNER(node, struct work_session, node);
        session->grader->session_count--;
        graders_forget_idle(&queues->graders, session->grader);
        work_session_destroy(session);
    }
}

void queues_destroy(struct queues *queues)
{
    if (!queues) {
        return;
    }
    /* Of streams that were open when the store failed: there is nobody to tell. */
    struct list_node *node = NULL;
    while ((node = list_first(&queues->sessions)) != NULL) {
        work_session_abandon(queues, LIST_OWNER(node, struct work_session, node));
    }
    queues_drop_effects(queues);
    lease_table_finish(&queues->leases, &queues->graders);
    graders_finish(&queues->graders);
    map_finish(&queues->by_name);
    map_finish(&queues->by_id);
    map_finish(&queues->watched);
    heap_finish(&queues->parked);
    heap_finish(&queues->session_timers);
    roster_finish(queues);
    memory_free(queues);
}

struct queue *queues_find(struct queues *queues, const char *name)
{
    struct map_node *node = map_find(&queues->by_name, name, strlen(name));
    return node ? MAP_OWNER(node, struct queue, by_name) : NULL;
}

struct queue *queues_find_by_id(const struct queues *queues, int64_t id)
{
    struct map_node *node = map_find(&queues->by_id, &id, sizeof id);
    return node ? MAP_OWNER(node, struct queue, by_id) : NULL;
}

enum status queues_find_named(struct queues *queues, const char *name, struct queue **out_queue, struct error *error)
{
    struct queue *queue = queues_find(queues, name);
    if (!queue) {
        return error_set(error, STATUS_NOT_FOUND, "QUEUE_NOT_FOUND", "there is no queue named '%.128s'", name);
    }
    *out_queue = queue;
    return STATUS_OK;
}

/* ---- keeping memory true to the store ---- */

enum status queues_stored(struct queues *queues, enum status status)
{
    switch (status) {
    case STATUS_OK:
    case STATUS_NOT_FOUND:
    case STATUS_EXISTS:
    case STATUS_WRONG_STATE:
    case STATUS_STALE:
        return status;
    default:
        queues->failure = queues->failure == STATUS_OK || status != STATUS_FULL ? status : queues->failure;
        return status == STATUS_FULL ? STATUS_UNAVAILABLE : status;
    }
}

static int64_t *queue_counter(struct queue *queue, enum submission_state state)
{
    switch (state) {
    case SUBMISSION_READY:
        return &queue->ready_count;
    case SUBMISSION_LEASED:
        return &queue->leased_count;
    case SUBMISSION_DELAYED:
        return &queue->delayed_count;
    case SUBMISSION_DEAD:
        return &queue->dead_count;
    default:
        return NULL;
    }
}

void queues_count_move(struct queues *queues, const struct store_submission *row, enum submission_state from,
                       enum submission_state to)
{
    struct queue *queue = queues_find_by_id(queues, row->queue_id);
    if (!queue) {
        return;
    }
    queue->moves++;
    int64_t *counter = queue_counter(queue, from);
    if (counter) {
        assert(*counter > 0);
        *counter -= 1;
    }
    counter = queue_counter(queue, to);
    if (counter) {
        *counter += 1;
    }
    label_sets_count_move(queues, queue, row, from, to);
}

enum status queues_move(struct queues *queues, struct store_submission *row, enum submission_state to)
{
    enum submission_state from = row->state;
    row->state_at_ms = queues->now_ms;
    enum status status = queues_stored(queues, store_move_submission(queues->store, row, to));
    if (status != STATUS_OK) {
        return status;
    }
    queues_count_move(queues, row, from, to);
    watching_wake(queues, row->id);
    bool is_over = submission_is_live(from) && !submission_is_live(to);
    return is_over && regrading_is_second(row, to) ? regrading_end(queues, row->id, to == SUBMISSION_GRADED) : STATUS_OK;
}

enum status queues_reload(struct queues *queues)
{
    queues->rollbacks++;
    queues->deliveries_moved = true;
    for (struct list_node *node = list_first(&queues->all); node; node = list_next(&queues->all, node)) {
        submit_rates_clear(&LIST_OWNER(node, struct queue, node)->submit_rates);
    }
    enum status status = store_begin(queues->store);
    if (status == STATUS_OK) {
        status = roster_reload(queues);
    }
    if (status == STATUS_OK) {
        status = queues_read_counts(queues);
    }
    if (status == STATUS_OK) {
        status = lease_recovery_reload(queues);
    }
    store_rollback(queues->store); /* nothing was written */
    lease_table_forget_ended(&queues->leases, &queues->graders);
    struct list_node *node = NULL;
    for (node = list_first(&queues->sessions); node; node = list_next(&queues->sessions, node)) {
        work_session_update_waiting(queues, LIST_OWNER(node, struct work_session, node));
    }
    return status;
}

uint32_t queues_random(struct queues *queues)
{
    /* xorshift32 (Marsaglia 2003): jitter needs no secrecy. */
    uint32_t x = queues->random_state ? queues->random_state : 1;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    queues->random_state = x;
    return x;
}

/* ---- the tick ---- */

/* To those who wait on a stream. Who can take nothing of what is ready is passed over, and keeps its turn. */
static void queue_dispatch_to_sessions(struct queues *queues, struct queue *queue)
{
    struct list passed_over;
    struct waiting_place *place = NULL;
    enum status status = STATUS_OK;
    list_init(&passed_over);
    while (queue->ready_count > 0 && (status == STATUS_OK || status == STATUS_NOT_FOUND) &&
           (place = waiting_place_next(queue)) != NULL) {
        status = grading_grant_to_session(queues, queue, place->session);
        if (status == STATUS_NOT_FOUND) {
            list_remove(&queue->waiters, &place->node);
            list_append(&passed_over, &place->node);
        }
    }
    list_move_all(&queue->waiters, &passed_over);
    list_move_all(&passed_over, &queue->waiters);
}

/* To those who wait on a stream, then to parked polls. */
static void queue_dispatch(struct queues *queues, struct queue *queue)
{
    if (queue->paused) {
        return;
    }
    queue_dispatch_to_sessions(queues, queue);
    /* All of them, oldest first: the first may have no room, or its caller may be gone. Who gets nothing parks again. */
    struct list_node *node = queue->ready_count > 0 ? list_first(&queue->polls) : NULL;
    while (node) {
        struct engine_command *command = LIST_OWNER(node, struct engine_command, node);
        node = list_next(&queue->polls, node);
        if (label_sets_have_ready(queue, command->offered)) {
            queues_unpark(queues, command);
        }
    }
}

static void queues_expire_parked(struct queues *queues)
{
    struct heap_node *node = NULL;
    while ((node = heap_first(&queues->parked)) != NULL && node->due_ms <= queues->now_ms) {
        struct engine_command *command = HEAP_OWNER(node, struct engine_command, deadline);
        command->timed_out = true;
        queues_unpark(queues, command);
    }
}

void queues_tick(struct queues *queues)
{
    queues_expire_parked(queues);
    grading_tick(queues);
    submitting_tick(queues);
    delivering_tick(queues);
    graders_tick(queues);
    work_sessions_tick(queues);
    if (queues->stopping || queues->failure != STATUS_OK) {
        return;
    }
    if (queues->pauses_changed) {
        work_sessions_tell_pauses(queues);
    }
    for (struct list_node *node = list_first(&queues->all); node; node = list_next(&queues->all, node)) {
        struct queue *queue = LIST_OWNER(node, struct queue, node);
        if (queue->ready_count > 0) {
            queue_dispatch(queues, queue);
        }
    }
}

static int64_t earlier(int64_t a_ms, int64_t b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

int64_t queues_next_due_ms(struct queues *queues)
{
    int64_t due_ms = heap_next_due_ms(&queues->parked);
    due_ms = earlier(due_ms, lease_table_next_due_ms(&queues->leases));
    due_ms = earlier(due_ms, heap_next_due_ms(&queues->session_timers));
    due_ms = earlier(due_ms, graders_next_due_ms(queues));
    due_ms = earlier(due_ms, submitting_next_due_ms(queues));
    return earlier(due_ms, delivering_next_due_ms(queues));
}

/* ---- counting ---- */

void queues_count_event(struct queues *queues, int64_t queue_id, enum queue_event event)
{
    struct queue *queue = queues_find_by_id(queues, queue_id);
    if (!queue) {
        return;
    }
    queue->uncommitted[event]++;
    if (!list_contains(&queue->counted)) {
        list_append(&queues->counted, &queue->counted);
    }
}

/* The batch is over, well or not. */
static void queues_settle_counts(struct queues *queues, bool committed)
{
    struct list_node *node = NULL;
    while ((node = list_take_first(&queues->counted)) != NULL) {
        struct queue *queue = LIST_OWNER(node, struct queue, counted);
        for (int event = 0; event < QUEUE_EVENT_END; event++) {
            if (committed && queue->uncommitted[event] > 0) {
                queue->totals[event] += queue->uncommitted[event];
                event_rates_add(&queue->rates[event], queues->now_ms, queue->uncommitted[event]);
            }
            queue->uncommitted[event] = 0;
        }
    }
}

void queues_note_grading(struct queues *queues, int64_t queue_id, int64_t duration_ms)
{
    struct queue *queue = queues_find_by_id(queues, queue_id);
    if (queue) {
        recent_note(&queue->grading_ms, duration_ms);
    }
}

int64_t queue_median_ms(const struct queue *queue)
{
    return recent_median(&queue->grading_ms);
}

/* ---- told after the commit ---- */

struct grader_notice *queues_notify(struct queues *queues, struct work_session *session, enum grader_notice_kind kind)
{
    assert(!session->closed);
    struct effect *effect = MEMORY_NEW(struct effect);
    effect->session = session;
    effect->notice.kind = kind;
    list_append(&queues->effects, &effect->node);
    return &effect->notice;
}

static void effect_destroy(struct effect *effect)
{
    if (effect->notice.grant) {
        grant_finish(effect->notice.grant);
        memory_free(effect->notice.grant);
    }
    memory_free(effect);
}

void queues_apply_effects(struct queues *queues)
{
    struct list_node *node = NULL;
    queues_settle_counts(queues, true);
    lease_table_forget_ended(&queues->leases, &queues->graders);
    graders_settle(queues, true);
    while ((node = list_take_first(&queues->effects)) != NULL) {
        struct effect *effect = LIST_OWNER(node, struct effect, node);
        if (effect->session->link) {
            effect->session->link->notify(effect->session->link, &effect->notice);
        }
        effect_destroy(effect);
    }
    queues_free_closed_sessions(queues);
    roster_free_deleted(queues);
}

/* What a notice says was not stored: the grader must not hear it. The others do not depend on the store. */
static bool effect_needs_commit(const struct effect *effect)
{
    enum grader_notice_kind kind = effect->notice.kind;
    return kind == GRADER_NOTICE_GRANT || kind == GRADER_NOTICE_LOST || kind == GRADER_NOTICE_SOON ||
           kind == GRADER_NOTICE_QUIET;
}

/* Takes back what an effect meant that is not true any more. */
static void effect_undo(struct effect *effect)
{
    struct grader_notice *notice = &effect->notice;
    if (notice->kind == GRADER_NOTICE_GRANT) {
        effect->session->credit++;
        effect->session->credit_bytes += (int64_t)notice->grant->content.body_length;
    } else if (notice->kind == GRADER_NOTICE_QUIET) {
        work_session_take_back_pause(effect->session, notice);
    } else if (notice->kind == GRADER_NOTICE_FINISH && notice->status == STATUS_OK) {
        /* Drained, but what ended the last lease was not stored: the grader has to come again with it. */
        notice->status = error_set(&notice->error, STATUS_UNAVAILABLE, "STORAGE_FULL",
                                   "the disk of the queue is full; what you hold is kept");
    }
}

void queues_drop_effects(struct queues *queues)
{
    struct list_node *node = NULL;
    queues_settle_counts(queues, false);
    graders_settle(queues, false);
    while ((node = list_take_first(&queues->effects)) != NULL) {
        struct effect *effect = LIST_OWNER(node, struct effect, node);
        effect_undo(effect);
        if (!effect_needs_commit(effect) && effect->session->link) {
            effect->session->link->notify(effect->session->link, &effect->notice);
        }
        effect_destroy(effect);
    }
    queues_free_closed_sessions(queues);
}

void grant_finish(struct grant *grant)
{
    store_content_finish(&grant->content);
}

/* ---- parked commands ---- */

void queues_park(struct queues *queues, struct engine_command *command, struct list *polls, int64_t deadline_ms)
{
    assert(command->park == NULL);
    command->park = polls;
    list_append(polls, &command->node);
    heap_schedule(&queues->parked, &command->deadline, deadline_ms);
}

void queues_unpark(struct queues *queues, struct engine_command *command)
{
    if (!command->park) {
        return;
    }
    list_remove(command->park, &command->node);
    command->park = NULL;
    heap_remove(&queues->parked, &command->deadline);
    list_append(&queues->unparked, &command->node);
}

void queues_stop(struct queues *queues)
{
    queues->stopping = true;
    struct heap_node *parked = NULL;
    while ((parked = heap_first(&queues->parked)) != NULL) {
        struct engine_command *command = HEAP_OWNER(parked, struct engine_command, deadline);
        command->timed_out = true;
        queues_unpark(queues, command);
    }
    struct list_node *node = NULL;
    while ((node = list_first(&queues->sessions)) != NULL) {
        struct work_session *session = LIST_OWNER(node, struct work_session, node);
        struct error error;
        enum status status =
            error_set(&error, STATUS_UNAVAILABLE, "DRAINING", "the service is stopping; what you hold is kept");
        struct grader_notice *notice = queues_notify(queues, session, GRADER_NOTICE_GO_AWAY);
        notice->error = error;
        notice = queues_notify(queues, session, GRADER_NOTICE_FINISH);
        notice->status = status;
        notice->error = error;
        work_session_close(queues, session);
    }
}
