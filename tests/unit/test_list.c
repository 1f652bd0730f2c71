/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/list.h"

struct item {
    int number;
    struct list_node node;
};

/* The numbers in order as one decimal number, checked in both directions. */
static int digits_of(const struct list *list)
{
    int digits = 0;
    size_t count = 0;
    for (struct list_node *node = list_first(list); node; node = list_next(list, node)) {
        assert_ptr_equal(node->next->previous, node);
        assert_ptr_equal(node->previous->next, node);
        digits = digits * 10 + LIST_OWNER(node, struct item, node)->number;
        count++;
    }
    assert_int_equal(count, list->count);
    return digits;
}

static void items_come_in_the_order_they_were_put(void **state)
{
    (void)state;
    struct item items[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
    struct list list;
    list_init(&list);

    assert_true(list_is_empty(&list));
    assert_null(list_first(&list));
    list_append(&list, &items[1].node);
    list_append(&list, &items[2].node);
    list_prepend(&list, &items[0].node);

    assert_false(list_is_empty(&list));
    assert_int_equal(digits_of(&list), 123);
}

static void a_removed_item_is_in_no_list_and_may_come_back(void **state)
{
    (void)state;
    struct item items[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
    struct list list;
    list_init(&list);
    for (int at = 0; at < 3; at++)
        list_append(&list, &items[at].node);

    list_remove(&list, &items[1].node);
    assert_int_equal(digits_of(&list), 13);
    assert_false(list_contains(&items[1].node));
    list_remove(&list, &items[1].node);
    assert_int_equal(digits_of(&list), 13);
    list_append(&list, &items[1].node);

    assert_int_equal(digits_of(&list), 132);
    assert_true(list_contains(&items[1].node));
}

static void taking_empties_from_the_front(void **state)
{
    (void)state;
    struct item items[2] = {{.number = 1}, {.number = 2}};
    struct list list;
    list_init(&list);
    list_append(&list, &items[0].node);
    list_append(&list, &items[1].node);

    assert_ptr_equal(list_take_first(&list), &items[0].node);
    assert_false(list_contains(&items[0].node));
    assert_ptr_equal(list_take_first(&list), &items[1].node);
    assert_null(list_take_first(&list));
    assert_true(list_is_empty(&list));
}

static void moving_all_appends_in_order(void **state)
{
    (void)state;
    struct item items[4] = {{.number = 1}, {.number = 2}, {.number = 3}, {.number = 4}};
    struct list from;
    struct list to;
    list_init(&from);
    list_init(&to);
    list_append(&to, &items[0].node);
    list_append(&to, &items[1].node);
    list_append(&from, &items[2].node);
    list_append(&from, &items[3].node);

    list_move_all(&from, &to);
    assert_int_equal(digits_of(&to), 1234);
    assert_true(list_is_empty(&from));
    list_move_all(&from, &to);
    list_move_all(&to, &to);
    assert_int_equal(digits_of(&to), 1234);
    list_move_all(&to, &from);

    assert_int_equal(digits_of(&from), 1234);
    assert_int_equal(digits_of(&to), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_in_the_order_they_were_put),
        cmocka_unit_test(a_removed_item_is_in_no_list_and_may_come_back),
        cmocka_unit_test(taking_empties_from_the_front),
        cmocka_unit_test(moving_all_appends_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
