/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intrusive hash map from byte strings to their owners, which it also keeps in the order of insertion. The node lies inside the
 * owner (MAP_OWNER), the key is memory of the owner's that does not change while it is in. A zeroed node is in no map.
 *
 * Threading: none of its own; whoever guards the owner guards the map.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct map_node {
    struct list_node order;
    struct map_node *chain; /* next in the same bucket */
    const void *key;        /* borrowed */
    size_t key_length;
    uint64_t hash;
};

struct map {
    struct list all;           /* of map_node.order, oldest first */
    struct map_node **buckets; /* owned */
    size_t bucket_count;       /* a power of two, or 0 */
    uint64_t seed;             /* random: outsiders cannot aim for one bucket */
};

#define MAP_OWNER(node_, type_, member_) ((type_ *)(void *)((char *)(node_)-offsetof(type_, member_)))

void map_init(struct map *map);
void map_finish(struct map *map); /* frees the buckets, not the owners */
size_t map_count(const struct map *map);
/* Asserts that no owner with that key is in. */
void map_put(struct map *map, struct map_node *node, const void *key, size_t key_length);
struct map_node *map_find(const struct map *map, const void *key, size_t key_length); /* NULL: none */
void map_remove(struct map *map, struct map_node *node);                              /* no effect when in no map */
struct map_node *map_first(const struct map *map);                                    /* the oldest; NULL when empty */
/* The next one in the order of insertion, NULL at the end. Take it before removing node. */
struct map_node *map_next(const struct map *map, const struct map_node *node);

#endif
