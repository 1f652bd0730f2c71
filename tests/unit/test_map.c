/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/memory.h"

enum { ITEMS = 1000 };

struct item {
    int64_t id;
    struct map_node node;
};

static struct item *item_at(struct map *map, int64_t id)
{
    struct map_node *node = map_find(map, &id, sizeof id);
    return node ? MAP_OWNER(node, struct item, node) : NULL;
}

static void what_was_put_is_found_by_its_key(void **state)
{
    (void)state;
    struct map map;
    struct item *items = memory_allocate_array(ITEMS, sizeof *items);
    map_init(&map);

    for (int64_t i = 0; i < ITEMS; i++) {
        items[i].id = i * 7;
        map_put(&map, &items[i].node, &items[i].id, sizeof items[i].id);
    }

    assert_int_equal(map_count(&map), ITEMS);
    for (int64_t i = 0; i < ITEMS; i++) {
        assert_ptr_equal(item_at(&map, i * 7), &items[i]);
    }
    assert_null(item_at(&map, 3));
    map_finish(&map);
    memory_free(items);
}

static void what_was_removed_is_not_found_and_the_rest_is(void **state)
{
    (void)state;
    struct map map;
    struct item *items = memory_allocate_array(ITEMS, sizeof *items);
    map_init(&map);
    for (int64_t i = 0; i < ITEMS; i++) {
        items[i].id = i;
        map_put(&map, &items[i].node, &items[i].id, sizeof items[i].id);
    }

    for (int64_t i = 0; i < ITEMS; i += 2) {
        map_remove(&map, &items[i].node);
        map_remove(&map, &items[i].node);
    }

    for (int64_t i = 0; i < ITEMS; i++) {
        assert_ptr_equal(item_at(&map, i), i % 2 ? &items[i] : NULL);
    }
    assert_int_equal(map_count(&map), ITEMS / 2);
    map_finish(&map);
    memory_free(items);
}

static void owners_come_in_the_order_of_insertion(void **state)
{
    (void)state;
    struct map map;
    struct item items[] = {{.id = 30}, {.id = 10}, {.id = 20}};
    map_init(&map);
    for (size_t i = 0; i < 3; i++) {
        map_put(&map, &items[i].node, &items[i].id, sizeof items[i].id);
    }

    struct map_node *node = map_first(&map);

    for (size_t i = 0; i < 3; i++, node = map_next(&map, node)) {
        assert_ptr_equal(MAP_OWNER(node, struct item, node), &items[i]);
    }
    assert_null(node);
    map_finish(&map);
}

static void an_empty_map_finds_nothing(void **state)
{
    (void)state;
    struct map map;
    map_init(&map);

    assert_null(map_find(&map, "a", 1));
    assert_null(map_first(&map));
    map_finish(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_found_by_its_key),
        cmocka_unit_test(what_was_removed_is_not_found_and_the_rest_is),
        cmocka_unit_test(owners_come_in_the_order_of_insertion),
        cmocka_unit_test(an_empty_map_finds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
