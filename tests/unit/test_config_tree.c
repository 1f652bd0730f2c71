/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_base */
/* YAML of others, read leniently: what PyYAML's safe loader would make of it, within bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/config_tree.h"
#include "base/memory.h"
#include "base/text.h"

enum { TEXT_BYTES_MAX = 1024 * 1024 };

static struct config_node *accept(const char *text)
{
    struct config_node *root = NULL;
    struct error error = {.text = "no text"};
    if (config_tree_parse_lenient("t.yml", text, strlen(text), &root, &error) != STATUS_OK)
        fail_msg("%s", error.text);
    return root;
}

static void refuse(const char *text, const char *start)
{
    struct config_node *root = NULL;
    struct error error = {.text = "no text"};
    assert_int_equal(config_tree_parse_lenient("t.yml", text, strlen(text), &root, &error), STATUS_INVALID);
    assert_null(root);
    if (strncmp(error.text, start, strlen(start)) != 0)
        fail_msg("'%s' does not begin with '%s'", error.text, start);
}

static const char *text_of(const struct config_node *map, const char *key)
{
    const struct config_node *node = config_tree_find(map, key);
    assert_non_null(node);
    assert_int_equal(node->kind, CONFIG_NODE_TEXT);
    return node->text;
}

static void an_alias_is_a_copy_of_what_has_the_anchor(void **state)
{
    (void)state;
    struct config_node *root = accept("a: &text one\nb: *text\nc: &map {x: [1, {y: 2}], z: }\nd: *map\ne: [*text, *map]\n");

    assert_string_equal(text_of(root, "b"), "one");
    const struct config_node *copy = config_tree_find(root, "d");
    assert_int_equal(copy->kind, CONFIG_NODE_MAP);
    assert_int_equal(copy->count, 2);
    assert_int_equal(copy->items[0].count, 2);
    assert_string_equal(text_of(&copy->items[0].items[1], "y"), "2");
    assert_int_equal(copy->items[1].kind, CONFIG_NODE_NULL);
    const struct config_node *list = config_tree_find(root, "e");
    assert_string_equal(list->items[0].text, "one");
    assert_string_equal(text_of(&list->items[1].items[0].items[1], "y"), "2");
    config_tree_destroy(root);
}

static void an_anchor_may_be_given_anew(void **state)
{
    (void)state;
    struct config_node *root = accept("a: &x 1\nb: *x\nc: &x {k: 2}\nd: *x\n");

    assert_string_equal(text_of(root, "b"), "1");
    assert_string_equal(text_of(config_tree_find(root, "d"), "k"), "2");
    config_tree_destroy(root);
}

static void merged_maps_fill_what_the_map_does_not_say(void **state)
{
    (void)state;
    struct config_node *root = accept("one: &one {a: 1, b: 1}\ntwo: &two {b: 2, c: 2}\n"
                                      "map: {<<: *one, b: own}\nlist: {c: own, <<: [*one, *two]}\n");

    const struct config_node *map = config_tree_find(root, "map");
    assert_int_equal(map->count, 2);
    assert_string_equal(text_of(map, "a"), "1");
    assert_string_equal(text_of(map, "b"), "own");
    assert_false(config_tree_find(map, "b")->is_repeated);
    assert_true(config_tree_find(map, "a")->is_merged);
    const struct config_node *list = config_tree_find(root, "list");
    assert_int_equal(list->count, 3);
    assert_string_equal(text_of(list, "a"), "1");
    assert_string_equal(text_of(list, "b"), "1");
    assert_string_equal(text_of(list, "c"), "own");
    config_tree_destroy(root);
}

static void of_a_repeated_key_the_last_counts_and_says_so(void **state)
{
    (void)state;
    struct config_node *root = accept("a: 1\nb: {x: 1}\na: {deep: 2}\nc: 3\na: last\n");

    assert_int_equal(root->count, 3);
    assert_string_equal(text_of(root, "a"), "last");
    assert_true(config_tree_find(root, "a")->is_repeated);
    assert_false(config_tree_find(root, "c")->is_repeated);
    config_tree_destroy(root);
}

static void quotes_and_tags_tell_texts_from_words_that_mean_something(void **state)
{
    (void)state;
    struct config_node *root = accept("a: 5\nb: '5'\nc: !!str 5\nd: !!int 5\ne: null\nf: 'null'\ng: !!str null\nh: !!null ~\n"
                                      "i: |\n  two\n  lines\nj: >-\n  folded\n  text\n");

    assert_true(config_tree_find(root, "a")->is_plain);
    assert_false(config_tree_find(root, "b")->is_plain);
    assert_false(config_tree_find(root, "c")->is_plain);
    assert_true(config_tree_find(root, "d")->is_plain);
    assert_int_equal(config_tree_find(root, "e")->kind, CONFIG_NODE_NULL);
    assert_string_equal(text_of(root, "f"), "null");
    assert_string_equal(text_of(root, "g"), "null");
    assert_int_equal(config_tree_find(root, "h")->kind, CONFIG_NODE_NULL);
    assert_string_equal(text_of(root, "i"), "two\nlines\n");
    assert_string_equal(text_of(root, "j"), "folded text");
    config_tree_destroy(root);
}

static void json_is_yaml_too(void **state)
{
    (void)state;
    struct config_node *root = accept("{\"USERS\": {\"lms\": \"a\\u00e9\\/b\"}, \"XQUEUES\": {\"q\": null}}\n");

    assert_string_equal(text_of(config_tree_find(root, "USERS"), "lms"), "a\xc3\xa9/b");
    assert_int_equal(config_tree_find(config_tree_find(root, "XQUEUES"), "q")->kind, CONFIG_NODE_NULL);
    config_tree_destroy(root);
}

static void what_would_make_objects_or_has_no_end_is_refused(void **state)
{
    (void)state;
    refuse("a: 1\nb: !!python/object/apply:os.system [ls]\n", "t.yml:2: tags");
    refuse("a: !ENV x\n", "t.yml:1: tags");
    refuse("a: *nothing\n", "t.yml:1: an alias");
    refuse("a: &a\n  b: *a\n", "t.yml:2: an alias");
    refuse("a: {<<: 5}\n", "t.yml:1: '<<'");
    refuse("a: {<<: [{x: 1}, 5]}\n", "t.yml:1: '<<'");
    refuse("? [a]\n: b\n", "t.yml:1: a key");
    refuse("a: 1\n---\nb: 2\n", "t.yml:2: only one document");
}

static void nothing_unfolds_beyond_the_limits(void **state)
{
    (void)state;
    char *text = memory_allocate(TEXT_BYTES_MAX);
    size_t length = (size_t)snprintf(text, TEXT_BYTES_MAX, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int at = 1; at < 10; at++)
        length += (size_t)snprintf(text + length, TEXT_BYTES_MAX - length,
                                   "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", at, at, at - 1,
                                   at - 1, at - 1, at - 1, at - 1, at - 1, at - 1, at - 1, at - 1, at - 1);
    refuse(text, "t.yml:6: anchors unfold into more than 16 MiB");

    length = (size_t)snprintf(text, TEXT_BYTES_MAX, "a0: &a0 [x]\n");
    for (int at = 1; at < 40; at++)
        length += (size_t)snprintf(text + length, TEXT_BYTES_MAX - length, "a%d: &a%d [*a%d]\n", at, at, at - 1);
    refuse(text, "t.yml:32: anchors unfold into too many levels");

    length = 0;
    for (int at = 0; at < 1001; at++)
        length += (size_t)snprintf(text + length, TEXT_BYTES_MAX - length, "a%d: &a%d x\n", at, at);
    refuse(text, "t.yml:1001: more than 1000 anchors");

    memset(text, '[', 33);
    text[33] = '\0';
    refuse(text, "t.yml:1: more than 32 levels");
    memory_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_alias_is_a_copy_of_what_has_the_anchor),
        cmocka_unit_test(an_anchor_may_be_given_anew),
        cmocka_unit_test(merged_maps_fill_what_the_map_does_not_say),
        cmocka_unit_test(of_a_repeated_key_the_last_counts_and_says_so),
        cmocka_unit_test(quotes_and_tags_tell_texts_from_words_that_mean_something),
        cmocka_unit_test(json_is_yaml_too),
        cmocka_unit_test(what_would_make_objects_or_has_no_end_is_refused),
        cmocka_unit_test(nothing_unfolds_beyond_the_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
