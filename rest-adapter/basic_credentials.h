/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User and password out of an Authorization header of the scheme Basic (RFC 7617).
 *
 * Threading: pure.
 */
#ifndef REST_ADAPTER_BASIC_CREDENTIALS_H
#define REST_ADAPTER_BASIC_CREDENTIALS_H

#include <stdbool.h>

#include "base/secret.h"
#include "base/span.h"

enum { BASIC_USER_BYTES_MAX = 150 };

struct basic_credentials {
    char user[BASIC_USER_BYTES_MAX + 1]; /* UTF-8 */
    char password[SECRET_PASSWORD_BYTES_MAX + 1];
};

/*
 * Reads the header's value; absent is fine. The user ends at the first colon, the password may have more. Bytes that are UTF-8
 * are that; else they are latin-1, as Python's requests sends it. false, and out is empty: another scheme, malformed, or what
 * no user of ours can have (an empty name, control characters, a NUL, over a limit).
 */
bool basic_credentials_read(struct span header, struct basic_credentials *out);

#endif
