/* SPDX-License-Identifier: Apache-2.0 */
#include "service/ctl/users.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/client/connection.h"
#include "base/clock.h"
#include "base/config_password.h"
#include "base/memory.h"
#include "base/rpc/rpc_client_call.h"
#include "service/ctl/commands.h"
#include "service/ctl/password.h"
#include "service/ctl/report.h"
#include "service/ctl/roles.h"

enum { BUSY_MS_MAX = 60000, BUSY_PAUSE_MS = 500, ROLES_SHOWN_MAX = 128 };

static const struct rpc_client_method list_method = {"/xqueue.v1.Admin/ListUsers",
                                                     &xqueue__v1__list_users_response__descriptor};
static const struct rpc_client_method create_method = {"/xqueue.v1.Admin/CreateUser", &xqueue__v1__user__descriptor};
static const struct rpc_client_method update_method = {"/xqueue.v1.Admin/UpdateUser", &xqueue__v1__user__descriptor};
static const struct rpc_client_method delete_method = {"/xqueue.v1.Admin/DeleteUser",
                                                       &xqueue__v1__delete_user_response__descriptor};

/* ---- calls ---- */

enum status users_list(struct command_call *call, struct rpc_message **out_reply, struct error *error)
{
    Xqueue__V1__ListUsersRequest request = XQUEUE__V1__LIST_USERS_REQUEST__INIT;
    return connection_call(call->connection, &list_method, &request.base, out_reply, error);
}

static const Xqueue__V1__ListUsersResponse *list_of(const struct rpc_message *list)
{
    return (const Xqueue__V1__ListUsersResponse *)(const void *)rpc_message_body(list);
}

const Xqueue__V1__User *users_find(const struct rpc_message *list, const char *name)
{
    const Xqueue__V1__ListUsersResponse *response = list_of(list);
    for (size_t at = 0; at < response->n_users; at++) {
        if (strcmp(response->users[at]->name, name) == 0)
            return response->users[at];
    }
    return NULL;
}

static enum status change(struct command_call *call, const struct rpc_client_method *method, const ProtobufCMessage *request,
                          struct error *error)
{
    int64_t until_ms = clock_add_ms(clock_now_ms(clock_system()), BUSY_MS_MAX);
    for (;;) {
        enum status status = connection_call(call->connection, method, request, NULL, error);
        bool is_busy = status == STATUS_FULL && error->retry_after_ms > 0;
        if (!is_busy || clock_now_ms(clock_system()) >= until_ms)
            return status;
        if (!connection_pause(call->connection, BUSY_PAUSE_MS))
            return error_set(error, STATUS_CANCELED, NULL, "interrupted");
    }
}

enum status users_create(struct command_call *call, Xqueue__V1__CreateUserRequest *request, struct error *error)
{
    return change(call, &create_method, &request->base, error);
}

enum status users_update(struct command_call *call, Xqueue__V1__UpdateUserRequest *request, struct error *error)
{
    return change(call, &update_method, &request->base, error);
}

/* ---- users list ---- */

static void print_users_json(const Xqueue__V1__ListUsersResponse *list)
{
    json_t *users = json_array();
    for (size_t at = 0; at < list->n_users; at++) {
        const Xqueue__V1__User *user = list->users[at];
        json_t *shown = json_pack("{s:o, s:b, s:I}", "name", report_json_text(user->name), "configured", (int)user->configured,
                                  "created_at_ms", (json_int_t)user->created_at_ms);
        roles_set_json(shown, user->grants, user->n_grants);
        (void)json_array_append_new(users, shown);
    }
    report_json(json_pack("{s:o}", "users", users));
}

static void print_users(const Xqueue__V1__ListUsersResponse *list)
{
    static const char *const titles[] = {"NAME", "ROLES", "FROM", "CREATED (UTC)", NULL};
    struct report_table *table = report_table_create(titles);
    for (size_t at = 0; at < list->n_users; at++) {
        const Xqueue__V1__User *user = list->users[at];
        char created[REPORT_STAMP_MAX];
        char *roles = roles_text(user->grants, user->n_grants);
        const char *const texts[] = {user->name, roles, user->configured ? "configuration" : "database",
                                     report_time(user->created_at_ms, created)};
        report_table_add(table, texts);
        memory_free(roles);
    }
    report_table_print(table, stdout);
}

