/* SPDX-License-Identifier: Apache-2.0 */
#include "service/unnamed_files.h"

#include <pthread.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/queue.h"

/* Some files of a shelf on their way through the engine. */
struct unnamed_check {
    struct engine_command command;
    struct unnamed_files *files; /* borrowed: it waits */
    size_t count;
    char ids[FILE_FOLDER_DOOMED_MAX][FILE_ID_LENGTH + 1];
    bool is_doomed[FILE_FOLDER_DOOMED_MAX];
    int64_t removed;
};

struct unnamed_files {
    struct unnamed_files_options options;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* guarded by mutex */
    bool stopping;
    bool checking; /* the engine has a check */
};

/* ---- engine thread ---- */

static enum engine_step check_run(struct engine_command *command, struct queues *queues)
{
    struct unnamed_check *check = (struct unnamed_check *)command;
    const struct unnamed_files_options *options = &check->files->options;
    for (size_t at = 0; at < check->count && queues->failure == STATUS_OK; at++) {
        enum status status = queues_stored(queues, store_file_is_named(queues->store, check->ids[at]));
        check->is_doomed[at] =
            status == STATUS_NOT_FOUND && file_folder_doom(options->folder, check->ids[at], queues->now_ms - options->keep_ms);
    }
    return ENGINE_DONE;
}

static void check_done(struct engine_command *command, enum status committed, const struct error *error)
{
    (void)error; // whoever asked for something in this batch is told
    struct unnamed_check *check = (struct unnamed_check *)command;
    struct unnamed_files *files = check->files;
    for (size_t at = 0; at < check->count; at++) {
        if (!check->is_doomed[at]) {
            continue;
        }
        if (committed != STATUS_OK) {
            file_folder_spare(files->options.folder, check->ids[at]);
        } else if (file_folder_remove_doomed(files->options.folder, check->ids[at])) {
            check->removed++;
        }
    }
    pthread_mutex_lock(&files->mutex);
    files->checking = false;
    pthread_cond_broadcast(&files->changed);
    pthread_mutex_unlock(&files->mutex);
}

/* ---- the walk ---- */

static bool is_stopping(struct unnamed_files *files)
{
    pthread_mutex_lock(&files->mutex);
    bool stopping = files->stopping;
    pthread_mutex_unlock(&files->mutex);
    return stopping;
}

/* Asks the engine about those that were collected, and waits for it. When it is too busy they are left for the next walk. */
static void check_collected(struct unnamed_check *check)
{
    struct unnamed_files *files = check->files;
    pthread_mutex_lock(&files->mutex);
    files->checking = check->count > 0;
    pthread_mutex_unlock(&files->mutex);
    if (check->count > 0 && engine_submit(files->options.engine, &check->command) == STATUS_OK) {
        pthread_mutex_lock(&files->mutex);
        while (files->checking) {
            pthread_cond_wait(&files->changed, &files->mutex);
        }
        pthread_mutex_unlock(&files->mutex);
    }
    check->count = 0;
}

static bool collect(void *context, const char *id)
{
    struct unnamed_check *check = context;
    (void)text_copy(check->ids[check->count], sizeof check->ids[0], id);
    if (++check->count == FILE_FOLDER_DOOMED_MAX) {
        check_collected(check);
    }
    return !is_stopping(check->files);
}

static void walk(struct unnamed_files *files)
{
    const struct unnamed_files_options *options = &files->options;
    struct unnamed_check *check = MEMORY_NEW(struct unnamed_check);
    check->command.run = check_run;
    check->command.done = check_done;
    check->files = files;
    for (unsigned shelf = 0; shelf < FILE_FOLDER_SHELVES && !is_stopping(files); shelf++) {
        int64_t before_ms = clock_now_ms(options->clock) - options->keep_ms;
        if (file_folder_visit(options->folder, shelf, before_ms, collect, check, NULL) == STATUS_OK) {
            check_collected(check);
        } // else it is logged
    }
    if (check->removed > 0) {
        log_event(LOG_INFO, "files_removed", LOG_INT("files", check->removed), LOG_TEXT("text", "no submission names them"));
    }
    memory_free(check);
}

static void *unnamed_files_main(void *argument)
{
    struct unnamed_files *files = argument;
    struct clock *clock = files->options.clock;
    int64_t keep_ms = files->options.keep_ms;
    int64_t period_ms = keep_ms < UNNAMED_FILES_PERIOD_MS_MAX ? keep_ms : UNNAMED_FILES_PERIOD_MS_MAX;
    pthread_setname_np(pthread_self(), "unnamed_files");
    while (!is_stopping(files)) {
        walk(files);
        int64_t due_ms = clock_add_ms(clock_now_ms(clock), period_ms);
        pthread_mutex_lock(&files->mutex);
        while (!files->stopping && clock_wait_until(clock, &files->changed, &files->mutex, due_ms)) {
        }
        pthread_mutex_unlock(&files->mutex);
    }
    return NULL;
}

struct unnamed_files *unnamed_files_start(const struct unnamed_files_options *options)
{
    struct unnamed_files *files = MEMORY_NEW(struct unnamed_files);
    files->options = *options;
    pthread_mutex_init(&files->mutex, NULL);
    clock_condition_init(&files->changed);
    if (pthread_create(&files->thread, NULL, unnamed_files_main, files) != 0) {
        pthread_cond_destroy(&files->changed);
        pthread_mutex_destroy(&files->mutex);
        memory_free(files);
        return NULL;
    }
    return files;
}

void unnamed_files_stop(struct unnamed_files *files)
{
    if (!files) {
        return;
    }
    pthread_mutex_lock(&files->mutex);
    files->stopping = true;
    pthread_cond_broadcast(&files->changed);
    pthread_mutex_unlock(&files->mutex);
    pthread_join(files->thread, NULL);
    pthread_cond_destroy(&files->changed);
    pthread_mutex_destroy(&files->mutex);
    memory_free(files);
}
