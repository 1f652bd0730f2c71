/* SPDX-License-Identifier: Apache-2.0 */
#include "service/recent_pollers.h"

#include "base/memory.h"

struct recent_poller {
    struct list_node node;
    struct labels offered; /* owned */
    int64_t seen_at_ms;
};

void recent_pollers_init(struct recent_pollers *pollers)
{
    list_init(&pollers->items);
}

static void recent_pollers_forget_first(struct recent_pollers *pollers)
{
    struct recent_poller *poller = LIST_OWNER(list_take_first(&pollers->items), struct recent_poller, node);
    labels_finish(&poller->offered);
    memory_free(poller);
}

void recent_pollers_finish(struct recent_pollers *pollers)
{
    while (!list_is_empty(&pollers->items)) {
        recent_pollers_forget_first(pollers);
    }
}

static struct recent_poller *recent_pollers_find(struct recent_pollers *pollers, const struct labels *offered)
{
    struct list_node *node = list_first(&pollers->items);
    while (node && !labels_are_equal(&LIST_OWNER(node, struct recent_poller, node)->offered, offered)) {
        node = list_next(&pollers->items, node);
    }
    return node ? LIST_OWNER(node, struct recent_poller, node) : NULL;
}

void recent_pollers_note(struct recent_pollers *pollers, const struct labels *offered, int64_t now_ms)
{
    struct recent_poller *poller = recent_pollers_find(pollers, offered);
    if (poller) {
        list_remove(&pollers->items, &poller->node);
    } else {
        poller = MEMORY_NEW(struct recent_poller);
        poller->offered = labels_copy(offered);
    }
    poller->seen_at_ms = now_ms;
    list_append(&pollers->items, &poller->node);
    if (pollers->items.count > RECENT_POLLERS_MAX) {
        recent_pollers_forget_first(pollers);
    }
}

bool recent_pollers_cover(const struct recent_pollers *pollers, const struct labels *asked, int64_t now_ms)
{
    for (struct list_node *node = list_first(&pollers->items); node; node = list_next(&pollers->items, node)) {
        const struct recent_poller *poller = LIST_OWNER(node, struct recent_poller, node);
        if (now_ms - poller->seen_at_ms < RECENT_POLLERS_MS && labels_cover(&poller->offered, asked)) {
            return true;
        }
    }
    return false;
}
