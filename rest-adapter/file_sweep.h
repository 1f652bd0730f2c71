/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removes from the folder of files what nobody can want any more: uploads that were never finished, and files older than their
 * URLs live, also those whose submission never came to be. A walk looks at every name once, in small steps, so that neither the
 * disk nor the stop of the program waits for it; a walk starts every FILE_SWEEP_PERIOD_MS.
 *
 * Ages are those of a file's last write against the wall clock. Several adapters may sweep one folder.
 *
 * Threading: a sweep belongs to one thread; file_sweeper has its own.
 */
#ifndef REST_ADAPTER_FILE_SWEEP_H
#define REST_ADAPTER_FILE_SWEEP_H

#include <stdint.h>

#include "base/status.h"

enum {
    FILE_SWEEP_PERIOD_MS = 3600000, /* from the end of a walk to the next */
    FILE_SWEEP_PAUSE_MS = 200,      /* between two steps */
    FILE_SWEEP_STEP_NAMES = 500,    /* names that a step looks at */
    FILE_SWEEP_PART_MS = 86400000,  /* an upload that got nothing for so long is not finished by anybody */
};

/* folder, incoming: descriptors, borrowed. keep_ms: of files; 0: for ever (left-over uploads go all the same). */
struct file_sweep_options {
    int folder;
    int incoming;
    int64_t keep_ms;
};

/* The walk, for whoever calls it: tests, and the thread below. */
struct file_sweep;
struct file_sweep *file_sweep_create(const struct file_sweep_options *options);
void file_sweep_destroy(struct file_sweep *sweep); /* NULL is fine */

/* One step. wall_ms: now. Returns how long to wait before the next: FILE_SWEEP_PAUSE_MS or FILE_SWEEP_PERIOD_MS. */
int64_t file_sweep_tick(struct file_sweep *sweep, int64_t wall_ms);

/* A thread that ticks. Its first walk starts at once. STATUS_NO_MEMORY: no thread. */
struct file_sweeper;
enum status file_sweeper_start(const struct file_sweep_options *options, struct file_sweeper **out_sweeper) STATUS_CHECKED;
void file_sweeper_stop(struct file_sweeper *sweeper); /* waits for the step that runs; NULL is fine */

#endif
