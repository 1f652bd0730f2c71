/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/file_sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "rest-adapter/file_link.h"

/*
 *   INCOMING ──at its end──▶ SHELVES ──a shelf──▶ SHELF        SHELVES ──at its end──▶ INCOMING, of the next walk
 *                               ▲──────at its end───┘           (without keep_ms INCOMING follows INCOMING)
 */
struct file_sweep {
    struct file_sweep_options options;
    DIR *shelves;               /* owned; the walk's place in the folder; NULL outside SHELVES and SHELF */
    DIR *files;                 /* owned; its place in incoming, or in a shelf */
    char shelf[FILE_SHELF_MAX]; /* which; "" = incoming */
    bool has_kept;              /* something stays in there */
    int64_t removed;            /* in this walk */
    int64_t parts_removed;
};

static DIR *open_names(int parent, const char *name)
{
    int descriptor = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *names = descriptor >= 0 ? fdopendir(descriptor) : NULL;

    if (names == NULL && descriptor >= 0) {
        close(descriptor);
    }
    return names;
}

static void close_names(DIR **names)
{
    if (*names != NULL) {
        closedir(*names);
        *names = NULL;
    }
}

struct file_sweep *file_sweep_create(const struct file_sweep_options *options)
{
    struct file_sweep *sweep = MEMORY_NEW(struct file_sweep);

    *sweep = (struct file_sweep){.options = *options};
    return sweep;
}

void file_sweep_destroy(struct file_sweep *sweep)
{
    if (sweep == NULL) {
        return;
    }
    close_names(&sweep->files);
    close_names(&sweep->shelves);
    memory_free(sweep);
}

static void look_at(struct file_sweep *sweep, const char *name, int64_t wall_ms)
{
    bool is_incoming = sweep->shelf[0] == '\0';
    int64_t keep_ms = is_incoming ? FILE_SWEEP_PART_MS : sweep->options.keep_ms;
    struct stat about;

    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return;
    }
    if (!file_key_is_valid(name) || fstatat(dirfd(sweep->files), name, &about, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(about.st_mode) || (int64_t)about.st_mtime >= (wall_ms - keep_ms) / 1000 ||
        unlinkat(dirfd(sweep->files), name, 0) != 0) {
        sweep->has_kept = true; // or it is not ours, or somebody else removed it, and finds out about the shelf
        return;
    }
    if (is_incoming) {
        sweep->parts_removed++;
    } else {
        sweep->removed++;
    }
}

static void end_files(struct file_sweep *sweep)
{
    close_names(&sweep->files);
    if (sweep->shelf[0] != '\0' && !sweep->has_kept) {
        (void)unlinkat(sweep->options.folder, sweep->shelf, AT_REMOVEDIR); // fails, rightly, when a file has come meanwhile
    }
    sweep->has_kept = false;
}

/* Opens the shelf of that name, if it is one. */
static void begin_shelf(struct file_sweep *sweep, const char *name)
{
    if (name[0] == '.' || !text_copy(sweep->shelf, sizeof(sweep->shelf), name)) {
        return;
    }
    sweep->files = open_names(sweep->options.folder, name); // NULL: no folder, or gone
}

static int64_t end_walk(struct file_sweep *sweep)
{
    close_names(&sweep->shelves);
    if (sweep->removed > 0 || sweep->parts_removed > 0) {
        log_event(LOG_INFO, "files_swept", LOG_INT("files", sweep->removed), LOG_INT("left_over", sweep->parts_removed));
    }
    sweep->removed = 0;
    sweep->parts_removed = 0;
    return FILE_SWEEP_PERIOD_MS;
}

/* The end of incoming: on to the shelves, or to the end. */
static bool begin_shelves(struct file_sweep *sweep)
{
    if (sweep->options.keep_ms > 0) {
        sweep->shelves = open_names(sweep->options.folder, ".");
    }
    return sweep->shelves != NULL;
}

/* One name. false: the walk is over. */
static bool step(struct file_sweep *sweep, int64_t wall_ms)
{
    const struct dirent *entry = NULL;

    if (sweep->files != NULL) {
        entry = readdir(sweep->files);
        if (entry != NULL) {
            look_at(sweep, entry->d_name, wall_ms);
            return true;
        }
        end_files(sweep);
        return sweep->shelves != NULL || begin_shelves(sweep);
    }
    entry = sweep->shelves != NULL ? readdir(sweep->shelves) : NULL;
    if (entry != NULL) {
        begin_shelf(sweep, entry->d_name);
    }
    return entry != NULL;
}

int64_t file_sweep_tick(struct file_sweep *sweep, int64_t wall_ms)
{
    if (sweep->files == NULL && sweep->shelves == NULL) {
        sweep->shelf[0] = '\0';
        sweep->files = open_names(sweep->options.incoming, ".");
        if (sweep->files == NULL) {
            log_event(LOG_WARN, "files_not_swept", LOG_TEXT("text", strerrordesc_np(errno)));
            return FILE_SWEEP_PERIOD_MS;
        }
    }
    for (int i = 0; i < FILE_SWEEP_STEP_NAMES; i++) {
        if (!step(sweep, wall_ms)) {
            return end_walk(sweep);
        }
    }
    return FILE_SWEEP_PAUSE_MS;
}

/* ---- the thread ---- */

struct file_sweeper {
    struct file_sweep *sweep; /* owned; the thread's */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t stopped;
    /* guarded by mutex */
    bool stopping;
};

static void *run(void *context)
{
    struct file_sweeper *sweeper = context;
    struct clock *clock = clock_system();

    pthread_mutex_lock(&sweeper->mutex);
    while (!sweeper->stopping) {
        pthread_mutex_unlock(&sweeper->mutex);
        int64_t pause_ms = file_sweep_tick(sweeper->sweep, clock_wall_ms());
        int64_t due_ms = clock_add_ms(clock_now_ms(clock), pause_ms);
        pthread_mutex_lock(&sweeper->mutex);
        while (!sweeper->stopping && clock_wait_until(clock, &sweeper->stopped, &sweeper->mutex, due_ms)) {
        }
    }
    pthread_mutex_unlock(&sweeper->mutex);
    return NULL;
}

enum status file_sweeper_start(const struct file_sweep_options *options, struct file_sweeper **out_sweeper)
{
    struct file_sweeper *sweeper = MEMORY_NEW(struct file_sweeper);

    sweeper->sweep = file_sweep_create(options);
    pthread_mutex_init(&sweeper->mutex, NULL);
    clock_condition_init(&sweeper->stopped);
    if (pthread_create(&sweeper->thread, NULL, run, sweeper) != 0) {
        sweeper->stopping = true;
        file_sweep_destroy(sweeper->sweep);
        memory_free(sweeper);
        return STATUS_NO_MEMORY;
    }
    *out_sweeper = sweeper;
    return STATUS_OK;
}

void file_sweeper_stop(struct file_sweeper *sweeper)
{
    if (sweeper == NULL) {
        return;
    }
    pthread_mutex_lock(&sweeper->mutex);
    sweeper->stopping = true;
    pthread_cond_signal(&sweeper->stopped);
    pthread_mutex_unlock(&sweeper->mutex);
    pthread_join(sweeper->thread, NULL);
    file_sweep_destroy(sweeper->sweep);
    pthread_cond_destroy(&sweeper->stopped);
    pthread_mutex_destroy(&sweeper->mutex);
    memory_free(sweeper);
}
