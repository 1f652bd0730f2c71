/* SPDX-License-Identifier: Apache-2.0 */
/* Couriers: bring outcomes to LMSs that are down half of the time, forget to answer, vanish, start anew. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "tests/simulation/actors.h"

enum { TAKEN_MAX = 4, RETRY_MS_MAX = 30000 };

struct take_ask {
    struct ask ask; /* first */
    struct simulation *simulation;
    int instance;
    int channel;
    size_t max;
    int64_t wait_ms;
    int64_t deadline_ms;
    size_t count;
    struct model_bringing_lease taken[TAKEN_MAX];
};

static void take_keep(struct take_ask *take, struct delivery_lease *lease)
{
    char body[32] = "";
    struct model_bringing_lease *kept = &take->taken[take->count++];
    kept->row = lease->row;
    if (lease->result.body_length < sizeof body && lease->result.body)
        memcpy(body, lease->result.body, lease->result.body_length);
    kept->result = 0;
    (void)sscanf(body, "%" SCNu64, &kept->result);
    delivery_lease_finish(lease);
}

static enum status take_run(struct ask *ask, struct queues *queues)
{
    struct take_ask *take = (struct take_ask *)ask;
    struct delivery_lease *leases = memory_allocate_array(TAKEN_MAX, sizeof *leases);
    char instance[16];
    size_t count = 0;
    if (take->instance != take->simulation->courier_instance) { /* the caller is gone */
        memory_free(leases);
        return STATUS_CANCELED;
    }
    snprintf(instance, sizeof instance, "%d", take->instance);
    const struct delivery_order order = {
        .courier = take->channel ? "channel" : "courier",
        .instance = instance,
        .channel = take->channel ? "results" : "",
        .max = take->max,
        .bytes_max = 1000000,
    };
    enum status status = delivering_lease(queues, &order, leases, &count);
    take->count = 0;
    for (size_t at = 0; at < count; at++)
        take_keep(take, &leases[at]);
    memory_free(leases);
    if (status != STATUS_OK || count > 0 || take->wait_ms == 0 || ask->command.timed_out || queues->stopping)
        return status;
    if (take->deadline_ms == 0)
        take->deadline_ms = queues->now_ms + take->wait_ms;
    queues_park(queues, &ask->command, &queues->delivery_polls, take->deadline_ms);
    ask->parked = true;
    return STATUS_OK;
}

static void courier_answers_one(struct simulation *simulation, const struct bringing *bringing, bool well);

static void take_told(struct ask *ask, bool stored)
{
    struct take_ask *take = (struct take_ask *)ask;
    struct simulation *simulation = take->simulation;
    if (!stored || ask->status == STATUS_CANCELED)
        return;
    model_courier_instance(&simulation->model, take->channel, take->instance);
    for (size_t at = 0; at < take->count; at++) {
        const struct model_bringing_lease *taken = &take->taken[at];
        trace_add(&simulation->trace, "courier %d takes the outcome of %" PRId64 ", %s, generation %" PRId64, take->instance,
                  taken->row.submission_id, delivery_outcome_name(taken->row.outcome), taken->row.generation);
        model_taken(&simulation->model, taken, take->instance);
        struct bringing *bringing = &simulation->bringings[simulation->bringing_count++ % SIMULATION_COURIER_MEMORY];
        bringing->id = taken->row.submission_id;
        memcpy(bringing->key, taken->row.lease_key, sizeof bringing->key);
        if (simulation->calm)
            courier_answers_one(simulation, bringing, true);
    }
}

static void courier_leases_channel(struct simulation *simulation, int channel, size_t max, int64_t wait_ms)
{
    struct take_ask *take = world_new_ask(&simulation->world, sizeof *take);
    take->ask.run = take_run;
    take->ask.told = take_told;
    take->simulation = simulation;
    take->instance = simulation->courier_instance;
    take->channel = channel;
    take->max = max;
    take->wait_ms = wait_ms;
    world_ask(&take->ask);
}

void courier_leases(struct simulation *simulation)
{
    int channel = (int)simulation_roll(simulation, 2);
    size_t max = simulation_roll(simulation, TAKEN_MAX) + 1;
    courier_leases_channel(simulation, channel, max,
                           simulation_roll(simulation, 4) ? 0 : simulation_roll(simulation, 20000) + 1);
}

void courier_takes_all(struct simulation *simulation)
{
    courier_leases_channel(simulation, 0, TAKEN_MAX, 0);
    courier_leases_channel(simulation, 1, TAKEN_MAX, 0);
}

void courier_starts_anew(struct simulation *simulation)
{
    simulation->courier_instance++;
}

/* ---- answering ---- */

struct answer_ask {
    struct ask ask; /* first */
    struct simulation *simulation;
    struct bringing bringing;
    bool well;
    bool already;
    struct delivery_failure failure;
};

static enum status answer_run(struct ask *ask, struct queues *queues)
{
    struct answer_ask *answer = (struct answer_ask *)ask;
    const struct bringing *bringing = &answer->bringing;
    if (answer->well)
        return delivering_acknowledge(queues, bringing->id, bringing->key, &answer->already, &ask->error);
    return delivering_fail(queues, bringing->id, bringing->key, &answer->failure, &ask->error);
}

static void answer_told(struct ask *ask, bool stored)
{
    struct answer_ask *answer = (struct answer_ask *)ask;
    const struct bringing *bringing = &answer->bringing;
    struct model *model = &answer->simulation->model;
    if (!stored)
        return;
    trace_add(ask->world->trace, "the LMS %s the outcome of %" PRId64 ": %s", answer->well ? "has" : "does not take",
              bringing->id, status_name(ask->status));
    if (answer->well)
        model_acknowledged(model, bringing->id, bringing->key, ask->status, answer->already);
    else
        model_delivery_failed(model, bringing->id, bringing->key, ask->status, &answer->failure);
}

static void courier_answers_one(struct simulation *simulation, const struct bringing *bringing, bool well)
{
    struct answer_ask *answer = world_new_ask(&simulation->world, sizeof *answer);
    answer->ask.run = answer_run;
    answer->ask.told = answer_told;
    answer->simulation = simulation;
    answer->bringing = *bringing;
    answer->well = well;
    answer->failure = (struct delivery_failure){.message = "LMS down"};
    if (!well) {
        answer->failure.permanent = simulation_roll(simulation, 12) == 0;
        answer->failure.uncounted = simulation_roll(simulation, 4) == 0;
        answer->failure.retry_after_ms = simulation_roll(simulation, 2) ? 0 : simulation_roll(simulation, RETRY_MS_MAX);
    }
    world_ask(&answer->ask);
}

void courier_answers(struct simulation *simulation)
{
    uint64_t known =
        simulation->bringing_count < SIMULATION_COURIER_MEMORY ? simulation->bringing_count : SIMULATION_COURIER_MEMORY;
    if (known == 0)
        return;
    uint64_t window = simulation_roll(simulation, 6) == 0 || known < 6 ? known : 6;
    uint64_t at = simulation->bringing_count - 1 - simulation_roll(simulation, (uint32_t)window);
    courier_answers_one(simulation, &simulation->bringings[at % SIMULATION_COURIER_MEMORY],
                        simulation_roll(simulation, 3) != 0);
}
