/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rpc/rpc_event.h"

#include <assert.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>
#include <pthread.h>
#include <signal.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/rpc/rpc_internal.h"
#include "base/text.h"

enum { THREAD_NAME_MAX = 16 }; /* the kernel's bound, with the NUL */

struct rpc_loop {
    grpc_completion_queue *queue;
    pthread_t thread;
    char name[THREAD_NAME_MAX];

    pthread_mutex_t lock;
    struct heap timers; /* guarded by lock */
};

static _Thread_local const struct rpc_loop *current_loop;

static struct rpc_timer *take_due_timer(struct rpc_loop *loop, int64_t now_ms)
{
    struct rpc_timer *timer = NULL;
    pthread_mutex_lock(&loop->lock);
    if (heap_next_due_ms(&loop->timers) <= now_ms) {
        struct heap_node *node = heap_first(&loop->timers);
        heap_remove(&loop->timers, node);
        timer = HEAP_OWNER(node, struct rpc_timer, node);
    }
    pthread_mutex_unlock(&loop->lock);
    return timer;
}

static void fire_timers(struct rpc_loop *loop, int64_t now_ms)
{
    struct rpc_timer *timer = take_due_timer(loop, now_ms);
    while (timer != NULL) {
        timer->on_due(timer);
        timer = take_due_timer(loop, now_ms);
    }
}

/* Another thread cannot wake this one for a new timer, so it looks once in RPC_TICK_MS. */
static void *poll_queue(void *argument)
{
    struct rpc_loop *loop = argument;
    current_loop = loop;
    (void)pthread_setname_np(pthread_self(), loop->name);
    int64_t tick_at_ms = clock_now_ms(clock_system()) + RPC_TICK_MS;
    while (true) {
        const gpr_timespec until = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(RPC_TICK_MS, GPR_TIMESPAN));
        const grpc_event happened = grpc_completion_queue_next(loop->queue, until, NULL);
        if (happened.type == GRPC_QUEUE_SHUTDOWN) {
            return NULL;
        }
        if (happened.type == GRPC_OP_COMPLETE) {
            struct rpc_event *event = happened.tag;
            RPC_TAKE_OVER(event);
            event->on_event(event, happened.success != 0);
        }
        const int64_t now_ms = clock_now_ms(clock_system());
        if (now_ms >= tick_at_ms) {
            fire_timers(loop, now_ms);
            tick_at_ms = now_ms + RPC_TICK_MS;
        }
    }
}

/* Signals belong to the program's main thread: the new thread and those of the C core inherit a mask that blocks them all. */
static bool start_threads(struct rpc_loop *loop)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    grpc_init();
    loop->queue = grpc_completion_queue_create_for_next(NULL);
    const int failed = pthread_create(&loop->thread, NULL, poll_queue, loop);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed == 0;
}

static void free_loop(struct rpc_loop *loop)
{
    grpc_completion_queue_destroy(loop->queue);
    grpc_shutdown();
    heap_finish(&loop->timers);
    pthread_mutex_destroy(&loop->lock);
    memory_free(loop);
}

struct rpc_loop *rpc_loop_create(const char *thread_name)
{
    struct rpc_loop *loop = MEMORY_TRY_NEW(struct rpc_loop);
    if (loop == NULL) {
        return NULL;
    }
    (void)text_copy(loop->name, sizeof(loop->name), thread_name);
    pthread_mutex_init(&loop->lock, NULL);
    heap_init(&loop->timers);
    if (!start_threads(loop)) {
        grpc_completion_queue_shutdown(loop->queue);
        free_loop(loop);
        return NULL;
    }
    return loop;
}

void rpc_loop_destroy(struct rpc_loop *loop)
{
    if (loop == NULL) {
        return;
    }
    assert(!rpc_loop_is_here(loop));
    grpc_completion_queue_shutdown(loop->queue);
    pthread_join(loop->thread, NULL);
    free_loop(loop);
}

bool rpc_loop_is_here(const struct rpc_loop *loop)
{
    return current_loop == loop;
}

grpc_completion_queue *rpc_loop_queue(struct rpc_loop *loop)
{
    return loop->queue;
}

bool rpc_start_batch(grpc_call *call, const grpc_op *ops, size_t count, struct rpc_event *event)
{
    RPC_HAND_OVER(event);
    return grpc_call_start_batch(call, ops, count, event, NULL) == GRPC_CALL_OK;
}

void rpc_loop_schedule(struct rpc_loop *loop, struct rpc_timer *timer, int64_t after_ms)
{
    const int64_t due_ms = clock_add_ms(clock_now_ms(clock_system()), after_ms);
    pthread_mutex_lock(&loop->lock);
    heap_schedule(&loop->timers, &timer->node, due_ms);
    pthread_mutex_unlock(&loop->lock);
}

void rpc_loop_unschedule(struct rpc_loop *loop, struct rpc_timer *timer)
{
    pthread_mutex_lock(&loop->lock);
    heap_remove(&loop->timers, &timer->node);
    pthread_mutex_unlock(&loop->lock);
}

/* Strangers can make the core complain once per call. */
static struct {
    pthread_mutex_t mutex;
    /* guarded by mutex */
    int64_t until_ms; /* when the period ends */
    int64_t lines;    /* of this period, logged or not */
} core_errors = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* Counts a line. False: this period has had its share. *out_dropped: lines of the period before that nobody saw. */
static bool admit_core_error(int64_t *out_dropped)
{
    const int64_t now_ms = clock_now_ms(clock_system());
    int64_t dropped = 0;
    pthread_mutex_lock(&core_errors.mutex);
    if (now_ms >= core_errors.until_ms) {
        dropped = core_errors.lines > RPC_LOG_LINES_MAX ? core_errors.lines - RPC_LOG_LINES_MAX : 0;
        core_errors.lines = 0;
        core_errors.until_ms = clock_add_ms(now_ms, RPC_LOG_PERIOD_MS);
    }
    const bool admitted = core_errors.lines++ < RPC_LOG_LINES_MAX;
    pthread_mutex_unlock(&core_errors.mutex);
    *out_dropped = dropped;
    return admitted;
}

static void log_core_line(gpr_log_func_args *line)
{
    const enum log_level level = line->severity == GPR_LOG_SEVERITY_ERROR ? LOG_WARN : LOG_DEBUG;
    int64_t dropped = 0;
    if (log_enabled(level) && (level == LOG_DEBUG || admit_core_error(&dropped))) {
        log_event(level, "grpc_core", LOG_TEXT("text", line->message), LOG_TEXT("file", line->file),
                  LOG_INT("line", line->line), LOG_INT("dropped_before", dropped));
    }
}

void rpc_log_install(void)
{
    pthread_mutex_lock(&core_errors.mutex);
    core_errors.until_ms = 0;
    core_errors.lines = 0;
    pthread_mutex_unlock(&core_errors.mutex);
    gpr_set_log_function(log_core_line);
    gpr_set_log_verbosity(log_enabled(LOG_DEBUG) ? GPR_LOG_SEVERITY_INFO : GPR_LOG_SEVERITY_ERROR);
}

static void drop_core_line(gpr_log_func_args *line)
{
    (void)line;
}

void rpc_log_silence(void)
{
    gpr_set_log_function(drop_core_line);
}