static int run_list(struct command_call *call)
{
    struct error error = {0};
    struct rpc_message *reply = NULL;
    enum status status = users_list(call, &reply, &error);
    if (status != STATUS_OK)
        return command_fail_status(status, &error);
    if (call->json)
        print_users_json(list_of(reply));
    else
        print_users(list_of(reply));
    rpc_message_free(reply);
    return COMMAND_EXIT_OK;
}

const struct command command_users_list = {
    .name = "users list",
    .operands = "",
    .help = "who may log in, with which roles",
    .run = run_list,
};

/* ---- users add, set-password, set-roles, remove ---- */

/* A change of one user that a command makes. */
struct change {
    struct command_call *call;
    const char *name;
    const char *done; /* "added" */
    struct roles roles;
    char *password; /* owned; these two are NULL when not given */
    char *hash;
};

static void change_finish(struct change *change)
{
    password_free(change->password);
    password_free(change->hash);
    roles_finish(&change->roles);
}

static enum status read_roles(struct change *change, struct error *error)
{
    const struct command_value *given = command_option(change->call, "role");
    enum status status = STATUS_OK;
    for (size_t at = 0; at < given->count && status == STATUS_OK; at++)
        status = roles_add(&change->roles, given->texts[at], error);
    if (status == STATUS_OK && change->roles.count == 0)
        status = error_set(error, STATUS_INVALID, NULL, "give --role: submit, grade, deliver, admin; or as in grade:QUEUE");
    return status;
}

static enum status read_password(struct change *change, struct error *error)
{
    const char *hash_file = command_text(change->call, "hash-file");
    const char *password_file = command_text(change->call, "new-password-file");
    if (hash_file && password_file)
        return error_set(error, STATUS_INVALID, NULL, "--hash-file and --new-password-file: one of them");
    return password_read(hash_file ? hash_file : password_file, hash_file ? &change->hash : &change->password, error);
}

static const char *or_empty(char *text)
{
    return text ? text : "";
}

/* The generated types are not const, though nothing is written. */
static void fill_user(struct change *change, Xqueue__V1__User *user)
{
    xqueue__v1__user__init(user);
    user->name = (char *)change->name;
    user->n_grants = change->roles.count;
    user->grants = change->roles.grants;
}

/* What a dry run can tell: is there such a user, and may it be changed here? */
static enum status look(const struct change *change, bool must_exist, struct error *error)
{
    struct rpc_message *reply = NULL;
    enum status status = users_list(change->call, &reply, error);
    if (status != STATUS_OK)
        return status;
    const Xqueue__V1__User *user = users_find(reply, change->name);
    if (must_exist && !user)
        status = error_set(error, STATUS_NOT_FOUND, "USER_NOT_FOUND", "there is no user '%.100s'", change->name);
    else if (!must_exist && user)
        status = error_set(error, STATUS_EXISTS, "USER_EXISTS", "there is a user '%.100s' already", change->name);
    else if (user && user->configured)
        status = error_set(error, STATUS_WRONG_STATE, "USER_CONFIGURED",
                           "'%.100s' is of the configuration file: change it there", change->name);
    rpc_message_free(reply);
    return status;
}

/* Prints what came of it and frees; what to exit with. */
static int conclude(struct change *change, enum status status, const struct error *error)
{
    bool dry_run = command_flag(change->call, "dry-run");
    change_finish(change);
    if (status != STATUS_OK)
        return command_fail_status(status, error);
    if (change->call->json)
        report_json(json_pack("{s:o, s:s, s:b}", "name", report_json_text(change->name), "change", change->done, "dry_run",
                              (int)dry_run));
    else
        (void)printf("%s%s: %s\n", dry_run ? "would: " : "", change->done, change->name);
    return COMMAND_EXIT_OK;
}

static int run_add(struct command_call *call)
{
    struct error error = {0};
    struct change change = {.call = call, .name = call->operands[0], .done = "added"};
    enum status status = read_roles(&change, &error);
    if (status == STATUS_OK)
        status = read_password(&change, &error);
    if (status == STATUS_OK && command_flag(call, "dry-run")) {
        status = look(&change, false, &error);
    } else if (status == STATUS_OK) {
        Xqueue__V1__User user;
        Xqueue__V1__CreateUserRequest request = XQUEUE__V1__CREATE_USER_REQUEST__INIT;
        fill_user(&change, &user);
        request.user = &user;
        request.password = (char *)or_empty(change.password);
        request.password_hash = (char *)or_empty(change.hash);
        status = users_create(call, &request, &error);
    }
    return conclude(&change, status, &error);
}

