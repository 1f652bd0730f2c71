/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/simulation.h"

#include <inttypes.h>

#include "base/log.h"
#include "base/memory.h"
#include "tests/simulation/actors.h"
#include "tests/support/faulty_vfs.h"

enum { BATCH_MAX = 30, DISK_STEPS_MAX = 200, DISK_MS_MAX = 30000, JUMP_MS_MAX = 7200000, HOURS_MS_MAX = 10800000 };

/* Three queues: one as usual, one with long leases, one where everything goes fast and little fits in. */
static const char yaml[] = "service: {ping_period_ms: 10000, grader_leases_max: 4}\n"
                           "delivery: {lease_ms: 20000, attempts_max: 4, retry_delay_ms: 1000, retry_delay_ms_max: 60000}\n"
                           "callbacks: {timeout_ms: 10000}\n"
                           "queues:\n"
                           "  usual: {lease_ms: 30000, hard_limit_ms: 90000, accept_within_ms: 5000, attempts_max: 3,"
                           " retry_delay_ms: 2000, retry_delay_ms_max: 60000, ready_max: 60}\n"
                           "  long: {lease_ms: 600000, hard_limit_ms: 1800000, attempts_max: 5, retry_delay_ms: 5000,"
                           " retry_delay_ms_max: 120000}\n"
                           "  quick: {lease_ms: 1000, hard_limit_ms: 4000, accept_within_ms: 200, attempts_max: 2,"
                           " retry_delay_ms: 0, retry_delay_ms_max: 0, ready_max: 20}\n";

/* ---- chance ---- */

/* Splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t scramble(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint32_t simulation_roll(struct simulation *simulation, uint32_t sides)
{
    simulation->random = scramble(simulation->random);
    return (uint32_t)(((simulation->random >> 32) * sides) >> 32);
}

/* ---- the world's own steps ---- */

void time_passes(struct simulation *simulation)
{
    static const uint32_t at_most_ms[] = {20, 20, 200, 200, 1000, 1000, 5000, 20000};
    world_turn(&simulation->world);
    uint32_t most_ms = at_most_ms[simulation_roll(simulation, sizeof at_most_ms / sizeof at_most_ms[0])];
    if (simulation_roll(simulation, 300) == 0)
        most_ms = HOURS_MS_MAX;
    uint32_t ms = simulation_roll(simulation, most_ms) + 1;
    if (ms > DISK_MS_MAX) { /* somebody makes room in the meantime */
        world_heal_disk(&simulation->world);
        simulation->disk_left = 0;
    }
    world_pass(&simulation->world, ms, false);
}

void time_passes_asleep(struct simulation *simulation)
{
    int64_t ms = simulation_roll(simulation, simulation_roll(simulation, 4) ? 10000 : HOURS_MS_MAX) + 1;
    trace_add(&simulation->trace, "the process stands still for %" PRId64 " ms", ms);
    world_pass(&simulation->world, ms, true);
}

void service_restarts(struct simulation *simulation)
{
    int64_t jump_ms = 0;
    if (simulation_roll(simulation, 3) == 0)
        jump_ms = (int64_t)simulation_roll(simulation, 2 * JUMP_MS_MAX) - JUMP_MS_MAX;
    if (simulation_roll(simulation, 2))
        world_turn(&simulation->world);
    simulation->jumped_ms += jump_ms < 0 ? -jump_ms : 0;
    trace_add(&simulation->trace, "the service is killed and starts again, the clock is set by %+" PRId64 " ms", jump_ms);
    world_restart(&simulation->world, jump_ms);
}

void disk_breaks(struct simulation *simulation)
{
    static const struct {
        enum faulty_fault fault;
        const char *name;
    } faults[] = {
        {FAULTY_WRITE_FULL, "full"},     {FAULTY_WRITE_FULL, "full"},    {FAULTY_WRITE_QUOTA, "over quota"},
        {FAULTY_WRITE_ERROR, "failing"}, {FAULTY_SYNC_ERROR, "failing"}, {FAULTY_READ_ERROR, "unreadable"},
    };
    size_t at = simulation_roll(simulation, sizeof faults / sizeof faults[0]);
    int nth = (int)simulation_roll(simulation, 40) + 1;
    trace_add(&simulation->trace, "the disk is %s from access %d on", faults[at].name, nth);
    world_break_disk(&simulation->world, (int)faults[at].fault, nth);
    simulation->disk_left = simulation_roll(simulation, DISK_STEPS_MAX) + 1;
}

static void simulation_on_end(void *context, bool committed)
{
    struct simulation *simulation = context;
    trace_add(&simulation->trace, "the process ends%s", committed ? "; its last commit counts" : "");
    simulation->restarts++;
    simulation->disk_left = 0;
    streams_end(simulation);
    model_service_ends(&simulation->model);
}

static void simulation_end_some_lease(struct simulation *simulation)
{
    struct live_lease *lease = lease_table_first(&simulation->world.queues->leases);
    if (lease)
        lease_table_remove(&simulation->world.queues->leases, lease);
}

