/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/bench_idle.h"

#include <stdio.h>
#include <sys/resource.h>

#include "base/text.h"

enum { NUMBER_TEXT_MAX = 24, START_MS = 300000, STOP_MS = 30000, TOKEN_LINE_MAX = 128, TAIL_LINES = 5 };

/* One process of them. */
struct share {
    int64_t first;
    int64_t count;
    int64_t per_connection;
};

static enum status start_one(struct bench_idle *idle, const struct bench_core *core, const struct share *share,
                             struct error *error)
{
    char first[NUMBER_TEXT_MAX];
    char count[NUMBER_TEXT_MAX];
    char per_connection[NUMBER_TEXT_MAX];
    char token[TOKEN_LINE_MAX];
    char log[CHILD_PATH_MAX];
    (void)snprintf(first, sizeof first, "%lld", (long long)share->first);
    (void)snprintf(count, sizeof count, "%lld", (long long)share->count);
    (void)snprintf(per_connection, sizeof per_connection, "%lld", (long long)share->per_connection);
    (void)snprintf(token, sizeof token, BENCH_IDLE_TOKEN_VARIABLE "=%s", core->grader_token);
    (void)snprintf(log, sizeof log, "%s/idle-%zu.log", core->folder, idle->process_count);
    const char *const arguments[] = {core->tcp_address, first, count, per_connection, NULL};
    const char *const environment[] = {token, NULL};
    const struct child_options options = {.program = "xqueue-bench-idle",
                                          .arguments = arguments,
                                          .environment = environment,
                                          .log_file = log,
                                          .stop_descriptor = -1};
    enum status status = child_start(&options, &idle->processes[idle->process_count], error);
    idle->process_count += status == STATUS_OK ? 1 : 0;
    return status;
}

/* How many streams must share a connection, for xqueued's descriptors to do. It raises its limit as far as it may. */
static int64_t streams_per_connection(int64_t graders)
{
    struct rlimit limit = {.rlim_max = RLIM_INFINITY};
    (void)getrlimit(RLIMIT_NOFILE, &limit); /* cannot fail; else there is no limit */
    if (limit.rlim_max == RLIM_INFINITY || (int64_t)limit.rlim_max > graders + BENCH_IDLE_DESCRIPTORS_SPARE) {
        return 1;
    }
    int64_t connections = (int64_t)limit.rlim_max - BENCH_IDLE_DESCRIPTORS_SPARE;
    connections = connections > 1 ? connections : 1;
    return (graders + connections - 1) / connections;
}

enum status bench_idle_start(struct bench_idle *idle, const struct bench_core *core, int64_t graders, struct error *error)
{
    char line[CHILD_LINE_MAX];
    struct share share = {.per_connection = streams_per_connection(graders)};
    enum status status = STATUS_OK;
    *idle = (struct bench_idle){.graders = graders};
    for (; status == STATUS_OK && share.first < graders; share.first += share.count) {
        int64_t left = graders - share.first;
        share.count = left < BENCH_IDLE_GRADERS_PER_PROCESS ? left : BENCH_IDLE_GRADERS_PER_PROCESS;
        status = start_one(idle, core, &share, error);
        idle->connections += (share.count + share.per_connection - 1) / share.per_connection;
    }
    for (size_t i = 0; status == STATUS_OK && i < idle->process_count; i++) {
        status = child_await_line(idle->processes[i], "event=ready", START_MS, line, error);
    }
    return status;
}

bool bench_idle_stop(struct bench_idle *idle)
{
    bool all_there = true;
    for (size_t i = 0; i < idle->process_count; i++) {
        int exit_code = 0;
        bool in_time = child_stop(idle->processes[i], STOP_MS, &exit_code) == STATUS_OK;
        if (!in_time || exit_code != 0) {
            child_print_tail(idle->processes[i], TAIL_LINES, stderr);
            all_there = false;
        }
        child_destroy(idle->processes[i]);
    }
    *idle = (struct bench_idle){0};
    return all_there;
}
