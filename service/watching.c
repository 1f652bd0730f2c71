/* SPDX-License-Identifier: Apache-2.0 */
#include "service/watching.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/grading.h"
#include "service/work_session.h"

/* A submission that somebody watches. */
struct watched {
    struct map_node by_id;
    int64_t submission_id;
    struct list watches; /* of watch.node */
};

enum { WATCH_FACTS = 16 };

/* ---- who watches ---- */

static struct watched *watching_find(struct queues *queues, int64_t submission_id)
{
    struct map_node *node = map_find(&queues->watched, &submission_id, sizeof submission_id);
    return node ? MAP_OWNER(node, struct watched, by_id) : NULL;
}

void watching_wake(struct queues *queues, int64_t submission_id)
{
    struct watched *watched = watching_find(queues, submission_id);
    struct list_node *node = watched ? list_first(&watched->watches) : NULL;
    for (; node; node = list_next(&watched->watches, node)) {
        queues_unpark(queues, LIST_OWNER(node, struct watch, node)->command);
    }
}

void watching_note_progress(struct queues *queues, int64_t submission_id)
{
    struct watched *watched = watching_find(queues, submission_id);
    struct list_node *node = watched ? list_first(&watched->watches) : NULL;
    for (; node; node = list_next(&watched->watches, node)) {
        struct watch *watch = LIST_OWNER(node, struct watch, node);
        if (watch->command->park) {
            heap_schedule(&queues->parked, &watch->command->deadline, watch->refresh_at_ms);
        }
    }
}

static size_t watched_count_user(const struct watched *watched, const char *user)
{
    size_t count = 0;
    for (struct list_node *node = list_first(&watched->watches); node; node = list_next(&watched->watches, node)) {
        count += strcmp(LIST_OWNER(node, struct watch, node)->user, user) == 0;
    }
    return count;
}

static bool watching_has_room(struct queues *queues, const char *user)
{
    size_t of_user = 0;
    if (queues->watch_count >= WATCHING_MAX) {
        return false;
    }
    if (queues->watch_count < WATCHING_PER_USER_MAX) {
        return true;
    }
    for (struct map_node *node = map_first(&queues->watched); node; node = map_next(&queues->watched, node)) {
        of_user += watched_count_user(MAP_OWNER(node, struct watched, by_id), user);
    }
    return of_user < WATCHING_PER_USER_MAX;
}

