/* SPDX-License-Identifier: Apache-2.0 */
#include "service/ctl/input_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

static enum status read_all(int descriptor, const char *file, char *bytes, size_t *out_length, struct error *error)
{
    size_t length = 0;
    while (length <= INPUT_FILE_BYTES_MAX) {
        ssize_t got = read(descriptor, bytes + length, INPUT_FILE_BYTES_MAX + 1 - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set(error, STATUS_NOT_FOUND, NULL, "%.150s: cannot be read: %s", file, strerror(errno));
        if (got == 0)
            break;
        length += (size_t)got;
    }
    if (length > INPUT_FILE_BYTES_MAX)
        return error_set(error, STATUS_FULL, NULL, "%.150s: larger than %d bytes", file, INPUT_FILE_BYTES_MAX);
    *out_length = length;
    return STATUS_OK;
}

enum status input_file_read_tree(const char *file, struct config_node **out_root, struct error *error)
{
    size_t length = 0;
    int descriptor = open(file, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return error_set(error, STATUS_NOT_FOUND, NULL, "%.150s: cannot be opened: %s", file, strerror(errno));
    char *bytes = memory_allocate(INPUT_FILE_BYTES_MAX + 1);
    enum status status = read_all(descriptor, file, bytes, &length, error);
    if (status == STATUS_OK)
        status = config_tree_parse_lenient(file, bytes, length, out_root, error);
    (void)close(descriptor);
    memory_wipe(bytes, INPUT_FILE_BYTES_MAX + 1);
    memory_free(bytes);
    return status;
}

/* Without recursion: always down to the last entry that has none of its own. */
void input_file_free_tree(struct config_node *root)
{
    struct config_node *path[CONFIG_TREE_LENIENT_DEPTH_MAX + 1] = {root};
    size_t next[CONFIG_TREE_LENIENT_DEPTH_MAX + 1] = {0};
    size_t depth = root ? 1 : 0;
    while (depth > 0) {
        struct config_node *node = path[depth - 1];
        if (next[depth - 1] < node->count) {
            path[depth] = &node->items[next[depth - 1]++];
            next[depth++] = 0;
            continue;
        }
        if (node->text)
            memory_wipe(node->text, strlen(node->text));
        depth--;
    }
    config_tree_destroy(root);
}
