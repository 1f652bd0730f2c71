/* SPDX-License-Identifier: Apache-2.0 */
#include "service/waiting_graders.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "service/queue.h"
#include "service/work_session.h"

void graders_init(struct graders *graders, int64_t leases_max)
{
    map_init(&graders->by_name);
    list_init(&graders->judged);
    list_init(&graders->remembered);
    heap_init(&graders->quiet_ends);
    graders->leases_max = leases_max;
}

void graders_finish(struct graders *graders)
{
    struct map_node *node = NULL;
    heap_finish(&graders->quiet_ends); /* while those in it are still there */
    while ((node = map_first(&graders->by_name)) != NULL) {
        map_remove(&graders->by_name, node);
        memory_free(MAP_OWNER(node, struct grader, by_name));
    }
    map_finish(&graders->by_name);
}

struct grader *graders_find(struct graders *graders, const char *name)
{
    struct map_node *node = map_find(&graders->by_name, name, strlen(name));
    return node ? MAP_OWNER(node, struct grader, by_name) : NULL;
}

struct grader *graders_find_or_create(struct graders *graders, const char *name)
{
    struct grader *grader = graders_find(graders, name);
    if (grader) {
        list_remove(&graders->remembered, &grader->remembered_node);
        return grader;
    }
    grader = MEMORY_NEW(struct grader);
    text_copy(grader->name, sizeof grader->name, name);
    list_init(&grader->leases);
    grader->leases_max = graders->leases_max;
    map_put(&graders->by_name, &grader->by_name, grader->name, strlen(grader->name));
    return grader;
}

static void graders_forget(struct graders *graders, struct grader *grader)
{
    list_remove(&graders->remembered, &grader->remembered_node);
    heap_remove(&graders->quiet_ends, &grader->quiet_end);
    map_remove(&graders->by_name, &grader->by_name);
    memory_free(grader);
}

void graders_forget_idle(struct graders *graders, struct grader *grader)
{
    bool is_judged = list_contains(&grader->judged_node); /* comes here again after the batch */
    bool may_hold_again = grader->ended_count > 0;
    if (grader->session_count > 0 || !list_is_empty(&grader->leases) || is_judged || may_hold_again) {
        return;
    }
    if (quarantine_is_clean(&grader->quarantine)) {
        graders_forget(graders, grader);
        return;
    }
    list_remove(&graders->remembered, &grader->remembered_node);
    list_append(&graders->remembered, &grader->remembered_node);
    if (graders->remembered.count > GRADERS_REMEMBERED_MAX) {
        graders_forget(graders, LIST_OWNER(list_first(&graders->remembered), struct grader, remembered_node));
    }
}

bool grader_has_room(const struct grader *grader)
{
    return (int64_t)grader->leases.count < quarantine_leases_max(&grader->quarantine, grader->leases_max);
}

static bool session_covers(const struct work_session *session, const struct queue *queue, const struct labels *asked)
{
    bool grades = false;
    for (size_t i = 0; i < session->place_count && !grades; i++) {
        grades = session->places[i].queue == queue;
    }
    return grades && !session->draining && labels_cover(&session->labels, asked);
}

bool graders_cover(const struct queues *queues, const struct queue *queue, const struct labels *asked)
{
    for (struct list_node *node = list_first(&queues->sessions); node; node = list_next(&queues->sessions, node)) {
        if (session_covers(LIST_OWNER(node, struct work_session, node), queue, asked)) {
            return true;
        }
    }
    return recent_pollers_cover(&queue->pollers, asked, queues->now_ms);
}

bool graders_can_take(const struct queues *queues, const struct store_submission *row)
{
    const struct labels nothing = {0};
    const struct queue *queue = queues_find_by_id(queues, row->queue_id);
    const struct label_set *set =
        queue && row->label_set_id != 0 ? label_sets_find(&queue->label_sets, row->label_set_id) : NULL;
    return queue && graders_cover(queues, queue, set ? &set->labels : &nothing);
}

struct waiting_place *waiting_place_next(struct queue *queue)
{
    struct list_node *node = list_take_first(&queue->waiters);
    if (!node) {
        return NULL;
    }
    list_append(&queue->waiters, node);
    return LIST_OWNER(node, struct waiting_place, node);
}
