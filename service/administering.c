/* SPDX-License-Identifier: Apache-2.0 */
#include "service/administering.h"

#include <string.h>

#include "base/text.h"

static enum status administering_no_such_user(const char *name, struct error *error)
{
    return error_set(error, STATUS_NOT_FOUND, "USER_NOT_FOUND", "there is no user named '%s'", name);
}

enum status administering_create_user(struct queues *queues, const struct store_user *user, struct error *error)
{
    int64_t count = 0;
    enum status status = queues_stored(queues, store_count_users(queues->store, &count));
    if (status == STATUS_OK && count >= ADMINISTERING_USERS_MAX) {
        return error_set(error, STATUS_FULL, "USERS_FULL", "there are %d users beside those of the configuration already",
                         ADMINISTERING_USERS_MAX);
    }
    if (status == STATUS_OK) {
        status = queues_stored(queues, store_insert_user(queues->store, user));
    }
    if (status == STATUS_EXISTS) {
        return error_set(error, status, "USER_EXISTS", "there is a user named '%s' already", user->name);
    }
    return status;
}

static enum status administering_set_hash(struct queues *queues, const struct user_change *change, struct store_user *user)
{
    if (change->password_hash[0] == '\0' || strcmp(change->password_hash, user->password_hash) == 0) {
        return STATUS_OK;
    }
    text_copy(user->password_hash, sizeof user->password_hash, change->password_hash);
    if (change->keep_sessions) {
        return queues_stored(queues, store_renew_sessions_of_user(queues->store, user->name, change->credential));
    }
    return queues_stored(queues, store_delete_sessions_of_user(queues->store, user->name));
}

enum status administering_update_user(struct queues *queues, const struct user_change *change, struct store_user *out_user,
                                      struct error *error)
{
    struct store_user user;
    enum status status = queues_stored(queues, store_find_user(queues->store, change->name, &user));
    if (status == STATUS_NOT_FOUND) {
        return administering_no_such_user(change->name, error);
    }
    if (status == STATUS_OK) {
        user.roles = change->roles != 0 ? change->roles : user.roles;
        status = administering_set_hash(queues, change, &user);
    }
    if (status == STATUS_OK) {
        status = queues_stored(queues, store_update_user(queues->store, &user));
    }
    if (status == STATUS_OK) {
        *out_user = user;
    }
    return status;
}

enum status administering_delete_user(struct queues *queues, const char *name, struct error *error)
{
    enum status status = queues_stored(queues, store_delete_user(queues->store, name));
    if (status == STATUS_NOT_FOUND) {
        return administering_no_such_user(name, error);
    }
    if (status == STATUS_OK) {
        status = queues_stored(queues, store_delete_sessions_of_user(queues->store, name));
    }
    return status;
}
