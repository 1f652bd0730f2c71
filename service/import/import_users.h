/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users of the original: active ones with a password hash that we can check become users of the database, who may submit and
 * grade (there every user may do everything).
 *
 * Threading: one thread at a time, as the store's.
 */
#ifndef SERVICE_IMPORT_IMPORT_USERS_H
#define SERVICE_IMPORT_IMPORT_USERS_H

#include "base/config.h"
#include "service/import/import_report.h"
#include "service/import/legacy_row.h"
#include "service/store/store.h"

/*
 * Decides what becomes of user, inside a transaction. store NULL: there is no database yet. STATUS_OK, or what the store
 * answers.
 */
enum status import_user_judge(const struct config *config, struct store *store, const struct legacy_user *user,
                              enum import_user_fate *out_fate) STATUS_CHECKED;

/* Writes one whose fate is IMPORT_USER_TAKEN. STATUS_EXISTS: there is one by now (the source has it twice). */
enum status import_user_write(struct store *store, const struct legacy_user *user, int64_t now_ms) STATUS_CHECKED;

/* The name, cut to what can be shown. */
void import_user_name(const struct legacy_user *user, char out[STORE_USER_MAX]);

#endif
