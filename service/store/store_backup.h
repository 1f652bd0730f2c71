/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A copy of a database while a store has it open and goes on writing: the state of one moment, page by page, over a connection
 * of its own. The log of the store is not shortened meanwhile.
 *
 * Threading: any thread.
 */
#ifndef SERVICE_STORE_STORE_BACKUP_H
#define SERVICE_STORE_STORE_BACKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct store_backup {
    const char *database;           /* path, as given to store_open */
    const char *target;             /* path of the copy */
    bool (*goes_on)(void *context); /* asked between two steps; false: give up. May be NULL */
    void *context;
};

/*
 * Makes target, which nobody has seen before it is whole and on the disk: what was committed before the call is in it. Mode
 * 0600. STATUS_EXISTS (target is there, and stays as it is); STATUS_CANCELED; STATUS_FULL (no space); STATUS_UNAVAILABLE (the
 * folder cannot be written to, or the file system failed; text in error). After an error nothing of it is left.
 */
enum status store_backup(const struct store_backup *backup, int64_t *out_bytes, struct error *error) STATUS_CHECKED;

#endif
