/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/tools/submit_attachments.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/secret.h"
#include "base/text.h"
#include "xqueue/v1/files.pb-c.h"

enum { CHUNK_BYTES = 262144, FILE_ID_BYTES_MAX = 2 * SECRET_DIGEST_BYTES + 1 };

static const struct rpc_client_method upload_method = {"/xqueue.v1.Files/Upload", &xqueue__v1__upload_response__descriptor};

struct attachment {
    Xqueue__V1__File file; /* its texts are borrowed from here and from argv */
    const char *path;
    uint8_t digest[SECRET_DIGEST_BYTES];
    char file_id[FILE_ID_BYTES_MAX];
    char filename[SUBMIT_FILE_NAME_BYTES_MAX + 1];
};

struct submit_attachments {
    struct attachment *attachments; /* owned */
    Xqueue__V1__File **files;       /* owned; point into attachments */
    size_t count;
    pthread_mutex_t uploading;
};

/* Up to CHUNK_BYTES; 0 at the end, -1 with errno. */
static ssize_t read_chunk(int descriptor, uint8_t *chunk)
{
    size_t length = 0;
    ssize_t got = 1;
    while (length < CHUNK_BYTES && got != 0) {
        got = read(descriptor, chunk + length, CHUNK_BYTES - length);
        if (got < 0 && errno != EINTR)
            return -1;
        if (got > 0)
            length += (size_t)got;
    }
    return (ssize_t)length;
}

static enum status open_file(const char *path, int *out_descriptor, struct error *error)
{
    struct stat about;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); // a pipe is refused, not waited for
    if (descriptor < 0)
        return error_set(error, STATUS_NOT_FOUND, NULL, "%.150s: cannot be opened: %s", path, strerrordesc_np(errno));
    if (fstat(descriptor, &about) != 0 || !S_ISREG(about.st_mode)) {
        (void)close(descriptor);
        return error_set(error, STATUS_NOT_FOUND, NULL, "%.150s: is no regular file", path);
    }
    *out_descriptor = descriptor;
    return STATUS_OK;
}

static enum status fail_reading(const char *path, struct error *error)
{
    return error_set(error, STATUS_NOT_FOUND, NULL, "%.150s: cannot be read: %s", path, strerrordesc_np(errno));
}

/* ---- digests ---- */

static enum status digest(struct attachment *attachment, uint8_t *chunk, struct error *error)
{
    int descriptor = -1;
    ssize_t got;
    enum status status = open_file(attachment->path, &descriptor, error);
    if (status != STATUS_OK)
        return status;
    struct secret_digest_stream *stream = secret_digest_stream_create();
    while ((got = read_chunk(descriptor, chunk)) > 0) {
        secret_digest_stream_add(stream, chunk, (size_t)got);
        attachment->file.size_bytes += (uint64_t)got;
    }
    if (got < 0)
        status = fail_reading(attachment->path, error);
    (void)close(descriptor);
    secret_digest_stream_finish(stream, attachment->digest);
    text_hex(attachment->file_id, attachment->digest, sizeof attachment->digest);
    return status;
}

static enum status describe(struct attachment *attachment, const struct submit_pair *pair, uint8_t *chunk, struct error *error)
{
    const char *slash = strrchr(pair->value, '/');
    attachment->path = pair->value;
    xqueue__v1__file__init(&attachment->file);
    (void)text_copy(attachment->filename, sizeof attachment->filename, slash ? slash + 1 : pair->value);
    text_make_printable(attachment->filename);
    enum status status = digest(attachment, chunk, error);
    attachment->file.name = pair->name;
    attachment->file.filename = attachment->filename;
    attachment->file.file_id = attachment->file_id;
    attachment->file.sha256 = (ProtobufCBinaryData){.data = attachment->digest, .len = sizeof attachment->digest};
    return status;
}

