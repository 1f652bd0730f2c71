/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may do what: users with their passwords and roles, and the sessions that logins opened. Users are those of the
 * configuration, which win, and those of the store, which can change while the service runs. Both users and sessions live in
 * memory for the check at every call; what is to survive a restart is in the store before it comes here. Of tokens only digests
 * are kept anywhere.
 *
 * Threading: any thread (locks the tables), except access_create, access_load and access_destroy.
 */
#ifndef SERVICE_ACCESS_H
#define SERVICE_ACCESS_H

#include "base/clock.h"
#include "base/config.h"
#include "base/status.h"
#include "service/store/store.h"

enum {
    ACCESS_SESSIONS_MAX = 100000,
    ACCESS_STORED_USERS_MAX = 10000,  /* whoever stores users keeps to it */
    ACCESS_TOKENS_PER_USER_MAX = 100, /* whoever stores tokens keeps to it */
    ACCESS_TOKEN_WRITE_MS = 60000,    /* how far behind the store may be with the last use of a token */
    ACCESS_PLAIN_ROUNDS = 10000,      /* what a password check costs when no user has a hash */
};

struct access;

/* Who a call comes from. */
struct identity {
    char user[STORE_USER_MAX];
    unsigned roles;                            /* of enum config_role; that he had for one queue at least when the call began */
    uint8_t token_digest[SECRET_DIGEST_BYTES]; /* of a session's or program's token */
    char token_id[STORE_TOKEN_ID_MAX];         /* "": not of a program's */
    int64_t expires_at_ms;                     /* 0 = never */
    uint64_t user_era;                         /* see access_goes_on */
};

/* config and clock: borrowed. */
struct access *access_create(const struct config *config, struct clock *clock, const uint8_t store_identity[16]);
void access_destroy(struct access *access); /* NULL is fine */

/* Reads users and sessions from the store; sessions of users that are gone or have another password now are deleted there.
 * Before the engine runs. */
enum status access_load(struct access *access, struct store *store) STATUS_CHECKED;

/*
 * May the holder of token (NULL: none) do what needs one of roles for one queue at least? *out_identity is a copy.
 * STATUS_UNAUTHENTICATED: no token, or no session of that token any more; STATUS_DENIED: a session, but none of the roles.
 */
enum status access_authorise(struct access *access, const char *token, unsigned roles, struct identity *out_identity,
                             struct error *error) STATUS_CHECKED;

/*
 * The same for whom a certificate names, that the caller has seen to be good. STATUS_UNAUTHENTICATED CERTIFICATE_UNKNOWN: there
 * is no such user.
 */
enum status access_authorise_certificate(struct access *access, const char *name, unsigned roles, struct identity *out_identity,
                                         struct error *error) STATUS_CHECKED;

/*
 * May a stream that began as identity go on? Not when its user was deleted, or got another password that ended his sessions,
 * nor when its token was revoked or has run out. That a session has run out, or that he logged out of it, ends no stream; a
 * token knows nothing of passwords.
 */
bool access_goes_on(struct access *access, const struct identity *identity);

/* The roles that identity has for queue ("": for all queues) as things stand now; none when access_goes_on says no. */
unsigned access_roles_for(struct access *access, const struct identity *identity, const char *queue);

/* All of them. *out_rights is to be freed with rights_finish. */
void access_read_rights(struct access *access, const struct identity *identity, struct rights *out_rights);

/*
 * Is this the user's password? Slow on purpose, and equally slow for every user, whatever the form of his hash, also for one
 * who does not exist: as the most expensive hash. Not on an engine or loop thread. out_credential: when true, names the
 * password or hash that matched.
 */
bool access_password_matches(struct access *access, const char *user, const char *password,
                             uint8_t out_credential[SECRET_DIGEST_BYTES]);

/*
 * Makes a session for user, whose credential matched, in out_session and its token in out_token. Not in force before
 * access_open_session. STATUS_FULL: ACCESS_SESSIONS_MAX.
 */
enum status access_make_session(struct access *access, const char *user, const uint8_t credential[SECRET_DIGEST_BYTES],
                                struct store_session *out_session, char out_token[SECRET_KEY_TEXT_MAX]) STATUS_CHECKED;

/*
 * Is token that of a session in force? Then *out_session is that session: with *out_same_user, when it is of fresh's user, as
 * it would live on (with fresh's time), else as it is.
 */
bool access_renew_session(struct access *access, const char *token, const struct store_session *fresh,
                          struct store_session *out_session, bool *out_same_user);

/*
 * In force from now on: after it has been stored. One with the same token is replaced. Sessions that have run out are
 * forgotten. STATUS_UNAUTHENTICATED: the user has been deleted or has another password by now.
 */
enum status access_open_session(struct access *access, const struct store_session *session) STATUS_CHECKED;
/* Not in force any more: before or after it has been deleted from the store. */
void access_close_session(struct access *access, const uint8_t token_digest[SECRET_DIGEST_BYTES]);

/* ---- tokens of programs ---- */

/*
 * A token is new, and that has been stored: in force from now on. Copied. False: its user is not there, or its time is over:
 * nothing happened.
 */
bool access_put_token(struct access *access, const struct store_token *token);
/* A token was revoked. Nothing happens when there is none. */
void access_remove_token(struct access *access, const char *id);

/* Is it time to write the last use of identity's token to the store? True once in ACCESS_TOKEN_WRITE_MS for each token, with
 * *out_used_at_ms. */
bool access_use_is_due(struct access *access, const struct identity *identity, int64_t *out_used_at_ms);

/* Copies of the tokens of user ("": of all) by id. Free *out_tokens with access_free_tokens. Returns how many. */
size_t access_list_tokens(struct access *access, const char *user, struct store_token **out_tokens);
void access_free_tokens(struct store_token *tokens, size_t count);

/* What the user may do. *out_rights is to be freed with rights_finish. False: there is no such user. */
bool access_read_user_rights(struct access *access, const char *user, struct rights *out_rights);

/* ---- users ---- */

/* The credential of a user who has that hash: what its sessions are made with. */
void access_digest_hash(const char *password_hash, uint8_t out_credential[SECRET_DIGEST_BYTES]);

/* Is there a user of that name? */
bool access_knows_user(struct access *access, const char *user);
/* Is it one of the configuration? */
bool access_is_configured(const struct access *access, const char *user);

/*
 * A user of the store is new or was changed, and that has been stored: in force from now on. With another password than before
 * its sessions end, unless keep_sessions. Nothing happens when the configuration has a user of that name.
 */
void access_put_user(struct access *access, const struct store_user *user, bool keep_sessions);
/* A user of the store is gone; its sessions end. As access_put_user. */
void access_remove_user(struct access *access, const char *user);

struct access_user_view {
    char name[STORE_USER_MAX];
    struct rights rights;
    bool configured;
    int64_t created_at_ms; /* 0 for those of the configuration */
};
/* All users by name. Free *out_users with access_free_users. Returns how many. */
size_t access_list_users(struct access *access, struct access_user_view **out_users);
void access_free_users(struct access_user_view *users, size_t count);

#endif
