/* SPDX-License-Identifier: Apache-2.0 */
#include "service/engine.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "service/queue.h"
#include "service/store/store.h"

enum {
    ENGINE_BATCH_MAX = 1000,             /* commands in one transaction: bounds how long the first one waits */
    ENGINE_CHECKPOINT_IDLE_PAGES = 1000, /* of the write-ahead log, when nobody waits */
    ENGINE_CHECKPOINT_BUSY_PAGES = 10000,
};

struct engine {
    struct engine_options options; /* immutable after create */
    pthread_t thread;

    /* guarded by mutex */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct list waiting;
    bool stopping;

    /* engine thread only */
    struct list batch;
    struct list finished;
    int64_t due_ms;
    bool failed; /* the store cannot be trusted: nothing is run any more */
    struct log_once disk_full;
    struct log_once disk_busy;
};

/* Moves up to ENGINE_BATCH_MAX waiting commands into the batch, after waiting for one or for due work. False: time to end. */
static bool engine_wait(struct engine *engine)
{
    pthread_mutex_lock(&engine->mutex);
    while (list_is_empty(&engine->waiting) && !engine->stopping) {
        if (!clock_wait_until(engine->options.clock, &engine->changed, &engine->mutex, engine->due_ms)) {
            break;
        }
    }
    bool go_on = !engine->stopping || !list_is_empty(&engine->waiting);
    while (engine->batch.count < ENGINE_BATCH_MAX && !list_is_empty(&engine->waiting)) {
        list_append(&engine->batch, list_take_first(&engine->waiting));
    }
    pthread_mutex_unlock(&engine->mutex);
    return go_on;
}

static bool engine_is_idle(struct engine *engine)
{
    pthread_mutex_lock(&engine->mutex);
    bool idle = list_is_empty(&engine->waiting);
    pthread_mutex_unlock(&engine->mutex);
    return idle;
}

static void engine_run_one(struct engine *engine, struct engine_command *command)
{
    if (command->run(command, engine->options.queues) == ENGINE_DONE) {
        list_append(&engine->finished, &command->node);
    } else {
        assert(command->park != NULL);
    }
}

static void engine_run_batch(struct engine *engine)
{
    struct queues *queues = engine->options.queues;
    struct list_node *node = NULL;
    /* After a failure nothing more is run: the store may have left the transaction, and what runs then would stay. */
    while (queues->failure == STATUS_OK && (node = list_take_first(&engine->batch)) != NULL) {
        engine_run_one(engine, LIST_OWNER(node, struct engine_command, node));
    }
    if (queues->failure == STATUS_OK) {
        queues_tick(queues);
    }
    while (queues->failure == STATUS_OK && (node = list_take_first(&queues->unparked)) != NULL) {
        engine_run_one(engine, LIST_OWNER(node, struct engine_command, node));
    }
}

static void engine_answer(struct engine *engine, enum status committed, const struct error *error)
{
    struct list_node *node = NULL;
    while ((node = list_take_first(&engine->finished)) != NULL) {
        struct engine_command *command = LIST_OWNER(node, struct engine_command, node);
        command->done(command, committed, error);
    }
}

/* The store cannot be trusted any more: nothing is answered, the owner ends the process. */
static void engine_fail(struct engine *engine)
{
    engine->failed = true;
    engine->options.on_storage_failure(engine->options.context, store_error_text(engine->options.store));
}

static void engine_roll_back(struct engine *engine)
{
    struct queues *queues = engine->options.queues;
    if (log_once_enter(&engine->disk_full)) {
        log_event(LOG_ERROR, "storage_full", LOG_TEXT("text", store_error_text(engine->options.store)));
    }
    store_rollback(engine->options.store);
    queues_drop_effects(queues);
    queues->failure = STATUS_OK;
    struct error error;
    enum status status =
        error_set(&error, STATUS_UNAVAILABLE, "STORAGE_FULL", "the disk of the queue is full; nothing was stored");
    error.retry_after_ms = 10000;
    if (queues_reload(queues) != STATUS_OK) {
        engine_fail(engine);
        return;
    }
    /* Those that did not get to run are answered with the others. */
    list_move_all(&engine->batch, &engine->finished);
    list_move_all(&queues->unparked, &engine->finished);
    engine_answer(engine, status, &error);
}

/* Somebody else writes to the database (a person with a shell): the batch stays, and the store has waited a while already. */
static void engine_wait_for_store(struct engine *engine)
{
    if (log_once_enter(&engine->disk_busy)) {
        log_event(LOG_WARN, "storage_busy", LOG_TEXT("text", store_error_text(engine->options.store)));
    }
    engine->due_ms = engine->options.queues->now_ms;
}

