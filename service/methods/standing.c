/* SPDX-License-Identifier: Apache-2.0 */
#include "service/methods/standing.h"

#include "base/memory.h"

void standing_keep(struct standing *standing)
{
    atomic_fetch_add(&standing->references, 1);
}

void standing_release(struct standing *standing)
{
    if (atomic_fetch_sub(&standing->references, 1) == 1) {
        rpc_server_call_release(standing->call);
        standing->steps->finish(standing);
    }
}

static struct engine *standing_engine(const struct standing *standing)
{
    return method_service(standing->call)->engine;
}

/* ---- looking and saying ---- */

/* How long something may stay unread. */
static int64_t standing_patience_us(const struct standing *standing)
{
    return method_service(standing->call)->config->service.stream_unread_ms * 1000;
}

/*
 * Notes since when the peer has not read on. By the monotonic clock itself: what the peer does takes its own time, also where a
 * test makes the service's go faster.
 */
static void standing_note_unread(struct standing *standing)
{
    int64_t now_us = clock_monotonic_us();
    atomic_store(&standing->waits_for_reader, true); /* before looking, or what is read meanwhile would wake nobody */
    size_t bytes = rpc_server_call_unsent_bytes(standing->call);
    if (bytes == 0) {
        atomic_store(&standing->waits_for_reader, false);
        standing->unread_at_us = 0;
    } else if (standing->unread_at_us == 0 || bytes < standing->unread_bytes) {
        standing->unread_at_us = now_us;
    }
    standing->unread_bytes = bytes;
    standing->unread = standing->unread_at_us > 0 && now_us - standing->unread_at_us >= standing_patience_us(standing);
}

static enum engine_step standing_look(struct engine_command *command, struct queues *queues)
{
    struct standing *standing = LIST_OWNER(command, struct standing, command);
    standing->timed_out = command->timed_out;
    command->timed_out = false;
    standing->gone = standing->gone || rpc_server_call_is_over(standing->call);
    standing->draining = queues->stopping;
    standing_note_unread(standing);
    if (standing->gone || standing->draining || standing->unread) {
        return ENGINE_DONE;
    }
    return standing->steps->look(standing, queues);
}

/* True: another look follows. */
static bool standing_goes_on(struct standing *standing, enum status committed, const struct error *error)
{
    if (standing->gone) {
        return false;
    }
    if (standing->draining) {
        struct error end;
        enum status status = error_set(&end, STATUS_UNAVAILABLE, "DRAINING", "the service is stopping; come again");
        rpc_server_call_finish(standing->call, status, &end);
        return false;
    }
    if (standing->unread) {
        method_end_slow_reader(standing->call);
        return false;
    }
    return standing->steps->say(standing, committed, error);
}

static void standing_said(struct engine_command *command, enum status committed, const struct error *error)
{
    struct standing *standing = LIST_OWNER(command, struct standing, command);
    if (standing_goes_on(standing, committed, error)) {
        engine_submit_ending(standing_engine(standing), &standing->command);
    } else {
        standing_release(standing);
    }
}

bool standing_may_say(const struct standing *standing)
{
    return standing->unread_at_us == 0;
}

enum engine_step standing_park(struct standing *standing, struct queues *queues, struct list *polls, int64_t deadline_ms)
{
    if (standing->unread_at_us > 0) {
        int64_t left_us = standing->unread_at_us + standing_patience_us(standing) - clock_monotonic_us();
        int64_t patience_ms = clock_add_ms(queues->now_ms, left_us > 0 ? left_us / 1000 + 1 : 1);
        deadline_ms = patience_ms < deadline_ms ? patience_ms : deadline_ms;
    }
    queues_park(queues, &standing->command, polls, deadline_ms);
    return ENGINE_PARK;
}

void standing_wake(struct standing *standing, struct queues *queues)
{
    queues_unpark(queues, &standing->command);
}

/* ---- beginning and end ---- */

static enum engine_step standing_leave(struct engine_command *command, struct queues *queues)
{
    struct standing *standing = LIST_OWNER(command, struct standing, closing);
    standing->gone = true;
    standing->steps->leave(standing, queues);
    standing_wake(standing, queues);
    return ENGINE_DONE;
}

static void standing_left(struct engine_command *command, enum status committed, const struct error *error)
{
    (void)committed; /* nothing of it is in the store */
    (void)error;
    standing_release(LIST_OWNER(command, struct standing, closing));
}

void standing_begin(struct standing *standing, struct rpc_server_call *call, const struct standing_steps *steps)
{
    standing->steps = steps;
    standing->call = call;
    rpc_server_call_keep(call);
    atomic_init(&standing->references, 2); /* the looks, and the open call */
    atomic_init(&standing->waits_for_reader, false);
    standing->command.run = standing_look;
    standing->command.done = standing_said;
    standing->closing.run = standing_leave;
    standing->closing.done = standing_left;
    rpc_server_call_set_data(call, standing);
    engine_submit_ending(standing_engine(standing), &standing->command);
}

void standing_on_close(struct rpc_server_call *call)
{
    struct standing *standing = rpc_server_call_data(call);
    if (standing) {
        engine_submit_ending(standing_engine(standing), &standing->closing);
    }
}

/* ---- the peer has read everything ---- */

struct standing_drain {
    struct engine_command command;
    struct standing *standing; /* counted */
};

static enum engine_step standing_drain_run(struct engine_command *command, struct queues *queues)
{
    standing_wake(((struct standing_drain *)command)->standing, queues);
    return ENGINE_DONE;
}

static void standing_drain_done(struct engine_command *command, enum status committed, const struct error *error)
{
    (void)committed; /* nothing of it is in the store */
    (void)error;
    standing_release(((struct standing_drain *)command)->standing);
    memory_free(command);
}

void standing_on_drained(struct rpc_server_call *call)
{
    struct standing *standing = rpc_server_call_data(call);
    if (standing && atomic_exchange(&standing->waits_for_reader, false)) {
        struct standing_drain *drain = MEMORY_NEW(struct standing_drain);
        drain->command.run = standing_drain_run;
        drain->command.done = standing_drain_done;
        drain->standing = standing;
        standing_keep(standing);
        engine_submit_ending(standing_engine(standing), &drain->command);
    }
}
