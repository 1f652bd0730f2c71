/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What both programs do about their own process: signals and descriptors.
 *
 * Threading: process_prepare in main before any other thread; the rest any thread.
 */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum {
    PROCESS_DESCRIPTORS_MIN = 256,
    PROCESS_DESCRIPTORS_MAX = 1048576, /* as many as ever help */
};

/*
 * Raises the descriptor limit to the hard limit (up to PROCESS_DESCRIPTORS_MAX), blocks SIGTERM, SIGINT and SIGHUP (they are
 * waited for), ignores SIGPIPE. STATUS_FULL: fewer than PROCESS_DESCRIPTORS_MIN descriptors are allowed; text in error.
 */
enum status process_prepare(struct error *error) STATUS_CHECKED;

/* How many file descriptors are allowed now. */
int64_t process_descriptors_max(void);

/* Waits for SIGTERM or SIGINT and returns its number. */
int process_wait_for_stop(void);

/* The same, and SIGHUP. */
int process_wait_for_signal(void);

/* From now on a SIGTERM or SIGINT calls on_signal, on a thread of its own; for the second signal during a stop. */
void process_on_second_signal(void (*on_signal)(void *context), void *context);

#endif
