/* SPDX-License-Identifier: Apache-2.0 */
#include "service/ctl/commands.h"

#include <string.h>

const struct command *const commands[] = {
    &command_queues_list,
    &command_queues_create,
    &command_queues_update,
    &command_queues_pause,
    &command_queues_resume,
    &command_queues_drain,
    &command_queues_delete,
    &command_statistics,
    &command_graders,
    &command_count,
    &command_show,
    &command_watch,
    &command_cancel,
    &command_search,
    &command_requeue,
    &command_regrade,
    &command_regrade_status,
    &command_requeue_deliveries,
    &command_retire,
    &command_retire_failed,
    &command_retire_old,
    &command_purge,
    &command_delete_old,
    &command_users_list,
    &command_users_add,
    &command_users_set_password,
    &command_users_set_roles,
    &command_users_remove,
    &command_users_import,
    &command_backup,
    &command_tokens_create,
    &command_tokens_revoke,
    &command_tokens_list,
    &command_import_config,
    &command_import_db,
    &command_hash_password,
    &command_consumer,
    &command_completion,
    NULL,
};

const struct command *commands_find(const char *const *words, size_t word_count, size_t *out_words)
{
    for (size_t at = 0; commands[at]; at++) {
        const char *name = commands[at]->name;
        const char *blank = strchr(name, ' ');
        size_t first = blank ? (size_t)(blank - name) : strlen(name);
        if (word_count == 0 || strlen(words[0]) != first || memcmp(words[0], name, first) != 0)
            continue;
        if (blank && (word_count < 2 || strcmp(words[1], blank + 1) != 0))
            continue;
        *out_words = blank ? 2 : 1;
        return commands[at];
    }
    return NULL;
}
