/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of programs: made, revoked, listed. */
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/administering.h"
#include "service/methods/contract.h"
#include "service/methods/method.h"
#include "service/methods/methods.h"
#include "service/methods/role_grants.h"
#include "xqueue/v1/admin.pb-c.h"

#define TOKEN_EXPIRES_MS_MAX (INT64_C(10) * 366 * 86400 * 1000) /* ten years */

/* A TokenInfo message and what it points to. */
struct token_message {
    Xqueue__V1__TokenInfo info;
    struct role_grants grants;
};

/* token: borrowed for as long as message, which is to be freed with token_message_finish. */
static void token_message_fill(struct token_message *message, const struct store_token *token)
{
    xqueue__v1__token_info__init(&message->info);
    role_grants_fill(&message->grants, &token->rights);
    message->info.token_id = contract_text(token->id);
    message->info.user = contract_text(token->user);
    message->info.label = contract_text(token->label);
    message->info.grants = message->grants.pointers;
    message->info.n_grants = message->grants.count;
    message->info.created_at_ms = token->created_at_ms;
    message->info.expires_at_ms = token->expires_at_ms;
    message->info.used_at_ms = token->used_at_ms;
}

static void token_message_finish(struct token_message *message)
{
    role_grants_finish(&message->grants);
}

/* ---- CreateToken ---- */

struct create_token_method {
    struct method_command base;
    struct store_token token; /* owned */
    char bearer[SECRET_BEARER_TEXT_MAX];
};

static enum status create_token_perform(struct method_command *method, struct queues *queues)
{
    struct create_token_method *create = (struct create_token_method *)method;
    struct access *access = method_service(method->call)->access;
    const Xqueue__V1__CreateTokenRequest *request = (const Xqueue__V1__CreateTokenRequest *)rpc_message_body(method->message);
    struct store_token *token = &create->token;
    struct rights rights = {0};
    bool is_configured = access_is_configured(access, token->user) && access_read_user_rights(access, token->user, &rights);
    token->created_at_ms = queues->now_ms;
    token->expires_at_ms = request->expires_after_ms > 0 ? clock_add_ms(queues->now_ms, request->expires_after_ms) : 0;
    enum status status = administering_create_token(queues, token, is_configured ? &rights : NULL, &method->error);
    rights_finish(&rights);
    return status;
}

static void create_token_reply(struct method_command *method)
{
    struct create_token_method *create = (struct create_token_method *)method;
    struct token_message message;
    Xqueue__V1__CreateTokenResponse reply = XQUEUE__V1__CREATE_TOKEN_RESPONSE__INIT;
    /* A user who was deleted in the same batch took the token along. */
    (void)access_put_token(method_service(method->call)->access, &create->token);
    log_event(LOG_INFO, "token_created", LOG_TEXT("token", create->token.id), LOG_TEXT("user", create->token.user),
              LOG_TEXT("label", create->token.label), LOG_TEXT("by", method_identity(method->call)->user));
    token_message_fill(&message, &create->token);
    reply.token = create->bearer;
    reply.info = &message.info;
    rpc_server_call_reply(method->call, &reply.base);
    token_message_finish(&message);
}

static void create_token_finish(struct method_command *method)
{
    struct create_token_method *create = (struct create_token_method *)method;
    memory_wipe(create->bearer, sizeof create->bearer);
    store_token_finish(&create->token);
}

static const struct method_steps create_token_steps = {
    .size = sizeof(struct create_token_method),
    .perform = create_token_perform,
    .reply = create_token_reply,
    .finish = create_token_finish,
};

static void token_make(struct create_token_method *create, const Xqueue__V1__CreateTokenRequest *request)
{
    char id[SECRET_KEY_TEXT_MAX];
    secret_key(id);
    id[STORE_TOKEN_ID_MAX - 1] = '\0';
    text_copy(create->token.id, sizeof create->token.id, id);
    text_copy(create->token.user, sizeof create->token.user, request->user);
    text_copy(create->token.label, sizeof create->token.label, request->label);
    secret_bearer(create->bearer);
    secret_digest(create->bearer, strlen(create->bearer), create->token.digest);
}

