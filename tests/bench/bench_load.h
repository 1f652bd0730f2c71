/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs against a live service: a steady load of life cycles, and single submissions at an idle service. A life cycle is submit,
 * grant, accept, complete; it counts when the Ack says that the result is on disk.
 *
 * Threading: one run at a time.
 */
#ifndef TESTS_BENCH_BENCH_LOAD_H
#define TESTS_BENCH_BENCH_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "tests/bench/bench_core.h"

enum {
    BENCH_LOAD_GRADERS = 8,
    BENCH_LOAD_CREDIT = 64,  /* of each grader */
    BENCH_LOAD_SUBMITS = 64, /* in flight */
    BENCH_LOAD_CYCLES = 512, /* begun and not yet complete, so that no backlog builds up */
    BENCH_LOAD_WARM_UP_MS = 1000,
};

struct bench_load_result {
    int64_t cycles;
    double seconds;
    double cycles_per_second;
    double service_us_per_cycle; /* processor time of xqueued */
    double client_us_per_cycle;  /* and of this process */
};

/* The steady load, measured for about seconds after the warm-up. Any refusal or broken stream is a failure, text in error. */
enum status bench_load_run(struct bench_core *core, bool over_unix, double seconds, struct bench_load_result *out_result,
                           struct error *error) STATUS_CHECKED;

struct bench_dispatch_result {
    int64_t tries;
    double median_ms; /* from the start of Submit until the Grant is there */
    double p99_ms;
    double worst_ms;
};

/* One submission after the other, tries (1 to 1,000,000) of them. */
enum status bench_dispatch_run(struct bench_core *core, int64_t tries, struct bench_dispatch_result *out_result,
                               struct error *error) STATUS_CHECKED;

#endif
