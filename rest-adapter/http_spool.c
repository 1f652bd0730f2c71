/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/http_spool.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"

enum { PATH_BYTES_MAX = 4096 };

struct http_spool {
    char *folder;
    int64_t bytes_max;
    _Atomic int64_t bytes;
    struct log_once failing;
    struct log_once full;
};

/* For file systems that know no file without a name. Returns -1 and errno on failure. */
static int open_and_unlink(const char *folder)
{
    struct text path;
    int file = -1;

    text_init(&path, PATH_BYTES_MAX);
    text_append_format(&path, "%s/.spool-XXXXXX", folder);
    if (text_status(&path) == STATUS_OK) {
        file = mkostemp(path.bytes, O_CLOEXEC);
    }
    if (file >= 0 && unlink(path.bytes) != 0) {
        close(file);
        file = -1;
    }
    text_finish(&path);
    return file;
}

static int open_file(const char *folder)
{
    int file = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);

    if (file < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT || errno == EINVAL)) {
        file = open_and_unlink(folder);
    }
    return file;
}

enum status http_spool_create(const char *folder, int64_t bytes_max, struct http_spool **out_spool, struct error *error)
{
    struct http_spool *spool = NULL;
    int file = open_file(folder);

    if (file < 0) {
        return error_set(error, STATUS_UNAVAILABLE, NULL, "cannot make temporary files in '%s': %s", folder, strerror(errno));
    }
    close(file);
    spool = MEMORY_NEW(struct http_spool);
    spool->folder = memory_copy_text(folder);
    spool->bytes_max = bytes_max;
    *out_spool = spool;
    return STATUS_OK;
}

void http_spool_destroy(struct http_spool *spool)
{
    if (spool == NULL) {
        return;
    }
    assert(atomic_load(&spool->bytes) == 0);
    memory_free(spool->folder);
    memory_free(spool);
}

int64_t http_spool_bytes(const struct http_spool *spool)
{
    return atomic_load(&spool->bytes);
}

void http_spool_release(struct http_spool *spool, int64_t bytes)
{
    int64_t before = atomic_fetch_sub(&spool->bytes, bytes);

    assert(before >= bytes);
}

static bool reserve(struct http_spool *spool, int64_t bytes)
{
    if (atomic_fetch_add(&spool->bytes, bytes) + bytes <= spool->bytes_max) {
        (void)log_once_leave(&spool->full);
        return true;
    }
    http_spool_release(spool, bytes);
    if (log_once_enter(&spool->full)) {
        log_event(LOG_WARN, "spool_full", LOG_INT("bytes_max", spool->bytes_max));
    }
    return false;
}

static enum status fail(struct http_spool *spool)
{
    int reason = errno;

    if (log_once_enter(&spool->failing)) {
        log_event(LOG_ERROR, "spool_failed", LOG_TEXT("text", strerror(reason)));
    }
    return STATUS_UNAVAILABLE;
}

static enum status write_file(struct http_body *body, const char *bytes, size_t length)
{
    if (!reserve(body->spool, (int64_t)length)) {
        return STATUS_FULL;
    }
    body->bytes += (int64_t)length; // is released with the rest, whatever comes of writing it
    while (length > 0) {
        ssize_t count = write(body->file, bytes, length);

        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return fail(body->spool);
        }
        bytes += count;
        length -= (size_t)count;
    }
    (void)log_once_leave(&body->spool->failing);
    return STATUS_OK;
}

/* What was in memory becomes the beginning of a file. */
static enum status move_to_file(struct http_body *body)
{
    struct text memory = body->memory;
    enum status status = STATUS_OK;

    body->file = open_file(body->spool->folder);
    if (body->file < 0) {
        return fail(body->spool);
    }
    body->memory = (struct text){0};
    body->bytes = 0;
    status = write_file(body, memory.bytes, memory.length);
    text_finish(&memory);
    return status;
}

void http_body_init(struct http_body *body, struct http_spool *spool)
{
    *body = (struct http_body){.spool = spool, .file = -1};
}

void http_body_finish(struct http_body *body)
{
    text_finish(&body->memory);
    if (body->file >= 0) {
        close(body->file);
        http_spool_release(body->spool, body->bytes);
    }
    http_body_init(body, body->spool);
}

enum status http_body_append(struct http_body *body, const void *bytes, size_t length)
{
    enum status status = STATUS_OK;

    if (body->file < 0 && body->memory.bytes == NULL) {
        text_init(&body->memory, HTTP_SPOOL_MEMORY_BYTES_MAX);
    }
    if (body->file < 0 && body->bytes + (int64_t)length <= HTTP_SPOOL_MEMORY_BYTES_MAX) {
        text_append(&body->memory, bytes, length);
        body->bytes += (int64_t)length;
        return STATUS_OK;
    }
    if (body->file < 0) {
        status = move_to_file(body);
    }
    return status == STATUS_OK ? write_file(body, bytes, length) : status;
}

int http_body_take_file(struct http_body *body)
{
    int file = body->file;

    assert(file >= 0);
    http_body_init(body, body->spool);
    return file;
}
