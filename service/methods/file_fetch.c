/* SPDX-License-Identifier: Apache-2.0 */
/* Files.Fetch: one chunk at a time leaves, and only then the next one is read. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "service/file_folder.h"
#include "service/methods/file_stream.h"
#include "service/methods/files.h"
#include "xqueue/v1/files.pb-c.h"

struct file_fetch {
    struct file_stream stream;
    struct rpc_message *message; /* owned; NULL once the file is open */
    struct kept_file kept;
    int descriptor; /* -1: not open */
    int64_t next;   /* offset of the next chunk */
    int64_t end;    /* behind the last byte that is wanted */
    bool begun;     /* the first message has gone */
};

static struct file_fetch *of(struct file_stream *stream)
{
    return (struct file_fetch *)stream;
}

/* All of a chunk, which is there: a kept file never changes. */
static bool read_chunk(struct file_fetch *fetch, uint8_t *chunk, size_t length)
{
    size_t done = 0;
    while (done < length) {
        ssize_t got = pread(fetch->descriptor, chunk + done, length - done, fetch->next + (int64_t)done);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            log_event(LOG_ERROR, "file_not_readable", LOG_TEXT("text", got < 0 ? strerrordesc_np(errno) : "it is too short"));
            return false;
        }
        done += (size_t)got;
    }
    return true;
}

/* After the send another thread may go on with the stream: nothing of it is touched any more but the call. */
static void send_chunk(struct file_stream *stream)
{
    struct file_fetch *fetch = of(stream);
    struct error error;
    int64_t left = fetch->end - fetch->next;
    size_t length = left < FILE_CHUNK_BYTES_MAX ? (size_t)left : FILE_CHUNK_BYTES_MAX;
    uint8_t *chunk = memory_allocate(length);
    if (!read_chunk(fetch, chunk, length)) {
        enum status status = error_set(&error, STATUS_DATA_LOSS, "STORAGE_FAILED", "the file cannot be read");
        rpc_server_call_finish(stream->call, status, &error);
        memory_free(chunk);
        return;
    }
    Xqueue__V1__FetchResponse response = XQUEUE__V1__FETCH_RESPONSE__INIT;
    response.chunk = (ProtobufCBinaryData){.data = chunk, .len = length};
    if (!fetch->begun) {
        response.size_bytes = (uint64_t)fetch->kept.size_bytes;
        response.sha256 = (ProtobufCBinaryData){.data = fetch->kept.sha256, .len = sizeof fetch->kept.sha256};
    }
    fetch->begun = true;
    fetch->next += (int64_t)length;
    bool is_last = fetch->next == fetch->end;
    enum status status = rpc_server_call_send(stream->call, &response.base);
    memory_free(chunk);
    if (status != STATUS_OK || is_last) {
        rpc_server_call_finish(stream->call, status, NULL);
    }
}

static enum status open_file(struct file_fetch *fetch, struct error *error)
{
    const Xqueue__V1__FetchRequest *request = (const Xqueue__V1__FetchRequest *)rpc_message_body(fetch->message);
    struct file_folder *folder = fetch->stream.service->files;
    enum status status = file_folder_read(folder, request->file_id, &fetch->kept, &fetch->descriptor, error);
    if (status != STATUS_OK) {
        return status;
    }
    uint64_t size = (uint64_t)fetch->kept.size_bytes;
    if (request->offset > size) {
        return error_set(error, STATUS_INVALID, "OFFSET", "the file has %lld bytes", (long long)fetch->kept.size_bytes);
    }
    bool is_to_end = request->length == 0 || request->length > size - request->offset;
    fetch->next = (int64_t)request->offset;
    fetch->end = is_to_end ? fetch->kept.size_bytes : (int64_t)(request->offset + request->length);
    return STATUS_OK;
}

static void begin(struct file_stream *stream)
{
    struct error error = {0};
    enum status status = open_file(of(stream), &error);
    if (status == STATUS_OK) {
        send_chunk(stream);
    } else {
        rpc_server_call_finish(stream->call, status, &error);
    }
}

static void fetch_finish(struct file_stream *stream)
{
    struct file_fetch *fetch = of(stream);
    if (fetch->descriptor >= 0) {
        close(fetch->descriptor);
    }
    rpc_message_free(fetch->message);
    memory_free(fetch);
}

/* ---- on the loop ---- */

void file_fetch_on_message(struct rpc_server_call *call, struct rpc_message *message)
{
    struct file_fetch *fetch = file_stream_open(call, sizeof *fetch, fetch_finish);
    if (!fetch) {
        rpc_message_free(message);
        return;
    }
    fetch->descriptor = -1;
    fetch->message = message;
    file_stream_start(&fetch->stream, begin);
}

void file_fetch_on_drained(struct rpc_server_call *call)
{
    struct file_fetch *fetch = rpc_server_call_data(call);
    if (fetch->next < fetch->end && method_goes_on(call)) {
        file_stream_start(&fetch->stream, send_chunk);
    }
}
