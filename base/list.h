/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intrusive doubly linked list. The node lies inside the owner; LIST_OWNER gets from node to owner. A zeroed node is
 * unlinked; a list must be initialised.
 *
 * Threading: none of its own; whoever guards the owner guards the list.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list_node {
    struct list_node *next; /* NULL when unlinked */
    struct list_node *previous;
};

struct list {
    struct list_node head;
    size_t count;
};

#define LIST_OWNER(node_, type_, member_) ((type_ *)(void *)((char *)(node_)-offsetof(type_, member_)))

void list_init(struct list *list);
bool list_is_empty(const struct list *list);
bool list_contains(const struct list_node *node); /* in any list */
void list_append(struct list *list, struct list_node *node);
void list_prepend(struct list *list, struct list_node *node);
void list_remove(struct list *list, struct list_node *node);                        /* no effect when unlinked */
struct list_node *list_first(const struct list *list);                              /* NULL when empty */
struct list_node *list_next(const struct list *list, const struct list_node *node); /* NULL at the end */
struct list_node *list_take_first(struct list *list);                               /* unlinks; NULL when empty */
void list_move_all(struct list *from, struct list *to); /* appends all of from to to, from is empty then */

#endif
