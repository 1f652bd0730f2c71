/* SPDX-License-Identifier: Apache-2.0 */
#include "base/heap.h"

#include <assert.h>

#include "base/memory.h"

enum { CAPACITY_FIRST = 16 };

void heap_init(struct heap *heap)
{
    *heap = (struct heap){0};
}

void heap_finish(struct heap *heap)
{
    for (size_t at = 0; at < heap->count; at++)
        heap->nodes[at]->place = 0;
    memory_free(heap->nodes);
    *heap = (struct heap){0};
}

bool heap_contains(const struct heap_node *node)
{
    return node->place != 0;
}

/* Places count from 1, as in the books: the parent of place p is p / 2. */
static struct heap_node *node_at(const struct heap *heap, size_t place)
{
    return heap->nodes[place - 1];
}

static void put_at(struct heap *heap, size_t place, struct heap_node *node)
{
    heap->nodes[place - 1] = node;
    node->place = place;
}

static void move_up(struct heap *heap, struct heap_node *node)
{
    size_t place = node->place;
    while (place > 1 && node_at(heap, place / 2)->due_ms > node->due_ms) {
        put_at(heap, place, node_at(heap, place / 2));
        place /= 2;
    }
    put_at(heap, place, node);
}

static void move_down(struct heap *heap, struct heap_node *node)
{
    size_t place = node->place;
    while (place <= heap->count / 2) {
        size_t child = place * 2;
        if (child < heap->count && node_at(heap, child + 1)->due_ms < node_at(heap, child)->due_ms)
            child++;
        if (node_at(heap, child)->due_ms >= node->due_ms)
            break;
        put_at(heap, place, node_at(heap, child));
        place = child;
    }
    put_at(heap, place, node);
}

void heap_schedule(struct heap *heap, struct heap_node *node, int64_t due_ms)
{
    if (!heap_contains(node)) {
        if (heap->count == heap->capacity) {
            size_t capacity = heap->capacity ? heap->capacity * 2 : CAPACITY_FIRST;
            assert(capacity <= SIZE_MAX / sizeof(struct heap_node *));
            heap->nodes = memory_resize(heap->nodes, capacity * sizeof(struct heap_node *));
            heap->capacity = capacity;
        }
        heap->count++;
        put_at(heap, heap->count, node);
    }
    assert(node_at(heap, node->place) == node);
    node->due_ms = due_ms;
    move_up(heap, node);
    move_down(heap, node);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    if (!heap_contains(node))
        return;
    assert(node->place <= heap->count && node_at(heap, node->place) == node);
    struct heap_node *last = node_at(heap, heap->count);
    heap->count--;
    if (last != node) {
        put_at(heap, node->place, last);
        move_up(heap, last);
        move_down(heap, last);
    }
    node->place = 0;
}

struct heap_node *heap_first(const struct heap *heap)
{
    return heap->count == 0 ? NULL : heap->nodes[0];
}

int64_t heap_next_due_ms(const struct heap *heap)
{
    return heap->count == 0 ? INT64_MAX : heap->nodes[0]->due_ms;
}