static void on_create_token(struct rpc_server_call *call, struct rpc_message *message)
{
    const Xqueue__V1__CreateTokenRequest *request = (const Xqueue__V1__CreateTokenRequest *)rpc_message_body(message);
    const char *fault = NULL;
    struct rights rights = {0};
    if (!text_is_name(request->user, STORE_USER_MAX - 1)) {
        fault = "user is 1 to 150 bytes without control characters";
    } else if (!method_text_fits(request->label, STORE_TOKEN_LABEL_MAX - 1)) {
        fault = "label has at most 128 bytes and no control characters";
    } else if (request->expires_after_ms < 0 || request->expires_after_ms > TOKEN_EXPIRES_MS_MAX) {
        fault = "expires_after_ms is at most ten years, and not negative";
    } else {
        fault = role_grants_read(request->grants, request->n_grants, &rights);
    }
    if (fault) {
        method_refuse(call, message, "TOKEN_INVALID", fault);
        return;
    }
    struct create_token_method *create = (struct create_token_method *)method_create(call, message, &create_token_steps);
    token_make(create, request);
    create->token.rights = rights;
    method_submit(&create->base);
}

/* ---- RevokeToken ---- */

static enum status revoke_token_perform(struct method_command *method, struct queues *queues)
{
    const Xqueue__V1__RevokeTokenRequest *request = (const Xqueue__V1__RevokeTokenRequest *)rpc_message_body(method->message);
    return administering_revoke_token(queues, request->token_id, &method->error);
}

static void revoke_token_reply(struct method_command *method)
{
    const Xqueue__V1__RevokeTokenRequest *request = (const Xqueue__V1__RevokeTokenRequest *)rpc_message_body(method->message);
    access_remove_token(method_service(method->call)->access, request->token_id);
    log_event(LOG_INFO, "token_revoked", LOG_TEXT("token", request->token_id),
              LOG_TEXT("by", method_identity(method->call)->user));
    Xqueue__V1__RevokeTokenResponse reply = XQUEUE__V1__REVOKE_TOKEN_RESPONSE__INIT;
    rpc_server_call_reply(method->call, &reply.base);
}

static const struct method_steps revoke_token_steps = {
    .size = sizeof(struct method_command), .perform = revoke_token_perform, .reply = revoke_token_reply};

static void on_revoke_token(struct rpc_server_call *call, struct rpc_message *message)
{
    const Xqueue__V1__RevokeTokenRequest *request = (const Xqueue__V1__RevokeTokenRequest *)rpc_message_body(message);
    if (!text_is_name(request->token_id, STORE_TOKEN_ID_MAX - 1)) {
        method_refuse(call, message, "TOKEN_INVALID", "token_id is 1 to 16 bytes; it is not the token itself");
        return;
    }
    method_start(call, message, &revoke_token_steps);
}

/* ---- ListTokens ---- */

static void on_list_tokens(struct rpc_server_call *call, struct rpc_message *message)
{
    const Xqueue__V1__ListTokensRequest *request = (const Xqueue__V1__ListTokensRequest *)rpc_message_body(message);
    struct store_token *tokens = NULL;
    size_t count = access_list_tokens(method_service(call)->access, request->user, &tokens);
    struct token_message *messages = memory_allocate_array(count, sizeof *messages);
    Xqueue__V1__TokenInfo **pointers = memory_allocate_array(count, sizeof(void *));
    for (size_t i = 0; i < count; i++) {
        token_message_fill(&messages[i], &tokens[i]);
        pointers[i] = &messages[i].info;
    }
    Xqueue__V1__ListTokensResponse reply = XQUEUE__V1__LIST_TOKENS_RESPONSE__INIT;
    reply.tokens = pointers;
    reply.n_tokens = count;
    rpc_server_call_reply(call, &reply.base);
    for (size_t i = 0; i < count; i++) {
        token_message_finish(&messages[i]);
    }
    memory_free(pointers);
    memory_free(messages);
    access_free_tokens(tokens, count);
    rpc_message_free(message);
}

const struct rpc_method admin_tokens_methods[] = {
    {.path = "/xqueue.v1.Admin/CreateToken",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__create_token_request__descriptor,
     .on_message = on_create_token,
     .role = METHOD_ADMIN},
    {.path = "/xqueue.v1.Admin/RevokeToken",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__revoke_token_request__descriptor,
     .on_message = on_revoke_token,
     .role = METHOD_ADMIN},
    {.path = "/xqueue.v1.Admin/ListTokens",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__list_tokens_request__descriptor,
     .on_message = on_list_tokens,
     .role = METHOD_ADMIN},
    {0},
};