enum status submit_attachments_create(const struct submit_pair *files, size_t count,
                                      struct submit_attachments **out_attachments, struct error *error)
{
    struct submit_attachments *attachments = MEMORY_NEW(struct submit_attachments);
    uint8_t *chunk = memory_allocate(CHUNK_BYTES);
    enum status status = STATUS_OK;
    attachments->attachments = memory_allocate_array(count, sizeof *attachments->attachments);
    attachments->files = memory_allocate_array(count, sizeof(Xqueue__V1__File *));
    (void)pthread_mutex_init(&attachments->uploading, NULL);
    for (; attachments->count < count && status == STATUS_OK; attachments->count++) {
        struct attachment *attachment = &attachments->attachments[attachments->count];
        status = describe(attachment, &files[attachments->count], chunk, error);
        attachments->files[attachments->count] = &attachment->file;
    }
    memory_free(chunk);
    if (status == STATUS_OK)
        *out_attachments = attachments;
    else
        submit_attachments_destroy(attachments);
    return status;
}

void submit_attachments_destroy(struct submit_attachments *attachments)
{
    if (!attachments)
        return;
    (void)pthread_mutex_destroy(&attachments->uploading);
    memory_free(attachments->attachments);
    memory_free((void *)attachments->files);
    memory_free(attachments);
}

Xqueue__V1__File **submit_attachments_files(const struct submit_attachments *attachments, size_t *out_count)
{
    *out_count = attachments ? attachments->count : 0;
    return attachments ? attachments->files : NULL;
}

/* ---- going up ---- */

struct sending {
    const struct attachment *attachment;
    int descriptor;
    bool is_open; /* the first message has been made */
    Xqueue__V1__UploadRequest message;
    Xqueue__V1__OpenUpload open;
    uint8_t *chunk; /* owned */
};

static enum status next_message(void *context, const ProtobufCMessage **out_message, struct error *error)
{
    struct sending *sending = context;
    xqueue__v1__upload_request__init(&sending->message);
    *out_message = &sending->message.base;
    if (!sending->is_open) {
        sending->is_open = true;
        sending->message.kind_case = XQUEUE__V1__UPLOAD_REQUEST__KIND_OPEN;
        sending->message.open = &sending->open;
        return STATUS_OK;
    }
    ssize_t got = read_chunk(sending->descriptor, sending->chunk);
    if (got < 0)
        return fail_reading(sending->attachment->path, error);
    if (got == 0)
        *out_message = NULL;
    sending->message.kind_case = XQUEUE__V1__UPLOAD_REQUEST__KIND_CHUNK;
    sending->message.chunk = (ProtobufCBinaryData){.data = sending->chunk, .len = (size_t)got};
    return STATUS_OK;
}

static enum status send_file(const struct attachment *attachment, struct submit_tries *tries, struct error *error)
{
    struct sending sending = {.attachment = attachment, .chunk = NULL};
    struct rpc_message *reply = NULL;
    enum status status = open_file(attachment->path, &sending.descriptor, error);
    if (status != STATUS_OK)
        return status;
    sending.chunk = memory_allocate(CHUNK_BYTES);
    xqueue__v1__open_upload__init(&sending.open);
    sending.open.filename = attachment->file.filename;
    sending.open.size_bytes = attachment->file.size_bytes;
    sending.open.sha256 = attachment->file.sha256;
    const struct connection_upload upload = {.method = &upload_method, .next = next_message, .context = &sending};
    status = connection_upload(tries->run->connection, &upload, &reply, error);
    rpc_message_free(reply);
    (void)close(sending.descriptor);
    memory_free(sending.chunk);
    return status;
}

enum status submit_attachments_upload(struct submit_attachments *attachments, struct submit_tries *tries, struct error *error)
{
    enum status status = STATUS_OK;
    (void)pthread_mutex_lock(&attachments->uploading);
    for (size_t at = 0; at < attachments->count && status == STATUS_OK; at++) {
        do {
            status = send_file(&attachments->attachments[at], tries, error);
        } while (status != STATUS_OK && submit_tries_again(tries, &status, error));
    }
    (void)pthread_mutex_unlock(&attachments->uploading);
    if (status == STATUS_OK)
        submit_tries_reset(tries);
    return status;
}
