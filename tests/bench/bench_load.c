/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/bench_load.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "tests/bench/bench_grader.h"

enum { US_PER_SECOND = 1000000, US_PER_MS = 1000, MS_PER_SECOND = 1000, NS_PER_US = 1000 };

/* Some graders and those who hand in, with what happened to them. */
struct crowd {
    struct bench_core *core;
    struct rpc_channel *submit_channel;
    struct rpc_channel *grade_channel;
    struct bench_grader *graders; /* owned */
    size_t grader_count;          /* opened */

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* guarded by mutex */
    size_t welcomes;
    size_t closed;
    int64_t submits_in_flight;
    int64_t open;     /* begun and not yet complete */
    int64_t to_begin; /* so many more are begun, as others end */
    int64_t done;
    int64_t granted_at_us; /* the latest */
    enum status failure;
    struct error error;
};

static void crowd_fail(struct crowd *crowd, enum status status, const char *what, const struct error *error)
{
    if (crowd->failure == STATUS_OK) {
        crowd->failure =
            error_set(&crowd->error, status, NULL, "%s: %s %s", what, status_name(status), error ? error->text : "");
        crowd->to_begin = 0;
    }
}

/* ---- submitting ---- */

static void crowd_refill(struct crowd *crowd);

/* mutex held */
static bool crowd_may_begin(const struct crowd *crowd)
{
    return crowd->to_begin > 0 && crowd->submits_in_flight < BENCH_LOAD_SUBMITS && crowd->open < BENCH_LOAD_CYCLES;
}

static void on_reply(void *context, enum status status, struct rpc_message *reply, const struct error *error)
{
    struct crowd *crowd = context;
    rpc_message_free(reply);
    pthread_mutex_lock(&crowd->mutex);
    crowd->submits_in_flight--;
    if (status != STATUS_OK) {
        crowd->open--;
        crowd_fail(crowd, status, "Submit", error);
    }
    bool more = crowd_may_begin(crowd);
    pthread_cond_broadcast(&crowd->changed);
    pthread_mutex_unlock(&crowd->mutex);
    if (more) {
        crowd_refill(crowd);
    }
}

/* Begins as many as may be begun. */
static void crowd_refill(struct crowd *crowd)
{
    for (;;) {
        pthread_mutex_lock(&crowd->mutex);
        bool more = crowd_may_begin(crowd);
        crowd->to_begin -= more ? 1 : 0;
        crowd->submits_in_flight += more ? 1 : 0;
        crowd->open += more ? 1 : 0;
        pthread_mutex_unlock(&crowd->mutex);
        if (!more) {
            return;
        }
        enum status status = bench_submit(crowd->submit_channel, crowd->core->submitter_token, on_reply, crowd);
        if (status != STATUS_OK) {
            on_reply(crowd, status, NULL, NULL);
            return;
        }
    }
}

/* ---- grading ---- */

static void on_welcome(void *context)
{
    struct crowd *crowd = context;
    pthread_mutex_lock(&crowd->mutex);
    crowd->welcomes++;
    pthread_cond_broadcast(&crowd->changed);
    pthread_mutex_unlock(&crowd->mutex);
}

static void on_grant(void *context)
{
    struct crowd *crowd = context;
    int64_t now_us = clock_monotonic_us();
    pthread_mutex_lock(&crowd->mutex);
    crowd->granted_at_us = now_us;
    pthread_mutex_unlock(&crowd->mutex);
}

static void on_ack(void *context, bool is_done)
{
    struct crowd *crowd = context;
    pthread_mutex_lock(&crowd->mutex);
    crowd->open--;
    crowd->done += is_done ? 1 : 0;
    if (!is_done) {
        crowd_fail(crowd, STATUS_WRONG_STATE, "Complete was refused", NULL);
    }
    bool more = crowd_may_begin(crowd);
    if (!more) {
        pthread_cond_broadcast(&crowd->changed);
    }
    pthread_mutex_unlock(&crowd->mutex);
    if (more) {
        crowd_refill(crowd);
    }
}

static void on_close(void *context, enum status status, const struct error *error)
{
    struct crowd *crowd = context;
    pthread_mutex_lock(&crowd->mutex);
    crowd->closed++;
    if (status != STATUS_OK) {
        crowd_fail(crowd, status, "Work ended", error);
    }
    pthread_cond_broadcast(&crowd->changed);
    pthread_mutex_unlock(&crowd->mutex);
}

/* ---- waiting ---- */

static bool all_welcome(const struct crowd *crowd)
{
    return crowd->welcomes == crowd->grader_count;
}

