/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_base */
/* Any bytes as somebody else's YAML: a tree within its bounds, or refused with file and line. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/config_tree.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void check(const struct config_node *node, size_t levels) // NOLINT(misc-no-recursion): levels bound it
{
    assert(levels <= CONFIG_TREE_LENIENT_DEPTH_MAX && node->count <= CONFIG_TREE_ENTRIES_MAX && node->line > 0);
    assert((node->kind == CONFIG_NODE_TEXT) == (node->text != NULL));
    assert(node->count == 0 || node->kind == CONFIG_NODE_LIST || node->kind == CONFIG_NODE_MAP);
    assert(!node->text || text_is_utf8(node->text, strlen(node->text)));
    for (size_t at = 0; at < node->count; at++) {
        assert((node->kind == CONFIG_NODE_MAP) == (node->items[at].key != NULL));
        check(&node->items[at], levels + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct config_node *root = NULL;
    struct error error = {.text = ""};
    enum status status = config_tree_parse_lenient("fuzz.yml", (const char *)bytes, length, &root, &error);
    if (status == STATUS_OK)
        check(root, 0);
    else
        assert(!root && strncmp(error.text, "fuzz.yml:", strlen("fuzz.yml:")) == 0);
    config_tree_destroy(root);
    return 0;
}
