/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "base/secret.h"

enum { MAP_BUCKETS_FIRST = 64 };

/* FNV-1a (Fowler, Noll, Vo) from a random seed, with MurmurHash3's finalizer to spread it over the low bits. */
static uint64_t map_hash(const struct map *map, const void *key, size_t length)
{
    const unsigned char *bytes = key;
    uint64_t hash = map->seed ^ UINT64_C(14695981039346656037);
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
    }
    hash ^= hash >> 33;
    hash *= UINT64_C(0xff51afd7ed558ccd);
    return hash ^ (hash >> 33);
}

static struct map_node **map_bucket(const struct map *map, uint64_t hash)
{
    return &map->buckets[hash & (map->bucket_count - 1)];
}

void map_init(struct map *map)
{
    *map = (struct map){0};
    list_init(&map->all);
    secret_random(&map->seed, sizeof map->seed);
}

void map_finish(struct map *map)
{
    memory_free(map->buckets);
    map->buckets = NULL;
    map->bucket_count = 0;
}

size_t map_count(const struct map *map)
{
    return map->all.count;
}

static void map_grow(struct map *map)
{
    memory_free(map->buckets);
    map->bucket_count = map->bucket_count ? map->bucket_count * 2 : MAP_BUCKETS_FIRST;
    map->buckets = memory_allocate_array(map->bucket_count, sizeof(void *));
    for (struct map_node *node = map_first(map); node; node = map_next(map, node)) {
        struct map_node **bucket = map_bucket(map, node->hash);
        node->chain = *bucket;
        *bucket = node;
    }
}

void map_put(struct map *map, struct map_node *node, const void *key, size_t key_length)
{
    assert(map_find(map, key, key_length) == NULL);
    if (map->all.count >= map->bucket_count) {
        map_grow(map);
    }
    node->key = key;
    node->key_length = key_length;
    node->hash = map_hash(map, key, key_length);
    struct map_node **bucket = map_bucket(map, node->hash);
    node->chain = *bucket;
    *bucket = node;
    list_append(&map->all, &node->order);
}

struct map_node *map_find(const struct map *map, const void *key, size_t key_length)
{
    if (map->bucket_count == 0) {
        return NULL;
    }
    uint64_t hash = map_hash(map, key, key_length);
    struct map_node *node = *map_bucket(map, hash);
    while (node && (node->hash != hash || node->key_length != key_length || memcmp(node->key, key, key_length) != 0)) {
        node = node->chain;
    }
    return node;
}

void map_remove(struct map *map, struct map_node *node)
{
    if (!list_contains(&node->order)) {
        return;
    }
    struct map_node **place = map_bucket(map, node->hash);
    while (*place != node) {
        place = &(*place)->chain;
    }
    *place = node->chain;
    list_remove(&map->all, &node->order);
}

struct map_node *map_first(const struct map *map)
{
    struct list_node *first = list_first(&map->all);
    return first ? LIST_OWNER(first, struct map_node, order) : NULL;
}

struct map_node *map_next(const struct map *map, const struct map_node *node)
{
    struct list_node *next = list_next(&map->all, &node->order);
    return next ? LIST_OWNER(next, struct map_node, order) : NULL;
}
