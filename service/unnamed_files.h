/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removes uploaded files that no submission names: those that nobody submitted in time, and those whose submissions have been
 * purged. A thread walks through the folder and asks the engine about what is old enough.
 *
 * Threading: start and stop from one thread.
 */
#ifndef SERVICE_UNNAMED_FILES_H
#define SERVICE_UNNAMED_FILES_H

#include "service/engine.h"
#include "service/file_folder.h"

enum {
    UNNAMED_FILES_PERIOD_MS_MAX = 600000, /* a walk begins so often, or as often as keep_ms says when that is less */
};

/* All borrowed, and to outlive the walker. */
struct unnamed_files_options {
    struct clock *clock;
    struct engine *engine;
    struct file_folder *folder;
    int64_t keep_ms; /* since the last upload */
};

struct unnamed_files;

/* NULL: no thread to be had. The first walk begins at once. */
struct unnamed_files *unnamed_files_start(const struct unnamed_files_options *options);
/* Before the engine is destroyed. NULL is fine. */
void unnamed_files_stop(struct unnamed_files *files);

#endif
