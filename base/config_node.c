/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config_node.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define MERGE_KEY "<<"

enum { CAPACITY_FIRST = 8 };

struct config_anchor {
    char *name;              /* owned */
    struct config_node node; /* owned; has no key */
};

static const char unfolds[] = "anchors unfold into more than 16 MiB";

struct config_node *config_node_add(struct config_node *parent)
{
    if (parent->count == parent->capacity) {
        parent->capacity = parent->capacity ? parent->capacity * 2 : CAPACITY_FIRST;
        parent->items = memory_resize(parent->items, parent->capacity * sizeof *parent->items);
    }
    struct config_node *node = &parent->items[parent->count++];
    *node = (struct config_node){.kind = CONFIG_NODE_NULL};
    return node;
}

static void finish_one(struct config_node *node)
{
    memory_free(node->key);
    memory_free(node->text);
    memory_free(node->items);
}

/* Without recursion: always down to the last entry that has none of its own. */
void config_node_finish(struct config_node *node)
{
    while (node->count > 0) {
        struct config_node *parent = node;
        while (parent->items[parent->count - 1].count > 0)
            parent = &parent->items[parent->count - 1];
        parent->count--;
        finish_one(&parent->items[parent->count]);
    }
    finish_one(node);
}

/* ---- copies ---- */

static const char *copy_one(struct config_anchors *anchors, const struct config_node *from, struct config_node *to)
{
    size_t cost = sizeof *from + (from->text ? strlen(from->text) : 0) + (from->key ? strlen(from->key) : 0);
    if (cost > anchors->copied_bytes_left)
        return unfolds;
    anchors->copied_bytes_left -= cost;
    to->kind = from->kind;
    to->is_plain = from->is_plain;
    to->text = memory_copy_text(from->text);
    return NULL;
}

/* A map or list that is being copied. */
struct copying {
    const struct config_node *from;
    struct config_node *to;
};

/* to keeps its key and line, its entries get those of from. Without recursion. */
static const char *copy(struct config_anchors *anchors, const struct config_node *from, struct config_node *to, size_t levels)
{
    struct copying open[CONFIG_TREE_LENIENT_DEPTH_MAX];
    size_t depth = 0;
    assert(levels <= CONFIG_TREE_LENIENT_DEPTH_MAX);
    const char *fault = copy_one(anchors, from, to);
    for (;;) {
        if (!fault && from->count > 0 && depth == levels)
            fault = "anchors unfold into too many levels";
        if (fault)
            return fault;
        if (from->count > 0)
            open[depth++] = (struct copying){from, to};
        while (depth > 0 && open[depth - 1].to->count == open[depth - 1].from->count)
            depth--;
        if (depth == 0)
            return NULL;
        from = &open[depth - 1].from->items[open[depth - 1].to->count];
        to = config_node_add(open[depth - 1].to);
        to->key = memory_copy_text(from->key);
        to->line = from->line;
        fault = copy_one(anchors, from, to);
    }
}

static struct config_anchor *find(const struct config_anchors *anchors, const char *name)
{
    for (size_t at = 0; at < anchors->count; at++) {
        if (strcmp(anchors->items[at].name, name) == 0)
            return &anchors->items[at];
    }
    return NULL;
}

const char *config_anchors_keep(struct config_anchors *anchors, const char *name, const struct config_node *node)
{
    struct config_anchor *anchor = find(anchors, name);
    if (anchor) {
        config_node_finish(&anchor->node);
        anchor->node = (struct config_node){.kind = CONFIG_NODE_NULL};
    } else {
        if (anchors->count == CONFIG_TREE_ANCHORS_MAX)
            return "more than 1000 anchors";
        if (!anchors->items)
            anchors->items = memory_allocate_array(CONFIG_TREE_ANCHORS_MAX, sizeof *anchors->items);
        anchor = &anchors->items[anchors->count++];
        anchor->name = memory_copy_text(name);
    }
    return copy(anchors, node, &anchor->node, CONFIG_TREE_LENIENT_DEPTH_MAX);
}

