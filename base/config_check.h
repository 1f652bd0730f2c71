/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What no single key can tell: how the values of the configuration go together.
 *
 * Threading: pure.
 */
#ifndef BASE_CONFIG_CHECK_H
#define BASE_CONFIG_CHECK_H

#include "base/config.h"
#include "base/config_tree.h"
#include "base/config_value.h"

/* Defaults that follow from other keys: rest.core, rest.public_url. */
void config_complete(struct config *config);

/* Checks a config that is read, complete and has its passwords. root: for lines. The first fault is in the reader's error. */
enum status config_check(const struct config_reader *reader, const struct config_node *root,
                         const struct config *config) STATUS_CHECKED;

#endif
