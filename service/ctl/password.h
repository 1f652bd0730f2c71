/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passwords that commands take: from a file, from standard input, or asked for at a terminal. Never from the command line,
 * where everybody on the machine can read them.
 *
 * Threading: main thread only.
 */
#ifndef SERVICE_CTL_PASSWORD_H
#define SERVICE_CTL_PASSWORD_H

#include "base/status.h"

/*
 * The first line of file; NULL: of standard input, where a terminal is asked twice and shows nothing. *out_password is the
 * caller's: password_free. Errors: STATUS_NOT_FOUND (file), STATUS_INVALID (empty, longer than SECRET_PASSWORD_BYTES_MAX, NUL,
 * not the same twice).
 */
enum status password_read(const char *file, char **out_password, struct error *error) STATUS_CHECKED;

void password_free(char *password); /* wipes; NULL is fine */

#endif
