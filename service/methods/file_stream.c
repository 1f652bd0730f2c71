/* SPDX-License-Identifier: Apache-2.0 */
#include "service/methods/file_stream.h"

#include "base/memory.h"
#include "service/methods/files.h"
#include "service/methods/methods.h"
#include "xqueue/v1/files.pb-c.h"

static void end_run(struct file_job *job)
{
    struct file_stream *stream = LIST_OWNER(job, struct file_stream, end);
    rpc_server_call_release(stream->call);
    stream->finish(stream);
}

/* What is left is the disk's, too: a file to remove or to close. */
static void file_stream_release(struct file_stream *stream)
{
    if (atomic_fetch_sub(&stream->references, 1) == 1) {
        struct service *service = stream->service;
        atomic_fetch_sub(&service->file_streams, 1);
        stream->end.run = end_run;
        file_worker_submit(service->file_worker, &stream->end);
    }
}

void *file_stream_open(struct rpc_server_call *call, size_t size, void (*finish)(struct file_stream *stream))
{
    struct service *service = method_service(call);
    if (atomic_fetch_add(&service->file_streams, 1) >= service->config->service.file_streams_max) {
        struct error error;
        atomic_fetch_sub(&service->file_streams, 1);
        enum status status = error_set(&error, STATUS_FULL, "FILES_BUSY", "too many uploads and fetches at the same time");
        error.retry_after_ms = FILE_STREAM_BUSY_RETRY_MS;
        rpc_server_call_finish(call, status, &error);
        return NULL;
    }
    struct file_stream *stream = memory_allocate(size);
    stream->call = call;
    stream->service = service;
    stream->finish = finish;
    atomic_init(&stream->references, 1);
    rpc_server_call_keep(call);
    rpc_server_call_set_data(call, stream);
    return stream;
}

static void job_run(struct file_job *job)
{
    struct file_stream *stream = LIST_OWNER(job, struct file_stream, job);
    stream->work(stream);
    file_stream_release(stream);
}

void file_stream_start(struct file_stream *stream, void (*work)(struct file_stream *stream))
{
    atomic_fetch_add(&stream->references, 1);
    stream->work = work;
    stream->job.run = job_run;
    file_worker_submit(stream->service->file_worker, &stream->job);
}

void file_stream_on_close(struct rpc_server_call *call)
{
    struct file_stream *stream = rpc_server_call_data(call);
    if (stream) { // else it was refused
        file_stream_release(stream);
    }
}

const struct rpc_method files_methods[] = {
    {.path = "/xqueue.v1.Files/Upload",
     .kind = RPC_CLIENT_STREAM,
     .request = &xqueue__v1__upload_request__descriptor,
     .on_open = file_upload_on_open,
     .on_message = file_upload_on_message,
     .on_half_close = file_upload_on_half_close,
     .on_close = file_stream_on_close,
     .idle_ms = FILE_STREAM_IDLE_MS,
     .role = METHOD_SUBMIT},
    {.path = "/xqueue.v1.Files/Fetch",
     .kind = RPC_SERVER_STREAM,
     .request = &xqueue__v1__fetch_request__descriptor,
     .on_message = file_fetch_on_message,
     .on_drained = file_fetch_on_drained,
     .on_close = file_stream_on_close,
     .idle_ms = FILE_STREAM_IDLE_MS,
     .role = METHOD_SUBMIT_OR_GRADE},
    {0},
};
