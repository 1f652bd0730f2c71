/* SPDX-License-Identifier: Apache-2.0 */
#include "service/waiting_graders.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "service/queue.h"

void graders_init(struct graders *graders, int64_t leases_max)
{
    graders->by_name = NULL;
    graders->leases_max = leases_max;
}

void graders_finish(struct graders *graders)
{
    struct grader *grader = NULL;
    struct grader *next = NULL;
    HASH_ITER(hh, graders->by_name, grader, next)
    {
        HASH_DEL(graders->by_name, grader);
        memory_free(grader);
    }
}

struct grader *graders_find(struct graders *graders, const char *name)
{
    struct grader *grader = NULL;
    HASH_FIND_STR(graders->by_name, name, grader);
    return grader;
}

struct grader *graders_find_or_create(struct graders *graders, const char *name)
{
    struct grader *grader = graders_find(graders, name);
    if (grader) {
        return grader;
    }
    grader = MEMORY_NEW(struct grader);
    text_copy(grader->name, sizeof grader->name, name);
    list_init(&grader->leases);
    grader->leases_max = graders->leases_max;
    HASH_ADD_STR(graders->by_name, name, grader);
    return grader;
}

void graders_forget_idle(struct graders *graders, struct grader *grader)
{
    if (grader->session || !list_is_empty(&grader->leases)) {
        return;
    }
    HASH_DEL(graders->by_name, grader);
    memory_free(grader);
}

bool grader_has_room(const struct grader *grader)
{
    return (int64_t)grader->leases.count < grader->leases_max;
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
