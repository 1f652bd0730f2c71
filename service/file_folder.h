/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The folder of uploaded files. A file is named by its content, so that the same file is kept once:
 *
 *   FOLDER/.incoming/KEY     on its way in, KEY is random; emptied at the start
 *   FOLDER/ab/abcd...        kept: the SHA-256 of the content in 64 hex digits, below its first two
 *
 * A kept file's time of modification is when it was last uploaded, by the service's clock: who uploads what is there already
 * finds it as fresh as a new one. A file is removed in two steps, so that nobody loses it who names it at the same moment:
 * doomed, it is not found any more; then, once it is certain that no submission names it, removed. Keeping it again spares it.
 *
 * Threading: any thread (locks the folder); one incoming file is used by one thread at a time.
 */
#ifndef SERVICE_FILE_FOLDER_H
#define SERVICE_FILE_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/secret.h"
#include "base/status.h"

enum {
    FILE_ID_LENGTH = 2 * SECRET_DIGEST_BYTES,
    FILE_FOLDER_SHELVES = 256,
    FILE_FOLDER_DOOMED_MAX = 100, /* at one time */
};

struct file_folder;
struct incoming_file;

/* A file that is kept. */
struct kept_file {
    char id[FILE_ID_LENGTH + 1];
    uint8_t sha256[SECRET_DIGEST_BYTES];
    int64_t size_bytes;
};

/*
 * Makes what is missing of the folder (mode 0700, but not its parents) and empties .incoming. clock is borrowed. The folder
 * must belong to one service alone. STATUS_UNAVAILABLE STORAGE_FAILED.
 */
enum status file_folder_open(const char *path, struct clock *clock, struct file_folder **out_folder,
                             struct error *error) STATUS_CHECKED;
void file_folder_close(struct file_folder *folder); /* NULL is fine */

/* 64 lower-case hex digits. */
bool file_id_is_valid(const char *id);

/* ---- coming in ----
 *
 * Errors: STATUS_FULL STORAGE_FULL: no room; STATUS_UNAVAILABLE STORAGE_FAILED: the disk failed, which is logged.
 */

enum status file_folder_begin(struct file_folder *folder, struct incoming_file **out_file, struct error *error) STATUS_CHECKED;
/* After an error the file can only be dropped. */
enum status incoming_file_add(struct incoming_file *file, const void *bytes, size_t length, struct error *error) STATUS_CHECKED;
/* What came so far. */
int64_t incoming_file_bytes(const struct incoming_file *file);
/*
 * Ends the file: when this answers STATUS_OK its bytes and its name are on disk. digest (NULL: any) is what its SHA-256 must
 * be, else STATUS_INVALID DIGEST_MISMATCH. The file is taken, whatever is answered.
 */
enum status incoming_file_keep(struct incoming_file *file, const uint8_t *digest, struct kept_file *out_kept,
                               struct error *error) STATUS_CHECKED;
/* Forgets what came. NULL is fine. */
void incoming_file_drop(struct incoming_file *file);

/* ---- kept ---- */

/* STATUS_NOT_FOUND: no such file, or it is doomed. STATUS_UNAVAILABLE STORAGE_FAILED. */
enum status file_folder_find(struct file_folder *folder, const char *id, struct kept_file *out_kept,
                             struct error *error) STATUS_CHECKED;
/* The same, and opens it: *out_descriptor is to be closed by the caller. */
enum status file_folder_read(struct file_folder *folder, const char *id, struct kept_file *out_kept, int *out_descriptor,
                             struct error *error) STATUS_CHECKED;

/*
 * Calls visit with the id of each file on a shelf (0 to FILE_FOLDER_SHELVES - 1) that was uploaded before before_ms, until it
 * answers false. Calls no function of the folder with the lock held. STATUS_UNAVAILABLE STORAGE_FAILED.
 */
enum status file_folder_visit(struct file_folder *folder, unsigned shelf, int64_t before_ms,
                              bool (*visit)(void *context, const char *id), void *context, struct error *error) STATUS_CHECKED;

/* From now on the file is not found. False: it is not there, was uploaded at or after before_ms, or FILE_FOLDER_DOOMED_MAX are
 * doomed. */
bool file_folder_doom(struct file_folder *folder, const char *id, int64_t before_ms);
/* It is found again. */
void file_folder_spare(struct file_folder *folder, const char *id);
/* Removes it, if it is still doomed; true: it is gone. */
bool file_folder_remove_doomed(struct file_folder *folder, const char *id);

#endif
