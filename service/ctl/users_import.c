/* SPDX-License-Identifier: Apache-2.0 */
/* `xqueuectl users import`: users and passwords from a file, as the original's USERS has them. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/config_tree.h"
#include "base/memory.h"
#include "base/rpc/rpc_client_call.h"
#include "base/text.h"
#include "service/ctl/commands.h"
#include "service/ctl/input_file.h"
#include "service/ctl/report.h"
#include "service/ctl/roles.h"
#include "service/ctl/users.h"

#define SECTION_KEY "USERS"

enum { USER_NAME_BYTES_MAX = 150 };

struct import {
    struct command_call *call;
    const char *file;
    struct roles roles;        /* owned; of new users */
    struct rpc_message *known; /* owned: the users there are */
    json_t *outcomes;          /* owned: what became of each */
    bool any_failed;
};

/* What the file says of one user. Borrowed from its tree. */
struct entry {
    const char *name;
    const char *password; /* "" when there is a hash */
    const char *hash;
    struct roles roles; /* owned; empty: those of --role */
};

static enum status read_roles_node(const struct config_node *node, struct roles *roles, struct error *error)
{
    enum status status = STATUS_OK;
    if (node->kind == CONFIG_NODE_TEXT)
        return roles_add(roles, node->text, error);
    if (node->kind != CONFIG_NODE_LIST)
        return error_set(error, STATUS_INVALID, NULL, "roles: must be a list of roles");
    for (size_t at = 0; at < node->count && status == STATUS_OK; at++) {
        const char *word = node->items[at].text;
        status = word ? roles_add(roles, word, error) : error_set(error, STATUS_INVALID, NULL, "roles: must be words");
    }
    return status;
}

static enum status read_entry_map(const struct config_node *map, struct entry *entry, struct error *error)
{
    enum status status = STATUS_OK;
    for (size_t at = 0; at < map->count && status == STATUS_OK; at++) {
        const struct config_node *item = &map->items[at];
        if (strcmp(item->key, "roles") == 0)
            status = read_roles_node(item, &entry->roles, error);
        else if (strcmp(item->key, "password") == 0 && item->text)
            entry->password = item->text;
        else if (strcmp(item->key, "password_hash") == 0 && item->text)
            entry->hash = item->text;
        else
            status =
                error_set(error, STATUS_INVALID, NULL, "'%.50s': only password, password_hash and roles are known", item->key);
    }
    return status;
}

/* A text is the password; a map may say more. */
static enum status read_entry(const struct config_node *node, struct entry *entry, struct error *error)
{
    enum status status = STATUS_OK;
    *entry = (struct entry){.name = node->key, .password = "", .hash = ""};
    if (!text_is_name(node->key, USER_NAME_BYTES_MAX))
        return error_set(error, STATUS_INVALID, NULL, "a name has 1 to %d bytes and no control characters",
                         USER_NAME_BYTES_MAX);
    if (node->kind == CONFIG_NODE_TEXT)
        entry->password = node->text;
    else if (node->kind == CONFIG_NODE_MAP)
        status = read_entry_map(node, entry, error);
    if (status == STATUS_OK && (*entry->password == '\0') == (*entry->hash == '\0'))
        status = error_set(error, STATUS_INVALID, NULL, "needs a password, or a map with one of password and password_hash");
    return status;
}

/* Generated types are not const, though nothing is written. */
static enum status store_entry(const struct import *import, struct entry *entry, bool is_new, struct error *error)
{
    Xqueue__V1__User user = XQUEUE__V1__USER__INIT;
    user.name = (char *)entry->name;
    const struct roles *roles = is_new && entry->roles.count == 0 ? &import->roles : &entry->roles;
    user.n_grants = roles->count;
    user.grants = roles->grants;
    if (is_new) {
        Xqueue__V1__CreateUserRequest create = XQUEUE__V1__CREATE_USER_REQUEST__INIT;
        create.user = &user;
        create.password = (char *)entry->password;
        create.password_hash = (char *)entry->hash;
        return users_create(import->call, &create, error);
    }
    Xqueue__V1__UpdateUserRequest update = XQUEUE__V1__UPDATE_USER_REQUEST__INIT;
    update.user = &user;
    update.password = (char *)entry->password;
    update.password_hash = (char *)entry->hash;
    return users_update(import->call, &update, error);
}

