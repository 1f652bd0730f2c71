/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates and keys in PEM, as files and as texts: read with care and looked at before anybody uses them.
 *
 * Threading: pure.
 */
#ifndef BASE_CERTIFICATE_H
#define BASE_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { CERTIFICATE_PEM_BYTES_MAX = 512 * 1024 };

/*
 * The text of a PEM file, to be wiped and freed (certificate_free_pem). is_secret: a private key, which is refused when others
 * than its owner and group may read or write it. STATUS_NOT_FOUND (with the system's reason), STATUS_INVALID (not a regular
 * file, too large, NUL bytes, open to all), STATUS_NO_MEMORY.
 */
enum status certificate_read_pem(const char *path, bool is_secret, char **out_pem, struct error *error) STATUS_CHECKED;
void certificate_free_pem(char *pem); /* NULL is fine */

/*
 * Does the private key belong to the first certificate of the chain? STATUS_INVALID: it does not, or one of them is none, or
 * the key has a passphrase. *out_expires_at_ms: of that certificate.
 */
enum status certificate_check_pair(const char *chain_pem, const char *key_pem, int64_t *out_expires_at_ms,
                                   struct error *error) STATUS_CHECKED;

/* Is there one certificate at least? STATUS_INVALID. */
enum status certificate_check_authorities(const char *pem, struct error *error) STATUS_CHECKED;

#endif
