/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of programs: made, revoked, listed. */
#include <stdio.h>
#include <string.h>

#include "base/client/connection.h"
#include "base/memory.h"
#include "base/rpc/rpc_client_call.h"
#include "service/ctl/commands.h"
#include "service/ctl/report.h"
#include "service/ctl/roles.h"
#include "xqueue/v1/admin.pb-c.h"

enum { EXPIRES_DAYS_MAX = 3660 };

#define MS_PER_DAY INT64_C(86400000)

static const struct rpc_client_method create_method = {"/xqueue.v1.Admin/CreateToken",
                                                       &xqueue__v1__create_token_response__descriptor};
static const struct rpc_client_method revoke_method = {"/xqueue.v1.Admin/RevokeToken",
                                                       &xqueue__v1__revoke_token_response__descriptor};
static const struct rpc_client_method list_method = {"/xqueue.v1.Admin/ListTokens",
                                                     &xqueue__v1__list_tokens_response__descriptor};

static json_t *info_json(const Xqueue__V1__TokenInfo *info)
{
    json_t *object = json_pack("{s:o, s:o, s:o, s:I, s:I, s:I}", "token_id", report_json_text(info->token_id), "user",
                               report_json_text(info->user), "label", report_json_text(info->label), "created_at_ms",
                               (json_int_t)info->created_at_ms, "expires_at_ms", (json_int_t)info->expires_at_ms, "used_at_ms",
                               (json_int_t)info->used_at_ms);
    roles_set_json(object, info->grants, info->n_grants);
    return object;
}

/* ---- tokens create ---- */

static enum status read_roles(const struct command_call *call, struct roles *roles, struct error *error)
{
    const struct command_value *given = command_option(call, "role");
    enum status status = STATUS_OK;
    for (size_t at = 0; at < given->count && status == STATUS_OK; at++)
        status = roles_add(roles, given->texts[at], error);
    return status;
}

static void print_created(const struct command_call *call, const Xqueue__V1__CreateTokenResponse *created)
{
    if (call->json) {
        json_t *object = info_json(created->info);
        (void)json_object_set_new(object, "token", report_json_text(created->token));
        report_json(object);
        return;
    }
    // The token alone, so that it can be sent into a file; the rest is for whoever looks on.
    (void)printf("%s\n", created->token);
    (void)fprintf(stderr, "id: %s; the token is not shown again\n", created->info->token_id);
}

/* The generated types are not const, though nothing is written. */
static int run_create(struct command_call *call)
{
    struct error error = {0};
    struct roles roles = {0};
    struct rpc_message *reply = NULL;
    Xqueue__V1__CreateTokenRequest request = XQUEUE__V1__CREATE_TOKEN_REQUEST__INIT;
    const char *label = command_text(call, "label");
    enum status status = read_roles(call, &roles, &error);
    request.user = (char *)call->operands[0];
    request.label = (char *)(label ? label : "");
    request.expires_after_ms = command_number(call, "expires-days") * MS_PER_DAY;
    request.grants = roles.grants;
    request.n_grants = roles.count;
    if (status == STATUS_OK)
        status = connection_call(call->connection, &create_method, &request.base, &reply, &error);
    roles_finish(&roles);
    if (status != STATUS_OK)
        return command_fail_status(status, &error);
    const Xqueue__V1__CreateTokenResponse *created =
        (const Xqueue__V1__CreateTokenResponse *)(const void *)rpc_message_body(reply);
    if (created->info)
        print_created(call, created);
    rpc_message_free(reply);
    return COMMAND_EXIT_OK;
}

/* ---- tokens revoke ---- */

static int run_revoke(struct command_call *call)
{
    struct error error = {0};
    Xqueue__V1__RevokeTokenRequest request = XQUEUE__V1__REVOKE_TOKEN_REQUEST__INIT;
    request.token_id = (char *)call->operands[0];
    enum status status = connection_call(call->connection, &revoke_method, &request.base, NULL, &error);
    if (status != STATUS_OK)
        return command_fail_status(status, &error);
    if (call->json)
        report_json(json_pack("{s:o, s:s}", "token_id", report_json_text(request.token_id), "change", "revoked"));
    else
        (void)printf("revoked: %s\n", request.token_id);
    return COMMAND_EXIT_OK;
}

