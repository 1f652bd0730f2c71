/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The YAML file as a tree of maps, lists and texts, each with its line. Only the plain part of YAML: one document; no anchors,
 * aliases and tags (a small file cannot unfold into a large one), no key twice in a map, CONFIG_TREE_DEPTH_MAX levels.
 *
 * Files that others wrote can be read leniently, as PyYAML's safe loader does: anchors, aliases and merged maps within a
 * budget, the tags of YAML itself, more levels, and of a key that is given twice the last.
 *
 * Threading: pure.
 */
#ifndef BASE_CONFIG_TREE_H
#define BASE_CONFIG_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum {
    CONFIG_TREE_DEPTH_MAX = 8,
    CONFIG_TREE_ENTRIES_MAX = 10000, /* of one map or list */
    CONFIG_TREE_LENIENT_DEPTH_MAX = 32,
    CONFIG_TREE_ANCHORS_MAX = 1000,
    CONFIG_TREE_COPIED_BYTES_MAX = 16 * 1024 * 1024, /* all that anchors and aliases make */
};

enum config_node_kind { CONFIG_NODE_NULL, CONFIG_NODE_TEXT, CONFIG_NODE_LIST, CONFIG_NODE_MAP };

struct config_node {
    enum config_node_kind kind;
    size_t line;               /* from 1 */
    char *key;                 /* owned; NULL outside of maps */
    char *text;                /* owned; NULL but for CONFIG_NODE_TEXT; UTF-8 without NUL */
    struct config_node *items; /* owned; of lists and maps */
    size_t count;
    size_t capacity;
    bool is_plain;    /* a text without quotes, which may mean a number or a truth */
    bool is_repeated; /* lenient: the key was given more than once, this was the last */
    bool is_merged;   /* lenient: comes from another map, by "<<" */
};

/*
 * name stands in error texts. On success *out_root is the caller's, to be freed with config_tree_destroy; an empty file is a
 * CONFIG_NODE_NULL. STATUS_INVALID with "NAME:LINE: what is wrong" otherwise.
 */
enum status config_tree_parse(const char *name, const char *bytes, size_t length, struct config_node **out_root,
                              struct error *error) STATUS_CHECKED;
/* The same, leniently. */
enum status config_tree_parse_lenient(const char *name, const char *bytes, size_t length, struct config_node **out_root,
                                      struct error *error) STATUS_CHECKED;
void config_tree_destroy(struct config_node *root); /* NULL is fine */

/* The entry of a map; NULL when there is none, or when map is no map or NULL. */
const struct config_node *config_tree_find(const struct config_node *map, const char *key);

/* Fills error with "NAME:LINE: text" (a very long name keeps its end) and returns STATUS_INVALID. */
enum status config_tree_fail(struct error *error, const char *name, size_t line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
