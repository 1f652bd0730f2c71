/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xqueue-bench-idle ADDRESS FIRST COUNT PER_CONNECTION: graders number FIRST and on, which wait until SIGTERM. Started by
 * xqueue-bench, with the token in the environment; logs event=ready when all are welcomed, ends with 1 when one is sent away.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "tests/bench/bench_grader.h"
#include "tests/bench/bench_idle.h"

struct idle_graders {
    const char *address;
    const char *token;
    int64_t first;
    int64_t count;
    int64_t per_connection;
    struct bench_grader *graders;  /* owned, as the next */
    struct rpc_channel **channels; /* one for each connection */

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int64_t welcomes; /* guarded by mutex */
};

enum {
    COMING_MAX = 32
}; /* streams that are not welcomed yet: who comes all at once waits long enough to be taken for silent */

static void on_welcome(void *context)
{
    struct idle_graders *idle = context;
    pthread_mutex_lock(&idle->mutex);
    idle->welcomes++;
    bool all = idle->welcomes == idle->count;
    pthread_cond_signal(&idle->changed);
    pthread_mutex_unlock(&idle->mutex);
    if (all) {
        log_event(LOG_INFO, "ready", LOG_INT("graders", idle->count));
    }
}

static void on_grant(void *context)
{
    (void)context; /* nothing is submitted to the queue */
}

static void on_ack(void *context, bool is_done)
{
    (void)context;
    (void)is_done;
}

/* Nobody is sent away as long as the benchmark runs. */
static void on_close(void *context, enum status status, const struct error *error)
{
    (void)context;
    log_event(LOG_ERROR, "stream_ended", LOG_TEXT("status", status_name(status)), LOG_TEXT("text", error ? error->text : ""));
    _exit(EXIT_FAILURE);
}

static void wait_for_welcomes(struct idle_graders *idle, int64_t count)
{
    pthread_mutex_lock(&idle->mutex);
    while (idle->welcomes < count) { /* when one is sent away the process ends */
        pthread_cond_wait(&idle->changed, &idle->mutex);
    }
    pthread_mutex_unlock(&idle->mutex);
}

static enum status open_one(struct idle_graders *idle, struct rpc_loop *loop, int64_t at)
{
    static const struct bench_grader_events events = {on_welcome, on_grant, on_ack, on_close};
    const struct rpc_channel_options to = {.address = idle->address};
    struct rpc_channel **channel = &idle->channels[at / idle->per_connection];
    enum status status = *channel ? STATUS_OK : rpc_channel_create(loop, &to, channel);
    if (status != STATUS_OK) {
        return status;
    }
    const struct bench_grader_options options = {.channel = *channel,
                                                 .token = idle->token,
                                                 .queue = BENCH_CORE_IDLE_QUEUE,
                                                 .number = (unsigned)(idle->first + at),
                                                 .credit = 1,
                                                 .events = &events,
                                                 .context = idle};
    return bench_grader_open(&idle->graders[at], &options);
}

static bool read_arguments(struct idle_graders *idle, int argc, char **argv)
{
    idle->token = getenv(BENCH_IDLE_TOKEN_VARIABLE);
    idle->address = argc == 5 ? argv[1] : "";
    return argc == 5 && idle->token && text_to_int64(argv[2], 0, BENCH_IDLE_GRADERS_MAX, &idle->first) == STATUS_OK &&
           text_to_int64(argv[3], 1, BENCH_IDLE_GRADERS_MAX, &idle->count) == STATUS_OK &&
           text_to_int64(argv[4], 1, BENCH_IDLE_GRADERS_MAX, &idle->per_connection) == STATUS_OK;
}

int main(int argc, char **argv)
{
    static struct idle_graders idle = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct error error = {0};
    log_configure("xqueue-bench-idle", LOG_INFO, LOG_LOGFMT);
    rpc_log_install();
    if (!read_arguments(&idle, argc, argv) || process_prepare(&error) != STATUS_OK) {
        (void)fprintf(stderr, "usage: xqueue-bench-idle ADDRESS FIRST COUNT PER_CONNECTION %s\n", error.text);
        return EXIT_FAILURE;
    }
    struct rpc_loop *loop = rpc_loop_create("idle");
    idle.graders = memory_allocate_array((size_t)idle.count, sizeof *idle.graders);
    idle.channels = memory_allocate_array((size_t)idle.count, sizeof(void *));
    enum status status = loop ? STATUS_OK : STATUS_UNAVAILABLE;
    for (int64_t at = 0; at < idle.count && status == STATUS_OK; at++) {
        wait_for_welcomes(&idle, at - COMING_MAX + 1);
        status = open_one(&idle, loop, at);
    }
    if (status != STATUS_OK) {
        log_event(LOG_ERROR, "not_started", LOG_TEXT("status", status_name(status)));
        return EXIT_FAILURE;
    }
    (void)process_wait_for_stop();
    _exit(EXIT_SUCCESS); /* all connections break at once, as when a machine dies */
}
