/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rules */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "service/rules/rights.h"

enum { SUBMIT = 1, GRADE = 2, DELIVER = 4, ADMIN = 8, DIGITS = 7 };

static void a_role_for_one_queue_is_for_no_other(void **state)
{
    (void)state;
    struct rights rights = {0};
    assert_int_equal(rights_add(&rights, "cs102", GRADE), STATUS_OK);
    assert_int_equal(rights_add(&rights, "cs101", SUBMIT), STATUS_OK);
    assert_int_equal(rights_add(&rights, "cs102", DELIVER), STATUS_OK);

    assert_int_equal(rights.count, 2);
    assert_int_equal(rights_for(&rights, "cs101"), SUBMIT);
    assert_int_equal(rights_for(&rights, "cs102"), GRADE | DELIVER);
    assert_int_equal(rights_for(&rights, "cs1"), 0);
    assert_int_equal(rights_for(&rights, "cs1022"), 0);
    assert_int_equal(rights_for(&rights, ""), 0);
    assert_int_equal(rights_anywhere(&rights), SUBMIT | GRADE | DELIVER);
    rights_finish(&rights);
}

static void a_role_for_all_queues_is_for_each(void **state)
{
    (void)state;
    struct rights rights = {0};
    assert_int_equal(rights_add(&rights, "", GRADE), STATUS_OK);
    assert_int_equal(rights_add(&rights, "cs101", SUBMIT), STATUS_OK);

    assert_int_equal(rights_for(&rights, ""), GRADE);
    assert_int_equal(rights_for(&rights, "cs101"), GRADE | SUBMIT);
    assert_int_equal(rights_for(&rights, "cs102"), GRADE);
    rights_finish(&rights);
}

static void what_is_no_right_is_refused(void **state)
{
    (void)state;
    struct rights rights = {0};
    char name[RIGHTS_QUEUE_NAME_MAX + 1];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';

    assert_int_equal(rights_add(&rights, "cs101", 0), STATUS_INVALID);
    assert_int_equal(rights_add(&rights, "cs101", 16), STATUS_INVALID);
    assert_int_equal(rights_add(&rights, "a\nb", SUBMIT), STATUS_INVALID);
    assert_int_equal(rights_add(&rights, name, SUBMIT), STATUS_INVALID);
    assert_int_equal(rights.count, 0);
    for (int i = 0; i < RIGHTS_QUEUES_MAX; i++) {
        snprintf(name, sizeof name, "q%d", i);
        assert_int_equal(rights_add(&rights, name, SUBMIT), STATUS_OK);
    }
    assert_int_equal(rights_add(&rights, "one more", SUBMIT), STATUS_FULL);
    assert_int_equal(rights_add(&rights, "q7", GRADE), STATUS_OK);
    rights_finish(&rights);
}

static void a_part_is_covered_by_the_whole(void **state)
{
    (void)state;
    struct rights whole = {.everywhere = GRADE};
    struct rights part = {0};
    assert_int_equal(rights_add(&whole, "cs101", SUBMIT), STATUS_OK);
    assert_true(rights_cover(&whole, &part));
    assert_int_equal(rights_add(&part, "cs101", SUBMIT | GRADE), STATUS_OK);
    assert_true(rights_cover(&whole, &part));
    assert_true(rights_cover(&whole, &whole));

    assert_int_equal(rights_add(&part, "cs102", SUBMIT), STATUS_OK);
    assert_false(rights_cover(&whole, &part));
    rights_finish(&part);
    part.everywhere = SUBMIT;
    assert_false(rights_cover(&whole, &part));
    rights_finish(&whole);
}

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    struct rights rights = {0};
    struct rights again = {0};
    assert_int_equal(rights_add(&rights, "a name: with, \xc3\xa4 ", ADMIN | SUBMIT), STATUS_OK);
    assert_int_equal(rights_add(&rights, "b", GRADE), STATUS_OK);
    char *text = rights_write_queues(&rights);

    assert_string_equal(text, "9 a name: with, \xc3\xa4 \n2 b\n");
    assert_int_equal(rights_read_queues(&again, text), STATUS_OK);
    assert_true(rights_cover(&rights, &again) && rights_cover(&again, &rights));
    memory_free(text);
    rights_finish(&rights);
    rights_finish(&again);
    char *none = rights_write_queues(&rights);
    assert_string_equal(none, "");
    memory_free(none);
}

static void the_longest_names_are_written_whole(void **state)
{
    (void)state;
    struct rights rights = {0};
    struct rights again = {0};
    for (int i = 0; i < RIGHTS_QUEUES_MAX; i++) {
        char name[RIGHTS_QUEUE_NAME_MAX];
        memset(name, 'n', sizeof name - 1);
        char number[16];
        snprintf(number, sizeof number, "%07d", i);
        memcpy(name + sizeof name - DIGITS - 1, number, DIGITS + 1);
        assert_int_equal(rights_add(&rights, name, RIGHTS_ALL_ROLES), STATUS_OK);
    }
    char *text = rights_write_queues(&rights);
    assert_int_equal(rights_read_queues(&again, text), STATUS_OK);
    assert_int_equal(again.count, RIGHTS_QUEUES_MAX);
    memory_free(text);
    rights_finish(&rights);
    rights_finish(&again);
}

static void text_that_was_not_written_is_refused(void **state)
{
    static const char *const wrong[] = {"2 b", "b\n", "0 b\n", "16 b\n", "2 \n", "2b\n", "\n", "2 b\n\n", " 2 b\n"};
    (void)state;
    for (size_t at = 0; at < sizeof wrong / sizeof wrong[0]; at++) {
        struct rights rights = {0};
        if (rights_read_queues(&rights, wrong[at]) != STATUS_INVALID)
            fail_msg("'%s' was read", wrong[at]);
        rights_finish(&rights);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_role_for_one_queue_is_for_no_other), cmocka_unit_test(a_role_for_all_queues_is_for_each),
        cmocka_unit_test(what_is_no_right_is_refused),          cmocka_unit_test(a_part_is_covered_by_the_whole),
        cmocka_unit_test(what_is_written_is_read_again),        cmocka_unit_test(the_longest_names_are_written_whole),
        cmocka_unit_test(text_that_was_not_written_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