enum status watch_open(struct queues *queues, struct watch *watch, const struct view_request *request, struct error *error)
{
    enum status status = submitting_may_see(queues, request, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (!watching_has_room(queues, watch->user)) {
        status = error_set(error, STATUS_FULL, "WATCHES_FULL", "%d submissions are watched, or %d by one user: no more",
                           WATCHING_MAX, WATCHING_PER_USER_MAX);
        error->retry_after_ms = WATCHING_FULL_RETRY_MS;
        return status;
    }
    struct watched *watched = watching_find(queues, request->id);
    if (!watched) {
        watched = MEMORY_NEW(struct watched);
        watched->submission_id = request->id;
        list_init(&watched->watches);
        map_put(&queues->watched, &watched->by_id, &watched->submission_id, sizeof watched->submission_id);
    }
    list_init(&watch->parked);
    list_append(&watched->watches, &watch->node);
    queues->watch_count++;
    watch->watched = watched;
    watch->position = -1;
    return STATUS_OK;
}

void watch_close(struct queues *queues, struct watch *watch)
{
    struct watched *watched = watch->watched;
    if (!watched) {
        return;
    }
    queues_unpark(queues, watch->command);
    list_remove(&watched->watches, &watch->node);
    queues->watch_count--;
    watch->watched = NULL;
    if (list_is_empty(&watched->watches)) {
        map_remove(&queues->watched, &watched->by_id);
        memory_free(watched);
    }
}

/* ---- where it stands ---- */

/* May another watch look, whose submission nothing has happened to? In each turn for so long. */
static bool watching_may_look(struct queues *queues)
{
    if (queues->now_ms >= clock_add_ms(queues->watch_turn_ms, WATCHING_TURN_MS) || queues->now_ms < queues->watch_turn_ms) {
        queues->watch_turn_ms = queues->now_ms;
        queues->watch_spent_us = 0;
    }
    return queues->watch_spent_us < WATCHING_LOOK_US;
}

static int64_t watching_next_refresh_ms(int64_t now_ms)
{
    return (now_ms / WATCHING_REFRESH_MS + 2) * WATCHING_REFRESH_MS; /* whole seconds: those who wait look together */
}

bool watch_rests(struct queues *queues, struct watch *watch)
{
    const struct queue *queue = queues_find_by_id(queues, watch->queue_id);
    if (watch->position >= 0 && queue && queue->moves == watch->counted_moves) {
        watch->refresh_at_ms = watching_next_refresh_ms(queues->now_ms);
        return true;
    }
    if (!watching_may_look(queues)) {
        watch->refresh_at_ms = clock_add_ms(queues->now_ms, WATCHING_TURN_MS);
        return true;
    }
    return false;
}

static enum status watch_count(struct queues *queues, struct watch *watch, const struct store_submission *row)
{
    const struct queue *queue = queues_find_by_id(queues, row->queue_id);
    if (watch->position >= 0 && queues->now_ms < watch->refresh_at_ms) {
        return STATUS_OK;
    }
    int64_t position = 0;
    enum status status = STATUS_OK;
    if (queue) {
        status = label_sets_count_before(queues, queue, row, WATCHING_POSITION_MAX, &position);
    } else {
        status = store_count_before(queues->store, row, row->label_set_id, WATCHING_POSITION_MAX, &position);
        status = queues_stored(queues, status);
    }
    if (status == STATUS_OK) {
        watch->position = position;
        watch->counted_moves = queue ? queue->moves : 0;
    }
    return status;
}

/* How many gradings go on at one time: those that do, and what those connected could take. 0: nobody is there. */
static int64_t watch_slots(struct queues *queues, const struct queue *queue)
{
    int64_t slots = 0;
    for (struct list_node *node = list_first(&queues->sessions); node; node = list_next(&queues->sessions, node)) {
        const struct work_session *session = LIST_OWNER(node, struct work_session, node);
        slots += work_session_grades(session, queue) && !session->draining ? session->slots : 0;
    }
    return slots > queue->leased_count ? slots : queue->leased_count;
}

/* A result takes the median; who waits, waits for as many rounds of that as there are before him. */
static int64_t watch_estimate_ms(struct queues *queues, const struct watch_view *view)
{
    const struct queue *queue = queues_find_by_id(queues, view->row.queue_id);
    int64_t median_ms = queue ? queue_median_ms(queue) : 0;
    if (median_ms == 0) {
        return 0;
    }
    if (view->row.state == SUBMISSION_LEASED) {
        int64_t left_ms = median_ms - (queues->now_ms - view->row.leased_at_ms);
        return left_ms > 0 ? left_ms : 0;
    }
    int64_t slots = watch_slots(queues, queue);
    if (slots == 0) {
        return 0;
    }
    int64_t before = view->row.state == SUBMISSION_READY ? view->position : queue->ready_count;
    int64_t pause_ms = view->row.state == SUBMISSION_DELAYED ? view->row.ready_at_ms - queues->now_ms : 0;
    return (pause_ms > 0 ? pause_ms : 0) + (before / slots + 1) * median_ms;
}

/* ---- looking ---- */

/* What makes a view another one. Not the estimate: it goes with the rest. */
static void watch_digest(const struct watch_view *view, uint8_t out[SECRET_DIGEST_BYTES])
{
    struct {
        int64_t facts[WATCH_FACTS];
        char message[STORE_MESSAGE_MAX];
        char delivery_message[STORE_MESSAGE_MAX];
        char phase[PROGRESS_TEXT_PHASE_MAX];
        char note[PROGRESS_TEXT_NOTE_MAX];
    } seen;
    memset(&seen, 0, sizeof seen);
    const int64_t facts[] = {
        view->row.state,        view->row.state_at_ms,
        view->row.attempt,      view->row.failures,
        view->row.generation,   view->position,
        view->has_delivery,     view->has_delivery ? view->delivery.state : 0,
        view->delivery.attempt, view->delivery.state_at_ms,
        view->has_progress,     view->progress.percent,
        view->nobody_can_grade,
    };
    _Static_assert(sizeof facts <= sizeof seen.facts, "room for the facts");
    memcpy(seen.facts, facts, sizeof facts);
    text_copy(seen.message, sizeof seen.message, view->row.message);
    text_copy(seen.delivery_message, sizeof seen.delivery_message, view->delivery.message);
    text_copy(seen.phase, sizeof seen.phase, view->progress.phase);
    text_copy(seen.note, sizeof seen.note, view->progress.note);
    secret_digest(&seen, sizeof seen, out);
}

static enum status watch_read(struct queues *queues, struct watch *watch, struct watch_view *view)
{
    int64_t id = watch->watched->submission_id;
    enum status status = queues_stored(queues, store_find_submission(queues->store, id, &view->row));
    if (status != STATUS_OK) {
        return status;
    }
    status = queues_stored(queues, store_find_delivery(queues->store, id, &view->delivery));
    view->has_delivery = status == STATUS_OK;
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
        return status;
    }
    status = queues_stored(queues, store_read_queue_name(queues->store, view->row.queue_id, view->queue));
    if (status != STATUS_OK) {
        return status;
    }
    watch->queue_id = view->row.queue_id;
    view->nobody_can_grade =
        (view->row.state == SUBMISSION_READY || view->row.state == SUBMISSION_DELAYED) && !graders_can_take(queues, &view->row);
    if (view->row.state == SUBMISSION_READY) {
        return watch_count(queues, watch, &view->row);
    }
    watch->position = -1;
    const struct progress *progress = grading_progress(queues, id);
    if (progress) {
        view->has_progress = true;
        view->progress = *progress;
    }
    return STATUS_OK;
}

