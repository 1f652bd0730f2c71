/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/scripted_files.h"

#include <pthread.h>

#include <xqueue/v1/files.pb-c.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/secret.h"
#include "tests/support/scripted_xqueued.h"

struct scripted_files {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* guarded by mutex */
    struct scripted_file file;
    uint8_t sha256[SECRET_DIGEST_BYTES]; /* the right one */
    int calls;
    int hanging;
    int closed;
    uint64_t offset;
};

/* One call. */
struct serving {
    struct scripted_file file;
    uint8_t sha256[SECRET_DIGEST_BYTES];
    size_t next;
    size_t chunks;
    bool is_cut;
    bool is_over;
};

struct scripted_files *scripted_files_create(void)
{
    struct scripted_files *files = MEMORY_NEW(struct scripted_files);
    pthread_mutex_init(&files->mutex, NULL);
    clock_condition_init(&files->changed);
    return files;
}

void scripted_files_destroy(struct scripted_files *files)
{
    pthread_cond_destroy(&files->changed);
    pthread_mutex_destroy(&files->mutex);
    memory_free(files);
}

void scripted_files_serve(struct scripted_files *files, const struct scripted_file *file)
{
    pthread_mutex_lock(&files->mutex);
    files->file = *file;
    secret_digest(file->bytes, file->length, files->sha256);
    pthread_mutex_unlock(&files->mutex);
}

int scripted_files_calls(struct scripted_files *files)
{
    pthread_mutex_lock(&files->mutex);
    int calls = files->calls;
    pthread_mutex_unlock(&files->mutex);
    return calls;
}

uint64_t scripted_files_offset(struct scripted_files *files)
{
    pthread_mutex_lock(&files->mutex);
    uint64_t offset = files->offset;
    pthread_mutex_unlock(&files->mutex);
    return offset;
}

static bool await(struct scripted_files *files, const int *number, int count)
{
    int64_t until_ms = clock_now_ms(clock_system()) + SCRIPTED_XQUEUED_PATIENCE_MS;
    pthread_mutex_lock(&files->mutex);
    while (*number < count && clock_wait_until(clock_system(), &files->changed, &files->mutex, until_ms)) {
    }
    bool reached = *number >= count;
    pthread_mutex_unlock(&files->mutex);
    return reached;
}

bool scripted_files_await_hanging(struct scripted_files *files, int count)
{
    return await(files, &files->hanging, count);
}

bool scripted_files_await_closed(struct scripted_files *files, int count)
{
    return await(files, &files->closed, count);
}

static void count_one(struct scripted_files *files, int *number)
{
    pthread_mutex_lock(&files->mutex);
    (*number)++;
    pthread_cond_broadcast(&files->changed);
    pthread_mutex_unlock(&files->mutex);
}

/* ---- RPC loop ---- */

static struct serving *open_call(struct scripted_files *files, uint64_t offset)
{
    struct serving *serving = MEMORY_NEW(struct serving);
    pthread_mutex_lock(&files->mutex);
    serving->file = files->file;
    serving->is_cut = files->calls < files->file.cut_calls;
    const uint8_t *said = files->calls > 0 && files->file.then_sha256 ? files->file.then_sha256 : files->file.said_sha256;
    for (size_t i = 0; i < SECRET_DIGEST_BYTES; i++)
        serving->sha256[i] = said ? said[i] : files->sha256[i];
    files->calls++;
    files->offset = offset;
    pthread_mutex_unlock(&files->mutex);
    serving->next = (size_t)offset;
    return serving;
}

/* The end of the file, or of what this call brings of it. */
static void end_call(struct scripted_files *files, struct rpc_server_call *call, struct serving *serving)
{
    struct error error;
    enum status status = serving->is_cut ? serving->file.status : STATUS_OK;
    serving->is_over = true;
    if (serving->is_cut && serving->file.hangs)
        count_one(files, &files->hanging);
    else
        rpc_server_call_finish(call, error_set(&error, status, "SCRIPTED", "the script says so"), &error);
}

static void send_next(struct scripted_files *files, struct rpc_server_call *call, struct serving *serving)
{
    size_t left = serving->file.length - serving->next;
    size_t chunk_bytes = serving->file.chunk_bytes ? serving->file.chunk_bytes : SCRIPTED_FILE_CHUNK_BYTES;
    size_t length = left < chunk_bytes ? left : chunk_bytes;
    Xqueue__V1__FetchResponse response = XQUEUE__V1__FETCH_RESPONSE__INIT;
    response.chunk = (ProtobufCBinaryData){.len = length, .data = (uint8_t *)(uintptr_t)serving->file.bytes + serving->next};
    if (serving->chunks == 0) {
        response.size_bytes = serving->file.said_size_bytes ? serving->file.said_size_bytes : serving->file.length;
        response.sha256 = (ProtobufCBinaryData){.len = SECRET_DIGEST_BYTES, .data = serving->sha256};
    }
    serving->next += length;
    serving->chunks++;
    enum status status = rpc_server_call_send(call, &response.base);
    if (status != STATUS_OK || serving->next == serving->file.length ||
        (serving->is_cut && serving->chunks >= serving->file.cut_chunks))
        end_call(files, call, serving);
}

void scripted_files_on_message(struct scripted_files *files, struct rpc_server_call *call, struct rpc_message *message)
{
    const Xqueue__V1__FetchRequest *request = (const Xqueue__V1__FetchRequest *)rpc_message_body(message);
    struct serving *serving = open_call(files, request->offset);
    rpc_message_free(message);
    rpc_server_call_set_data(call, serving);
    if (serving->is_cut && serving->file.cut_chunks == 0)
        end_call(files, call, serving);
    else
        send_next(files, call, serving);
}

void scripted_files_on_drained(struct scripted_files *files, struct rpc_server_call *call)
{
    struct serving *serving = rpc_server_call_data(call);
    if (!serving->is_over)
        send_next(files, call, serving);
}

void scripted_files_on_close(struct scripted_files *files, struct rpc_server_call *call)
{
    memory_free(rpc_server_call_data(call));
    count_one(files, &files->closed);
}
