/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intrusive min-heap by time: who is due first. The node lies inside its owner (HEAP_OWNER) and knows its place, so removal and
 * rescheduling are O(log n). A zeroed node is in no heap.
 *
 * Threading: none of its own.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    int64_t due_ms;
    size_t place; /* 1-based index; 0: in no heap */
};

struct heap {
    struct heap_node **nodes; /* owned array of borrowed nodes */
    size_t count;
    size_t capacity;
};

#define HEAP_OWNER(node_, type_, member_) ((type_ *)(void *)((char *)(node_)-offsetof(type_, member_)))

void heap_init(struct heap *heap);
void heap_finish(struct heap *heap); /* frees the array, not the owners */
bool heap_contains(const struct heap_node *node);
/* Puts node in, or moves it to its new time if it is in already. */
void heap_schedule(struct heap *heap, struct heap_node *node, int64_t due_ms);
void heap_remove(struct heap *heap, struct heap_node *node); /* no effect when in no heap */
struct heap_node *heap_first(const struct heap *heap);       /* NULL when empty */
/* The first one's time, or INT64_MAX when empty. */
int64_t heap_next_due_ms(const struct heap *heap);

#endif
