/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a whole benchmark found, and how it is shown.
 *
 * Threading: pure, but for writing.
 */
#ifndef TESTS_BENCH_BENCH_REPORT_H
#define TESTS_BENCH_BENCH_REPORT_H

#include <stddef.h>
#include <stdio.h>

#include "tests/bench/bench_load.h"
#include "tests/bench/bench_sqlite.h"

enum { BENCH_ROUNDS_MAX = 99 };

/* The aims. */
#define BENCH_AIM_RATIO       0.3
#define BENCH_AIM_DISPATCH_MS 2.0

/* One of everything, one after the other, because a machine's speed drifts. */
struct bench_round {
    struct bench_sqlite_result raw;   /* the least SQL that could do it */
    struct bench_sqlite_result store; /* through our store, without RPC */
    struct bench_load_result tcp;
    struct bench_load_result unix_socket;
    int64_t resident_bytes_after; /* of xqueued after both loads */
    int64_t resident_bytes_peak;
};

/* Many graders who wait for work that does not come. */
struct bench_idle_result {
    int64_t graders;
    int64_t connections;
    int64_t gather_ms; /* until all were welcomed */
    int64_t resident_bytes_before;
    int64_t resident_bytes_after;
    struct bench_dispatch_result dispatch; /* beside them */
};

struct bench_report {
    struct bench_round rounds[BENCH_ROUNDS_MAX];
    size_t round_count;
    struct bench_dispatch_result dispatch;
    int64_t resident_bytes_start; /* of an idle xqueued just started */
    struct bench_idle_result idle;
};

void bench_report_print(const struct bench_report *report, FILE *stream);
/* One JSON object. false: it could not be written. */
bool bench_report_print_json(const struct bench_report *report, FILE *stream);

#endif
