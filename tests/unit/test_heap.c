/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/heap.h"

struct item {
    int number;
    struct heap_node node;
};

static void an_empty_heap_has_nothing_due(void **state)
{
    (void)state;
    struct heap heap;
    struct heap_node node = {0};
    heap_init(&heap);

    assert_null(heap_first(&heap));
    assert_true(heap_next_due_ms(&heap) == INT64_MAX);
    assert_false(heap_contains(&node));
    heap_remove(&heap, &node);

    heap_finish(&heap);
}

static void the_earliest_is_first(void **state)
{
    (void)state;
    struct item items[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
    struct heap heap;
    heap_init(&heap);

    heap_schedule(&heap, &items[0].node, 30);
    heap_schedule(&heap, &items[1].node, 10);
    heap_schedule(&heap, &items[2].node, 20);

    assert_int_equal(HEAP_OWNER(heap_first(&heap), struct item, node)->number, 2);
    assert_int_equal(heap_next_due_ms(&heap), 10);
    heap_finish(&heap);
}

static void a_node_that_is_scheduled_again_moves(void **state)
{
    (void)state;
    struct item items[3] = {{0}};
    struct heap heap;
    heap_init(&heap);
    for (int at = 0; at < 3; at++)
        heap_schedule(&heap, &items[at].node, INT64_C(10) * (at + 1));

    heap_schedule(&heap, &items[0].node, 40);
    assert_ptr_equal(heap_first(&heap), &items[1].node);
    heap_schedule(&heap, &items[2].node, INT64_MIN);
    assert_ptr_equal(heap_first(&heap), &items[2].node);

    assert_int_equal(heap.count, 3);
    heap_finish(&heap);
}

static void finishing_lets_the_nodes_go(void **state)
{
    (void)state;
    struct heap_node node = {0};
    struct heap heap;
    heap_init(&heap);
    heap_schedule(&heap, &node, 1);
    assert_true(heap_contains(&node));

    heap_finish(&heap);

    assert_false(heap_contains(&node));
}

static void assert_ordered(const struct heap *heap)
{
    for (size_t place = 1; place <= heap->count; place++) {
        assert_int_equal(heap->nodes[place - 1]->place, place);
        if (place > 1)
            assert_true(heap->nodes[place / 2 - 1]->due_ms <= heap->nodes[place - 1]->due_ms);
    }
}

static void any_mix_of_moves_and_removals_keeps_the_order(void **state)
{
    (void)state;
    enum { NODES = 100, STEPS = 5000 };
    struct heap_node nodes[NODES] = {{0}};
    struct heap heap;
    uint32_t random = 1;
    heap_init(&heap);

    for (int step = 0; step < STEPS; step++) {
        random = random * 1664525U + 1013904223U;
        struct heap_node *node = &nodes[(random >> 8) % NODES];
        if (random >> 30 == 0)
            heap_remove(&heap, node);
        else
            heap_schedule(&heap, node, (int64_t)((random >> 16) % 50));
        assert_ordered(&heap);
    }
    int64_t last_ms = INT64_MIN;
    while (heap_first(&heap)) {
        assert_true(heap_next_due_ms(&heap) >= last_ms);
        last_ms = heap_next_due_ms(&heap);
        heap_remove(&heap, heap_first(&heap));
        assert_ordered(&heap);
    }
    for (int at = 0; at < NODES; at++)
        assert_false(heap_contains(&nodes[at]));
    heap_finish(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_heap_has_nothing_due),
        cmocka_unit_test(the_earliest_is_first),
        cmocka_unit_test(a_node_that_is_scheduled_again_moves),
        cmocka_unit_test(finishing_lets_the_nodes_go),
        cmocka_unit_test(any_mix_of_moves_and_removals_keeps_the_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
