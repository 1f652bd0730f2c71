/* SPDX-License-Identifier: Apache-2.0 */
#include "service/import/import_users.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static bool copy_whole(struct span span, char *out, size_t capacity)
{
    if (span.length >= capacity || (span.length > 0 && memchr(span.bytes, '\0', span.length)))
        return false;
    memcpy(out, span.bytes, span.length);
    out[span.length] = '\0';
    return true;
}

static bool make_user(const struct legacy_user *user, int64_t now_ms, struct store_user *out)
{
    *out = (struct store_user){.rights.everywhere = CONFIG_ROLE_SUBMIT | CONFIG_ROLE_GRADE, .created_at_ms = now_ms};
    return copy_whole(user->name, out->name, sizeof out->name) && text_is_name(out->name, sizeof out->name - 1) &&
           copy_whole(user->password_hash, out->password_hash, sizeof out->password_hash) &&
           secret_hash_is_valid(out->password_hash);
}

void import_user_name(const struct legacy_user *user, char out[STORE_USER_MAX])
{
    int length = (int)(user->name.length < STORE_USER_MAX ? user->name.length : STORE_USER_MAX - 1);
    snprintf(out, STORE_USER_MAX, "%.*s", length, user->name.bytes);
}

static enum status judge_stored(struct store *store, const char *name, enum import_user_fate *out_fate)
{
    struct store_user stored;
    enum status status = store_find_imported_user(store, name);
    if (status == STATUS_OK)
        *out_fate = IMPORT_USER_ALREADY;
    if (status != STATUS_NOT_FOUND)
        return status;
    status = store_find_user(store, name, &stored);
    if (status == STATUS_OK) {
        *out_fate = IMPORT_USER_EXISTS;
        store_user_finish(&stored);
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status import_user_judge(const struct config *config, struct store *store, const struct legacy_user *user,
                              enum import_user_fate *out_fate)
{
    struct store_user made;
    bool is_usable = make_user(user, 0, &made);
    enum import_user_fate fate = IMPORT_USER_TAKEN;
    enum status status = STATUS_OK;
    if (config_find_user(config, made.name))
        fate = IMPORT_USER_CONFIGURED;
    else if (!user->is_active)
        fate = IMPORT_USER_INACTIVE;
    else if (!is_usable)
        fate = IMPORT_USER_UNUSABLE;
    else if (store)
        status = judge_stored(store, made.name, &fate);
    if (status == STATUS_OK)
        *out_fate = fate;
    return status;
}

enum status import_user_write(struct store *store, const struct legacy_user *user, int64_t now_ms)
{
    struct store_user made;
    bool is_usable = make_user(user, now_ms, &made);
    assert(is_usable);
    enum status status = store_note_imported_user(store, made.name);
    return status == STATUS_OK ? store_insert_user(store, &made) : status;
}
