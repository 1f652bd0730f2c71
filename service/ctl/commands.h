/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All commands of xqueuectl at a glance. To add one: define its row and function in a file of its own, declare and list it here
 * and in commands.c.
 *
 * Threading: immutable.
 */
#ifndef SERVICE_CTL_COMMANDS_H
#define SERVICE_CTL_COMMANDS_H

#include <stddef.h>

#include "service/ctl/command.h"

extern const struct command command_count, command_retire_failed, command_retire_old, command_delete_old, command_users_list,
    command_users_add, command_users_set_password, command_users_set_roles, command_users_remove, command_users_import,
    command_import_config, command_import_db, command_hash_password, command_consumer, command_queues_list,
    command_queues_create, command_queues_update, command_queues_pause, command_queues_resume, command_queues_drain,
    command_queues_delete, command_statistics, command_graders, command_search, command_requeue, command_regrade,
    command_regrade_status, command_requeue_deliveries, command_retire, command_purge, command_backup, command_completion,
    command_show, command_watch, command_cancel, command_tokens_create, command_tokens_revoke, command_tokens_list;

/* Ends with NULL. */
extern const struct command *const commands[];

/* The command whose name words start with; *out_words of them belong to the name. NULL: none. */
const struct command *commands_find(const char *const *words, size_t word_count, size_t *out_words);

#endif
