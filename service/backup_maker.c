/* SPDX-License-Identifier: Apache-2.0 */
#include "service/backup_maker.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/ascii.h"
#include "base/clock.h"
#include "base/memory.h"
#include "service/store/store_backup.h"

enum { FOLDER_MODE = 0700, PATH_BYTES_MAX = 4096 };

struct backup_maker {
    const struct config *config; /* borrowed */

    /* guarded by mutex */
    pthread_mutex_t mutex;
    bool stopping;
    bool has_thread; /* thread is to be joined */
    bool is_busy;
    pthread_t thread;
    struct backup_job *job; /* of the thread */
};

bool backup_label_is_valid(const char *label)
{
    size_t length = strlen(label);
    for (size_t i = 0; i < length; i++) {
        if (!ascii_is_alphanumeric(label[i]) && label[i] != '-') {
            return false;
        }
    }
    return length <= BACKUP_LABEL_BYTES_MAX;
}

/* "xqueue-20260131T120000123Z-LABEL.db": names sort by time. */
static void backup_name(const char *label, char out[BACKUP_FILE_MAX])
{
    char stamp[CLOCK_STAMP_MAX];
    char digits[CLOCK_STAMP_MAX];
    size_t length = 0;
    clock_stamp(clock_wall_ms(), stamp);
    for (const char *at = stamp; *at != '\0'; at++) {
        if (*at != '-' && *at != ':' && *at != '.') {
            digits[length++] = *at;
        }
    }
    digits[length] = '\0';
    (void)snprintf(out, BACKUP_FILE_MAX, "xqueue-%s%s%s.db", digits, label[0] != '\0' ? "-" : "", label);
}

static bool backup_goes_on(void *context)
{
    struct backup_maker *maker = context;
    pthread_mutex_lock(&maker->mutex);
    bool is_stopping = maker->stopping;
    pthread_mutex_unlock(&maker->mutex);
    return !is_stopping && maker->job->is_wanted(maker->job);
}

static enum status backup_make(struct backup_maker *maker, struct backup_job *job, struct error *error)
{
    const char *folder = maker->config->service.backup_folder;
    char target[PATH_BYTES_MAX];
    if (mkdir(folder, FOLDER_MODE) != 0 && errno != EEXIST) {
        return error_set(error, STATUS_WRONG_STATE, "BACKUP_FOLDER_MISSING", "the backup folder %.150s cannot be made: %s",
                         folder, strerror(errno));
    }
    backup_name(job->label, job->file);
    int length = snprintf(target, sizeof target, "%s/%s", folder, job->file);
    if (length < 0 || (size_t)length >= sizeof target) {
        return error_set(error, STATUS_INVALID, "PATH_TOO_LONG", "the path of the backup folder is too long");
    }
    const struct store_backup backup = {
        .database = maker->config->service.database, .target = target, .goes_on = backup_goes_on, .context = maker};
    return store_backup(&backup, &job->bytes, error);
}

static void *backup_main(void *argument)
{
    struct backup_maker *maker = argument;
    struct backup_job *job = maker->job;
    struct error error = {0};
    pthread_setname_np(pthread_self(), "backup");
    enum status status = backup_make(maker, job, &error);
    pthread_mutex_lock(&maker->mutex);
    maker->is_busy = false;
    pthread_mutex_unlock(&maker->mutex);
    job->done(job, status, &error);
    return NULL;
}

struct backup_maker *backup_maker_create(const struct config *config)
{
    struct backup_maker *maker = MEMORY_NEW(struct backup_maker);
    maker->config = config;
    pthread_mutex_init(&maker->mutex, NULL);
    return maker;
}

void backup_maker_stop(struct backup_maker *maker)
{
    pthread_mutex_lock(&maker->mutex);
    maker->stopping = true;
    pthread_mutex_unlock(&maker->mutex);
}

void backup_maker_destroy(struct backup_maker *maker)
{
    if (!maker) {
        return;
    }
    backup_maker_stop(maker);
    if (maker->has_thread) {
        pthread_join(maker->thread, NULL);
    }
    pthread_mutex_destroy(&maker->mutex);
    memory_free(maker);
}

/* With the mutex held. */
static enum status backup_check(const struct backup_maker *maker, struct error *error)
{
    if (maker->config->service.backup_folder[0] == '\0') {
        return error_set(error, STATUS_WRONG_STATE, "BACKUP_FOLDER_MISSING", "service.backup_folder is not configured");
    }
    if (maker->stopping) {
        return error_set(error, STATUS_UNAVAILABLE, "DRAINING", "the service is stopping");
    }
    if (maker->is_busy) {
        enum status status = error_set(error, STATUS_FULL, "BACKUP_BUSY", "another backup is being made");
        error->retry_after_ms = BACKUP_BUSY_RETRY_MS;
        return status;
    }
    return STATUS_OK;
}

enum status backup_maker_start(struct backup_maker *maker, struct backup_job *job, struct error *error)
{
    pthread_mutex_lock(&maker->mutex);
    enum status status = backup_check(maker, error);
    if (status == STATUS_OK && maker->has_thread) {
        pthread_join(maker->thread, NULL); /* it has answered, or is about to */
        maker->has_thread = false;
    }
    if (status == STATUS_OK) {
        maker->job = job;
        maker->has_thread = pthread_create(&maker->thread, NULL, backup_main, maker) == 0;
        maker->is_busy = maker->has_thread;
        if (!maker->has_thread) {
            status = error_set(error, STATUS_UNAVAILABLE, "BACKUP_FAILED", "cannot start a thread");
        }
    }
    pthread_mutex_unlock(&maker->mutex);
    return status;
}
