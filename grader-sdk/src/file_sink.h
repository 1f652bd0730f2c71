/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the bytes of a fetched file go: memory, a descriptor, or a path, where the file appears when it is whole and not
 * before. Knows neither the wire nor digests.
 *
 *     file_sink_open_* -> file_sink_begin -> file_sink_write ... -> file_sink_keep
 *                                                                   or, at any time, file_sink_abandon
 *
 * Every function answers a public status with error (may be NULL) filled: XQUEUE_STATUS_NO_MEMORY; _INVALID: the descriptor or
 * path cannot be written to; _SYSTEM: the disk is full, or failed.
 *
 * Threading: a sink belongs to one thread.
 */
#ifndef GRADER_SDK_SRC_FILE_SINK_H
#define GRADER_SDK_SRC_FILE_SINK_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "grader-sdk/include/xqueue/grader.h"

enum { FILE_SINK_TEMPORARY_MAX = 64 };

enum file_sink_kind { FILE_SINK_MEMORY, FILE_SINK_DESCRIPTOR, FILE_SINK_PATH };

struct file_sink {
    enum file_sink_kind kind;
    char *bytes; /* memory; owned */
    size_t capacity;
    size_t length;
    int descriptor;                          /* the caller's; or of the temporary file, owned; -1: none */
    int folder;                              /* path: owned; -1: none */
    const char *name;                        /* path: in the folder; borrowed from the path */
    char temporary[FILE_SINK_TEMPORARY_MAX]; /* path: name in the folder; "": there is none */
};

void file_sink_open_memory(struct file_sink *sink);
/* The descriptor stays the caller's. */
void file_sink_open_descriptor(struct file_sink *sink, int descriptor);
/* Makes the temporary file. path is borrowed for the sink's life. After a failure the sink needs nothing more. */
enum xqueue_status file_sink_open_path(struct file_sink *sink, const char *path, struct xqueue_error *error) STATUS_CHECKED;

/* size_bytes will be written, and no more. Once. */
enum xqueue_status file_sink_begin(struct file_sink *sink, uint64_t size_bytes, struct xqueue_error *error) STATUS_CHECKED;
/* All of it, or a failure. */
enum xqueue_status file_sink_write(struct file_sink *sink, const void *bytes, size_t length,
                                   struct xqueue_error *error) STATUS_CHECKED;
/* The file is whole and right. Memory: take it with file_sink_take. Path: it is there. After a failure nothing is kept. */
enum xqueue_status file_sink_keep(struct file_sink *sink, struct xqueue_error *error) STATUS_CHECKED;
/* The caller's, to be freed with memory_free. With memory only. */
void *file_sink_take(struct file_sink *sink, size_t *out_length);
/* Nothing of it stays, but for what a descriptor has got. Also after keep and take, where it does nothing. */
void file_sink_abandon(struct file_sink *sink);

#endif
