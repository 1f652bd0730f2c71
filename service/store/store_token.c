/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens of programs: digests, never the tokens.
 */
#include <assert.h>

#include "base/memory.h"
#include "service/store/store_internal.h"

void store_token_finish(struct store_token *token)
{
    rights_finish(&token->rights);
}

enum status store_insert_token(struct store *store, const struct store_token *token)
{
    assert(token->id[0] != '\0');
    char *queue_roles = rights_write_queues(&token->rights);
    struct query query = query_start(store, STATEMENT_INSERT_TOKEN);
    query_bind_text(&query, token->id);
    query_bind_bytes(&query, token->digest, sizeof token->digest);
    query_bind_text(&query, token->user);
    query_bind_text(&query, token->label);
    query_bind_int(&query, token->rights.everywhere);
    query_bind_text(&query, queue_roles);
    query_bind_int(&query, token->created_at_ms);
    query_bind_int(&query, token->expires_at_ms);
    query_bind_int(&query, token->used_at_ms);
    enum status status = query_run(&query, NULL);
    memory_free(queue_roles);
    return status;
}

enum status store_use_token(struct store *store, const char *id, int64_t used_at_ms)
{
    struct query query = query_start(store, STATEMENT_USE_TOKEN);
    query_bind_int(&query, used_at_ms);
    query_bind_text(&query, id);
    return query_run(&query, NULL);
}

enum status store_delete_token(struct store *store, const char *id)
{
    struct query query = query_start(store, STATEMENT_DELETE_TOKEN);
    query_bind_text(&query, id);
    return query_run_on_one(&query, STATUS_NOT_FOUND);
}

enum status store_delete_tokens_of_user(struct store *store, const char *user)
{
    struct query query = query_start(store, STATEMENT_DELETE_TOKENS_OF_USER);
    query_bind_text(&query, user);
    return query_run(&query, NULL);
}

enum status store_count_tokens(struct store *store, const char *user, int64_t *out_count)
{
    struct query query = query_start(store, STATEMENT_COUNT_TOKENS);
    query_bind_text(&query, user);
    enum status status = query_row(&query);
    if (status != STATUS_OK)
        return status;
    *out_count = query_int(&query);
    return query_end(&query);
}

static void read_token(struct query *query, struct store_token *token)
{
    query_text(query, token->id, sizeof token->id);
    query_bytes(query, token->digest, sizeof token->digest);
    query_text(query, token->user, sizeof token->user);
    query_text(query, token->label, sizeof token->label);
    token->rights.everywhere = (unsigned)query_int(query);
    if (rights_read_queues(&token->rights, query_borrow_text(query)) != STATUS_OK)
        query_damage(query, "a token has roles that make no sense");
    token->created_at_ms = query_int(query);
    token->expires_at_ms = query_int(query);
    token->used_at_ms = query_int(query);
}

enum status store_visit_tokens(struct store *store, void (*visit)(void *context, const struct store_token *token),
                               void *context)
{
    struct query query = query_start(store, STATEMENT_VISIT_TOKENS);
    enum status status = query_row(&query);
    for (; status == STATUS_OK; status = query_row(&query)) {
        struct store_token token = {.created_at_ms = 0};
        read_token(&query, &token);
        if (!query.damage)
            visit(context, &token);
        store_token_finish(&token);
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}