const char *config_anchors_place(struct config_anchors *anchors, const char *name, struct config_node *node, size_t levels)
{
    const struct config_anchor *anchor = find(anchors, name);
    return anchor ? copy(anchors, &anchor->node, node, levels) : "an alias (*) of an anchor that is not there, or contains it";
}

void config_anchors_finish(struct config_anchors *anchors)
{
    for (size_t at = 0; at < anchors->count; at++) {
        config_node_finish(&anchors->items[at].node);
        memory_free(anchors->items[at].name);
    }
    memory_free(anchors->items);
}

/* ---- merged maps, keys given twice ---- */

static const char *merge_map(struct config_anchors *anchors, const struct config_node *from, struct config_node *map,
                             size_t levels)
{
    const char *fault = from->kind == CONFIG_NODE_MAP ? NULL : "'<<' takes a map or a list of maps";
    for (size_t at = 0; !fault && at < from->count; at++) {
        if (map->count == CONFIG_TREE_ENTRIES_MAX)
            return "more than 10000 entries";
        struct config_node *item = config_node_add(map);
        item->key = memory_copy_text(from->items[at].key);
        item->line = from->items[at].line;
        item->is_merged = true;
        fault = copy(anchors, &from->items[at], item, levels);
    }
    return fault;
}

static const char *merge(struct config_anchors *anchors, const struct config_node *from, struct config_node *map, size_t levels)
{
    if (from->kind != CONFIG_NODE_LIST)
        return merge_map(anchors, from, map, levels);
    const char *fault = NULL;
    for (size_t at = 0; !fault && at < from->count; at++)
        fault = merge_map(anchors, &from->items[at], map, levels);
    return fault;
}

/* Takes the "<<" out of the map before the map grows. */
static const char *merge_all(struct config_anchors *anchors, struct config_node *map, size_t levels)
{
    const char *fault = NULL;
    for (size_t at = 0; !fault && at < map->count;) {
        if (map->items[at].is_merged || strcmp(map->items[at].key, MERGE_KEY) != 0) {
            at++;
            continue;
        }
        struct config_node taken = map->items[at];
        memmove(&map->items[at], &map->items[at + 1], (map->count - at - 1) * sizeof *map->items);
        map->count--;
        fault = merge(anchors, &taken, map, levels);
        config_node_finish(&taken);
    }
    return fault;
}

/* By key; of one key the winner first. Both point into one array. */
static int compare_entries(const void *a, const void *b)
{
    const struct config_node *left = *(const struct config_node *const *)a;
    const struct config_node *right = *(const struct config_node *const *)b;
    int order = strcmp(left->key, right->key);
    if (order != 0)
        return order;
    if (left->is_merged != right->is_merged)
        return left->is_merged ? 1 : -1;
    bool left_is_later = left > right;
    return left_is_later != left->is_merged ? -1 : 1;
}

static void drop_repeated(struct config_node *map)
{
    struct config_node **sorted = memory_allocate_array(map->count, sizeof(void *));
    bool *drop = memory_allocate_array(map->count, sizeof *drop);
    size_t winner = 0;
    size_t kept = 0;
    for (size_t at = 0; at < map->count; at++)
        sorted[at] = &map->items[at];
    qsort(sorted, map->count, sizeof(void *), compare_entries);
    for (size_t at = 1; at < map->count; at++) {
        if (strcmp(sorted[winner]->key, sorted[at]->key) != 0) {
            winner = at;
            continue;
        }
        drop[sorted[at] - map->items] = true;
        if (!sorted[at]->is_merged)
            sorted[winner]->is_repeated = true;
    }
    for (size_t at = 0; at < map->count; at++) {
        if (drop[at])
            config_node_finish(&map->items[at]);
        else
            map->items[kept++] = map->items[at];
    }
    map->count = kept;
    memory_free(drop);
    memory_free(sorted);
}

const char *config_anchors_settle(struct config_anchors *anchors, struct config_node *map, size_t levels)
{
    const char *fault = merge_all(anchors, map, levels);
    if (!fault)
        drop_repeated(map);
    return fault;
}
