/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings of the original, by name: what becomes of each.
 *
 * Threading: main thread only.
 */
#ifndef SERVICE_CTL_LEGACY_SETTINGS_H
#define SERVICE_CTL_LEGACY_SETTINGS_H

#include "base/config_tree.h"
#include "service/ctl/legacy_plan.h"

/* Takes one setting over into the plan, or notes why not. */
void legacy_settings_take(struct legacy_plan *plan, const char *file, const struct config_node *setting);

#endif