static bool all_complete(const struct crowd *crowd)
{
    return crowd->open == 0 && crowd->submits_in_flight == 0;
}

static bool all_closed(const struct crowd *crowd)
{
    return crowd->closed == crowd->grader_count;
}

static bool never(const struct crowd *crowd)
{
    (void)crowd;
    return false;
}

/* Waits until is_so, a failure, or wait_ms are over. true: it is so. */
static bool crowd_wait(struct crowd *crowd, bool (*is_so)(const struct crowd *crowd), int64_t wait_ms)
{
    int64_t deadline_ms = clock_now_ms(clock_system()) + wait_ms;
    bool in_time = true;
    pthread_mutex_lock(&crowd->mutex);
    while (!is_so(crowd) && crowd->failure == STATUS_OK && in_time) {
        in_time = clock_wait_until(clock_system(), &crowd->changed, &crowd->mutex, deadline_ms);
    }
    bool reached = is_so(crowd);
    pthread_mutex_unlock(&crowd->mutex);
    return reached;
}

/* The same with patience: too late is a failure. */
static enum status crowd_require(struct crowd *crowd, bool (*is_so)(const struct crowd *crowd), const char *what)
{
    bool reached = crowd_wait(crowd, is_so, BENCH_CORE_PATIENCE_MS);
    pthread_mutex_lock(&crowd->mutex);
    if (!reached) {
        crowd_fail(crowd, STATUS_TIMEOUT, what, NULL);
    }
    enum status status = crowd->failure;
    pthread_mutex_unlock(&crowd->mutex);
    return status;
}

/* ---- coming and going ---- */

struct crowd_size {
    size_t graders;
    uint32_t credit;
    bool over_unix;
};

static enum status crowd_gather(struct crowd *crowd, struct bench_core *core, struct crowd_size size, struct error *error)
{
    static const struct bench_grader_events events = {on_welcome, on_grant, on_ack, on_close};
    *crowd = (struct crowd){.core = core};
    pthread_mutex_init(&crowd->mutex, NULL);
    clock_condition_init(&crowd->changed);
    crowd->graders = memory_allocate_array(size.graders, sizeof *crowd->graders);
    enum status status = bench_core_connect(core, size.over_unix, &crowd->submit_channel, error);
    if (status == STATUS_OK) {
        status = bench_core_connect(core, size.over_unix, &crowd->grade_channel, error);
    }
    for (size_t i = 0; status == STATUS_OK && i < size.graders; i++) {
        const struct bench_grader_options options = {.channel = crowd->grade_channel,
                                                     .token = core->grader_token,
                                                     .queue = BENCH_CORE_QUEUE,
                                                     .number = (unsigned)i,
                                                     .credit = size.credit,
                                                     .events = &events,
                                                     .context = crowd};
        status = bench_grader_open(&crowd->graders[i], &options);
        crowd->grader_count += status == STATUS_OK ? 1 : 0;
    }
    return status == STATUS_OK ? crowd_require(crowd, all_welcome, "the graders are not welcomed in time") : status;
}

static void crowd_leave_streams(struct crowd *crowd, bool in_order)
{
    for (size_t i = 0; i < crowd->grader_count; i++) {
        if (in_order) {
            bench_grader_drain(&crowd->graders[i]);
        } else {
            rpc_client_stream_cancel(crowd->graders[i].stream);
        }
    }
}

/* Ends everything. Answers the first failure of the whole run; status: of the run so far. */
static enum status crowd_leave(struct crowd *crowd, enum status status, struct error *error)
{
    crowd_leave_streams(crowd, status == STATUS_OK);
    if (status == STATUS_OK) {
        status = crowd_require(crowd, all_closed, "the streams do not end");
    }
    if (crowd->failure != STATUS_OK) {
        *error = crowd->error;
    }
    if (status != STATUS_OK) {
        crowd_leave_streams(crowd, false);
    }
    if (crowd->submit_channel) {
        rpc_channel_cancel_all(crowd->submit_channel);
    }
    pthread_mutex_lock(&crowd->mutex); // every callback comes, or the run hangs here: a bug
    while (crowd->closed < crowd->grader_count || crowd->submits_in_flight > 0) {
        pthread_cond_wait(&crowd->changed, &crowd->mutex);
    }
    pthread_mutex_unlock(&crowd->mutex);
    for (size_t i = 0; i < crowd->grader_count; i++) {
        bench_grader_close(&crowd->graders[i]);
    }
    rpc_channel_destroy(crowd->grade_channel);
    rpc_channel_destroy(crowd->submit_channel);
    pthread_cond_destroy(&crowd->changed);
    pthread_mutex_destroy(&crowd->mutex);
    memory_free(crowd->graders);
    return status;
}

