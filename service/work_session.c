/* SPDX-License-Identifier: Apache-2.0 */
#include "service/work_session.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/grader_standing.h"
#include "service/grading.h"

static bool work_session_wants_more(const struct work_session *session)
{
    bool bytes_left = !session->credit_has_bytes || session->credit_bytes > 0;
    bool stream_free = session->grader->unaccepted_bytes < GRADER_UNACCEPTED_BYTES_MAX;
    return !session->closed && !session->draining && session->credit > 0 && bytes_left && stream_free &&
           grader_has_room(session->grader);
}

void work_session_update_waiting(struct queues *queues, struct work_session *session)
{
    bool wants = work_session_wants_more(session) && !queues->stopping;
    for (size_t i = 0; i < session->place_count; i++) {
        struct waiting_place *place = &session->places[i];
        if (wants && !list_contains(&place->node)) {
            list_append(&place->queue->waiters, &place->node);
        } else if (!wants) {
            list_remove(&place->queue->waiters, &place->node);
        }
    }
}

/* Who can grade what in its queues may be another than before. */
static void work_session_note_change(const struct work_session *session)
{
    for (size_t i = 0; i < session->place_count; i++) {
        session->places[i].queue->moves++;
    }
}

static void work_session_schedule_ping(struct queues *queues, struct work_session *session)
{
    heap_schedule(&queues->session_timers, &session->timer,
                  clock_add_ms(queues->now_ms, queues->config->service.ping_period_ms));
}

static void work_session_end(struct queues *queues, struct work_session *session, enum status status, const struct error *error)
{
    struct grader_notice *notice = queues_notify(queues, session, GRADER_NOTICE_FINISH);
    notice->status = status;
    if (error) {
        notice->error = *error;
    }
    work_session_close(queues, session);
}

/* ---- opening ---- */

static enum status work_hello_check(struct queues *queues, const struct work_hello *hello, struct error *error)
{
    if (queues->stopping) {
        return error_set(error, STATUS_UNAVAILABLE, "DRAINING", "the service is stopping");
    }
    if (!text_is_name(hello->grader, STORE_NAME_MAX - 1) || !text_is_name(hello->instance, LEASE_INSTANCE_MAX - 1)) {
        return error_set(error, STATUS_INVALID, "HELLO_INVALID",
                         "Hello.grader is 1 to 128 bytes, Hello.instance 1 to 64, without controls");
    }
    if (hello->queue_count < 1 || hello->queue_count > WORK_SESSION_QUEUES_MAX) {
        return error_set(error, STATUS_INVALID, "HELLO_INVALID", "Hello.queues names 1 to %d queues", WORK_SESSION_QUEUES_MAX);
    }
    if (hello->slots < 1 || hello->slots > WORK_SESSION_SLOTS_MAX || hello->held_count > WORK_SESSION_HELD_MAX) {
        return error_set(error, STATUS_INVALID, "HELLO_INVALID", "Hello.slots is 1 to %d, Hello.held at most %d leases",
                         WORK_SESSION_SLOTS_MAX, WORK_SESSION_HELD_MAX);
    }
    return STATUS_OK;
}

static enum status work_session_take_places(struct queues *queues, struct work_session *session, const struct work_hello *hello,
                                            struct error *error)
{
    session->places = memory_allocate_array(hello->queue_count, sizeof *session->places);
    for (size_t i = 0; i < hello->queue_count; i++) {
        struct queue *queue = NULL;
        enum status status = queues_find_named(queues, hello->queues[i], &queue, error);
        if (status != STATUS_OK) {
            return status;
        }
        for (size_t k = 0; k < i; k++) {
            if (session->places[k].queue == queue) {
                return error_set(error, STATUS_INVALID, "HELLO_INVALID", "Hello.queues names a queue twice");
            }
        }
        session->places[i] = (struct waiting_place){.queue = queue, .session = session};
        queues->pauses_changed = queues->pauses_changed || queue->paused;
    }
    session->place_count = hello->queue_count;
    return STATUS_OK;
}

