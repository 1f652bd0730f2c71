/* SPDX-License-Identifier: Apache-2.0 */
#include "service/file_folder.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"

enum {
    FOLDER_MODE = 0700,
    FILE_MODE = 0600,
    PLACE_MAX = 3 + FILE_ID_LENGTH + 1, /* "ab/" and the id */
};
#define INCOMING ".incoming"

struct file_folder {
    struct clock *clock;
    int descriptor;
    int incoming;

    /* guarded by mutex, with the names on the shelves */
    pthread_mutex_t mutex;
    char doomed[FILE_FOLDER_DOOMED_MAX][FILE_ID_LENGTH + 1]; /* "" = free */
};

struct incoming_file {
    struct file_folder *folder; /* borrowed */
    char name[SECRET_KEY_TEXT_MAX];
    int descriptor;
    int64_t bytes;
    struct secret_digest_stream *digest; /* owned */
};

static enum status disk_error(struct error *error, const char *what)
{
    int cause = errno;
    if (cause == ENOSPC || cause == EDQUOT || cause == EFBIG) {
        return error_set(error, STATUS_FULL, "STORAGE_FULL", "there is no room for the file");
    }
    log_event(LOG_ERROR, "files_failed", LOG_TEXT("text", what), LOG_TEXT("cause", strerrordesc_np(cause)));
    return error_set(error, STATUS_UNAVAILABLE, "STORAGE_FAILED", "the folder of files: %s: %s", what, strerrordesc_np(cause));
}

bool file_id_is_valid(const char *id)
{
    return strlen(id) == FILE_ID_LENGTH && strspn(id, "0123456789abcdef") == FILE_ID_LENGTH;
}

static void place_of(const char *id, char out[PLACE_MAX])
{
    (void)snprintf(out, PLACE_MAX, "%.2s/%.*s", id, FILE_ID_LENGTH, id);
}

static unsigned digit_value(char digit)
{
    return digit <= '9' ? (unsigned)(digit - '0') : (unsigned)(digit - 'a' + 10);
}

static void fill_kept(const char *id, int64_t size_bytes, struct kept_file *kept)
{
    (void)text_copy(kept->id, sizeof kept->id, id);
    kept->size_bytes = size_bytes;
    for (size_t at = 0; at < SECRET_DIGEST_BYTES; at++) {
        kept->sha256[at] = (uint8_t)(digit_value(id[2 * at]) << 4 | digit_value(id[2 * at + 1]));
    }
}

/* ---- the folder ---- */