static void note(struct import *import, const char *name, const char *change, const struct error *error)
{
    json_array_append_new(import->outcomes, json_pack("{s:o, s:s, s:o}", "name", report_json_text(name), "change", change,
                                                      "error", error ? report_json_text(error->text) : json_null()));
    if (error)
        import->any_failed = true;
    if (error)
        (void)command_fail(COMMAND_EXIT_FAILED, "%s: %s", name, error->text);
    else if (!import->call->json)
        (void)printf("%s%s: %s\n", command_flag(import->call, "dry-run") ? "would: " : "", change, name);
}

/* STATUS_OK also when this one user could not be: that is noted, and the others go on. */
static enum status import_one(struct import *import, const struct config_node *node, struct error *error)
{
    struct entry entry;
    enum status status = read_entry(node, &entry, error);
    const Xqueue__V1__User *known = users_find(import->known, node->key);
    if (status == STATUS_OK && known && known->configured)
        status = error_set(error, STATUS_WRONG_STATE, NULL, "is of the configuration file: change it there");
    if (status == STATUS_OK && !command_flag(import->call, "dry-run"))
        status = store_entry(import, &entry, !known, error);
    roles_finish(&entry.roles);
    switch (status) {
    case STATUS_OK:
        note(import, node->key, known ? "updated" : "added", NULL);
        return STATUS_OK;
    case STATUS_UNAVAILABLE: // and these: the next one fares no better
    case STATUS_UNAUTHENTICATED:
    case STATUS_DENIED:
    case STATUS_TIMEOUT:
    case STATUS_CANCELED:
        return status;
    default:
        note(import, node->key, "failed", error);
        return STATUS_OK;
    }
}

static enum status import_all(struct import *import, const struct config_node *root, struct error *error)
{
    const struct config_node *section = config_tree_find(root, SECTION_KEY);
    const struct config_node *users = section && section->kind == CONFIG_NODE_MAP ? section : root;
    if (users->kind != CONFIG_NODE_MAP)
        return error_set(error, STATUS_INVALID, NULL, "%.100s: must be a map of names to passwords", import->file);
    enum status status = users_list(import->call, &import->known, error);
    for (size_t at = 0; at < users->count && status == STATUS_OK; at++)
        status = import_one(import, &users->items[at], error);
    return status;
}

static enum status read_roles(struct import *import, struct error *error)
{
    const struct command_value *given = command_option(import->call, "role");
    enum status status = given->count == 0 ? roles_add(&import->roles, "submit,grade", error) : STATUS_OK;
    for (size_t at = 0; at < given->count && status == STATUS_OK; at++)
        status = roles_add(&import->roles, given->texts[at], error);
    return status;
}

static int run(struct command_call *call)
{
    struct error error = {0};
    struct config_node *root = NULL;
    struct import import = {.call = call, .file = call->operands[0], .outcomes = json_array()};
    enum status status = read_roles(&import, &error);
    if (status == STATUS_OK)
        status = input_file_read_tree(import.file, &root, &error);
    if (status == STATUS_OK)
        status = import_all(&import, root, &error);
    input_file_free_tree(root);
    rpc_message_free(import.known);
    roles_finish(&import.roles);
    if (call->json)
        report_json(json_pack("{s:O, s:b}", "users", import.outcomes, "dry_run", (int)command_flag(call, "dry-run")));
    json_decref(import.outcomes);
    if (status != STATUS_OK)
        return command_fail_status(status, &error);
    return import.any_failed ? COMMAND_EXIT_FAILED : COMMAND_EXIT_OK;
}

static const struct command_option options[] = {
    {.name = "role",
     .value = "ROLE",
     .help = "of users that are not there yet; submit,grade, which is all that the original's users may do",
     .kind = COMMAND_OPTION_TEXTS},
    {.name = "dry-run", .help = "only say what would be done", .kind = COMMAND_OPTION_FLAG},
};

const struct command command_users_import = {
    .name = "users import",
    .operands = "FILE",
    .old_name = "update_users",
    .help = "adds users and sets passwords from a YAML or JSON file; removes nobody",
    .details =
        "FILE maps names to passwords, as USERS of the original does; a whole configuration of the original will do, too.\n"
        "Instead of a password there may be a map of password or password_hash, and roles\n"
        "('grade', or for one queue 'grade:QUEUE'). Users that are there keep\n"
        "their roles, unless the file says some, and their sessions, unless the password is another one.",
    COMMAND_OPTIONS(options),
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
