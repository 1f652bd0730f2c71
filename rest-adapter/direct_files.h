/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of one submission as a grader of the old protocol is told of them: field and URL, presigned where they stay in a
 * bucket.
 *
 *     struct direct_files direct;
 *     direct_files_init(&direct, count);
 *     direct_files_add(&direct, files, name, url); ...    // count times
 *     ... direct.items, direct.count
 *     direct_files_finish(&direct);
 *
 * Threading: one belongs to one thread.
 */
#ifndef REST_ADAPTER_DIRECT_FILES_H
#define REST_ADAPTER_DIRECT_FILES_H

#include <stddef.h>

#include "rest-adapter/files.h"
#include "rest-adapter/legacy_reply.h"

struct direct_files {
    struct legacy_file *items; /* owned */
    size_t count;
    struct text *urls; /* owned */
};

/* count: how many will be added at most. */
void direct_files_init(struct direct_files *direct, size_t count);

/* name and url: what the core keeps; borrowed until the end (name) or during the call (url). */
void direct_files_add(struct direct_files *direct, struct files *files, const char *name, const char *url);

void direct_files_finish(struct direct_files *direct);

#endif
