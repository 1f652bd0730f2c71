/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may do what: users, their passwords and roles from the configuration, and the sessions that logins opened. Sessions live
 * in memory for the check at every call, and in the store to survive restarts; only digests of their tokens are kept anywhere.
 *
 * Threading: any thread (locks the session table), except access_create, access_load and access_destroy.
 */
#ifndef SERVICE_ACCESS_H
#define SERVICE_ACCESS_H

#include "base/clock.h"
#include "base/config.h"
#include "base/status.h"
#include "service/store/store.h"

enum {
    ACCESS_SESSIONS_MAX = 100000,
    ACCESS_PLAIN_ROUNDS = 10000, /* what a wrong password costs when no user has a hash */
};

struct access;

/* Who a call comes from. */
struct identity {
    char user[STORE_USER_MAX];
    unsigned roles; /* of enum config_role */
    uint8_t token_digest[SECRET_DIGEST_BYTES];
    int64_t expires_at_ms;
};

/* config and clock: borrowed. */
struct access *access_create(const struct config *config, struct clock *clock, const uint8_t store_identity[16]);
void access_destroy(struct access *access); /* NULL is fine */

/* Reads the sessions from the store; those of users that are gone or have another password now are deleted there. Before the
 * engine runs. */
enum status access_load(struct access *access, struct store *store) STATUS_CHECKED;

/*
 * May the holder of token (NULL: none) do what needs one of roles? *out_identity is a copy. STATUS_UNAUTHENTICATED: no token,
 * or no session of that token any more; STATUS_DENIED: a session, but none of the roles.
 */
enum status access_authorise(struct access *access, const char *token, unsigned roles, struct identity *out_identity,
                             struct error *error) STATUS_CHECKED;

/*
 * Is this the user's password? Slow on purpose, equally slow for unknown users: not on an engine or loop thread.
 */
bool access_password_matches(const struct access *access, const char *user, const char *password);

/* Makes a session for user (who exists) in out_session and its token in out_token. Not in force before access_open_session.
 * STATUS_FULL: ACCESS_SESSIONS_MAX. */
enum status access_make_session(struct access *access, const char *user, struct store_session *out_session,
                                char out_token[SECRET_KEY_TEXT_MAX]) STATUS_CHECKED;

/* In force from now on: after it has been stored. Sessions that have run out are forgotten. */
void access_open_session(struct access *access, const struct store_session *session);
/* Not in force any more: before or after it has been deleted from the store. */
void access_close_session(struct access *access, const uint8_t token_digest[SECRET_DIGEST_BYTES]);

#endif