static void work_session_replace(struct queues *queues, struct work_session *old)
{
    struct error error;
    enum status status =
        error_set(&error, STATUS_STALE, "SESSION_REPLACED", "the grader '%s' has connected again", old->grader->name);
    queues_notify(queues, old, GRADER_NOTICE_GO_AWAY)->error = error;
    work_session_end(queues, old, status, &error);
}

static bool work_hello_names(const struct work_hello *hello, const struct live_lease *lease)
{
    for (size_t i = 0; i < hello->held_count; i++) {
        if (hello->held[i].submission_id == lease->submission_id && strcmp(hello->held[i].key, lease->key) == 0) {
            return true;
        }
    }
    return false;
}

/*
 * What the grader does not know of is not waited for: what an earlier start of it held, on which nobody works any more, and
 * grants to this start that went down with the stream before.
 */
static enum status work_session_take_back(struct queues *queues, struct work_session *session, const struct work_hello *hello)
{
    struct list_node *node = list_first(&session->grader->leases);
    while (node) {
        struct live_lease *lease = LIST_OWNER(node, struct live_lease, grader_node);
        node = list_next(&session->grader->leases, node);
        bool of_earlier_start = lease->instance[0] != '\0' && strcmp(lease->instance, session->instance) != 0;
        bool never_came = !lease->accepted; // what is leased without a stream is accepted from the start
        if ((of_earlier_start || never_came) && !work_hello_names(hello, lease)) {
            enum status status = grading_expire(queues, lease, never_came ? LOST_NOT_ACCEPTED : LOST_EXPIRED);
            if (status != STATUS_OK) {
                return status;
            }
        }
    }
    return STATUS_OK;
}

/* What was another grader's is the session's; its result will be, too. */
static enum status work_session_take_over(struct queues *queues, struct work_session *session, struct live_lease *lease)
{
    struct grader *before = lease->grader;
    enum status status = store_hand_over_lease(queues->store, lease->submission_id, lease->key, session->grader->name);
    status = queues_stored(queues, status);
    if (status != STATUS_OK) {
        return status;
    }
    list_remove(&before->leases, &lease->grader_node);
    lease->grader = session->grader;
    list_append(&session->grader->leases, &lease->grader_node);
    if (before->session) {
        work_session_lease_gone(queues, before->session);
    }
    graders_forget_idle(&queues->graders, before);
    return STATUS_OK;
}

static enum status work_session_resume(struct queues *queues, struct work_session *session, struct lease_name held,
                                       struct held_answer *answer)
{
    struct live_lease *lease = lease_table_find_held(&queues->leases, held.submission_id, held.key);
    if (!lease) {
        answer->kept = false;
        answer->reason = grading_lost_reason(queues, held);
        return queues->failure;
    }
    lease_table_accept(lease);
    enum status status = STATUS_OK;
    if (lease->grader != session->grader) {
        status = work_session_take_over(queues, session, lease);
        if (status != STATUS_OK) {
            return queues->failure;
        }
    }
    text_copy(lease->instance, sizeof lease->instance, session->instance);
    lease->streamed = true;
    int64_t expires_in_ms = 0;
    struct error error;
    status = grading_extend(queues, held, &expires_in_ms, &error);
    answer->kept = status == STATUS_OK;
    answer->reason = LOST_HARD_LIMIT;
    return queues->failure;
}

void work_session_destroy(struct work_session *session)
{
    labels_finish(&session->labels);
    memory_free(session->places);
    memory_free(session);
}

