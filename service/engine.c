/* SPDX-License-Identifier: Apache-2.0 */
#include "service/engine.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "base/memory.h"
#include "service/turn.h"

enum { ENGINE_BATCH_MAX = 1000 }; /* commands in one transaction: bounds how long the first one waits */

struct engine {
    struct engine_options options; /* immutable after create */
    pthread_t thread;

    /* guarded by mutex */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct list waiting;
    bool stopping;

    struct turn turn; /* engine thread only */
};

/* Moves up to ENGINE_BATCH_MAX waiting commands into the batch, after waiting for one or for due work. False: time to end. */
static bool engine_wait(struct engine *engine)
{
    pthread_mutex_lock(&engine->mutex);
    while (list_is_empty(&engine->waiting) && !engine->stopping) {
        if (!clock_wait_until(engine->options.clock, &engine->changed, &engine->mutex, engine->turn.due_ms)) {
            break;
        }
    }
    bool go_on = !engine->stopping || !list_is_empty(&engine->waiting);
    while (engine->turn.batch.count < ENGINE_BATCH_MAX && !list_is_empty(&engine->waiting)) {
        list_append(&engine->turn.batch, list_take_first(&engine->waiting));
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

static void *engine_main(void *argument)
{
    struct engine *engine = argument;
    pthread_setname_np(pthread_self(), "engine");
    struct turn *turn = &engine->turn;
    while (!turn->failed && engine_wait(engine)) {
        turn_run(turn, clock_now_ms(engine->options.clock));
        if (!turn->failed) {
            turn_checkpoint(turn, engine_is_idle(engine));
        }
    }
    if (!turn->failed) {
        turn_end_parked(turn, clock_now_ms(engine->options.clock));
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
    turn_init(&engine->turn, options, clock_now_ms(options->clock));
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
    assert(engine->turn.failed || list_is_empty(&engine->waiting));
    pthread_cond_destroy(&engine->changed);
    pthread_mutex_destroy(&engine->mutex);
    memory_free(engine);
}
