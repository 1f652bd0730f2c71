/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to access.c (users, sessions, checks) and access_token.c (tokens of programs): the tables that both work on.
 *
 * Threading: the mutex of struct access is held wherever nothing else is said.
 */
#ifndef SERVICE_ACCESS_INTERNAL_H
#define SERVICE_ACCESS_INTERNAL_H

#include <pthread.h>

#include "base/list.h"
#include "base/map.h"
#include "service/access.h"

struct user {
    char name[STORE_USER_MAX];
    struct rights rights;                 /* owned */
    const struct config_user *configured; /* borrowed; NULL: of the store */
    int64_t created_at_ms;
    char password_hash[SECRET_HASH_TEXT_MAX]; /* "": the configuration has the password itself */
    int64_t cost;                             /* of checking the hash, as secret_hash_cost */
    uint8_t credential[SECRET_DIGEST_BYTES];
    uint64_t era;         /* another one whenever all his sessions ended: streams of before are over */
    struct list sessions; /* of struct open_session */
    struct list tokens;   /* of struct open_token */
    struct map_node by_name;
};

struct open_session {
    struct store_session stored;
    struct user *user;
    struct map_node by_token;
    struct list_node of_user;
};

/* A token of a program. */
struct open_token {
    struct store_token stored; /* owned */
    struct user *user;
    int64_t written_ms; /* of stored.used_at_ms, what the store knows or is about to know */
    struct map_node by_digest;
    struct map_node by_id;
    struct list_node of_user;
};

struct access {
    const struct config *config; /* immutable */
    struct clock *clock;

    /* guarded by mutex */
    pthread_mutex_t mutex;
    struct map users;     /* by name */
    uint64_t eras;        /* so far, of all users */
    int64_t cost;         /* of any check of a password: that of the most expensive one */
    struct map tokens;    /* by digest */
    struct map token_ids; /* the same by id */
    struct map sessions;  /* by token digest; in the order of their opening, so those that ran out stand first */
};

struct user *access_find_user(const struct access *access, const char *name); /* NULL: none */

/* In force and not run out at now_ms; NULL: none. */
struct open_token *access_find_token(const struct access *access, const uint8_t digest[SECRET_DIGEST_BYTES], int64_t now_ms);
void access_forget_token(struct access *access, struct open_token *token);
/* All tokens of the user end. */
void access_forget_tokens(struct access *access, struct user *user);
/* The roles that the token leaves its user with for queue. */
unsigned access_token_roles_for(const struct open_token *token, const char *queue);
/* As struct rights, to be freed by the caller. */
void access_token_rights(const struct open_token *token, struct rights *out_rights);

#endif
