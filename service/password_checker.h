/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks and hashes passwords on a thread of its own, one after the other: each costs a third of a second on purpose, which
 * neither the engine nor the poller can spare.
 *
 * Threading: password_checker_submit from any thread; on_checked runs on the checker's thread.
 */
#ifndef SERVICE_PASSWORD_CHECKER_H
#define SERVICE_PASSWORD_CHECKER_H

#include <stdbool.h>

#include "base/list.h"
#include "base/secret.h"
#include "base/status.h"
#include "service/access.h"

enum { PASSWORD_CHECKER_WAITING_MAX = 64 };

struct password_checker;

/* Embedded in the object of whoever asks. */
struct password_check {
    struct list_node node;
    char user[STORE_USER_MAX];
    char password[SECRET_PASSWORD_BYTES_MAX + 1]; /* wiped before on_checked */
    /* Asked for a hash: password is to become the user's (user "": of somebody new). When it is already, matches is true and
     * hash stays empty; hash is empty without a match only when the checker is being destroyed. */
    bool wants_hash;
    char hash[SECRET_HASH_TEXT_MAX];
    uint8_t credential[SECRET_DIGEST_BYTES]; /* what matched, for access_make_session */
    void (*on_checked)(struct password_check *check, bool matches);
};

/* access: borrowed. NULL: no thread to be had. */
struct password_checker *password_checker_create(struct access *access);

/* STATUS_FULL: PASSWORD_CHECKER_WAITING_MAX are waiting; on_checked is never called then. */
enum status password_checker_submit(struct password_checker *checker, struct password_check *check) STATUS_CHECKED;

/* Finishes what waits (on_checked is called with matches = false without looking), ends the thread. NULL is fine. */
void password_checker_destroy(struct password_checker *checker);

#endif