static int open_folder(int parent, const char *name)
{
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool make_folder(int parent, const char *name)
{
    return mkdirat(parent, name, FOLDER_MODE) == 0 || errno == EEXIST;
}

static void shelf_name(unsigned shelf, char out[3])
{
    (void)snprintf(out, 3, "%02x", shelf & 0xFFU);
}

static bool make_shelves(int folder)
{
    char name[3];
    bool is_made = make_folder(folder, INCOMING);
    for (unsigned shelf = 0; is_made && shelf < FILE_FOLDER_SHELVES; shelf++) {
        shelf_name(shelf, name);
        is_made = make_folder(folder, name);
    }
    return is_made && fsync(folder) == 0;
}

static DIR *open_names(int parent, const char *name)
{
    int descriptor = open_folder(parent, name);
    DIR *names = descriptor >= 0 ? fdopendir(descriptor) : NULL;
    if (!names && descriptor >= 0) {
        close(descriptor);
    }
    return names;
}

/* What a service that died has left. */
static bool empty_incoming(int folder)
{
    DIR *names = open_names(folder, INCOMING);
    const struct dirent *entry = NULL;
    if (!names) {
        return false;
    }
    while ((entry = readdir(names)) != NULL) {
        if (entry->d_name[0] != '.') {
            (void)unlinkat(dirfd(names), entry->d_name, 0);
        }
    }
    closedir(names);
    return true;
}

enum status file_folder_open(const char *path, struct clock *clock, struct file_folder **out_folder, struct error *error)
{
    struct file_folder *folder = MEMORY_NEW(struct file_folder);
    folder->clock = clock;
    folder->incoming = -1;
    pthread_mutex_init(&folder->mutex, NULL);
    folder->descriptor = make_folder(AT_FDCWD, path) ? open_folder(AT_FDCWD, path) : -1;
    bool is_ready = folder->descriptor >= 0 && make_shelves(folder->descriptor) && empty_incoming(folder->descriptor);
    folder->incoming = is_ready ? open_folder(folder->descriptor, INCOMING) : -1;
    if (folder->incoming < 0) {
        enum status status =
            error_set(error, STATUS_UNAVAILABLE, "STORAGE_FAILED", "the folder of files %s: %s", path, strerrordesc_np(errno));
        file_folder_close(folder);
        return status;
    }
    *out_folder = folder;
    return STATUS_OK;
}

void file_folder_close(struct file_folder *folder)
{
    if (!folder) {
        return;
    }
    if (folder->descriptor >= 0) {
        close(folder->descriptor);
    }
    if (folder->incoming >= 0) {
        close(folder->incoming);
    }
    pthread_mutex_destroy(&folder->mutex);
    memory_free(folder);
}

/* ---- coming in ---- */

enum status file_folder_begin(struct file_folder *folder, struct incoming_file **out_file, struct error *error)
{
    char name[SECRET_KEY_TEXT_MAX];
    secret_key(name);
    int descriptor = openat(folder->incoming, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (descriptor < 0) {
        return disk_error(error, "cannot make a file");
    }
    struct incoming_file *file = MEMORY_NEW(struct incoming_file);
    file->folder = folder;
    file->descriptor = descriptor;
    file->digest = secret_digest_stream_create();
    memcpy(file->name, name, sizeof name);
    *out_file = file;
    return STATUS_OK;
}

enum status incoming_file_add(struct incoming_file *file, const void *bytes, size_t length, struct error *error)
{
    const char *next = bytes;
    size_t left = length;
    while (left > 0) {
        ssize_t written = write(file->descriptor, next, left);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return disk_error(error, "cannot write");
        }
        next += written;
        left -= (size_t)written;
    }
    secret_digest_stream_add(file->digest, bytes, length);
    file->bytes += (int64_t)length;
    return STATUS_OK;
}

int64_t incoming_file_bytes(const struct incoming_file *file)
{
    return file->bytes;
}

static void incoming_file_free(struct incoming_file *file)
{
    if (file->descriptor >= 0) {
        close(file->descriptor);
    }
    secret_digest_stream_destroy(file->digest);
    memory_free(file);
}

void incoming_file_drop(struct incoming_file *file)
{
    if (file) {
        (void)unlinkat(file->folder->incoming, file->name, 0);
        incoming_file_free(file);
    }
}

/* mutex held. NULL: it is not doomed. */
static char *find_doomed(struct file_folder *folder, const char *id)
{
    for (size_t at = 0; at < FILE_FOLDER_DOOMED_MAX; at++) {
        if (strcmp(folder->doomed[at], id) == 0) {
            return folder->doomed[at];
        }
    }
    return NULL;
}

/* The same content may be there already: then only its time is new. */
static bool move_to_shelf(struct incoming_file *file, const char *id)
{
    struct file_folder *folder = file->folder;
    char place[PLACE_MAX];
    place_of(id, place);
    pthread_mutex_lock(&folder->mutex);
    bool is_moved = renameat(folder->incoming, file->name, folder->descriptor, place) == 0;
    char *doomed = is_moved ? find_doomed(folder, id) : NULL;
    if (doomed) {
        doomed[0] = '\0';
    }
    pthread_mutex_unlock(&folder->mutex);
    return is_moved;
}

static bool sync_shelf(const struct file_folder *folder, const char *id)
{
    const char shelf[3] = {id[0], id[1], '\0'};
    int descriptor = open_folder(folder->descriptor, shelf);
    bool is_synced = descriptor >= 0 && fsync(descriptor) == 0;
    int cause = errno;
    if (descriptor >= 0) {
        close(descriptor);
    }
    errno = cause;
    return is_synced;
}

static bool set_time(const struct incoming_file *file)
{
    int64_t now_ms = clock_now_ms(file->folder->clock);
    struct timespec at = {.tv_sec = now_ms / 1000, .tv_nsec = now_ms % 1000 * 1000000};
    const struct timespec times[2] = {at, at};
    return futimens(file->descriptor, times) == 0;
}

enum status incoming_file_keep(struct incoming_file *file, const uint8_t *digest, struct kept_file *out_kept,
                               struct error *error)
{
    uint8_t sha256[SECRET_DIGEST_BYTES];
    char id[FILE_ID_LENGTH + 1];
    secret_digest_stream_finish(file->digest, sha256);
    file->digest = NULL;
    if (digest && memcmp(digest, sha256, sizeof sha256) != 0) {
        incoming_file_drop(file);
        return error_set(error, STATUS_INVALID, "DIGEST_MISMATCH", "the bytes that came do not have the SHA-256 that was said");
    }
    text_hex(id, sha256, sizeof sha256);
    if (!set_time(file) || fsync(file->descriptor) != 0 || !move_to_shelf(file, id)) {
        enum status status = disk_error(error, "cannot keep a file");
        incoming_file_drop(file);
        return status;
    }
    enum status status = sync_shelf(file->folder, id) ? STATUS_OK : disk_error(error, "cannot sync");
    if (status == STATUS_OK) {
        fill_kept(id, file->bytes, out_kept);
    }
    incoming_file_free(file);
    return status;
}

/* ---- kept ---- */

static enum status not_found(const char *id, struct error *error)
{
    return error_set(error, STATUS_NOT_FOUND, "FILE_NOT_FOUND", "there is no file '%.64s'", id);
}

/* mutex held. */
static bool stat_file(struct file_folder *folder, const char *id, struct stat *out_about)
{
    char place[PLACE_MAX];
    if (find_doomed(folder, id)) {
        errno = ENOENT;
        return false;
    }
    place_of(id, place);
    return fstatat(folder->descriptor, place, out_about, AT_SYMLINK_NOFOLLOW) == 0;
}

enum status file_folder_find(struct file_folder *folder, const char *id, struct kept_file *out_kept, struct error *error)
{
    struct stat about;
    if (!file_id_is_valid(id)) {
        return not_found(id, error);
    }
    pthread_mutex_lock(&folder->mutex);
    bool is_there = stat_file(folder, id, &about);
    int cause = errno;
    pthread_mutex_unlock(&folder->mutex);
    if (!is_there) {
        errno = cause;
        return cause == ENOENT ? not_found(id, error) : disk_error(error, "cannot look for a file");
    }
    fill_kept(id, about.st_size, out_kept);
    return STATUS_OK;
}

enum status file_folder_read(struct file_folder *folder, const char *id, struct kept_file *out_kept, int *out_descriptor,
                             struct error *error)
{
    char place[PLACE_MAX];
    enum status status = file_folder_find(folder, id, out_kept, error);
    if (status != STATUS_OK) {
        return status;
    }
    place_of(id, place);
    int descriptor = openat(folder->descriptor, place, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (descriptor < 0) {
        return errno == ENOENT ? not_found(id, error) : disk_error(error, "cannot open a file");
    }
    *out_descriptor = descriptor;
    return STATUS_OK;
}

static int64_t uploaded_at_ms(const struct stat *about)
{
    return (int64_t)about->st_mtim.tv_sec * 1000 + about->st_mtim.tv_nsec / 1000000;
}

enum status file_folder_visit(struct file_folder *folder, unsigned shelf, int64_t before_ms,
                              bool (*visit)(void *context, const char *id), void *context, struct error *error)
{
    char name[3];
    struct stat about;
    const struct dirent *entry = NULL;
    shelf_name(shelf, name);
    DIR *names = open_names(folder->descriptor, name);
    if (!names) {
        return disk_error(error, "cannot read a shelf");
    }
    while ((entry = readdir(names)) != NULL) {
        if (file_id_is_valid(entry->d_name) && fstatat(dirfd(names), entry->d_name, &about, AT_SYMLINK_NOFOLLOW) == 0 &&
            uploaded_at_ms(&about) < before_ms && !visit(context, entry->d_name)) {
            break;
        }
    }
    closedir(names);
    return STATUS_OK;
}

bool file_folder_doom(struct file_folder *folder, const char *id, int64_t before_ms)
{
    struct stat about;
    assert(file_id_is_valid(id));
    pthread_mutex_lock(&folder->mutex);
    char *place = find_doomed(folder, "");
    bool is_doomed = place != NULL && stat_file(folder, id, &about) && uploaded_at_ms(&about) < before_ms;
    if (is_doomed) {
        (void)text_copy(place, FILE_ID_LENGTH + 1, id);
    }
    pthread_mutex_unlock(&folder->mutex);
    return is_doomed;
}

void file_folder_spare(struct file_folder *folder, const char *id)
{
    assert(id[0] != '\0');
    pthread_mutex_lock(&folder->mutex);
    char *place = find_doomed(folder, id);
    if (place) {
        place[0] = '\0';
    }
    pthread_mutex_unlock(&folder->mutex);
}

bool file_folder_remove_doomed(struct file_folder *folder, const char *id)
{
    char where[PLACE_MAX];
    bool is_removed = false;
    place_of(id, where);
    pthread_mutex_lock(&folder->mutex);
    char *place = find_doomed(folder, id);
    if (place) {
        is_removed = unlinkat(folder->descriptor, where, 0) == 0;
        place[0] = '\0';
    }
    pthread_mutex_unlock(&folder->mutex);
    return is_removed;
}
