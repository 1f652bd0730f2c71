/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/tools/submit_input.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "grader-sdk/tools/submit_options.h"

enum { READ_BYTES_FIRST = 65536, PATHS_FIRST = 64, MS_PER_SECOND = 1000, NS_PER_MS = 1000000 };

static enum status read_all(int descriptor, const char *path, size_t bytes_max, struct submit_input *input, struct error *error)
{
    size_t capacity = 0;
    for (;;) {
        if (input->length == capacity) {
            capacity = capacity > 0 ? capacity * 2 : READ_BYTES_FIRST;
            input->bytes = memory_resize(input->bytes, capacity + 1);
        }
        ssize_t got = read(descriptor, input->bytes + input->length, capacity - input->length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set(error, STATUS_NOT_FOUND, NULL, "%.150s: cannot be read: %s", path, strerrordesc_np(errno));
        input->length += (size_t)got;
        if (input->length > bytes_max)
            return error_set(error, STATUS_FULL, NULL, "%.150s: more than %zu bytes", path, bytes_max);
        if (got == 0) {
            input->bytes[input->length] = '\0';
            return STATUS_OK;
        }
    }
}

enum status submit_input_read(const char *path, size_t bytes_max, struct submit_input *out_input, struct error *error)
{
    bool is_stream = strcmp(path, "-") == 0;
    struct submit_input input = {.changed_at_ms = clock_wall_ms()};
    int descriptor = is_stream ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (descriptor < 0)
        return error_set(error, STATUS_NOT_FOUND, NULL, "%.150s: cannot be opened: %s", path, strerrordesc_np(errno));
    struct stat about;
    if (fstat(descriptor, &about) == 0 && S_ISREG(about.st_mode))
        input.changed_at_ms = (int64_t)about.st_mtim.tv_sec * MS_PER_SECOND + about.st_mtim.tv_nsec / NS_PER_MS;
    enum status status = read_all(descriptor, is_stream ? "standard input" : path, bytes_max, &input, error);
    if (!is_stream)
        (void)close(descriptor);
    if (status == STATUS_OK)
        *out_input = input;
    else
        submit_input_finish(&input);
    return status;
}

void submit_input_finish(struct submit_input *input)
{
    memory_free(input->bytes);
    *input = (struct submit_input){.bytes = NULL};
}

enum status submit_input_read_text(const char *name, const char *text, size_t bytes_max, struct submit_input *out_input,
                                   struct error *error)
{
    if (text && text[0] == '@')
        return submit_input_read(text + 1, bytes_max, out_input, error);
    size_t length = text ? strlen(text) : 0;
    if (length > bytes_max)
        return error_set(error, STATUS_FULL, NULL, "--%s: more than %zu bytes", name, bytes_max);
    *out_input = (struct submit_input){.bytes = memory_copy_text(text ? text : ""), .length = length};
    return STATUS_OK;
}

/* ---- folders ---- */

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_wanted(DIR *folder, const char *name, const char *glob)
{
    struct stat about;
    return name[0] != '.' && (!glob || fnmatch(glob, name, 0) == 0) && fstatat(dirfd(folder), name, &about, 0) == 0 &&
           S_ISREG(about.st_mode);
}

static void add(struct submit_paths *paths, const char *folder, const char *name)
{
    if (paths->count == 0 || (paths->count >= PATHS_FIRST && (paths->count & (paths->count - 1)) == 0)) {
        size_t capacity = paths->count > 0 ? paths->count * 2 : PATHS_FIRST;
        paths->paths = memory_resize(paths->paths, capacity * sizeof *paths->paths);
    }
    size_t length = strlen(folder) + strlen(name) + 2;
    char *path = memory_allocate(length);
    (void)snprintf(path, length, "%s%s%s", folder, folder[0] && folder[strlen(folder) - 1] == '/' ? "" : "/", name);
    paths->paths[paths->count++] = path;
}

enum status submit_paths_list(const char *folder, const char *glob, struct submit_paths *out_paths, struct error *error)
{
    struct submit_paths paths = {.count = 0};
    DIR *opened = opendir(folder);
    if (!opened)
        return error_set(error, STATUS_NOT_FOUND, NULL, "%.150s: cannot be opened: %s", folder, strerrordesc_np(errno));
    errno = 0;
    const struct dirent *entry;
    while (paths.count <= SUBMIT_ITEMS_MAX && (entry = readdir(opened))) { // NOLINT(concurrency-mt-unsafe): a stream of our own
        if (is_wanted(opened, entry->d_name, glob))
            add(&paths, folder, entry->d_name);
        errno = 0;
    }
    int reason = errno;
    (void)closedir(opened);
    enum status status = STATUS_OK;
    if (reason != 0)
        status = error_set(error, STATUS_NOT_FOUND, NULL, "%.150s: cannot be read: %s", folder, strerrordesc_np(reason));
    else if (paths.count > SUBMIT_ITEMS_MAX)
        status = error_set(error, STATUS_FULL, NULL, "%.150s: more than %d files", folder, SUBMIT_ITEMS_MAX);
    else if (paths.count == 0)
        status = error_set(error, STATUS_NOT_FOUND, NULL, "%.150s: no file %s%.80s", folder, glob ? "matches " : "is in it",
                           glob ? glob : "");
    if (status != STATUS_OK) {
        submit_paths_finish(&paths);
        return status;
    }
    assert(paths.paths);
    qsort(paths.paths, paths.count, sizeof *paths.paths, compare);
    *out_paths = paths;
    return STATUS_OK;
}

void submit_paths_finish(struct submit_paths *paths)
{
    for (size_t at = 0; at < paths->count; at++)
        memory_free(paths->paths[at]);
    memory_free(paths->paths);
    *paths = (struct submit_paths){.paths = NULL};
}
