/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes copies of the database in the backup folder, one at a time, in a thread of its own: the engine goes on meanwhile.
 *
 * Threading: any thread.
 */
#ifndef SERVICE_BACKUP_MAKER_H
#define SERVICE_BACKUP_MAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/status.h"

enum {
    BACKUP_LABEL_BYTES_MAX = 64,
    BACKUP_FILE_MAX = 128, /* name of a copy, and a NUL */
    BACKUP_BUSY_RETRY_MS = 1000,
};

/* Somebody who wants a copy; embedded in his object, which lives until done was called. */
struct backup_job {
    char label[BACKUP_LABEL_BYTES_MAX + 1];    /* letters, digits, '-'; "" = none */
    bool (*is_wanted)(struct backup_job *job); /* asked often meanwhile: false gives it up */
    void (*done)(struct backup_job *job, enum status status, const struct error *error); /* once, in the maker's thread */

    /* with STATUS_OK */
    char file[BACKUP_FILE_MAX]; /* its name in the folder */
    int64_t bytes;
};

struct backup_maker;

struct backup_maker *backup_maker_create(const struct config *config); /* config: borrowed */
/* A running copy is given up, further ones are refused. */
void backup_maker_stop(struct backup_maker *maker);
void backup_maker_destroy(struct backup_maker *maker); /* stops; done has been called. NULL is fine */

/*
 * STATUS_OK: done will be called. Otherwise it never is: STATUS_WRONG_STATE BACKUP_FOLDER_MISSING (none is configured);
 * STATUS_FULL BACKUP_BUSY (one is being made); STATUS_UNAVAILABLE (stopping, or no thread to be had). What comes to done: see
 * store_backup; STATUS_WRONG_STATE BACKUP_FOLDER_MISSING also when the folder cannot be made.
 */
enum status backup_maker_start(struct backup_maker *maker, struct backup_job *job, struct error *error) STATUS_CHECKED;

/* Letters, digits and '-', at most BACKUP_LABEL_BYTES_MAX; may be empty. */
bool backup_label_is_valid(const char *label);

#endif
