/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a tree of config_tree.h is put together: single nodes, and what a lenient tree needs beside: anchors, whose copies are
 * put in wherever the file names them (within one budget of bytes, so that a small file cannot unfold into a large tree),
 * merged maps ("<<"), and keys that are given twice.
 *
 * Threading: pure.
 */
#ifndef BASE_CONFIG_NODE_H
#define BASE_CONFIG_NODE_H

#include <stddef.h>

#include "base/config_tree.h"

/* A zeroed entry at the end of a map or list, in the tree's hands. Pointers to the other entries are stale then. */
struct config_node *config_node_add(struct config_node *parent);

/* Frees what node owns with all entries, not node itself. */
void config_node_finish(struct config_node *node);

struct config_anchor;

/* Zeroed but for copied_bytes_left. */
struct config_anchors {
    struct config_anchor *items; /* owned */
    size_t count;
    size_t copied_bytes_left;
};

/*
 * All of these answer NULL, or what is wrong; static storage. After a fault the nodes are fit to be freed.
 */

/* Remembers a copy of node under name; a later one of the same name wins. */
const char *config_anchors_keep(struct config_anchors *anchors, const char *name, const struct config_node *node);

/* Fills node (which has its key and line) with a copy of what was kept. levels: of maps and lists that it may have. */
const char *config_anchors_place(struct config_anchors *anchors, const char *name, struct config_node *node, size_t levels);

/*
 * A map is complete: takes in what "<<" says, and drops all but one of the entries with one key: what stands in the map wins
 * over what is merged, the last over earlier ones, the first merged over later ones.
 */
const char *config_anchors_settle(struct config_anchors *anchors, struct config_node *map, size_t levels);

void config_anchors_finish(struct config_anchors *anchors);

#endif
