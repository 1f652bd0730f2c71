/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A greedy student hands in far more than anybody else, and a moment later another student hands in one. For how many of the
 * greedy one's does the other have to wait? Not for more than 2 + 8.5 ln(1 + t / 8c), says the rule (service/rules/order.h),
 * where t is the time between and c what one costs; without fairness it would be all of them.
 */
#include <inttypes.h>

#include "tests/simulation/actors.h"

enum {
    FAIR_MANY = 30,
    FAIR_BOUND = 8,       /* for t = FAIR_PAUSE_MS, and c = 1 ms, the least that there is */
    FAIR_PAUSE_MS = 8,    /* at most, before the other student comes */
    FAIR_QUEUE = 1,       /* where there is room for them */
    FAIR_STUDENTS = 1000, /* from here on: nobody else's, two for each trial */
    FAIR_ROUNDS_MAX = 1000,
};

static const struct model_submission *fair_find(const struct simulation *simulation, int student)
{
    for (size_t at = 0; at < simulation->model.count; at++) {
        if (simulation->model.items[at]->student == student)
            return simulation->model.items[at];
    }
    return NULL;
}

/* How many of the student's were granted between these leases. */
static int64_t fair_count(const struct simulation *simulation, int student, uint32_t after, uint32_t before)
{
    int64_t count = 0;
    for (size_t at = 0; at < simulation->model.count; at++) {
        const struct model_submission *submission = simulation->model.items[at];
        uint32_t number = submission->grants > 0 ? submission->leases[0].number : 0;
        count += submission->student == student && number > after && number < before;
    }
    return count;
}

void student_hands_in_a_lot(struct simulation *simulation)
{
    struct world *world = &simulation->world;
    int greedy = FAIR_STUDENTS + 2 * (int)simulation->settlings;
    int other = greedy + 1;
    for (int count = 0; count < FAIR_MANY; count++)
        lms_submits_for(simulation, FAIR_QUEUE, greedy);
    world_turn(world);
    int64_t pause_ms = simulation_roll(simulation, FAIR_PAUSE_MS + 1);
    world_pass(world, pause_ms, false);
    uint32_t arrival = simulation->model.lease_numbers;
    lms_submits_for(simulation, FAIR_QUEUE, other);
    world_turn(world);
    const struct model_submission *waits = fair_find(simulation, other);
    for (int round = 0; waits && waits->grants == 0 && round < FAIR_ROUNDS_MAX; round++) {
        grader_is_there(simulation, 0);
        world_turn(world);
        world_pass(world, 1000, false);
    }
    if (!waits || waits->grants == 0)
        return; /* settling will find it */
    int64_t before = fair_count(simulation, greedy, arrival, waits->leases[0].number);
    trace_add(&simulation->trace, "a student who came %" PRId64 " ms later waited for %" PRId64 " of a greedy one", pause_ms,
              before);
    if (before > FAIR_BOUND)
        trace_break(&simulation->trace, PROMISE_FAIR, "a student waited for %" PRId64 " of a greedy one, %d are fair", before,
                    FAIR_BOUND);
}
