/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slows down who guesses passwords. It knows who tried from where and how that ended; it checks no password itself. Whoever is
 * to wait is refused before a hash is spent on him.
 *
 * Who is counted, each by himself: a user from an address (the pair), a user from everywhere, an address for all users. The
 * first failures are free, then each makes the next try wait: a second, doubled with each failure, up to a minute. A quiet time
 * forgets. Names that do not exist are counted by the same rules, so that being slowed does not tell who exists.
 *
 *   - A pair adds its free failures to the two sums, and no more. So a program with an old password, which repeats itself for
 *     ever, slows itself and nobody else; many addresses that guess at one user, or one that tries many users, fill a sum.
 *   - A pair that has succeeded is familiar and answers for itself alone: guesses from elsewhere never lock a user out of the
 *     address where he works, nor do guesses at other users from there. (OWASP's device cookies, with the address for a cookie:
 *     clients of the REST interface are programs, which keep their address and lose their cookies.) While somebody guesses at a
 *     user, that user may have to wait at an address that is not familiar; sessions that are open go on.
 *   - A success takes back the failures of its own pair, in the sums too, and of no other: who has an account cannot buy
 *     himself guesses at others with it.
 *   - A try counts as a failure from its beginning, so that many at once are no way around; but the same password for the same
 *     pair at the same time is one guess, because programs with many threads begin their work with a login of each.
 *
 * Memory is bounded: LOGIN_GUARD_RECORDS_MAX of each kind, the one that was quiet longest goes first. Pairs and names of users
 * that do not exist have tables of their own: making up names pushes out made-up names. IPv6 addresses count by their /64,
 * which is what one household gets. Nothing is stored: a restart forgets.
 *
 * Threading: any thread (locks the guard).
 */
#ifndef SERVICE_LOGIN_GUARD_H
#define SERVICE_LOGIN_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/secret.h"
#include "base/status.h"
#include "service/store/store.h"

enum {
    LOGIN_GUARD_PAIR_FREE = 5, /* failures of one user from one address that cost no waiting */
    LOGIN_GUARD_SUM_FREE = 20, /* of one user from all addresses that are not familiar; of one address for all such users */
    LOGIN_GUARD_DELAY_MS = 1000,
    LOGIN_GUARD_DELAY_MS_MAX = 60 * 1000,
    LOGIN_GUARD_QUIET_MS = 15 * 60 * 1000, /* after the last failure */
    LOGIN_GUARD_RECORDS_MAX = 10000,       /* of each kind; some 300 bytes each */
    LOGIN_GUARD_LINES_MAX = 20,            /* of the log in a minute; how many more there were is told afterwards */
    LOGIN_GUARD_ADDRESS_BYTES = 17,        /* the family, and the address */
};
#define LOGIN_GUARD_FAMILIAR_MS (INT64_C(30) * 24 * 60 * 60 * 1000) /* after the last try of a familiar pair */

struct login_guard;

/* One try. The caller's; filled by login_guard_enter. */
struct login_try {
    char user[STORE_USER_MAX];
    bool is_known;
    uint8_t address[LOGIN_GUARD_ADDRESS_BYTES];
    size_t address_length;               /* 0: none (a unix socket) */
    uint8_t digest[SECRET_DIGEST_BYTES]; /* of user and password */
    bool is_booked;                      /* else it is the same guess as one that runs */
    bool is_summed;                      /* booked in the sums, too */
};

enum login_outcome {
    LOGIN_FAILED,
    LOGIN_SUCCEEDED,
    LOGIN_UNCHECKED, /* nobody looked at the password: it counts for nothing */
};

/* clock: borrowed. */
struct login_guard *login_guard_create(struct clock *clock);
void login_guard_destroy(struct login_guard *guard); /* NULL is fine */

/*
 * May this user try now? is_known: does he exist. address: where from (base/address.h reads it; "" or anything else: no
 * address). digest: of user and password, by a key that nobody knows. STATUS_OK: out_try is booked, and login_guard_leave is
 * owed. STATUS_FULL, reason LOGIN_SLOWED: not yet; error has the time to wait. Nothing is owed then.
 */
struct login_question {
    const char *user;
    bool is_known;
    const char *address;
    const uint8_t *digest;
};
enum status login_guard_enter(struct login_guard *guard, const struct login_question *question, struct login_try *out_try,
                              struct error *error) STATUS_CHECKED;

void login_guard_leave(struct login_guard *guard, const struct login_try *login_try, enum login_outcome outcome);

/* How many records there are, of all kinds. For tests. */
size_t login_guard_count(struct login_guard *guard);

#endif
