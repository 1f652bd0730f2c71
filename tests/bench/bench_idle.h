/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Graders that are connected and wait for work that never comes: many streams on many connections, from processes of their own
 * (xqueue-bench-idle), because neither one process's descriptors nor its memory hold them all. They answer pings.
 *
 * Threading: one thread, the one that starts them must live as long as they do (child.h).
 */
#ifndef TESTS_BENCH_BENCH_IDLE_H
#define TESTS_BENCH_BENCH_IDLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "tests/bench/bench_core.h"

enum {
    BENCH_IDLE_GRADERS_MAX = 100000,
    BENCH_IDLE_PROCESSES_MAX = 64,
    BENCH_IDLE_GRADERS_PER_PROCESS = 2500,
    BENCH_IDLE_DESCRIPTORS_SPARE = 500, /* of one process, for all that is no connection of a grader */
};
#define BENCH_IDLE_TOKEN_VARIABLE "XQUEUE_BENCH_TOKEN"

struct bench_idle {
    struct child *processes[BENCH_IDLE_PROCESSES_MAX]; /* owned */
    size_t process_count;
    int64_t graders;
    int64_t connections;
};

/*
 * Opens graders (1 to BENCH_IDLE_GRADERS_MAX) streams, one on each connection as far as xqueued's descriptors allow, and waits
 * until all are welcomed. Free with bench_idle_stop, also after a failure.
 */
enum status bench_idle_start(struct bench_idle *idle, const struct bench_core *core, int64_t graders,
                             struct error *error) STATUS_CHECKED;

/* Ends them all at once. false: some were gone already; why is on standard error. */
bool bench_idle_stop(struct bench_idle *idle);

#endif
