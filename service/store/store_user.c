/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users that are not in the configuration.
 */
#include <assert.h>

#include "base/memory.h"

#include "service/store/store_internal.h"

/* user: zeroed; to be freed with store_user_finish. */
static void read_user(struct query *query, struct store_user *user)
{
    query_text(query, user->name, sizeof user->name);
    query_text(query, user->password_hash, sizeof user->password_hash);
    user->rights.everywhere = (unsigned)query_int(query);
    if (rights_read_queues(&user->rights, query_borrow_text(query)) != STATUS_OK)
        query_damage(query, "a user has roles that make no sense");
    user->created_at_ms = query_int(query);
}

void store_user_finish(struct store_user *user)
{
    rights_finish(&user->rights);
}

enum status store_insert_user(struct store *store, const struct store_user *user)
{
    assert(user->name[0] != '\0');
    assert(user->password_hash[0] != '\0');
    struct query query = query_start(store, STATEMENT_INSERT_USER);
    query_bind_text(&query, user->name);
    query_bind_text(&query, user->password_hash);
    char *queue_roles = rights_write_queues(&user->rights);
    query_bind_int(&query, user->rights.everywhere);
    query_bind_text(&query, queue_roles);
    query_bind_int(&query, user->created_at_ms);
    enum status status = query_run(&query, NULL);
    memory_free(queue_roles);
    return status;
}

enum status store_update_user(struct store *store, const struct store_user *user)
{
    assert(user->password_hash[0] != '\0');
    struct query query = query_start(store, STATEMENT_UPDATE_USER);
    query_bind_text(&query, user->password_hash);
    char *queue_roles = rights_write_queues(&user->rights);
    query_bind_int(&query, user->rights.everywhere);
    query_bind_text(&query, queue_roles);
    query_bind_text(&query, user->name);
    enum status status = query_run_on_one(&query, STATUS_NOT_FOUND);
    memory_free(queue_roles);
    return status;
}

enum status store_delete_user(struct store *store, const char *name)
{
    struct query query = query_start(store, STATEMENT_DELETE_USER);
    query_bind_text(&query, name);
    return query_run_on_one(&query, STATUS_NOT_FOUND);
}

enum status store_find_user(struct store *store, const char *name, struct store_user *out_user)
{
    struct query query = query_start(store, STATEMENT_FIND_USER);
    query_bind_text(&query, name);
    enum status status = query_row(&query);
    if (status != STATUS_OK)
        return status;
    struct store_user user = {.created_at_ms = 0};
    read_user(&query, &user);
    status = query_end(&query);
    if (status == STATUS_OK)
        *out_user = user;
    else
        store_user_finish(&user);
    return status;
}

enum status store_count_users(struct store *store, int64_t *out_count)
{
    struct query query = query_start(store, STATEMENT_COUNT_USERS);
    enum status status = query_row(&query);
    if (status != STATUS_OK)
        return status;
    *out_count = query_int(&query);
    return query_end(&query);
}

enum status store_visit_users(struct store *store, void (*visit)(void *context, const struct store_user *user), void *context)
{
    struct query query = query_start(store, STATEMENT_VISIT_USERS);
    enum status status = query_row(&query);
    for (; status == STATUS_OK; status = query_row(&query)) {
        struct store_user user = {.created_at_ms = 0};
        read_user(&query, &user);
        if (!query.damage)
            visit(context, &user);
        store_user_finish(&user);
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}
