/* SPDX-License-Identifier: Apache-2.0 */
#include "service/import/legacy_source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "service/import/legacy_sqlite.h"
#include "service/import/mysql_dump.h"

enum {
    MAGIC_BYTES = 16,
    SPOOL_MODE = 0600,
    SPOOL_BYTES = 64 * 1024,
};

struct legacy_source {
    struct legacy_source_options options;
    int fd; /* owned */
    bool is_sqlite;
    struct stat opened; /* the file when it was opened */
};

/* ---- standard input ---- */

static enum status write_all(int fd, const char *bytes, size_t length, struct error *error)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            enum status status = errno == ENOSPC || errno == EDQUOT ? STATUS_FULL : STATUS_DATA_LOSS;
            return error_set(error, status, "SPOOL_FAILED", "cannot keep standard input: %s", strerror(errno));
        }
        bytes += written;
        length -= (size_t)written;
    }
    return STATUS_OK;
}

static enum status spool(int from, int to, struct error *error)
{
    char *piece = memory_allocate(SPOOL_BYTES);
    enum status status = STATUS_OK;
    ssize_t got = 1;
    while (status == STATUS_OK && got != 0) {
        got = read(from, piece, SPOOL_BYTES);
        if (got < 0 && errno != EINTR)
            status = error_set(error, STATUS_DATA_LOSS, "UNREADABLE", "cannot read standard input: %s", strerror(errno));
        else if (got > 0)
            status = write_all(to, piece, (size_t)got, error);
    }
    memory_free(piece);
    return status;
}

/* A file without a name: gone with the process, however that ends. */
static enum status open_spooled(struct legacy_source *source, struct error *error)
{
    source->fd = open(source->options.spool_folder, O_TMPFILE | O_RDWR | O_CLOEXEC, SPOOL_MODE);
    if (source->fd < 0) {
        return error_set(error, STATUS_NOT_FOUND, "SPOOL_FAILED", "cannot keep standard input in %.150s: %s",
                         source->options.spool_folder, strerror(errno));
    }
    return spool(STDIN_FILENO, source->fd, error);
}

/* ---- open ---- */

static enum status open_file(struct legacy_source *source, struct error *error)
{
    struct stat file;
    source->fd = open(source->options.path, O_RDONLY | O_CLOEXEC);
    if (source->fd < 0) {
        return error_set(error, STATUS_NOT_FOUND, "NO_SOURCE", "cannot open %.150s: %s", source->options.path, strerror(errno));
    }
    if (fstat(source->fd, &file) != 0 || !S_ISREG(file.st_mode)) {
        return error_set(error, STATUS_INVALID, "NO_SOURCE", "%.150s is no file (a dump may come through standard input: -)",
                         source->options.path);
    }
    return STATUS_OK;
}

static enum status look_at_magic(struct legacy_source *source, struct error *error)
{
    static const char sqlite[MAGIC_BYTES] = "SQLite format 3"; // with its NUL
    static const struct {
        const char *bytes;
        size_t length;
    } compressed[] = {{"\x1f\x8b", 2}, {"\x28\xb5\x2f\xfd", 4}, {"BZh", 3}, {"\xfd\x37zXZ", 5}};
    char magic[MAGIC_BYTES] = {0};
    ssize_t got = pread(source->fd, magic, sizeof magic, 0);
    if (got < 0)
        return error_set(error, STATUS_DATA_LOSS, "UNREADABLE", "cannot read the source: %s", strerror(errno));
    if (got == 0)
        return error_set(error, STATUS_INVALID, "NO_SOURCE", "the source is empty");
    source->is_sqlite = memcmp(magic, sqlite, sizeof sqlite) == 0;
    if (source->is_sqlite && strcmp(source->options.path, "-") == 0)
        return error_set(error, STATUS_INVALID, "NO_SOURCE", "a SQLite file must be named; only a dump may come through -");
    for (size_t at = 0; at < sizeof compressed / sizeof compressed[0]; at++) {
        if (memcmp(magic, compressed[at].bytes, compressed[at].length) == 0) {
            return error_set(error, STATUS_INVALID, "NO_SOURCE",
                             "the source is compressed: unpack it, for example with zcat FILE | xqueuectl import-db ... -");
        }
    }
    return STATUS_OK;
}

enum status legacy_source_open(const struct legacy_source_options *options, struct legacy_source **out_source,
                               struct error *error)
{
    struct legacy_source *source = MEMORY_NEW(struct legacy_source);
    source->options = *options;
    source->fd = -1;
    enum status status = strcmp(options->path, "-") == 0 ? open_spooled(source, error) : open_file(source, error);
    if (status == STATUS_OK)
        status = look_at_magic(source, error);
    if (status == STATUS_OK && fstat(source->fd, &source->opened) != 0)
        status = error_set(error, STATUS_DATA_LOSS, "UNREADABLE", "cannot read the source: %s", strerror(errno));
    if (status != STATUS_OK) {
        legacy_source_close(source);
        return status;
    }
    *out_source = source;
    return STATUS_OK;
}

void legacy_source_close(struct legacy_source *source)
{
    if (!source)
        return;
    if (source->fd >= 0)
        close(source->fd);
    memory_free(source);
}

/* ---- read ---- */

static bool is_unchanged(const struct legacy_source *source)
{
    struct stat now;
    return fstat(source->fd, &now) == 0 && now.st_size == source->opened.st_size &&
           now.st_mtim.tv_sec == source->opened.st_mtim.tv_sec && now.st_mtim.tv_nsec == source->opened.st_mtim.tv_nsec;
}

static int64_t read_piece(void *context, char *out, size_t capacity)
{
    const struct legacy_source *source = context;
    ssize_t got = 0;
    do {
        got = read(source->fd, out, capacity);
    } while (got < 0 && errno == EINTR);
    return got;
}

enum status legacy_source_read(struct legacy_source *source, struct legacy_rows *rows, struct error *error)
{
    const struct mysql_input input = {.read = read_piece, .context = source};
    enum status status = STATUS_OK;
    if (source->is_sqlite) {
        status = legacy_sqlite_read(source->options.path, rows, error);
    } else if (lseek(source->fd, 0, SEEK_SET) != 0) {
        status = error_set(error, STATUS_DATA_LOSS, "UNREADABLE", "cannot read the source: %s", strerror(errno));
    } else {
        status = mysql_dump_read(&input, source->options.database, rows, error);
    }
    if (status == STATUS_OK && !is_unchanged(source)) {
        return error_set(error, STATUS_WRONG_STATE, "SOURCE_CHANGED",
                         "the source changed while it was read: stop the original, and try again");
    }
    return status;
}
