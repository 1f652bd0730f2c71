/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The service under measurement: the real xqueued as a process of its own, with a fresh database on disk, and a client's
 * channels to it, logged in.
 *
 * Threading: start and stop on one thread; the rest any thread.
 */
#ifndef TESTS_BENCH_BENCH_CORE_H
#define TESTS_BENCH_BENCH_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rpc/rpc_client_call.h"
#include "base/status.h"
#include "tests/demo/child.h"

#define BENCH_CORE_QUEUE      "bench"
#define BENCH_CORE_IDLE_QUEUE "idle" /* nothing is ever submitted to it */

enum {
    BENCH_CORE_ADDRESS_MAX = 128,
    BENCH_CORE_TOKEN_MAX = 64,
    BENCH_CORE_PATIENCE_MS = 30000, /* for everything that is waited for */
};

struct bench_core {
    char folder[BENCH_CORE_ADDRESS_MAX]; /* configuration, log and socket; a short path, as sockets need */
    char database_folder[CHILD_PATH_MAX];
    struct child *process;
    char tcp_address[BENCH_CORE_ADDRESS_MAX];
    char unix_address[BENCH_CORE_ADDRESS_MAX];
    char submitter_token[BENCH_CORE_TOKEN_MAX];
    char grader_token[BENCH_CORE_TOKEN_MAX];
    struct rpc_loop *loop; /* of this process, for all channels */
};

/* Makes a folder for the database in parent, starts xqueued and logs in. Free with bench_core_stop, also after a failure. */
enum status bench_core_start(struct bench_core *core, const char *parent, struct error *error) STATUS_CHECKED;

/* Stops it in order and removes its folders. false: it did not end with 0. A zeroed core is fine. */
bool bench_core_stop(struct bench_core *core);

/* A channel to it, over TCP or the unix socket; the caller's. */
enum status bench_core_connect(struct bench_core *core, bool over_unix, struct rpc_channel **out_channel,
                               struct error *error) STATUS_CHECKED;

/* What /proc says of the process. */
struct bench_core_usage {
    int64_t resident_bytes;      /* now */
    int64_t resident_bytes_peak; /* since the start */
    int64_t processor_us;        /* used since the start */
};
enum status bench_core_usage(const struct bench_core *core, struct bench_core_usage *out_usage) STATUS_CHECKED;

#endif