/* One transaction: all waiting commands, what is due, one commit, all answers. */
static void engine_turn(struct engine *engine)
{
    struct queues *queues = engine->options.queues;
    struct store *store = engine->options.store;
    enum status status = store_begin(store);
    if (status == STATUS_UNAVAILABLE) {
        engine_wait_for_store(engine);
        return;
    }
    if (status == STATUS_OK) {
        engine_run_batch(engine);
        engine->due_ms = queues_next_due_ms(queues);
        status = queues->failure;
    }
    if (status == STATUS_OK) {
        status = store_commit(store);
    }
    if (status == STATUS_FULL) {
        engine_roll_back(engine);
        /* Due work would be tried again at once; give the disk a while. */
        engine->due_ms = clock_add_ms(queues->now_ms, 1000);
        return;
    }
    if (status != STATUS_OK) {
        engine_fail(engine);
        return;
    }
    if (log_once_leave(&engine->disk_full)) {
        log_event(LOG_INFO, "storage_recovered", LOG_TEXT("text", "the disk takes writes again"));
    }
    if (log_once_leave(&engine->disk_busy)) {
        log_event(LOG_INFO, "storage_recovered", LOG_TEXT("text", "the database is ours again"));
    }
    struct error none = {0};
    engine_answer(engine, STATUS_OK, &none);
    queues_apply_effects(queues);
}

static void engine_notice_stall(struct engine *engine, int64_t woken_ms)
{
    int64_t late_ms = engine->due_ms == CLOCK_NEVER ? 0 : woken_ms - engine->due_ms;
    if (late_ms > ENGINE_STALL_MS) {
        log_event(LOG_WARN, "stalled", LOG_INT("late_ms", late_ms), LOG_TEXT("text", "leases get grace"));
        lease_table_give_grace(&engine->options.queues->leases, woken_ms);
    }
}

static void engine_checkpoint(struct engine *engine)
{
    int pages = engine_is_idle(engine) ? ENGINE_CHECKPOINT_IDLE_PAGES : ENGINE_CHECKPOINT_BUSY_PAGES;
    enum status status = store_checkpoint(engine->options.store, pages);
    if (status == STATUS_FULL) {
        /* The log stays; the next transaction that needs room says so to its caller. */
        if (log_once_enter(&engine->disk_full)) {
            log_event(LOG_ERROR, "storage_full", LOG_TEXT("text", store_error_text(engine->options.store)));
        }
    } else if (status != STATUS_OK) {
        engine_fail(engine);
    }
}

/* Nobody is left who could wake what is parked. */
static void engine_end_parked(struct engine *engine)
{
    struct queues *queues = engine->options.queues;
    if (heap_first(&queues->parked)) {
        queues->now_ms = clock_now_ms(engine->options.clock);
        queues_stop(queues);
        engine_turn(engine);
    }
}

static void *engine_main(void *argument)
{
    struct engine *engine = argument;
    pthread_setname_np(pthread_self(), "engine");
    while (!engine->failed && engine_wait(engine)) {
        struct queues *queues = engine->options.queues;
        queues->now_ms = clock_now_ms(engine->options.clock);
        engine_notice_stall(engine, queues->now_ms);
        engine_turn(engine);
        if (!engine->failed) {
            engine_checkpoint(engine);
        }
    }
    if (!engine->failed) {
        engine_end_parked(engine);
    }
    return NULL;
}

struct engine *engine_create(const struct engine_options *options)
{
    struct engine *engine = MEMORY_NEW(struct engine);
    engine->options = *options;
    pthread_mutex_init(&engine->mutex, NULL);
    clock_condition_init(&engine->changed);
    list_init(&engine->waiting);
    list_init(&engine->batch);
    list_init(&engine->finished);
    engine->due_ms = clock_now_ms(options->clock);
    if (pthread_create(&engine->thread, NULL, engine_main, engine) != 0) {
        pthread_cond_destroy(&engine->changed);
        pthread_mutex_destroy(&engine->mutex);
        memory_free(engine);
        return NULL;
    }
    return engine;
}

enum status engine_submit(struct engine *engine, struct engine_command *command)
{
    assert(command->run != NULL && command->done != NULL);
    enum status status = STATUS_UNAVAILABLE;
    pthread_mutex_lock(&engine->mutex);
    if (!engine->stopping && (int64_t)engine->waiting.count < engine->options.commands_max) {
        list_append(&engine->waiting, &command->node);
        pthread_cond_signal(&engine->changed);
        status = STATUS_OK;
    }
    pthread_mutex_unlock(&engine->mutex);
    return status;
}

void engine_submit_ending(struct engine *engine, struct engine_command *command)
{
    assert(command->run != NULL && command->done != NULL);
    pthread_mutex_lock(&engine->mutex);
    assert(!engine->stopping);
    list_append(&engine->waiting, &command->node);
    pthread_cond_signal(&engine->changed);
    pthread_mutex_unlock(&engine->mutex);
}

void engine_destroy(struct engine *engine)
{
    if (!engine) {
        return;
    }
    pthread_mutex_lock(&engine->mutex);
    engine->stopping = true;
    pthread_cond_signal(&engine->changed);
    pthread_mutex_unlock(&engine->mutex);
    pthread_join(engine->thread, NULL);
    assert(engine->failed || list_is_empty(&engine->waiting));
    pthread_cond_destroy(&engine->changed);
    pthread_mutex_destroy(&engine->mutex);
    memory_free(engine);
}
