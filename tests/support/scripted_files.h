/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files.Fetch of a scripted xqueued: one file, which is served as the test says: cut off, hanging, with wrong promises.
 *
 * Threading: serve, counts and awaits on the test's thread; the call's events on the RPC loop.
 */
#ifndef TESTS_SUPPORT_SCRIPTED_FILES_H
#define TESTS_SUPPORT_SCRIPTED_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rpc/rpc_server_call.h"
#include "base/status.h"

enum { SCRIPTED_FILE_CHUNK_BYTES = 262144 };

struct scripted_file {
    const uint8_t *bytes; /* borrowed, as all */
    size_t length;
    size_t chunk_bytes;         /* 0: SCRIPTED_FILE_CHUNK_BYTES */
    uint64_t said_size_bytes;   /* 0: length */
    const uint8_t *said_sha256; /* 32 bytes; NULL: the right one */
    const uint8_t *then_sha256; /* said in all calls but the first; NULL: the same */
    int cut_calls;              /* so many calls are cut after cut_chunks chunks; all others bring everything */
    size_t cut_chunks;
    bool hangs; /* a cut call says nothing more, instead of ending with status */
    enum status status;
};

struct scripted_files;

struct scripted_files *scripted_files_create(void);
void scripted_files_destroy(struct scripted_files *files);

void scripted_files_serve(struct scripted_files *files, const struct scripted_file *file);
/* Calls so far, and the offset of the latest. */
int scripted_files_calls(struct scripted_files *files);
uint64_t scripted_files_offset(struct scripted_files *files);
/* Waits until so many calls hang, or have been closed, since the start. */
bool scripted_files_await_hanging(struct scripted_files *files, int count);
bool scripted_files_await_closed(struct scripted_files *files, int count);

void scripted_files_on_message(struct scripted_files *files, struct rpc_server_call *call, struct rpc_message *message);
void scripted_files_on_drained(struct scripted_files *files, struct rpc_server_call *call);
void scripted_files_on_close(struct scripted_files *files, struct rpc_server_call *call);

#endif