/* So many cycles are to be begun, as many at one time as the bounds allow; 0: no more. */
static void crowd_begin(struct crowd *crowd, int64_t count)
{
    pthread_mutex_lock(&crowd->mutex);
    if (crowd->failure == STATUS_OK) {
        crowd->to_begin = count;
    }
    pthread_mutex_unlock(&crowd->mutex);
    crowd_refill(crowd);
}

/* ---- the steady load ---- */

struct moment {
    int64_t at_us;
    int64_t done;
    int64_t service_us;
    int64_t client_us;
};

static struct moment crowd_look(struct crowd *crowd)
{
    struct bench_core_usage usage = {0};
    struct timespec used;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    if (bench_core_usage(crowd->core, &usage) != STATUS_OK) {
        usage.processor_us = 0; // the service is gone: its streams say so
    }
    pthread_mutex_lock(&crowd->mutex);
    struct moment moment = {.at_us = clock_monotonic_us(),
                            .done = crowd->done,
                            .service_us = usage.processor_us,
                            .client_us = (int64_t)used.tv_sec * US_PER_SECOND + used.tv_nsec / NS_PER_US};
    pthread_mutex_unlock(&crowd->mutex);
    return moment;
}

enum status bench_load_run(struct bench_core *core, bool over_unix, double seconds, struct bench_load_result *out_result,
                           struct error *error)
{
    struct crowd crowd;
    struct crowd_size size = {.graders = BENCH_LOAD_GRADERS, .credit = BENCH_LOAD_CREDIT, .over_unix = over_unix};
    enum status status = crowd_gather(&crowd, core, size, error);
    if (status == STATUS_OK) {
        crowd_begin(&crowd, INT64_MAX);
        (void)crowd_wait(&crowd, never, BENCH_LOAD_WARM_UP_MS);
        struct moment from = crowd_look(&crowd);
        (void)crowd_wait(&crowd, never, (int64_t)(seconds * MS_PER_SECOND));
        struct moment until = crowd_look(&crowd);
        crowd_begin(&crowd, 0);
        status = crowd_require(&crowd, all_complete, "the last submissions are not completed in time");
        int64_t cycles = until.done - from.done;
        double divisor = cycles > 0 ? (double)cycles : 1;
        *out_result = (struct bench_load_result){
            .cycles = cycles,
            .seconds = (double)(until.at_us - from.at_us) / US_PER_SECOND,
            .cycles_per_second = (double)cycles * US_PER_SECOND / (double)(until.at_us - from.at_us),
            .service_us_per_cycle = (double)(until.service_us - from.service_us) / divisor,
            .client_us_per_cycle = (double)(until.client_us - from.client_us) / divisor,
        };
    }
    return crowd_leave(&crowd, status, error);
}

/* ---- one at a time ---- */

static int compare_times(const void *a, const void *b)
{
    const int64_t *left = a;
    const int64_t *right = b;
    return (*left > *right) - (*left < *right);
}

static enum status dispatch_one(struct crowd *crowd, int64_t *out_us)
{
    int64_t from_us = clock_monotonic_us();
    crowd_begin(crowd, 1);
    enum status status = crowd_require(crowd, all_complete, "a submission is not completed in time");
    pthread_mutex_lock(&crowd->mutex);
    *out_us = crowd->granted_at_us - from_us;
    pthread_mutex_unlock(&crowd->mutex);
    return status;
}

enum status bench_dispatch_run(struct bench_core *core, int64_t tries, struct bench_dispatch_result *out_result,
                               struct error *error)
{
    struct crowd crowd;
    struct crowd_size size = {.graders = 1, .credit = BENCH_LOAD_CREDIT};
    int64_t *times = memory_allocate_array((size_t)tries, sizeof *times);
    enum status status = crowd_gather(&crowd, core, size, error);
    for (int64_t i = 0; status == STATUS_OK && i < tries; i++) {
        status = dispatch_one(&crowd, &times[i]);
    }
    status = crowd_leave(&crowd, status, error);
    if (status == STATUS_OK) {
        int64_t middle = tries / 2;
        int64_t late = tries * 99 / 100;
        qsort(times, (size_t)tries, sizeof *times, compare_times);
        *out_result = (struct bench_dispatch_result){
            .tries = tries,
            .median_ms = (double)times[middle] / US_PER_MS,
            .p99_ms = (double)times[late] / US_PER_MS,
            .worst_ms = (double)times[tries - 1] / US_PER_MS,
        };
    }
    memory_free(times);
    return status;
}
