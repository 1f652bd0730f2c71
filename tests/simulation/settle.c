/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a day: nothing fails any more, graders and couriers do what they should, and time passes. Whatever was submitted
 * must come to a final state, and be delivered or given up, within what the longest waits of the configuration add up to.
 */
#include <inttypes.h>

#include "tests/simulation/actors.h"

enum { SETTLE_STEP_MS = 1000, SETTLE_LONG_STEP_MS = 30000, SETTLE_SWEEP_ROUNDS = 20, SETTLE_GRADERS = 2 };

static bool is_final(const struct model_submission *submission)
{
    const struct model_delivery *delivery = &submission->delivery;
    return submission->fate != FATE_LIVE && (delivery->bringing != BRINGING_DUE || delivery->loose);
}

static struct model_submission *find_open(struct simulation *simulation)
{
    struct model *model = &simulation->model;
    for (size_t at = 0; at < model->count; at++) {
        if (!is_final(model->items[at]))
            return model->items[at];
    }
    return NULL;
}

/* A lease that nobody renews, with grace after a start; every pause that somebody may have asked for; what clocks lost. */
static int64_t settle_bound_ms(const struct simulation *simulation)
{
    const struct config *config = simulation->world.config;
    int64_t longest_ms = 0;
    for (size_t at = 0; at < config->queue_count; at++) {
        const struct config_queue *queue = &config->queues[at];
        int64_t lease_ms = queue->hard_limit_ms + 2 * queue->lease_ms + queue->retry_delay_ms_max;
        longest_ms = lease_ms > longest_ms ? lease_ms : longest_ms;
    }
    return longest_ms + config->delivery.lease_ms + config->delivery.retry_delay_ms_max + config->service.grader_quiet_ms_max +
           20 * INT64_C(60000) + simulation->jumped_ms;
}

static void settle_begins(struct simulation *simulation)
{
    world_heal_disk(&simulation->world);
    simulation->disk_left = 0;
    administrator_lets_all_queues_go(simulation);
    world_turn(&simulation->world);
    simulation->calm = true;
    for (int grader = 0; grader < MODEL_GRADERS; grader++) {
        if (simulation->current[grader])
            simulation->current[grader]->silent = true; /* unless it is one of those that work */
    }
}

static void settle_everything(struct simulation *simulation)
{
    struct world *world = &simulation->world;
    int64_t end_ms = world->now_ms + settle_bound_ms(simulation);
    for (int rounds = 0; world->now_ms < end_ms && simulation->trace.broken == PROMISE_KEPT; rounds++) {
        for (int grader = 0; grader < SETTLE_GRADERS; grader++)
            grader_is_there(simulation, grader);
        courier_takes_all(simulation);
        world_turn(world);
        world_turn(world);
        /* What died of old age, and nobody is to be told of, shows in the store alone. */
        if (rounds % SETTLE_SWEEP_ROUNDS == 0)
            sweep(simulation);
        if (!find_open(simulation))
            break;
        world_pass(world, rounds < SETTLE_SWEEP_ROUNDS ? SETTLE_STEP_MS : SETTLE_LONG_STEP_MS, false);
    }
    sweep(simulation);
    const struct model_submission *open = find_open(simulation);
    if (open)
        trace_break(&simulation->trace, PROMISE_FINAL, "%" PRId64 " is not final after all that time: fate %d, bringing %d",
                    open->id, (int)open->fate, (int)open->delivery.bringing);
}

void settle(struct simulation *simulation)
{
    settle_begins(simulation);
    trace_add(&simulation->trace, "from here on everybody behaves");
    settle_everything(simulation);
    student_hands_in_a_lot(simulation);
    settle_everything(simulation);
    simulation->calm = false;
    simulation->jumped_ms = 0;
    simulation->settlings++;
}
