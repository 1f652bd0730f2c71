/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logging clients of the legacy interface in and out at the core.
 *
 * Threading: any thread; blocks as core_client does.
 */
#ifndef REST_ADAPTER_CORE_LOGIN_H
#define REST_ADAPTER_CORE_LOGIN_H

#include "base/secret.h"
#include "rest-adapter/core_client.h"

/* All borrowed. */
struct core_login {
    const char *user;
    const char *password;
    const char *peer;     /* address of who guesses */
    const char *replaces; /* the token that he came with; "" = none */
};

struct core_session {
    char token[SECRET_KEY_TEXT_MAX];
    int64_t expires_in_ms;
};

/*
 * Asks as the adapter itself, so that the core believes whose guess it is. STATUS_UNAUTHENTICATED with WRONG_CREDENTIALS;
 * STATUS_FULL with LOGIN_SLOWED or LOGIN_BUSY; STATUS_UNAVAILABLE also when the adapter itself may not log in, which is not the
 * client's fault.
 */
enum status core_login_open(struct core_client *core, const struct config *config, const struct core_login *login,
                            struct core_session *out_session, struct error *error) STATUS_CHECKED;

/* STATUS_OK also when there is no such session any more. */
enum status core_login_close(struct core_client *core, const char *token, struct error *error) STATUS_CHECKED;

#endif
