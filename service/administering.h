/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What administrators do beside submissions (those: bulk.h): users of the store.
 *
 * Users of the configuration are not known here: whoever calls has refused them. What comes of a change for those who are
 * logged in is for access.h, after the commit.
 *
 * Threading: engine thread only.
 */
#ifndef SERVICE_ADMINISTERING_H
#define SERVICE_ADMINISTERING_H

#include "service/queue.h"

enum { ADMINISTERING_USERS_MAX = 10000 };

/* STATUS_EXISTS USER_EXISTS; STATUS_FULL USERS_FULL. */
enum status administering_create_user(struct queues *queues, const struct store_user *user, struct error *error) STATUS_CHECKED;

struct user_change {
    const char *name;
    unsigned roles;                          /* 0 = as they are */
    const char *password_hash;               /* "" = as it is */
    uint8_t credential[SECRET_DIGEST_BYTES]; /* of password_hash, see access_digest_hash */
    bool keep_sessions;                      /* also with another password; else the store forgets the user's sessions then */
};

/* *out_user: as it is now. STATUS_NOT_FOUND USER_NOT_FOUND. */
enum status administering_update_user(struct queues *queues, const struct user_change *change, struct store_user *out_user,
                                      struct error *error) STATUS_CHECKED;

/* With its sessions. STATUS_NOT_FOUND USER_NOT_FOUND. */
enum status administering_delete_user(struct queues *queues, const char *name, struct error *error) STATUS_CHECKED;

#endif
