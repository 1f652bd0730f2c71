/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks and hashes passwords on a few threads of their own: each costs a third of a second on purpose, which neither the
 * engine nor the poller can spare.
 *
 * Addresses take turns: whoever sends many checks at once waits behind himself, not before others. When all places are taken, a
 * newcomer takes that of the one who would be last. Checks of the same user and password at the same time are one: a program
 * with many threads begins its work with a login of each. Who wants a hash keeps his place and shares none.
 *
 * Threading: password_checker_submit from any thread; on_checked runs on a checker's thread, or on the submitter's for a check
 * that lost its place.
 */
#ifndef SERVICE_PASSWORD_CHECKER_H
#define SERVICE_PASSWORD_CHECKER_H

#include <stdbool.h>

#include "base/list.h"
#include "base/secret.h"
#include "base/status.h"
#include "service/access.h"
#include "service/login_guard.h"

enum {
    PASSWORD_CHECKER_WAITING_MAX = 64,  /* that cost a hash each */
    PASSWORD_CHECKER_JOINED_MAX = 1000, /* that share a hash with another one */
    PASSWORD_CHECKER_THREADS_MAX = 4,   /* no more than processors but one */
};

struct password_checker;

/* Embedded in the object of whoever asks. */
struct password_check {
    struct list_node node;
    char user[STORE_USER_MAX];
    struct login_try who;                         /* whose guess it is; address and digest count here */
    char password[SECRET_PASSWORD_BYTES_MAX + 1]; /* wiped before on_checked */
    /* Asked for a hash: password is to become the user's (user "": of somebody new). When it is already, matches is true and
     * hash stays empty; hash is empty without a match only when the checker is being destroyed. */
    bool wants_hash;
    char hash[SECRET_HASH_TEXT_MAX];
    uint8_t credential[SECRET_DIGEST_BYTES]; /* what matched, for access_make_session */
    void (*on_checked)(struct password_check *check, bool matches);
    enum login_outcome outcome; /* set before on_checked: was it looked at? */

    /* guarded by the checker's mutex */
    struct list joined;
    uint64_t turn;
};

/* access: borrowed. NULL: no thread to be had. */
struct password_checker *password_checker_create(struct access *access);

/* How many threads a machine with so many processors gets: one is left to the engine and the poller. */
size_t password_checker_thread_count(long processors);

/* STATUS_FULL: no place, on_checked is never called then. Who loses his place is told so: no match, and
 * LOGIN_UNCHECKED. */
enum status password_checker_submit(struct password_checker *checker, struct password_check *check) STATUS_CHECKED;

/* Finishes what waits (no match, LOGIN_UNCHECKED), ends the threads. NULL is fine. */
void password_checker_destroy(struct password_checker *checker);

#endif