/* ---- tokens list ---- */

static void print_tokens_json(const Xqueue__V1__ListTokensResponse *list)
{
    json_t *tokens = json_array();
    for (size_t at = 0; at < list->n_tokens; at++)
        (void)json_array_append_new(tokens, info_json(list->tokens[at]));
    report_json(json_pack("{s:o}", "tokens", tokens));
}

static void print_tokens(const Xqueue__V1__ListTokensResponse *list)
{
    static const char *const titles[] = {"ID", "USER", "LABEL", "ROLES", "CREATED (UTC)", "EXPIRES (UTC)", "USED (UTC)", NULL};
    struct report_table *table = report_table_create(titles);
    for (size_t at = 0; at < list->n_tokens; at++) {
        const Xqueue__V1__TokenInfo *info = list->tokens[at];
        char created[REPORT_STAMP_MAX];
        char expires[REPORT_STAMP_MAX];
        char used[REPORT_STAMP_MAX];
        char *roles = roles_text(info->grants, info->n_grants);
        const char *const texts[] = {info->token_id,
                                     info->user,
                                     info->label,
                                     info->n_grants > 0 ? roles : "as user",
                                     report_time(info->created_at_ms, created),
                                     report_time(info->expires_at_ms, expires),
                                     report_time(info->used_at_ms, used)};
        report_table_add(table, texts);
        memory_free(roles);
    }
    report_table_print(table, stdout);
}

static int run_list(struct command_call *call)
{
    struct error error = {0};
    struct rpc_message *reply = NULL;
    Xqueue__V1__ListTokensRequest request = XQUEUE__V1__LIST_TOKENS_REQUEST__INIT;
    if (call->operand_count > 0)
        request.user = (char *)call->operands[0];
    enum status status = connection_call(call->connection, &list_method, &request.base, &reply, &error);
    if (status != STATUS_OK)
        return command_fail_status(status, &error);
    const Xqueue__V1__ListTokensResponse *list = (const Xqueue__V1__ListTokensResponse *)(const void *)rpc_message_body(reply);
    if (call->json)
        print_tokens_json(list);
    else
        print_tokens(list);
    rpc_message_free(reply);
    return COMMAND_EXIT_OK;
}

static const struct command_option create_options[] = {
    {.name = "label", .value = "TEXT", .help = "what it is for, for people", .kind = COMMAND_OPTION_TEXT},
    {.name = "expires-days",
     .value = "DAYS",
     .help = "after which it ends by itself; 0, the default: never",
     .kind = COMMAND_OPTION_NUMBER,
     .min = 0,
     .max = EXPIRES_DAYS_MAX},
    {.name = "role",
     .value = "ROLE",
     .help = "only this of what the user may, as in grade or grade:QUEUE; may be repeated",
     .kind = COMMAND_OPTION_TEXTS},
};

const struct command command_tokens_create = {
    .name = "tokens create",
    .operands = "USER",
    .help = "makes a token with which a program is that user, without a password",
    .details = "The token is printed, and shown by nothing again: only a digest of it is kept.",
    COMMAND_OPTIONS(create_options),
    .operands_min = 1,
    .operands_max = 1,
    .run = run_create,
};

const struct command command_tokens_revoke = {
    .name = "tokens revoke",
    .operands = "ID",
    .help = "ends a token, and with their next message the streams that it opened",
    .details = "ID is what `tokens list` shows, not the token itself.",
    .operands_min = 1,
    .operands_max = 1,
    .run = run_revoke,
};

const struct command command_tokens_list = {
    .name = "tokens list",
    .operands = "[USER]",
    .help = "which tokens there are, and when each was last used",
    .operands_max = 1,
    .run = run_list,
};