enum status work_session_open(struct queues *queues, struct grader_link *link, const struct work_hello *hello,
                              struct held_answer *answers, struct work_session **out_session, struct error *error)
{
    enum status status = work_hello_check(queues, hello, error);
    if (status != STATUS_OK) {
        return status;
    }
    struct work_session *session = MEMORY_NEW(struct work_session);
    session->link = link;
    text_copy(session->instance, sizeof session->instance, hello->instance);
    text_copy(session->sdk, sizeof session->sdk, hello->sdk ? hello->sdk : "");
    text_copy(session->peer, sizeof session->peer, hello->peer ? hello->peer : "");
    session->labels = labels_copy(&hello->labels);
    session->slots = hello->slots;
    session->connected_at_ms = queues->now_ms;
    session->heard_at_ms = queues->now_ms;
    status = work_session_take_places(queues, session, hello, error);
    if (status != STATUS_OK) {
        work_session_destroy(session);
        return status;
    }
    session->grader = graders_find_or_create(&queues->graders, hello->grader);
    session->grader->session_count++;
    if (session->grader->session) {
        work_session_replace(queues, session->grader->session);
    }
    session->grader->session = session;
    int64_t leases_max = queues->graders.leases_max;
    session->grader->leases_max = hello->slots < leases_max ? hello->slots : leases_max;
    list_append(&queues->sessions, &session->node);
    work_session_note_change(session);
    work_session_schedule_ping(queues, session);
    *out_session = session;
    grader_tell_quiet(queues, session);
    status = work_session_take_back(queues, session, hello);
    for (size_t i = 0; i < hello->held_count && status == STATUS_OK; i++) {
        status = work_session_resume(queues, session, hello->held[i], &answers[i]);
    }
    return status;
}

/* ---- queues that are deleted or paused ---- */

void work_session_lose_queue(struct queues *queues, struct work_session *session, const struct queue *queue)
{
    size_t kept = 0;
    for (size_t i = 0; i < session->place_count; i++) {
        list_remove(&session->places[i].queue->waiters, &session->places[i].node); /* unlinked, they may move */
    }
    for (size_t i = 0; i < session->place_count; i++) {
        if (session->places[i].queue != queue) {
            session->places[kept++] = session->places[i];
        }
    }
    session->place_count = kept;
    work_session_update_waiting(queues, session);
    if (kept == 0) {
        struct error error;
        enum status status = error_set(&error, STATUS_NOT_FOUND, "QUEUE_NOT_FOUND", "the queue has been deleted");
        work_session_end(queues, session, status, &error);
    }
}

static void work_session_tell_pause(struct queues *queues, struct work_session *session, struct waiting_place *place)
{
    const struct queue *queue = place->queue;
    struct quiet_period period = {.for_ms = queue->paused ? WORK_SESSION_PAUSE_MS : 0, .queue = queue->settings->name};
    if (queue->paused) {
        (void)error_set(&period.why, STATUS_UNAVAILABLE, "QUEUE_PAUSED", "an administrator has paused the queue '%s'",
                        queue->settings->name);
    }
    work_session_say_quiet(queues, session, &period);
    place->pause_is_told = queue->paused;
}

void work_sessions_tell_pauses(struct queues *queues)
{
    queues->pauses_changed = false;
    for (struct list_node *node = list_first(&queues->sessions); node; node = list_next(&queues->sessions, node)) {
        struct work_session *session = LIST_OWNER(node, struct work_session, node);
        for (size_t i = 0; i < session->place_count; i++) {
            if (session->places[i].queue->paused != session->places[i].pause_is_told) {
                work_session_tell_pause(queues, session, &session->places[i]);
            }
        }
    }
}

void work_session_take_back_pause(struct work_session *session, const struct grader_notice *notice)
{
    for (size_t i = 0; i < session->place_count; i++) {
        if (strcmp(session->places[i].queue->settings->name, notice->queue) == 0) {
            session->places[i].pause_is_told = notice->duration_ms == 0; /* there is one in a batch at most */
        }
    }
}

/* ---- while it lasts ---- */

void work_session_close(struct queues *queues, struct work_session *session)
{
    if (session->closed) {
        return;
    }
    session->closed = true;
    work_session_note_change(session);
    work_session_update_waiting(queues, session);
    heap_remove(&queues->session_timers, &session->timer);
    list_remove(&queues->sessions, &session->node);
    list_append(&queues->closed_sessions, &session->node);
    struct grader *grader = session->grader;
    if (grader->session == session) {
        grader->session = NULL;
        for (struct list_node *node = list_first(&grader->leases); node; node = list_next(&grader->leases, node)) {
            LIST_OWNER(node, struct live_lease, grader_node)->streamed = false;
        }
    }
}