static void simulation_on_start(void *context)
{
    struct simulation *simulation = context;
    if (simulation->options.sabotage == SABOTAGE_RESTART_ENDS_A_LEASE)
        simulation_end_some_lease(simulation);
    model_service_starts(&simulation->model, &simulation->world.queues->leases);
    sweep(simulation);
}

/* ---- steps ---- */

static const struct {
    const char *name;
    uint32_t weight;
    void (*step)(struct simulation *simulation);
} kinds[] = {
    {"submit", 120, lms_submits},
    {"repeat", 10, lms_repeats},
    {"look", 30, lms_looks},
    {"cancel", 8, lms_cancels},
    {"connect", 12, grader_connects},
    {"vanish", 4, grader_vanishes},
    {"credit", 80, grader_gives_credit},
    {"drain", 3, grader_drains},
    {"silence", 6, grader_falls_silent},
    {"accept", 150, grader_accepts},
    {"renew", 100, grader_renews},
    {"complete", 120, grader_completes},
    {"amend", 8, grader_amends},
    {"fail", 25, grader_fails},
    {"release", 15, grader_releases},
    {"poll", 50, poller_leases},
    {"courier-lease", 50, courier_leases},
    {"courier-answer", 90, courier_answers},
    {"courier-start", 2, courier_starts_anew},
    {"purge", 8, administrator_purges},
    {"requeue", 8, administrator_requeues},
    {"retire", 2, administrator_retires},
    {"requeue-delivery", 8, administrator_requeues_deliveries},
    {"regrade", 8, administrator_regrades},
    {"stop-queue", 6, administrator_stops_queue},
    {"time", 90, time_passes},
    {"sleep", 1, time_passes_asleep},
    {"restart", 1, service_restarts},
    {"disk", 2, disk_breaks},
};

size_t simulation_kind_count(void)
{
    return sizeof kinds / sizeof kinds[0];
}

const char *simulation_kind_name(size_t kind)
{
    return kinds[kind].name;
}

static size_t simulation_choose(struct simulation *simulation)
{
    uint32_t all = 0;
    for (size_t at = 0; at < simulation_kind_count(); at++)
        all += kinds[at].weight;
    uint32_t left = simulation_roll(simulation, all);
    size_t at = 0;
    for (; left >= kinds[at].weight; at++)
        left -= kinds[at].weight;
    return at;
}

static void simulation_end_batch(struct simulation *simulation)
{
    if (simulation->batch_left > 0 && --simulation->batch_left > 0)
        return;
    simulation->batch_left = simulation_roll(simulation, BATCH_MAX) + 1;
    world_turn(&simulation->world);
    sweep_counts(simulation);
    sabotage(simulation);
}

static void simulation_step(struct simulation *simulation, uint64_t step)
{
    const struct simulation_options *options = &simulation->options;
    uint64_t sweep_steps = options->sweep > 0 ? options->sweep : SIMULATION_SWEEP_STEPS;
    simulation->trace.step = step;
    simulation->random = scramble(options->seed) ^ scramble(step);
    if (simulation->world.queues)
        simulation->world.queues->random_state = simulation_roll(simulation, UINT32_MAX) + 1;
    size_t kind = simulation_choose(simulation);
    if ((options->left_out >> kind & 1) == 0)
        kinds[kind].step(simulation);
    if (simulation->disk_left > 0 && --simulation->disk_left == 0) {
        trace_add(&simulation->trace, "the disk works again");
        world_heal_disk(&simulation->world);
    }
    simulation_end_batch(simulation);
    if (step % sweep_steps == sweep_steps - 1) {
        world_turn(&simulation->world);
        sweep(simulation);
    }
    if (step % SIMULATION_SETTLE_STEPS == SIMULATION_SETTLE_STEPS - 1)
        settle(simulation);
}

bool simulation_run(struct simulation *simulation, const struct simulation_options *options)
{
    *simulation = (struct simulation){.options = *options};
    simulation->trace.also = options->trace ? stdout : NULL;
    list_init(&simulation->streams);
    log_configure("simulation", LOG_ERROR, LOG_LOGFMT);
    if (!world_start(&simulation->world, &simulation->trace, yaml))
        return false;
    simulation->world.on_end = simulation_on_end;
    simulation->world.on_start = simulation_on_start;
    simulation->world.context = simulation;
    model_init(&simulation->model, &simulation->trace, simulation->world.config);
    uint64_t end = options->first + options->steps;
    for (uint64_t step = options->first; step < end && simulation->trace.broken == PROMISE_KEPT; step++)
        simulation_step(simulation, step);
    if (simulation->trace.broken == PROMISE_KEPT) {
        simulation->trace.step = end;
        settle(simulation);
    }
    return simulation->trace.broken == PROMISE_KEPT;
}

void simulation_finish(struct simulation *simulation)
{
    if (simulation->world.queues)
        streams_end(simulation);
    world_finish(&simulation->world);
    struct list_node *node = NULL;
    while ((node = list_first(&simulation->streams)) != NULL)
        stream_release(LIST_OWNER(node, struct stream, node));
    model_finish(&simulation->model);
}
