/* SPDX-License-Identifier: Apache-2.0 */
#include "service/store/store_backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/store/store_internal.h"

enum {
    BACKUP_STEP_PAGES = 256, /* copied between two questions whether it goes on */
    BACKUP_MODE = 0600,
};

/* A copy under way. */
struct copying {
    const struct store_backup *backup;
    char partial[STORE_PATH_MAX]; /* where it is made */
    sqlite3 *from;                /* owned; these two are NULL until opened */
    sqlite3 *to;
    struct error *error;
};

static enum status backup_fail(const struct copying *copying, const char *what)
{
    int reason = errno;
    enum status status = reason == ENOSPC || reason == EDQUOT ? STATUS_FULL : STATUS_UNAVAILABLE;
    return error_set(copying->error, status, status == STATUS_FULL ? "STORAGE_FULL" : "BACKUP_FAILED", "cannot %s %.150s: %s",
                     what, copying->backup->target, strerror(reason));
}

static enum status backup_fail_sqlite(const struct copying *copying, sqlite3 *db, int code)
{
    enum status status = (code & 0xff) == SQLITE_FULL ? STATUS_FULL : STATUS_UNAVAILABLE;
    return error_set(copying->error, status, status == STATUS_FULL ? "STORAGE_FULL" : "BACKUP_FAILED",
                     "cannot copy the database to %.150s: %s", copying->backup->target,
                     db ? sqlite3_errmsg(db) : sqlite3_errstr(code));
}

/* ---- the connections ---- */

/* Before SQLite does, so that nobody else can read it at any moment. What an earlier try left behind under that name goes. */
static enum status backup_create_partial(const struct copying *copying)
{
    struct stat file;
    if (lstat(copying->backup->target, &file) == 0) {
        return error_set(copying->error, STATUS_EXISTS, "BACKUP_EXISTS", "there is a file %.150s already",
                         copying->backup->target);
    }
    (void)unlink(copying->partial);
    int fd = open(copying->partial, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, BACKUP_MODE);
    if (fd < 0)
        return backup_fail(copying, "create");
    close(fd);
    return STATUS_OK;
}

static enum status backup_open(struct copying *copying)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int code = sqlite3_open_v2(copying->backup->database, &copying->from, SQLITE_OPEN_READONLY | flags, NULL);
    if (code != SQLITE_OK)
        return backup_fail_sqlite(copying, copying->from, code);
    (void)sqlite3_busy_timeout(copying->from, STORE_BUSY_MS); // fails only on a connection that is none
    // What is read now is what is copied, however long that takes.
    code = sqlite3_exec(copying->from, "BEGIN; SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
    if (code != SQLITE_OK)
        return backup_fail_sqlite(copying, copying->from, code);
    code = sqlite3_open_v2(copying->partial, &copying->to, SQLITE_OPEN_READWRITE | flags, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(copying->to, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", NULL, NULL, NULL);
    return code == SQLITE_OK ? STATUS_OK : backup_fail_sqlite(copying, copying->to, code);
}

static void backup_close(struct copying *copying)
{
    (void)sqlite3_close(copying->to); // NULL is fine; nothing is pending on either
    (void)sqlite3_close(copying->from);
    copying->to = NULL;
    copying->from = NULL;
}

/* ---- copying ---- */

static enum status backup_copy(struct copying *copying)
{
    const struct store_backup *backup = copying->backup;
    sqlite3_backup *pages = sqlite3_backup_init(copying->to, "main", copying->from, "main");
    if (!pages)
        return backup_fail_sqlite(copying, copying->to, sqlite3_errcode(copying->to));
    int code = SQLITE_OK;
    bool goes_on = true;
    while (code == SQLITE_OK && goes_on) {
        code = sqlite3_backup_step(pages, BACKUP_STEP_PAGES);
        goes_on = code == SQLITE_DONE || !backup->goes_on || backup->goes_on(backup->context);
    }
    int end = sqlite3_backup_finish(pages);
    if (!goes_on)
        return error_set(copying->error, STATUS_CANCELED, NULL, "the backup was given up");
    return code == SQLITE_DONE && end == SQLITE_OK ? STATUS_OK
                                                   : backup_fail_sqlite(copying, copying->to, end == SQLITE_OK ? code : end);
}

static enum status backup_sync(const struct copying *copying, int64_t *out_bytes)
{
    struct stat file = {0};
    int fd = open(copying->partial, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return backup_fail(copying, "open");
    enum status status = fsync(fd) == 0 && fstat(fd, &file) == 0 ? STATUS_OK : backup_fail(copying, "sync");
    if (status == STATUS_OK)
        *out_bytes = file.st_size;
    close(fd);
    return status;
}

static enum status backup_sync_folder(const struct copying *copying)
{
    char folder[STORE_PATH_MAX];
    snprintf(folder, sizeof folder, "%s", copying->backup->target);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder ? 1 : 0] = '\0';
    int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return backup_fail(copying, "open the folder of");
    enum status status = fsync(fd) == 0 ? STATUS_OK : backup_fail(copying, "sync the folder of");
    close(fd);
    return status;
}

/* A link instead of a rename: it never replaces what is there. */
static enum status backup_publish(const struct copying *copying)
{
    if (link(copying->partial, copying->backup->target) == 0)
        return backup_sync_folder(copying);
    if (errno == EEXIST) {
        return error_set(copying->error, STATUS_EXISTS, "BACKUP_EXISTS", "there is a file %.150s already",
                         copying->backup->target);
    }
    return backup_fail(copying, "give its name to");
}

enum status store_backup(const struct store_backup *backup, int64_t *out_bytes, struct error *error)
{
    struct copying copying = {.backup = backup, .error = error};
    int64_t bytes = 0;
    int length = snprintf(copying.partial, sizeof copying.partial, "%s.partial", backup->target);
    if (length < 0 || (size_t)length >= sizeof copying.partial)
        return error_set(error, STATUS_INVALID, "PATH_TOO_LONG", "the path of the backup is too long");
    enum status status = backup_create_partial(&copying);
    if (status != STATUS_OK)
        return status;
    status = backup_open(&copying);
    if (status == STATUS_OK)
        status = backup_copy(&copying);
    backup_close(&copying);
    if (status == STATUS_OK)
        status = backup_sync(&copying, &bytes);
    if (status == STATUS_OK)
        status = backup_publish(&copying);
    (void)unlink(copying.partial);
    if (status == STATUS_OK)
        *out_bytes = bytes;
    return status;
}
