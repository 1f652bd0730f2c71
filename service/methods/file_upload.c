/* SPDX-License-Identifier: Apache-2.0 */
/* Files.Upload: one message at a time goes to the disk, and only then the next one is asked for. */
#include <string.h>

#include "base/memory.h"
#include "service/file_folder.h"
#include "service/methods/file_stream.h"
#include "service/methods/files.h"
#include "xqueue/v1/files.pb-c.h"

enum { FILENAME_BYTES_MAX = 255 };

struct file_upload {
    struct file_stream stream;
    struct rpc_message *message;    /* owned; for the job */
    struct incoming_file *incoming; /* owned; NULL before the first message */
    int64_t size_bytes;             /* as the client said; 0: it did not */
    bool has_sha256;
    uint8_t sha256[SECRET_DIGEST_BYTES];
};

static struct file_upload *of(struct file_stream *stream)
{
    return (struct file_upload *)stream;
}

static int64_t bytes_max(const struct file_upload *upload)
{
    return upload->stream.service->config->service.file_bytes_max;
}

static enum status too_large(const struct file_upload *upload, struct error *error)
{
    return error_set(error, STATUS_FULL, "FILE_TOO_LARGE", "a file has at most %lld bytes", (long long)bytes_max(upload));
}

static enum status take_open(struct file_upload *upload, const Xqueue__V1__OpenUpload *open, struct error *error)
{
    if (upload->incoming) {
        return error_set(error, STATUS_INVALID, "UPLOAD_INVALID", "open comes once, first");
    }
    if (!method_text_fits(open->filename, FILENAME_BYTES_MAX) ||
        (open->sha256.len != 0 && open->sha256.len != sizeof upload->sha256)) {
        return error_set(error, STATUS_INVALID, "UPLOAD_INVALID", "filename has at most 255 bytes, sha256 has 32 or none");
    }
    if (open->size_bytes > (uint64_t)bytes_max(upload)) {
        return too_large(upload, error);
    }
    upload->size_bytes = (int64_t)open->size_bytes;
    upload->has_sha256 = open->sha256.len != 0;
    if (upload->has_sha256) {
        memcpy(upload->sha256, open->sha256.data, sizeof upload->sha256);
    }
    return file_folder_begin(upload->stream.service->files, &upload->incoming, error);
}

static enum status take_chunk(struct file_upload *upload, const ProtobufCBinaryData *chunk, struct error *error)
{
    if (!upload->incoming || chunk->len == 0 || chunk->len > FILE_CHUNK_BYTES_MAX) {
        return error_set(error, STATUS_INVALID, "UPLOAD_INVALID", "after open come chunks of 1 to %d bytes",
                         FILE_CHUNK_BYTES_MAX);
    }
    if ((int64_t)chunk->len > bytes_max(upload) - incoming_file_bytes(upload->incoming)) {
        return too_large(upload, error);
    }
    return incoming_file_add(upload->incoming, chunk->data, chunk->len, error);
}

/* ---- on the worker ---- */

static void take_message(struct file_stream *stream)
{
    struct file_upload *upload = of(stream);
    const Xqueue__V1__UploadRequest *request = (const Xqueue__V1__UploadRequest *)rpc_message_body(upload->message);
    struct error error = {0};
    enum status status = STATUS_OK;
    if (request->kind_case == XQUEUE__V1__UPLOAD_REQUEST__KIND_OPEN) {
        status = take_open(upload, request->open, &error);
    } else if (request->kind_case == XQUEUE__V1__UPLOAD_REQUEST__KIND_CHUNK) {
        status = take_chunk(upload, &request->chunk, &error);
    } else {
        status = error_set(&error, STATUS_INVALID, "UPLOAD_INVALID", "a message is open or a chunk");
    }
    rpc_message_free(upload->message);
    upload->message = NULL;
    if (status == STATUS_OK) {
        rpc_server_call_receive(stream->call);
    } else {
        rpc_server_call_finish(stream->call, status, &error);
    }
}

static enum status keep(struct file_upload *upload, struct kept_file *kept, struct error *error)
{
    if (!upload->incoming) {
        return error_set(error, STATUS_INVALID, "UPLOAD_INVALID", "open is missing");
    }
    if (upload->size_bytes != 0 && upload->size_bytes != incoming_file_bytes(upload->incoming)) {
        return error_set(error, STATUS_INVALID, "SIZE_MISMATCH", "%lld bytes came, %lld were said",
                         (long long)incoming_file_bytes(upload->incoming), (long long)upload->size_bytes);
    }
    struct incoming_file *incoming = upload->incoming;
    upload->incoming = NULL;
    return incoming_file_keep(incoming, upload->has_sha256 ? upload->sha256 : NULL, kept, error);
}

static void take_end(struct file_stream *stream)
{
    struct kept_file kept = {0};
    struct error error = {0};
    enum status status = keep(of(stream), &kept, &error);
    if (status != STATUS_OK) {
        rpc_server_call_finish(stream->call, status, &error);
        return;
    }
    Xqueue__V1__UploadResponse reply = XQUEUE__V1__UPLOAD_RESPONSE__INIT;
    reply.file_id = kept.id;
    reply.size_bytes = (uint64_t)kept.size_bytes;
    reply.sha256 = (ProtobufCBinaryData){.data = kept.sha256, .len = sizeof kept.sha256};
    rpc_server_call_reply(stream->call, &reply.base);
}

static void upload_finish(struct file_stream *stream)
{
    struct file_upload *upload = of(stream);
    incoming_file_drop(upload->incoming);
    rpc_message_free(upload->message);
    memory_free(upload);
}

/* ---- on the loop ---- */

void file_upload_on_open(struct rpc_server_call *call)
{
    (void)file_stream_open(call, sizeof(struct file_upload), upload_finish);
}

void file_upload_on_message(struct rpc_server_call *call, struct rpc_message *message)
{
    struct file_upload *upload = rpc_server_call_data(call);
    if (!method_goes_on(call)) {
        rpc_message_free(message);
        return;
    }
    upload->message = message;
    file_stream_start(&upload->stream, take_message);
}

void file_upload_on_half_close(struct rpc_server_call *call)
{
    struct file_upload *upload = rpc_server_call_data(call);
    if (method_goes_on(call)) {
        file_stream_start(&upload->stream, take_end);
    }
}
