/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What both programs do about their own process: signals, descriptors, and watching that their listeners still answer.
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
    PROCESS_PROBE_MS = 5000,           /* between two looks at a listener, and how long one may take */
    PROCESS_PROBE_FAILURES_MAX = 3,    /* in a row, then the listener is given up for dead */
    PROCESS_PROBES_MAX = 16,
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

/* From now on a SIGTERM or SIGINT calls on_signal, on a thread of its own; for the second signal during a stop. */
void process_on_second_signal(void (*on_signal)(void *context), void *context);

/*
 * Connects to each address ("127.0.0.1:8041", "unix:/path") every PROCESS_PROBE_MS, on a thread of its own, and calls on_dead
 * when one has not taken a connection PROCESS_PROBE_FAILURES_MAX times in a row: some servers stop accepting for good after
 * running out of descriptors, and nothing but a new start helps. addresses are copied. Wildcard hosts are probed on loopback.
 * NULL: no thread to be had.
 */
struct process_probe;
struct process_probe *process_probe_start(const char *const *addresses, size_t count,
                                          void (*on_dead)(void *context, const char *address), void *context);
void process_probe_stop(struct process_probe *probe); /* NULL is fine */

#endif
