/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/folder_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "rest-adapter/file_link.h"

/* How often a shelf is made anew when somebody who removed its last file takes it away under our hands. */
enum { SHELF_TRIES_MAX = 10 };

struct folder_store {
    struct file_store store;
    int folder; /* borrowed */
    bool is_for_group;
};

static struct folder_store *of(struct file_store *store)
{
    return (struct folder_store *)(void *)store;
}

enum status folder_store_error(struct error *error, const char *what)
{
    int cause = errno;

    if (cause == ENOSPC || cause == EDQUOT || cause == EFBIG) {
        return error_set(error, STATUS_FULL, "STORAGE_FULL", "there is no room for the uploaded files (%s)", what);
    }
    return error_set(error, STATUS_UNAVAILABLE, "STORAGE_FAILED", "the uploaded files cannot be stored: %s: %s", what,
                     strerrordesc_np(cause));
}

bool folder_store_sync(int folder, const char *name)
{
    int descriptor = openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_synced = descriptor >= 0 && fsync(descriptor) == 0;
    int cause = errno;

    if (descriptor >= 0) {
        close(descriptor);
    }
    errno = cause;
    return is_synced;
}

/* ---- keeping ---- */

static bool make_shelf(const struct folder_store *store, const char *shelf)
{
    if (mkdirat(store->folder, shelf, FOLDER_STORE_SHELF_MODE) != 0) {
        return errno == EEXIST;
    }
    // not by mkdir's mode: a umask must not take it back
    return !store->is_for_group || fchmodat(store->folder, shelf, FOLDER_STORE_SHELF_GROUP_MODE, 0) == 0;
}

static bool move_part(const struct folder_store *store, const char *shelf, const struct file_part *part)
{
    char place[FILE_PLACE_MAX];
    bool is_moved = false;

    file_place_of(shelf, part->name, place);
    for (int i = 0; i < SHELF_TRIES_MAX && !is_moved; i++) {
        if (!make_shelf(store, shelf)) {
            return false;
        }
        is_moved = renameat(part->folder, part->name, store->folder, place) == 0;
        if (!is_moved && errno != ENOENT) {
            return false;
        }
    }
    return is_moved;
}

/* The bytes are synced. The names on the shelf come first, then the shelf's own, which another thread may just have made. */
static enum status keep(struct file_store *store, const char *shelf, const struct file_part *parts, size_t count,
                        struct error *error)
{
    const struct folder_store *folder = of(store);

    for (size_t i = 0; i < count; i++) {
        if (!move_part(folder, shelf, &parts[i])) {
            return folder_store_error(error, "rename");
        }
    }
    if (count > 0 && (!folder_store_sync(folder->folder, shelf) || !folder_store_sync(folder->folder, "."))) {
        return folder_store_error(error, "fsync");
    }
    return STATUS_OK;
}

/* ---- removing and opening ---- */

static void remove_file(struct file_store *store, const char *place)
{
    const struct folder_store *folder = of(store);
    char shelf[FILE_SHELF_MAX];

    if (unlinkat(folder->folder, place, 0) != 0) {
        if (errno != ENOENT) {
            log_event(LOG_WARN, "file_not_removed", LOG_TEXT("text", strerrordesc_np(errno)));
        }
        return;
    }
    (void)snprintf(shelf, sizeof(shelf), "%.*s", (int)strcspn(place, "/"), place);
    (void)unlinkat(folder->folder, shelf, AT_REMOVEDIR); // as a rule it is not empty, and stays
}

static enum status open_file(struct file_store *store, const char *place, int *out_descriptor, int64_t *out_bytes)
{
    int descriptor = openat(of(store)->folder, place, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat about;

    if (descriptor < 0 && errno == ENOENT) {
        return STATUS_NOT_FOUND;
    }
    if (descriptor < 0 || fstat(descriptor, &about) != 0) {
        log_event(LOG_ERROR, "file_not_readable", LOG_TEXT("text", strerrordesc_np(errno)));
        if (descriptor >= 0) {
            close(descriptor);
        }
        return STATUS_UNAVAILABLE;
    }
    *out_descriptor = descriptor;
    *out_bytes = about.st_size;
    return STATUS_OK;
}

static void close_store(struct file_store *store)
{
    memory_free(of(store));
}

struct file_store *folder_store_create(int folder, bool is_for_group)
{
    static const struct file_store_kind kind = {.keep = keep, .remove = remove_file, .open = open_file, .close = close_store};
    struct folder_store *store = MEMORY_NEW(struct folder_store);

    *store = (struct folder_store){.store = {.kind = &kind}, .folder = folder, .is_for_group = is_for_group};
    return &store->store;
}
