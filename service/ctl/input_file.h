/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of others that a command reads: YAML or JSON, leniently, within bounds.
 *
 * Threading: main thread only.
 */
#ifndef SERVICE_CTL_INPUT_FILE_H
#define SERVICE_CTL_INPUT_FILE_H

#include "base/config_tree.h"
#include "base/status.h"

enum { INPUT_FILE_BYTES_MAX = 4 * 1024 * 1024 };

/* The tree of file. *out_root is the caller's. Errors: STATUS_NOT_FOUND (cannot be read), STATUS_FULL (too large),
 * STATUS_INVALID (with file and line). */
enum status input_file_read_tree(const char *file, struct config_node **out_root, struct error *error) STATUS_CHECKED;

/* Frees, and wipes the texts: some of them are passwords. NULL is fine. */
void input_file_free_tree(struct config_node *root);

#endif
