/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rules */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/rules/labels.h"

#define OF(...)                                                                                     \
    (struct labels)                                                                                 \
    {                                                                                               \
        (struct label[]){__VA_ARGS__}, sizeof((struct label[]){__VA_ARGS__}) / sizeof(struct label) \
    }

static const struct labels nothing;
static const uint8_t salt[16] = {1};
static const uint8_t other_salt[16] = {2};

static void a_grader_needs_every_label_with_its_value(void **state)
{
    (void)state;
    const struct labels asked = OF({"arch", "arm"}, {"gpu", "1"});

    assert_true(labels_cover(&asked, &asked));
    assert_true(labels_cover(&OF({"gpu", "1"}, {"more", "x"}, {"arch", "arm"}), &asked));
    assert_false(labels_cover(&OF({"arch", "arm"}), &asked));
    assert_false(labels_cover(&OF({"arch", "arm"}, {"gpu", "2"}), &asked));
    assert_false(labels_cover(&OF({"arch", "arm"}, {"gpu", ""}), &asked));
    assert_false(labels_cover(&OF({"arch", "arm"}, {"GPU", "1"}), &asked));
    assert_false(labels_cover(&OF({"arch", "1"}, {"gpu", "arm"}), &asked));
    assert_false(labels_cover(&nothing, &asked));
}

static void what_asks_for_nothing_anybody_can_take(void **state)
{
    (void)state;
    assert_true(labels_cover(&nothing, &nothing));
    assert_true(labels_cover(&OF({"gpu", "1"}), &nothing));
}

static void a_name_that_comes_twice_is_found(void **state)
{
    (void)state;
    assert_true(labels_repeat_a_name(&OF({"a", "1"}, {"b", "1"}, {"a", "2"})));
    assert_false(labels_repeat_a_name(&OF({"a", "1"}, {"b", "1"}, {"aa", "1"})));
    assert_false(labels_repeat_a_name(&nothing));
}

static void equal_sets_have_one_number_in_whatever_order(void **state)
{
    (void)state;
    int64_t id = labels_set_id(&OF({"a", "1"}, {"b", "2"}), salt);

    assert_true(id > 0);
    assert_int_equal(labels_set_id(&OF({"b", "2"}, {"a", "1"}), salt), id);
    assert_int_equal(labels_set_id(&nothing, salt), 0);
    assert_int_not_equal(labels_set_id(&OF({"a", "1"}, {"b", "2"}), other_salt), id);
}

static void different_sets_have_different_numbers(void **state)
{
    (void)state;
    const struct labels sets[] = {
        OF({"a", "1"}), OF({"a", "2"}),          OF({"b", "1"}), OF({"a", ""}), OF({"a", "1"}, {"b", ""}),
        OF({"a1", ""}), OF({"a", ""}, {"1", ""})};

    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        for (size_t k = 0; k < i; k++)
            assert_int_not_equal(labels_set_id(&sets[i], salt), labels_set_id(&sets[k], salt));
}

static void a_copy_is_equal_and_its_own(void **state)
{
    (void)state;
    char value[] = "1";
    struct label items[] = {{"a", value}};
    const struct labels labels = {items, 1};

    struct labels copy = labels_copy(&labels);

    assert_true(labels_are_equal(&copy, &labels));
    value[0] = '2';
    assert_false(labels_are_equal(&copy, &labels));
    labels_finish(&copy);
    assert_int_equal(copy.count, 0);
    labels_finish(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_grader_needs_every_label_with_its_value),
        cmocka_unit_test(what_asks_for_nothing_anybody_can_take),
        cmocka_unit_test(a_name_that_comes_twice_is_found),
        cmocka_unit_test(equal_sets_have_one_number_in_whatever_order),
        cmocka_unit_test(different_sets_have_different_numbers),
        cmocka_unit_test(a_copy_is_equal_and_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