static enum status update(struct change *change, bool keep_sessions, struct error *error)
{
    Xqueue__V1__User user;
    Xqueue__V1__UpdateUserRequest request = XQUEUE__V1__UPDATE_USER_REQUEST__INIT;
    if (command_flag(change->call, "dry-run"))
        return look(change, true, error);
    fill_user(change, &user);
    request.user = &user;
    request.password = (char *)or_empty(change->password);
    request.password_hash = (char *)or_empty(change->hash);
    request.keep_sessions = keep_sessions;
    return users_update(change->call, &request, error);
}

static int run_set_password(struct command_call *call)
{
    struct error error = {0};
    struct change change = {.call = call, .name = call->operands[0], .done = "password set"};
    enum status status = read_password(&change, &error);
    if (status == STATUS_OK)
        status = update(&change, command_flag(call, "keep-sessions"), &error);
    return conclude(&change, status, &error);
}

static int run_set_roles(struct command_call *call)
{
    struct error error = {0};
    struct change change = {.call = call, .name = call->operands[0], .done = "roles set"};
    enum status status = read_roles(&change, &error);
    if (status == STATUS_OK)
        status = update(&change, true, &error);
    return conclude(&change, status, &error);
}

static int run_remove(struct command_call *call)
{
    struct error error = {0};
    struct change change = {.call = call, .name = call->operands[0], .done = "removed"};
    enum status status = STATUS_OK;
    if (command_flag(call, "dry-run")) {
        status = look(&change, true, &error);
    } else {
        Xqueue__V1__DeleteUserRequest request = XQUEUE__V1__DELETE_USER_REQUEST__INIT;
        request.user = (char *)change.name;
        status = connection_call(call->connection, &delete_method, &request.base, NULL, &error);
    }
    return conclude(&change, status, &error);
}

#define ROLE_OPTION                                                                                           \
    {                                                                                                         \
        .name = "role", .value = "ROLE",                                                                      \
        .help = "submit, grade, deliver, admin; several with commas or repeated; for one queue: grade:QUEUE", \
        .kind = COMMAND_OPTION_TEXTS                                                                          \
    }
#define PASSWORD_OPTIONS                                                                                                \
    {.name = "new-password-file",                                                                                       \
     .value = "FILE",                                                                                                   \
     .help = "the user's password is its first line; else that of standard input",                                      \
     .kind = COMMAND_OPTION_TEXT},                                                                                      \
    {                                                                                                                   \
        .name = "hash-file", .value = "FILE", .help = "the first line is a hash, as hash-password and Django print it", \
        .kind = COMMAND_OPTION_TEXT                                                                                     \
    }
#define DRY_RUN_OPTION                                                                        \
    {                                                                                         \
        .name = "dry-run", .help = "only say what would be done", .kind = COMMAND_OPTION_FLAG \
    }

static const struct command_option add_options[] = {ROLE_OPTION, PASSWORD_OPTIONS, DRY_RUN_OPTION};
static const struct command_option set_password_options[] = {
    PASSWORD_OPTIONS,
    {.name = "keep-sessions", .help = "do not end the user's sessions", .kind = COMMAND_OPTION_FLAG},
    DRY_RUN_OPTION,
};
static const struct command_option set_roles_options[] = {ROLE_OPTION, DRY_RUN_OPTION};
static const struct command_option remove_options[] = {DRY_RUN_OPTION};

#define OTHERS "Users of the configuration file are changed there, not here."

const struct command command_users_add = {
    .name = "users add",
    .operands = "NAME",
    .help = "lets somebody log in",
    .details = OTHERS,
    COMMAND_OPTIONS(add_options),
    .operands_min = 1,
    .operands_max = 1,
    .run = run_add,
};

const struct command command_users_set_password = {
    .name = "users set-password",
    .operands = "NAME",
    .help = "gives a user another password, and ends the sessions if it is another one",
    .details = OTHERS,
    COMMAND_OPTIONS(set_password_options),
    .operands_min = 1,
    .operands_max = 1,
    .run = run_set_password,
};

const struct command command_users_set_roles = {
    .name = "users set-roles",
    .operands = "NAME",
    .help = "gives a user other roles, instead of those so far",
    .details = OTHERS,
    COMMAND_OPTIONS(set_roles_options),
    .operands_min = 1,
    .operands_max = 1,
    .run = run_set_roles,
};

const struct command command_users_remove = {
    .name = "users remove",
    .operands = "NAME",
    .help = "takes a user away, with all sessions",
    .details = OTHERS,
    COMMAND_OPTIONS(remove_options),
    .operands_min = 1,
    .operands_max = 1,
    .run = run_remove,
};
