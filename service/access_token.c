/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "service/access_internal.h"

static bool is_over(const struct store_token *token, int64_t now_ms)
{
    return token->expires_at_ms > 0 && token->expires_at_ms <= now_ms;
}

static void copy_token(struct store_token *to, const struct store_token *from)
{
    *to = *from;
    rights_copy(&to->rights, &from->rights);
}

struct open_token *access_find_token(const struct access *access, const uint8_t digest[SECRET_DIGEST_BYTES], int64_t now_ms)
{
    struct map_node *node = map_find(&access->tokens, digest, SECRET_DIGEST_BYTES);
    struct open_token *token = node ? MAP_OWNER(node, struct open_token, by_digest) : NULL;
    return token && !is_over(&token->stored, now_ms) ? token : NULL;
}

void access_forget_token(struct access *access, struct open_token *token)
{
    map_remove(&access->tokens, &token->by_digest);
    map_remove(&access->token_ids, &token->by_id);
    list_remove(&token->user->tokens, &token->of_user);
    store_token_finish(&token->stored);
    memory_free(token);
}

void access_forget_tokens(struct access *access, struct user *user)
{
    struct list_node *node = NULL;
    while ((node = list_first(&user->tokens)) != NULL) {
        access_forget_token(access, LIST_OWNER(node, struct open_token, of_user));
    }
}

static bool is_cut(const struct open_token *token)
{
    return rights_anywhere(&token->stored.rights) != 0;
}

unsigned access_token_roles_for(const struct open_token *token, const char *queue)
{
    unsigned roles = rights_for(&token->user->rights, queue);
    return is_cut(token) ? roles & rights_for(&token->stored.rights, queue) : roles;
}

static void add_common(struct rights *to, const struct open_token *token, const struct rights *queues_of)
{
    for (size_t i = 0; i < queues_of->count; i++) {
        unsigned roles = access_token_roles_for(token, queues_of->queues[i].queue) & ~to->everywhere;
        /* Fails when there is nothing to add, and when two full lists together are more than one may hold: then less is shown.
         */
        (void)(rights_add(to, queues_of->queues[i].queue, roles) == STATUS_OK);
    }
}

void access_token_rights(const struct open_token *token, struct rights *out_rights)
{
    if (!is_cut(token)) {
        rights_copy(out_rights, &token->user->rights);
        return;
    }
    *out_rights = (struct rights){.everywhere = access_token_roles_for(token, "")};
    add_common(out_rights, token, &token->user->rights);
    add_common(out_rights, token, &token->stored.rights);
}

bool access_put_token(struct access *access, const struct store_token *stored)
{
    int64_t now_ms = clock_now_ms(access->clock);
    pthread_mutex_lock(&access->mutex);
    struct user *user = access_find_user(access, stored->user);
    bool is_wanted = user && !is_over(stored, now_ms);
    if (is_wanted) {
        struct open_token *token = MEMORY_NEW(struct open_token);
        copy_token(&token->stored, stored);
        token->user = user;
        token->written_ms = stored->used_at_ms;
        list_append(&user->tokens, &token->of_user);
        map_put(&access->tokens, &token->by_digest, token->stored.digest, SECRET_DIGEST_BYTES);
        map_put(&access->token_ids, &token->by_id, token->stored.id, strlen(token->stored.id));
    }
    pthread_mutex_unlock(&access->mutex);
    return is_wanted;
}

void access_remove_token(struct access *access, const char *id)
{
    pthread_mutex_lock(&access->mutex);
    struct map_node *node = map_find(&access->token_ids, id, strlen(id));
    if (node) {
        access_forget_token(access, MAP_OWNER(node, struct open_token, by_id));
    }
    pthread_mutex_unlock(&access->mutex);
}

bool access_use_is_due(struct access *access, const struct identity *identity, int64_t *out_used_at_ms)
{
    if (identity->token_id[0] == '\0') {
        return false;
    }
    int64_t now_ms = clock_now_ms(access->clock);
    pthread_mutex_lock(&access->mutex);
    struct open_token *token = access_find_token(access, identity->token_digest, now_ms);
    bool is_due = token && now_ms - token->written_ms >= ACCESS_TOKEN_WRITE_MS;
    if (is_due) {
        token->written_ms = now_ms;
        *out_used_at_ms = now_ms;
    }
    pthread_mutex_unlock(&access->mutex);
    return is_due;
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(((const struct store_token *)a)->id, ((const struct store_token *)b)->id);
}

size_t access_list_tokens(struct access *access, const char *user, struct store_token **out_tokens)
{
    size_t count = 0;
    pthread_mutex_lock(&access->mutex);
    struct store_token *tokens = memory_allocate_array(map_count(&access->tokens), sizeof *tokens);
    for (struct map_node *node = map_first(&access->tokens); node; node = map_next(&access->tokens, node)) {
        const struct open_token *token = MAP_OWNER(node, struct open_token, by_digest);
        if (user[0] == '\0' || strcmp(user, token->stored.user) == 0) {
            copy_token(&tokens[count++], &token->stored);
        }
    }
    pthread_mutex_unlock(&access->mutex);
    qsort(tokens, count, sizeof *tokens, compare_ids);
    *out_tokens = tokens;
    return count;
}

void access_free_tokens(struct store_token *tokens, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        store_token_finish(&tokens[i]);
    }
    memory_free(tokens);
}

bool access_read_user_rights(struct access *access, const char *name, struct rights *out_rights)
{
    pthread_mutex_lock(&access->mutex);
    const struct user *user = access_find_user(access, name);
    if (user) {
        rights_copy(out_rights, &user->rights);
    }
    pthread_mutex_unlock(&access->mutex);
    return user != NULL;
}
