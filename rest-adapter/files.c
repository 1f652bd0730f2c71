/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/secret.h"
#include "base/url.h"

#define PARTIAL ".part" /* ends the name of a file that is on its way in */

enum {
    SHELVES = 256,
    LEFT_OVER_S = 86400,
    NAME_LENGTH = SECRET_KEY_TEXT_MAX - 1,
    SHELF_LENGTH = 2, /* of a sub-folder's name: the first digits of the file's */
    /* relative to the folder: "ab/ab34....part" and a NUL */
    PLACE_MAX = SHELF_LENGTH + 1 + NAME_LENGTH + sizeof(PARTIAL),
};

struct files {
    const struct config_rest *config;
    int folder; /* descriptor */
};

/* A file on its way in. */
struct incoming {
    char name[SECRET_KEY_TEXT_MAX];
    int descriptor;
    struct secret_digest_stream *digest; /* owned */
};

static void place_of(const char *name, const char *suffix, char out[PLACE_MAX])
{
    (void)snprintf(out, PLACE_MAX, "%.*s/%s%s", SHELF_LENGTH, name, name, suffix);
}

static enum status storage_error(struct error *error, const char *what)
{
    int cause = errno;
    const char *text = strerrordesc_np(cause);

    log_event(LOG_ERROR, "files_failed", LOG_TEXT("call", what), LOG_TEXT("text", text));
    if (cause == ENOSPC || cause == EDQUOT || cause == EFBIG) {
        return error_set(error, STATUS_FULL, "STORAGE_FULL", "there is no room for the uploaded files");
    }
    return error_set(error, STATUS_UNAVAILABLE, "STORAGE_FAILED", "the uploaded files cannot be stored: %s", text);
}

/* ---- the folder ---- */

static bool sync_folder(int folder, const char *name)
{
    int descriptor = openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_synced = descriptor >= 0 && fsync(descriptor) == 0;

    if (descriptor >= 0) {
        close(descriptor);
    }
    return is_synced;
}

/* The name ends in ".part", and nobody has written to it for long: whoever did is gone. */
static bool is_left_over(int shelf, const char *name, time_t now)
{
    size_t length = strlen(name);
    size_t suffix = sizeof(PARTIAL) - 1;
    struct stat about;

    return length > suffix && strcmp(name + length - suffix, PARTIAL) == 0 &&
           fstatat(shelf, name, &about, AT_SYMLINK_NOFOLLOW) == 0 && about.st_mtime < now - LEFT_OVER_S;
}

static void clean_shelf(int folder, const char *name, time_t now)
{
    int descriptor = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *shelf = descriptor >= 0 ? fdopendir(descriptor) : NULL;
    const struct dirent *entry = NULL;

    if (shelf == NULL) {
        if (descriptor >= 0) {
            close(descriptor);
        }
        return;
    }
    while ((entry = readdir(shelf)) != NULL) {
        if (is_left_over(dirfd(shelf), entry->d_name, now) && unlinkat(dirfd(shelf), entry->d_name, 0) == 0) {
            log_event(LOG_INFO, "left_over_removed", LOG_TEXT("file", entry->d_name));
        }
    }
    closedir(shelf);
}

/* What an adapter that was killed left of uploads. Other adapters may be at work in the same folder. */
static void clean_folder(int folder)
{
    time_t now = (time_t)(clock_wall_ms() / 1000);
    char name[SHELF_LENGTH + 1];

    for (unsigned i = 0; i < SHELVES; i++) {
        uint8_t byte = (uint8_t)i;

        text_hex(name, &byte, 1);
        clean_shelf(folder, name, now);
    }
}

enum status files_open(const struct config_rest *config, struct files **out_files, struct error *error)
{
    struct files *files = NULL;
    int folder = -1;

    if (mkdir(config->files, 0700) != 0 && errno != EEXIST) {
        return error_set(error, STATUS_UNAVAILABLE, NULL, "cannot make the folder of files %s: %s", config->files,
                         strerrordesc_np(errno));
    }
    folder = open(config->files, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 || faccessat(folder, ".", W_OK | X_OK, AT_EACCESS) != 0) {
        int cause = errno;

        if (folder >= 0) {
            close(folder);
        }
        return error_set(error, STATUS_UNAVAILABLE, NULL, "cannot write to the folder of files %s: %s", config->files,
                         strerrordesc_np(cause));
    }
    clean_folder(folder);
    files = MEMORY_NEW(struct files);
    *files = (struct files){.config = config, .folder = folder};
    *out_files = files;
    return STATUS_OK;
}

void files_close(struct files *files)
{
    if (files == NULL) {
        return;
    }
    close(files->folder);
    memory_free(files);
}

/* ---- taking in ---- */

static enum status make_shelf(struct files *files, const char *name, struct error *error)
{
    char shelf[SHELF_LENGTH + 1];

    memcpy(shelf, name, SHELF_LENGTH);
    shelf[SHELF_LENGTH] = '\0';
    if (mkdirat(files->folder, shelf, 0700) == 0) {
        return sync_folder(files->folder, ".") ? STATUS_OK : storage_error(error, "fsync");
    }
    return errno == EEXIST ? STATUS_OK : storage_error(error, "mkdir");
}

static enum status on_begin(void *context, struct form_file *file, struct error *error)
{
    struct files_receiver *receiver = context;
    struct incoming *incoming = NULL;
    char name[SECRET_KEY_TEXT_MAX];
    char place[PLACE_MAX];
    int descriptor = -1;
    enum status status = STATUS_OK;

