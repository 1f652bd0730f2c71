/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions of clients that send HTTP Basic credentials with every request in place of a cookie: each pair of credentials and
 * address has one session at the core, opened by the first request and used by the next ones, so that a password is not hashed
 * for every request. What is kept is a keyed digest of the credentials, with a key that this process made up.
 *
 * Refusals are kept for a while too: an LMS that sends the credentials of some proxy before us with every request costs
 * nothing.
 *
 * Threading: any thread (locks the table). One login at a time for the same credentials and address; the others wait for it.
 */
#ifndef REST_ADAPTER_BASIC_SESSIONS_H
#define REST_ADAPTER_BASIC_SESSIONS_H

#include "rest-adapter/basic_credentials.h"
#include "rest-adapter/core_login.h"

enum {
    BASIC_SESSIONS_MAX = 1000,       /* more push out the oldest */
    BASIC_SESSIONS_KEEP_MS = 300000, /* a session; then it is ended, and the next request opens a new one */
    BASIC_SESSIONS_REFUSED_MS = 30000,
    BASIC_SESSIONS_FAILED_MS = 1000, /* a login that failed for another reason: whoever waited for it shares the failure */
    BASIC_SESSIONS_STOP_MS = 2000,   /* for ending all sessions at the end */
};

struct basic_sessions;

/* core, config: borrowed. */
struct basic_sessions *basic_sessions_create(struct core_client *core, const struct config *config);

/* Ends the sessions at the core, as many as it can in BASIC_SESSIONS_STOP_MS. Nobody may call in any more. NULL is fine. */
void basic_sessions_destroy(struct basic_sessions *sessions);

/*
 * The session of these credentials from that address. STATUS_UNAUTHENTICATED: they are wrong, or the core slows down who
 * guesses; as if there were none. Other failures: those of core_login_open.
 */
enum status basic_sessions_get(struct basic_sessions *sessions, const struct basic_credentials *credentials, const char *peer,
                               char out_token[SECRET_KEY_TEXT_MAX], struct error *error) STATUS_CHECKED;

/* The core says that this session is over: the next request opens a new one. */
void basic_sessions_forget(struct basic_sessions *sessions, const char *token);

/* Ends the session that is kept for these credentials, if there is one. */
enum status basic_sessions_end(struct basic_sessions *sessions, const struct basic_credentials *credentials, const char *peer,
                               struct error *error) STATUS_CHECKED;

#endif
