/* SPDX-License-Identifier: Apache-2.0 */
#include "service/methods/periodic.h"

#include "base/memory.h"

static void periodic_release(struct periodic *periodic)
{
    if (atomic_fetch_sub(&periodic->references, 1) > 1) {
        return;
    }
    if (periodic->steps->finish) {
        periodic->steps->finish(periodic);
    }
    rpc_message_free(periodic->message);
    rpc_server_call_release(periodic->call);
    memory_free(periodic);
}

/* ---- a turn ---- */

static enum status periodic_enter(struct periodic *periodic, struct queues *queues)
{
    periodic->queues = queues;
    if (queues->stopping) {
        return error_set(&periodic->error, STATUS_UNAVAILABLE, "DRAINING", "the service is stopping");
    }
    if (!periodic->is_counted && queues->periodic_count >= PERIODIC_STREAMS_MAX) {
        return error_set(&periodic->error, STATUS_FULL, "WATCHES_FULL", "there are %d such streams already",
                         PERIODIC_STREAMS_MAX);
    }
    if (!periodic->is_counted) {
        periodic->is_counted = true;
        queues->periodic_count++;
    }
    return STATUS_OK;
}

static enum engine_step periodic_run(struct engine_command *command, struct queues *queues)
{
    struct periodic *periodic = LIST_OWNER(command, struct periodic, turn);
    periodic->has_looked = false;
    periodic->status = periodic->is_gone ? STATUS_CANCELED : periodic_enter(periodic, queues);
    if (periodic->status != STATUS_OK) {
        return ENGINE_DONE;
    }
    if (queues->now_ms < periodic->due_ms) {
        queues_park(queues, command, &queues->periodic, periodic->due_ms);
        return ENGINE_PARK;
    }
    periodic->status = periodic->steps->look(periodic, queues);
    periodic->has_looked = true;
    periodic->due_ms = clock_add_ms(queues->now_ms, periodic->period_ms);
    return ENGINE_DONE;
}

static void periodic_over(struct periodic *periodic, enum status status, const struct error *error)
{
    if (periodic->is_counted) {
        periodic->queues->periodic_count--;
    }
    rpc_server_call_finish(periodic->call, status, error); /* no effect when it is over */
    periodic_release(periodic);
}

static void periodic_done(struct engine_command *command, enum status committed, const struct error *error)
{
    struct periodic *periodic = LIST_OWNER(command, struct periodic, turn);
    if (committed != STATUS_OK) {
        periodic_over(periodic, committed, error); /* what was seen is not so */
        return;
    }
    if (periodic->status != STATUS_OK) {
        periodic_over(periodic, periodic->status, &periodic->error);
        return;
    }
    if (periodic->has_looked && (!method_goes_on(periodic->call) || !periodic->steps->tell(periodic))) {
        periodic_over(periodic, STATUS_OK, NULL);
        return;
    }
    if (engine_submit(method_service(periodic->call)->engine, &periodic->turn) != STATUS_OK) {
        struct error busy;
        enum status status = error_set(&busy, STATUS_UNAVAILABLE, "ENGINE_BUSY", "too many calls are waiting");
        periodic_over(periodic, status, &busy);
    }
}

/* ---- beginning and end ---- */

static enum engine_step periodic_end_run(struct engine_command *command, struct queues *queues)
{
    struct periodic *periodic = LIST_OWNER(command, struct periodic, end);
    periodic->is_gone = true;
    queues_unpark(queues, &periodic->turn);
    return ENGINE_DONE;
}

static void periodic_end_done(struct engine_command *command, enum status committed, const struct error *error)
{
    (void)committed; /* nothing of it is in the store */
    (void)error;
    periodic_release(LIST_OWNER(command, struct periodic, end));
}

void periodic_start(struct rpc_server_call *call, struct rpc_message *message, const struct periodic_steps *steps,
                    int64_t period_ms)
{
    struct periodic *periodic = memory_allocate(steps->size);
    periodic->turn.run = periodic_run;
    periodic->turn.done = periodic_done;
    periodic->end.run = periodic_end_run;
    periodic->end.done = periodic_end_done;
    periodic->steps = steps;
    periodic->call = call;
    rpc_server_call_keep(call);
    periodic->message = message;
    periodic->period_ms = period_ms;
    atomic_init(&periodic->references, 2);
    rpc_server_call_set_data(call, periodic);
    /* Its end must come by the engine whatever happens now: on_close asks for it. */
    engine_submit_ending(method_service(call)->engine, &periodic->turn);
}

void periodic_on_close(struct rpc_server_call *call)
{
    struct periodic *periodic = rpc_server_call_data(call);
    if (periodic) {
        engine_submit_ending(method_service(call)->engine, &periodic->end);
    }
}