    secret_key(name);
    status = make_shelf(receiver->files, name, error);
    if (status != STATUS_OK) {
        return status;
    }
    place_of(name, PARTIAL, place);
    descriptor = openat(receiver->files->folder, place, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        return storage_error(error, "open");
    }
    incoming = MEMORY_NEW(struct incoming);
    incoming->descriptor = descriptor;
    incoming->digest = secret_digest_stream_create();
    memcpy(incoming->name, name, sizeof(name));
    file->receiver = incoming;
    return STATUS_OK;
}

static enum status on_data(void *context, struct form_file *file, const char *bytes, size_t length, struct error *error)
{
    struct files_receiver *receiver = context;
    struct incoming *incoming = file->receiver;

    if (length > (uint64_t)receiver->bytes_left) {
        return error_set(error, STATUS_FULL, "FORM_TOO_LARGE", "the files are larger than %lld bytes together",
                         (long long)receiver->files->config->file_bytes_max);
    }
    receiver->bytes_left -= (int64_t)length;
    secret_digest_stream_add(incoming->digest, bytes, length);
    while (length > 0) {
        ssize_t count = write(incoming->descriptor, bytes, length);

        if (count < 0 && errno != EINTR) {
            return storage_error(error, "write");
        }
        if (count > 0) {
            bytes += count;
            length -= (size_t)count;
        }
    }
    return STATUS_OK;
}

static void incoming_destroy(struct incoming *incoming)
{
    if (incoming->descriptor >= 0) {
        close(incoming->descriptor);
    }
    secret_digest_stream_destroy(incoming->digest);
    memory_free(incoming);
}

/* The bytes first, then the name, then the folder that holds the name: after that a power cut takes nothing away. */
static enum status on_end(void *context, struct form_file *file, struct error *error)
{
    struct files_receiver *receiver = context;
    struct incoming *incoming = file->receiver;
    char partial[PLACE_MAX];
    char place[PLACE_MAX];
    char shelf[SHELF_LENGTH + 1];

    place_of(incoming->name, PARTIAL, partial);
    place_of(incoming->name, "", place);
    (void)snprintf(shelf, sizeof(shelf), "%.*s", SHELF_LENGTH, incoming->name);
    if (fsync(incoming->descriptor) != 0) {
        return storage_error(error, "fsync");
    }
    if (renameat(receiver->files->folder, partial, receiver->files->folder, place) != 0) {
        return storage_error(error, "rename");
    }
    secret_digest_stream_finish(incoming->digest, file->sha256);
    incoming->digest = NULL;
    file->stored = memory_copy_text(incoming->name);
    file->receiver = NULL;
    incoming_destroy(incoming);
    return sync_folder(receiver->files->folder, shelf) ? STATUS_OK : storage_error(error, "fsync");
}

struct form_file_sink files_receiver_init(struct files_receiver *receiver, struct files *files)
{
    *receiver = (struct files_receiver){.files = files, .bytes_left = files->config->file_bytes_max};
    return (struct form_file_sink){.on_begin = on_begin, .on_data = on_data, .on_end = on_end, .context = receiver};
}

/* ---- giving up ---- */

static void remove_place(struct files *files, const char *place)
{
    if (unlinkat(files->folder, place, 0) != 0) {
        log_event(LOG_WARN, "file_not_removed", LOG_TEXT("text", strerrordesc_np(errno)));
    }
}

static void abandon_partial(struct files *files, struct form *form)
{
    char place[PLACE_MAX];

    for (size_t i = 0; i < form->file_count; i++) {
        struct incoming *incoming = form_file_at(form, i)->receiver;

        if (incoming != NULL) {
            place_of(incoming->name, PARTIAL, place);
            remove_place(files, place);
            incoming_destroy(incoming);
            form_file_at(form, i)->receiver = NULL;
        }
    }
}

void files_remove(struct files *files, struct form *form)
{
    char place[PLACE_MAX];

    abandon_partial(files, form);
    for (size_t i = 0; i < form->file_count; i++) {
        struct form_file *file = form_file_at(form, i);

        if (file->stored != NULL) {
            place_of(file->stored, "", place);
            remove_place(files, place);
            memory_free(file->stored);
            file->stored = NULL;
        }
    }
}

/* ---- handing out ---- */

void files_append_url(const struct files *files, struct span queue, const char *name, int port, struct text *out)
{
    static const char any_port[] = ":0";
    const char *prefix = files->config->media_url[0] != '\0' ? files->config->media_url : files->config->public_url;
    size_t length = strlen(prefix);
    size_t port_length = sizeof(any_port) - 1;

    while (length > 0 && prefix[length - 1] == '/') {
        length--;
    }
    if (length > port_length && memcmp(prefix + length - port_length, any_port, port_length) == 0) {
        text_append(out, prefix, length - port_length);
        text_append_format(out, ":%d", port);
    } else {
        text_append(out, prefix, length);
    }
    text_append_string(out, FILES_PATH);
    url_append_quoted(out, queue);
    text_append_format(out, "/%s", name);
}

/* The file's name in a decoded path, or NULL. The queue's name in it is for people who read logs: any will do. */
static const char *name_in_path(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (strncmp(path, FILES_PATH, strlen(FILES_PATH)) != 0 || slash <= path + strlen(FILES_PATH)) {
        return NULL;
    }
    return strlen(slash + 1) == NAME_LENGTH && strspn(slash + 1, "0123456789abcdef") == NAME_LENGTH ? slash + 1 : NULL;
}

enum status files_open_path(const struct files *files, const char *path, int *out_descriptor, int64_t *out_bytes)
{
    const char *name = name_in_path(path);
    char place[PLACE_MAX];
    struct stat about;
    int descriptor = -1;

    if (name == NULL) {
        return STATUS_NOT_FOUND;
    }
    place_of(name, "", place);
    descriptor = openat(files->folder, place, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
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
