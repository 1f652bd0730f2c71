/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an uploaded file is, in three spellings:
 *
 *   place  SHELF/KEY: its path below the media root, on disk and in object storage. KEY: 32 hex digits, random. SHELF: one
 *          path component that stands for the queue, its name as it is but for '/', '%' and a '.' at its beginning.
 *   link   what the adapter answers under FILE_LINK_PATH: SHELF/KEY?expires=UNIX_SECONDS&signature=HEX. Whoever has it may
 *          fetch the file until then; the signature is an HMAC-SHA256 over both, so neither can be changed.
 *   quoted SHELF/KEY percent-encoded, below a media server's URL, as the original has it.
 *
 * Threading: pure.
 */
#ifndef REST_ADAPTER_FILE_LINK_H
#define REST_ADAPTER_FILE_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/secret.h"
#include "base/span.h"
#include "base/status.h"
#include "base/text.h"

#define FILE_LINK_PATH "/xqueue/files/"

enum {
    FILE_SHELF_MAX = 256, /* a shelf's name and a NUL: what a file system allows */
    FILE_PLACE_MAX = FILE_SHELF_MAX + SECRET_KEY_TEXT_MAX,
    FILE_LINK_SECRET_BYTES = 32,
    FILE_LINK_QUERY_BYTES_MAX = 256, /* of a link that is looked at; ours have about 100 */
};

/* What links are signed with. */
struct file_link_secret {
    uint8_t bytes[FILE_LINK_SECRET_BYTES];
};

/*
 * Writes the queue's shelf. No two queues share one, none begins with '.', none is "" or longer than a file system allows
 * (such a name becomes its digest). queue: at least one byte.
 */
void file_shelf_of(struct span queue, char out[FILE_SHELF_MAX]);

/* Writes SHELF/KEY. key: 32 hex digits. */
void file_place_of(const char *shelf, const char *key, char out[FILE_PLACE_MAX]);

/* Is it of the form of a key? */
bool file_key_is_valid(const char *key);

/* Is it of the form of a place? Then it leads nowhere but to a shelf's file. */
bool file_place_is_valid(const char *place);

/* The key's digits in a place. */
const char *file_place_key(const char *place);

/* Appends place percent-encoded. */
void file_place_append_quoted(struct text *out, const char *place);

/* Appends FILE_LINK_PATH and the signed link. expires_s: Unix time. */
void file_link_append(struct text *out, const struct file_link_secret *secret, const char *place, int64_t expires_s);

/*
 * Checks path and query of a request. path: decoded once. query: as sent, or NULL. now_s: Unix time. Other parameters are
 * ignored. STATUS_NOT_FOUND: no link's path. STATUS_DENIED: not signed by us, or over; nobody learns which, nor whether there
 * is such a file. Comparing takes the same time whatever the signature.
 */
enum status file_link_check(const struct file_link_secret *secret, const char *path, const char *query, int64_t now_s,
                            char out_place[FILE_PLACE_MAX]) STATUS_CHECKED;

#endif