void work_session_abandon(struct queues *queues, struct work_session *session)
{
    session->link = NULL;
    work_session_close(queues, session);
}

void work_session_credit(struct queues *queues, struct work_session *session, int64_t submissions, int64_t body_bytes)
{
    session->credit = submissions < WORK_SESSION_SLOTS_MAX ? submissions : WORK_SESSION_SLOTS_MAX;
    session->credit_has_bytes = body_bytes > 0;
    session->credit_bytes = body_bytes;
    work_session_update_waiting(queues, session);
}

void work_session_say_quiet(struct queues *queues, struct work_session *session, const struct quiet_period *period)
{
    struct grader_notice *notice = queues_notify(queues, session, GRADER_NOTICE_QUIET);
    notice->duration_ms = period->for_ms;
    notice->error = period->why;
    text_copy(notice->queue, sizeof notice->queue, period->queue ? period->queue : "");
}

void work_sessions_say_quiet(struct queues *queues, const struct queue *queue, const struct quiet_period *period)
{
    for (struct list_node *node = list_first(&queues->sessions); node; node = list_next(&queues->sessions, node)) {
        struct work_session *session = LIST_OWNER(node, struct work_session, node);
        bool grades = false;
        for (size_t i = 0; i < session->place_count && !grades; i++) {
            grades = session->places[i].queue == queue;
        }
        if (grades) {
            work_session_say_quiet(queues, session, period);
        }
    }
}

static bool work_session_holds_anything(const struct work_session *session)
{
    const struct list *leases = &session->grader->leases;
    for (struct list_node *node = list_first(leases); node; node = list_next(leases, node)) {
        if (LIST_OWNER(node, struct live_lease, grader_node)->streamed) {
            return true;
        }
    }
    return false;
}

void work_session_lease_gone(struct queues *queues, struct work_session *session)
{
    work_session_update_waiting(queues, session);
    if (session->draining && !session->closed && !work_session_holds_anything(session)) {
        work_session_end(queues, session, STATUS_OK, NULL);
    }
}

void work_session_drain(struct queues *queues, struct work_session *session)
{
    session->draining = true;
    work_session_note_change(session);
    work_session_lease_gone(queues, session);
}

void work_session_heard(struct queues *queues, struct work_session *session)
{
    session->heard_at_ms = queues->now_ms;
    session->pings_lost = 0;
}

bool work_session_grades(const struct work_session *session, const struct queue *queue)
{
    for (size_t i = 0; i < session->place_count; i++) {
        if (session->places[i].queue == queue) {
            return true;
        }
    }
    return false;
}

int64_t work_session_lease_ms(const struct work_session *session)
{
    int64_t shortest_ms = INT64_MAX;
    for (size_t i = 0; i < session->place_count; i++) {
        int64_t lease_ms = session->places[i].queue->settings->lease_ms;
        shortest_ms = lease_ms < shortest_ms ? lease_ms : shortest_ms;
    }
    return shortest_ms;
}

static void work_session_ping(struct queues *queues, struct work_session *session)
{
    if (session->pings_lost >= WORK_SESSION_PINGS_LOST_MAX) {
        struct error error;
        enum status status =
            error_set(&error, STATUS_TIMEOUT, "PING_LOST", "%d pings in a row were not answered", session->pings_lost);
        log_event(LOG_WARN, "grader_silent", LOG_TEXT("grader", session->grader->name), LOG_INT("pings", session->pings_lost));
        work_session_end(queues, session, status, &error);
        return;
    }
    session->pings_lost++;
    session->ping_number++;
    queues_notify(queues, session, GRADER_NOTICE_PING)->number = session->ping_number;
    work_session_schedule_ping(queues, session);
}

void work_sessions_tick(struct queues *queues)
{
    struct heap_node *node = NULL;
    while ((node = heap_first(&queues->session_timers)) != NULL && node->due_ms <= queues->now_ms) {
        work_session_ping(queues, HEAP_OWNER(node, struct work_session, timer));
    }
}
