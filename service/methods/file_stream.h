/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an upload and a fetch have in common: a stream of bytes between a client and the folder of files. One thread at a time
 * works on it: the loop's, which gets messages, or one of the file worker's, which has the disk to wait for.
 *
 * Counted: the open call has a reference, and the job under way. Bounded: service.file_streams_max at one time, each with one
 * chunk in memory.
 *
 * Threading: as noted.
 */
#ifndef SERVICE_METHODS_FILE_STREAM_H
#define SERVICE_METHODS_FILE_STREAM_H

#include <stdatomic.h>

#include "service/file_worker.h"
#include "service/methods/method.h"

enum {
    FILE_CHUNK_BYTES_MAX = 262144,
    FILE_STREAM_IDLE_MS = 60000, /* without a chunk it is ended */
    FILE_STREAM_BUSY_RETRY_MS = 1000,
};

/* The first member of what embeds it. */
struct file_stream {
    struct rpc_server_call *call; /* counted */
    struct service *service;
    void (*work)(struct file_stream *stream);   /* what the job does */
    void (*finish)(struct file_stream *stream); /* frees what embeds it; on a thread of the worker */
    atomic_int references;
    struct file_job job;
    struct file_job end;
};

/*
 * A zeroed object of size bytes that embeds the stream, as the call's data, with the call's reference. NULL: there are too
 * many, the call has been ended RESOURCE_EXHAUSTED FILES_BUSY. Loop thread.
 */
void *file_stream_open(struct rpc_server_call *call, size_t size, void (*finish)(struct file_stream *stream));

/* Has work done on a thread of the worker. None is under way but one that has nothing left to do. */
void file_stream_start(struct file_stream *stream, void (*work)(struct file_stream *stream));

/* The method's on_close. */
void file_stream_on_close(struct rpc_server_call *call);

#endif
