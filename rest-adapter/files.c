/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/secret.h"
#include "rest-adapter/file_sweep.h"
#include "rest-adapter/folder_store.h"
#include "rest-adapter/http_message.h"
#include "rest-adapter/link_secret.h"
#include "rest-adapter/s3_store.h"

#define INCOMING ".incoming"

enum {
    FILE_MODE = 0600,
    FILE_GROUP_MODE = 0640, /* with media_url: a web server of the folder's group reads it */
};

struct files {
    const struct config_rest *config;
    int folder;                      /* descriptor */
    int incoming;                    /* likewise */
    struct file_store *folder_store; /* owned */
    struct file_store *bucket;       /* owned; or NULL */
    struct file_store *store;        /* one of them: where new files go */
    struct file_sweeper *sweeper;    /* owned */
    struct file_link_secret secret;
    struct log_once failing;
};

/* A file on its way in; its name is form_file.stored. */
struct incoming {
    int descriptor;
    struct secret_digest_stream *digest; /* owned */
};

static bool is_for_group(const struct files *files)
{
    return files->config->media_url[0] != '\0';
}

/* ---- the folder ---- */

static int open_folder(int parent, const char *path)
{
    return openat(parent, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool open_folders(struct files *files)
{
    const char *path = files->config->files;

    if (mkdir(path, is_for_group(files) ? FOLDER_STORE_SHELF_GROUP_MODE : FOLDER_STORE_SHELF_MODE) != 0 && errno != EEXIST) {
        return false;
    }
    files->folder = open_folder(AT_FDCWD, path);
    if (files->folder < 0 || faccessat(files->folder, ".", W_OK | X_OK, AT_EACCESS) != 0 ||
        (mkdirat(files->folder, INCOMING, FOLDER_STORE_SHELF_MODE) != 0 && errno != EEXIST)) {
        return false;
    }
    files->incoming = open_folder(files->folder, INCOMING);
    return files->incoming >= 0 && faccessat(files->incoming, ".", W_OK | X_OK, AT_EACCESS) == 0;
}

static enum status start_sweeper(struct files *files, struct error *error)
{
    const struct file_sweep_options options = {
        .folder = files->folder, .incoming = files->incoming, .keep_ms = files->config->file_keep_ms};
    enum status status = file_sweeper_start(&options, &files->sweeper);

    return status == STATUS_OK ? STATUS_OK : error_set(error, status, NULL, "no thread to sweep the folder of files");
}

enum status files_open(const struct config_rest *config, const struct config_callbacks *callbacks, struct files **out_files,
                       struct error *error)
{
    struct files *files = MEMORY_NEW(struct files);
    enum status status = STATUS_OK;

    *files = (struct files){.config = config, .folder = -1, .incoming = -1};
    if (!open_folders(files)) {
        status = error_set(error, STATUS_UNAVAILABLE, NULL, "cannot write to the folder of files %s: %s", config->files,
                           strerrordesc_np(errno));
    } else {
        status = link_secret_load(files->folder, files->incoming, &files->secret, error);
    }
    files->folder_store = folder_store_create(files->folder, is_for_group(files));
    files->store = files->folder_store;
    if (status == STATUS_OK && config->s3.endpoint != NULL && config->s3.endpoint[0] != '\0') {
        status = s3_store_create(&config->s3, callbacks, &files->bucket, error);
        files->store = files->bucket;
    }
    if (status == STATUS_OK) {
        status = start_sweeper(files, error);
    }
    if (status != STATUS_OK) {
        files_close(files);
        return status;
    }
    *out_files = files;
    return STATUS_OK;
}

void files_close(struct files *files)
{
    if (files == NULL) {
        return;
    }
    file_sweeper_stop(files->sweeper);
    if (files->bucket != NULL) {
        files->bucket->kind->close(files->bucket);
    }
    if (files->folder_store != NULL) {
        files->folder_store->kind->close(files->folder_store);
    }
    if (files->incoming >= 0) {
        close(files->incoming);
    }
    if (files->folder >= 0) {
        close(files->folder);
    }
    memory_wipe(&files->secret, sizeof(files->secret));
    memory_free(files);
}

/* ---- taking in ---- */

/* Logged once until something is stored again. */
static enum status fail(struct files *files, enum status status, const struct error *error)
{
    if (log_once_enter(&files->failing)) {
        log_event(LOG_ERROR, "files_failed", LOG_TEXT("status", status_name(status)), LOG_TEXT("text", error->text));
    }
    return status;
}

static enum status storage_error(struct files *files, struct error *error, const char *what)
{
    return fail(files, folder_store_error(error, what), error);
}

static enum status on_begin(void *context, struct form_file *file, struct error *error)
{
    struct files_receiver *receiver = context;
    struct files *files = receiver->files;
    struct incoming *incoming = NULL;
    char name[SECRET_KEY_TEXT_MAX];
    int descriptor = -1;

    secret_key(name);
    descriptor = openat(files->incoming, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    if (descriptor < 0) {
        return storage_error(files, error, "open");
    }
    incoming = MEMORY_NEW(struct incoming);
    incoming->descriptor = descriptor;
    incoming->digest = secret_digest_stream_create();
    file->receiver = incoming;
    file->stored = memory_copy_text(name);
    // not by open's mode: a umask must not take it back
    if (is_for_group(files) && fchmod(descriptor, FILE_GROUP_MODE) != 0) {
        return storage_error(files, error, "chmod");
    }
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
            return storage_error(receiver->files, error, "write");
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
    if (incoming == NULL) {
        return;
    }
    close(incoming->descriptor);
    secret_digest_stream_destroy(incoming->digest);
    memory_free(incoming);
}

static enum status on_end(void *context, struct form_file *file, struct error *error)
{
    struct files_receiver *receiver = context;
    struct incoming *incoming = file->receiver;

    if (fsync(incoming->descriptor) != 0) {
        return storage_error(receiver->files, error, "fsync");
    }
    secret_digest_stream_finish(incoming->digest, file->sha256);
    incoming->digest = NULL;
    file->receiver = NULL;
    incoming_destroy(incoming);
    return STATUS_OK;
}

struct form_file_sink files_receiver_init(struct files_receiver *receiver, struct files *files)
{
    *receiver = (struct files_receiver){.files = files, .bytes_left = files->config->file_bytes_max};
    return (struct form_file_sink){.on_begin = on_begin, .on_data = on_data, .on_end = on_end, .context = receiver};
}

/* ---- keeping, giving up ---- */

enum status files_keep(struct files_receiver *receiver, struct form *form, struct span queue, struct error *error)
{
    struct files *files = receiver->files;
    struct file_part *parts = memory_allocate_array(form->file_count, sizeof(*parts));
    enum status status = STATUS_OK;

    for (size_t i = 0; i < form->file_count; i++) {
        const struct form_file *file = form_file_at(form, i);

        parts[i] = (struct file_part){
            .folder = files->incoming, .name = file->stored, .size_bytes = file->size_bytes, .sha256 = file->sha256};
    }
    file_shelf_of(queue, receiver->shelf);
    if (form->file_count > 0) {
        status = files->store->kind->keep(files->store, receiver->shelf, parts, form->file_count, error);
        if (status != STATUS_OK) {
            (void)fail(files, status, error);
        } else if (log_once_leave(&files->failing)) {
            log_event(LOG_INFO, "files_stored_again", LOG_TEXT("text", "uploaded files can be stored again"));
        }
    }
    memory_free(parts);
    return status;
}

void files_remove(struct files_receiver *receiver, struct form *form)
{
    struct files *files = receiver->files;
    char place[FILE_PLACE_MAX];

    for (size_t i = 0; i < form->file_count; i++) {
        struct form_file *file = form_file_at(form, i);

        incoming_destroy(file->receiver);
        file->receiver = NULL;
        if (file->stored == NULL) {
            continue;
        }
        bool is_gone = unlinkat(files->incoming, file->stored, 0) == 0;
        if (!is_gone && errno != ENOENT) {
            log_event(LOG_WARN, "file_not_removed", LOG_TEXT("text", strerrordesc_np(errno)));
        }
        if (receiver->shelf[0] != '\0') {
            file_place_of(receiver->shelf, file->stored, place);
            files->store->kind->remove(files->store, place);
        }
        memory_free(file->stored);
        file->stored = NULL;
    }
}

/* ---- handing out ---- */

/* "http://a:0/" with the real port, and without the slashes at its end. */
static void append_public_url(const struct files *files, int port, struct text *out)
{
    static const char any_port[] = ":0";
    const char *url = files->config->public_url;
    size_t length = strlen(url);
    size_t port_length = sizeof(any_port) - 1;

    while (length > 0 && url[length - 1] == '/') {
        length--;
    }
    if (length > port_length && memcmp(url + length - port_length, any_port, port_length) == 0) {
        text_append(out, url, length - port_length);
        text_append_format(out, ":%d", port);
    } else {
        text_append(out, url, length);
    }
}

static int64_t expiry_s(const struct config_rest *config)
{
    return (clock_wall_ms() + config->file_url_ms + 999) / 1000;
}

void files_append_url(const struct files_receiver *receiver, const char *key, int port, struct text *out)
{
    const struct files *files = receiver->files;
    const char *media_url = files->config->media_url;
    char place[FILE_PLACE_MAX];

    file_place_of(receiver->shelf, key, place);
    if (media_url[0] == '\0') {
        append_public_url(files, port, out);
        file_link_append(out, &files->secret, place, expiry_s(files->config));
        return;
    }
    text_append_string(out, media_url);
    if (media_url[strlen(media_url) - 1] != '/') {
        text_append_char(out, '/');
    }
    file_place_append_quoted(out, place);
}

void files_append_direct_url(struct files *files, struct span url, struct text *out)
{
    char *copy = NULL;
    char *path = NULL;
    char *query = NULL;
    char place[FILE_PLACE_MAX];
    enum status status = STATUS_NOT_FOUND;

    if (files->bucket != NULL && url.length > 0 && memchr(url.bytes, '\0', url.length) == NULL) {
        copy = memory_allocate(url.length + 1);
        memcpy(copy, url.bytes, url.length);
        copy[url.length] = '\0';
        path = strstr(copy, FILE_LINK_PATH);
    }
    query = path != NULL ? strchr(path, '?') : NULL;
    if (query != NULL) {
        *query++ = '\0';
        (void)http_path_decode(path, path);
        status = file_link_check(&files->secret, path, query, clock_wall_ms() / 1000, place);
    }
    // a file from before there was a bucket is in the folder
    if (status == STATUS_OK && faccessat(files->folder, place, F_OK, AT_SYMLINK_NOFOLLOW) != 0) {
        files->bucket->kind->append_url(files->bucket, place, "GET", out);
    } else {
        text_append(out, url.bytes, url.length);
    }
    memory_free(copy);
}

enum status files_find(struct files *files, const char *path, const char *query, bool is_head, struct files_found *out_found)
{
    struct files_found found = {.descriptor = -1};
    char place[FILE_PLACE_MAX];
    struct text url;
    enum status status = file_link_check(&files->secret, path, query, clock_wall_ms() / 1000, place);

    if (status != STATUS_OK) {
        return status;
    }
    status = files->folder_store->kind->open(files->folder_store, place, &found.descriptor, &found.bytes);
    if (status == STATUS_NOT_FOUND && files->bucket != NULL) {
        text_init(&url, FILES_URL_BYTES_MAX);
        files->bucket->kind->append_url(files->bucket, place, is_head ? "HEAD" : "GET", &url);
        status = text_status(&url) == STATUS_OK ? STATUS_OK : STATUS_UNAVAILABLE;
        found.url = text_take(&url, NULL);
        text_finish(&url);
    }
    if (status == STATUS_OK) {
        (void)snprintf(found.key, sizeof(found.key), "%s", file_place_key(place));
        *out_found = found;
    } else {
        memory_free(found.url);
    }
    return status;
}