enum status watch_look(struct queues *queues, struct watch *watch, struct watch_view *out_view, bool *out_changed,
                       struct error *error)
{
    memset(out_view, 0, sizeof *out_view);
    int64_t began_us = clock_monotonic_us();
    enum status status = watch_read(queues, watch, out_view);
    queues->watch_spent_us += clock_monotonic_us() - began_us;
    if (status == STATUS_NOT_FOUND) {
        return error_set(error, status, "SUBMISSION_NOT_FOUND", "submission %lld is not there any more",
                         (long long)watch->watched->submission_id);
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (queues->now_ms >= watch->refresh_at_ms) {
        watch->refresh_at_ms = watching_next_refresh_ms(queues->now_ms);
    }
    out_view->position = watch->position >= 0 ? watch->position : 0;
    watch_digest(out_view, watch->seen);
    *out_changed = !watch->has_told || memcmp(watch->seen, watch->told, sizeof watch->seen) != 0;
    if (*out_changed && submission_is_live(out_view->row.state)) {
        out_view->estimate_ms = watch_estimate_ms(queues, out_view);
    }
    return STATUS_OK;
}

void watch_told(struct watch *watch)
{
    memcpy(watch->told, watch->seen, sizeof watch->told);
    watch->has_told = true;
}

int64_t watch_refresh_ms(const struct watch *watch, const struct watch_view *view)
{
    return view->row.state == SUBMISSION_READY ? watch->refresh_at_ms : CLOCK_NEVER;
}

bool watch_view_is_final(const struct watch_view *view)
{
    return !submission_is_live(view->row.state) && (!view->has_delivery || view->delivery.state == DELIVERY_DELIVERED ||
                                                    view->delivery.state == DELIVERY_UNDELIVERABLE);
}
