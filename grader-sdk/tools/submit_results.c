/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/tools/submit_results.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/secret.h"
#include "base/text.h"

enum { FOLDER_MODE = 0777 };

enum status submit_results_prepare(const char *folder, struct error *error)
{
    struct stat about;
    if (mkdir(folder, FOLDER_MODE) == 0 || (errno == EEXIST && stat(folder, &about) == 0 && S_ISDIR(about.st_mode)))
        return STATUS_OK;
    return error_set(error, STATUS_NOT_FOUND, NULL, "--results: %.150s cannot be made: %s", folder, strerrordesc_np(errno));
}

static bool write_file(const char *path, const json_t *document)
{
    FILE *file = fopen(path, "we");
    if (!file)
        return false;
    bool is_written = json_dumpf(document, file, JSON_INDENT(2)) == 0 && fputc('\n', file) != EOF;
    int reason = errno;
    bool is_closed = fclose(file) == 0;
    if (!is_written)
        errno = reason;
    return is_written && is_closed;
}

enum status submit_results_write(const char *folder, const char *name, const json_t *document, struct error *error)
{
    char path[PATH_MAX];
    char partial[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/%s.json", folder, name);
    int partial_length = snprintf(partial, sizeof partial, "%s/.%s.json.partial", folder, name);
    if (length >= PATH_MAX || partial_length >= PATH_MAX)
        return error_set(error, STATUS_NOT_FOUND, NULL, "%.100s/%.100s.json: the path is too long", folder, name);
    if (write_file(partial, document) && rename(partial, path) == 0)
        return STATUS_OK;
    int reason = errno;
    (void)unlink(partial);
    return error_set(error, STATUS_NOT_FOUND, NULL, "%.150s: cannot be written: %s", path, strerrordesc_np(reason));
}

void submit_results_print(struct submit_screen *screen, const json_t *document)
{
    char *text = json_dumps(document, JSON_COMPACT);
    assert(text); // as elsewhere, a program ends when memory does
    size_t length = strlen(text);
    char *line = memory_allocate(length + 2);
    (void)snprintf(line, length + 2, "%s\n", text);
    submit_screen_print(screen, stdout, line);
    memory_free(line);
    free(text);
}

void submit_results_request_id(const char *id, const char *name, char out[SUBMIT_REQUEST_ID_BYTES_MAX + 1])
{
    uint8_t digest[SECRET_DIGEST_BYTES];
    char hex[2 * SECRET_DIGEST_BYTES + 1];
    size_t room = SUBMIT_REQUEST_ID_BYTES_MAX + 1;
    if ((size_t)snprintf(out, room, "%s:%s", id, name) < room && text_is_name(out, SUBMIT_REQUEST_ID_BYTES_MAX))
        return;
    struct secret_digest_stream *stream = secret_digest_stream_create();
    secret_digest_stream_add(stream, id, strlen(id) + 1);
    secret_digest_stream_add(stream, name, strlen(name));
    secret_digest_stream_finish(stream, digest);
    text_hex(hex, digest, sizeof digest);
    (void)snprintf(out, room, "%s", hex);
}
