/* SPDX-License-Identifier: Apache-2.0 */
#include "base/list.h"

#include <assert.h>

void list_init(struct list *list)
{
    list->head = (struct list_node){.next = &list->head, .previous = &list->head};
    list->count = 0;
}

bool list_is_empty(const struct list *list)
{
    return list->count == 0;
}

bool list_contains(const struct list_node *node)
{
    return node->next != NULL;
}

static void insert_after(struct list *list, struct list_node *before, struct list_node *node)
{
    assert(!list_contains(node));
    node->previous = before;
    node->next = before->next;
    before->next->previous = node;
    before->next = node;
    list->count++;
}

void list_append(struct list *list, struct list_node *node)
{
    insert_after(list, list->head.previous, node);
}

void list_prepend(struct list *list, struct list_node *node)
{
    insert_after(list, &list->head, node);
}

void list_remove(struct list *list, struct list_node *node)
{
    if (!list_contains(node))
        return;
    assert(list->count > 0);
    node->previous->next = node->next;
    node->next->previous = node->previous;
    *node = (struct list_node){0};
    list->count--;
}

struct list_node *list_first(const struct list *list)
{
    return list->count == 0 ? NULL : list->head.next;
}

struct list_node *list_next(const struct list *list, const struct list_node *node)
{
    return node->next == &list->head ? NULL : node->next;
}

struct list_node *list_take_first(struct list *list)
{
    struct list_node *node = list_first(list);
    if (node)
        list_remove(list, node);
    return node;
}

void list_move_all(struct list *from, struct list *to)
{
    if (from == to || list_is_empty(from))
        return;
    struct list_node *first = from->head.next;
    struct list_node *last = from->head.previous;
    first->previous = to->head.previous;
    to->head.previous->next = first;
    last->next = &to->head;
    to->head.previous = last;
    to->count += from->count;
    list_init(from);
}
