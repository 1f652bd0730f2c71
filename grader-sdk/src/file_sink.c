/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/src/file_sink.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"
#include "grader-sdk/src/report.h"

#define TEMPORARY_BEGINNING ".xqueue-"

enum { RANDOM_BYTES = 16, FILE_MODE = 0600 };

/* ---- failures ---- */

/* Would the same again fail again, because the caller named the wrong place? */
static bool is_wrong_place(int cause)
{
    static const int wrong[] = {EACCES,       EBADF,  EEXIST,  EINVAL, EISDIR, ELOOP,
                                ENAMETOOLONG, ENOENT, ENOTDIR, EPERM,  EROFS,  ENOTEMPTY};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (wrong[i] == cause)
            return true;
    return false;
}

static enum xqueue_status failed(struct xqueue_error *error, int cause, const char *what)
{
    enum xqueue_status status = is_wrong_place(cause) ? XQUEUE_STATUS_INVALID : XQUEUE_STATUS_SYSTEM;
    const char *text = strerrordesc_np(cause);
    return report_error(error, status, false, NULL, "%s: %s", what, text ? text : "unknown error");
}

/* ---- open ---- */

static void clear(struct file_sink *sink, enum file_sink_kind kind)
{
    *sink = (struct file_sink){.kind = kind, .descriptor = -1, .folder = -1};
}

void file_sink_open_memory(struct file_sink *sink)
{
    clear(sink, FILE_SINK_MEMORY);
}

void file_sink_open_descriptor(struct file_sink *sink, int descriptor)
{
    clear(sink, FILE_SINK_DESCRIPTOR);
    sink->descriptor = descriptor;
}

/* Opens the folder of path, of which name is the last part. -1: errno. */
static int open_folder(const char *path, const char *name)
{
    char folder[PATH_MAX] = ".";
    size_t length = (size_t)(name - path);
    if (length >= sizeof(folder)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (length > 0) {
        memcpy(folder, path, length);
        folder[length] = '\0';
    }
    return open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Said before anything is fetched, instead of by renameat. */
static bool is_folder(const struct file_sink *sink)
{
    struct stat about;
    return fstatat(sink->folder, sink->name, &about, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(about.st_mode);
}

/* A name that nobody can foresee, beside the final one. False: errno. */
static bool make_temporary(struct file_sink *sink)
{
    uint8_t random[RANDOM_BYTES];
    char digits[2 * RANDOM_BYTES + 1];
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return false;
    text_hex(digits, random, sizeof(random));
    (void)snprintf(sink->temporary, sizeof(sink->temporary), TEMPORARY_BEGINNING "%s", digits);
    sink->descriptor = openat(sink->folder, sink->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    if (sink->descriptor < 0)
        sink->temporary[0] = '\0';
    return sink->descriptor >= 0;
}

enum xqueue_status file_sink_open_path(struct file_sink *sink, const char *path, struct xqueue_error *error)
{
    clear(sink, FILE_SINK_PATH);
    const char *slash = strrchr(path, '/');
    sink->name = slash ? slash + 1 : path;
    if (!sink->name[0] || strcmp(sink->name, ".") == 0 || strcmp(sink->name, "..") == 0)
        return report_error(error, XQUEUE_STATUS_INVALID, false, NULL, "the path does not end with the name of a file");
    sink->folder = open_folder(path, sink->name);
    if (sink->folder < 0)
        return failed(error, errno, "the folder for the file cannot be opened");
    if (is_folder(sink)) {
        file_sink_abandon(sink);
        return failed(error, EISDIR, "the path is a folder's");
    }
    if (!make_temporary(sink)) {
        int cause = errno;
        file_sink_abandon(sink);
        return failed(error, cause, "no file can be made in the folder");
    }
    return XQUEUE_STATUS_OK;
}

/* ---- in between ---- */

enum xqueue_status file_sink_begin(struct file_sink *sink, uint64_t size_bytes, struct xqueue_error *error)
{
    if (sink->kind != FILE_SINK_MEMORY)
        return XQUEUE_STATUS_OK;
    sink->bytes = size_bytes <= SIZE_MAX ? memory_try_allocate((size_t)size_bytes) : NULL;
    if (!sink->bytes)
        return report_error(error, XQUEUE_STATUS_NO_MEMORY, false, NULL, "no memory for the file");
    sink->capacity = (size_t)size_bytes;
    return XQUEUE_STATUS_OK;
}

enum xqueue_status file_sink_write(struct file_sink *sink, const void *bytes, size_t length, struct xqueue_error *error)
{
    size_t done = 0;
    if (sink->kind == FILE_SINK_MEMORY) {
        assert(length <= sink->capacity - sink->length);
        memcpy(sink->bytes + sink->length, bytes, length);
        sink->length += length;
        return XQUEUE_STATUS_OK;
    }
    while (done < length) {
        ssize_t written = write(sink->descriptor, (const char *)bytes + done, length - done);
        if (written < 0 && errno != EINTR)
            return failed(error, errno, "the file cannot be written");
        done += written > 0 ? (size_t)written : 0;
    }
    return XQUEUE_STATUS_OK;
}

/* ---- the end ---- */

enum xqueue_status file_sink_keep(struct file_sink *sink, struct xqueue_error *error)
{
    if (sink->kind != FILE_SINK_PATH)
        return XQUEUE_STATUS_OK;
    // Some file systems tell only now that there was no room.
    int closed = close(sink->descriptor);
    sink->descriptor = -1;
    if (closed != 0 || renameat(sink->folder, sink->temporary, sink->folder, sink->name) != 0) {
        int cause = errno;
        file_sink_abandon(sink);
        return failed(error, cause, "the file cannot be put into its place");
    }
    sink->temporary[0] = '\0';
    file_sink_abandon(sink);
    return XQUEUE_STATUS_OK;
}

void *file_sink_take(struct file_sink *sink, size_t *out_length)
{
    assert(sink->kind == FILE_SINK_MEMORY && sink->length == sink->capacity);
    void *bytes = sink->bytes;
    *out_length = sink->length;
    sink->bytes = NULL;
    return bytes;
}

void file_sink_abandon(struct file_sink *sink)
{
    memory_free(sink->bytes);
    sink->bytes = NULL;
    if (sink->kind != FILE_SINK_PATH)
        return;
    if (sink->descriptor >= 0)
        (void)close(sink->descriptor); // what it could say does not matter any more
    if (sink->temporary[0])
        (void)unlinkat(sink->folder, sink->temporary,
                       0); // gone already, or the folder takes no changes: nothing is left to try
    if (sink->folder >= 0)
        (void)close(sink->folder);
    clear(sink, FILE_SINK_PATH);
}
