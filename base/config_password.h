/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the passwords of the configuration come from: files and the environment.
 *
 * Threading: pure, but for reading the environment (before other threads start).
 */
#ifndef BASE_CONFIG_PASSWORD_H
#define BASE_CONFIG_PASSWORD_H

#include "base/config.h"
#include "base/config_tree.h"
#include "base/config_value.h"

/*
 * The first line of the file at path as a password. NULL, and *out_password is the caller's (memory_wipe, memory_free); else
 * why not, and *out_password is untouched; static storage. A file that anybody may read is worth a warning in the log.
 */
const char *config_password_read(const char *path, char **out_password);

/*
 * Completes each user (XQUEUE_PASSWORD_<USER> wins; else exactly one of password_hash and password_file) and each basic_auth.
 * Sets password and password_hash of each, one of them "". root: for lines. With reader->is_client a password file that cannot
 * be read leaves "" in both.
 */
enum status config_fill_passwords(const struct config_reader *reader, const struct config_node *root,
                                  struct config *config) STATUS_CHECKED;

#endif
