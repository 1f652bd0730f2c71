/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run of the simulation: a service, its clients, and a seed that decides what everybody does. Each step's choices come from
 * the seed and the step's number alone, so that any part of a run can be had by itself: the smallest part that still fails is
 * the one that somebody wants to read.
 *
 * Threading: one run, one thread.
 */
#ifndef TESTS_SIMULATION_SIMULATION_H
#define TESTS_SIMULATION_SIMULATION_H

#include "tests/simulation/model.h"
#include "tests/simulation/world.h"

enum {
    SIMULATION_LMS = 3,
    SIMULATION_QUEUES = MODEL_QUEUES,
    SIMULATION_COURIER_MEMORY = 32,
    SIMULATION_SWEEP_STEPS = 1000,
    SIMULATION_SETTLE_STEPS = 25000,
};

/* What a test breaks on purpose, to see that it is noticed. */
enum sabotage {
    SABOTAGE_NONE,
    SABOTAGE_LOSES_A_SUBMISSION,
    SABOTAGE_KEEPS_AN_UNACKNOWLEDGED_ONE,
    SABOTAGE_GRANTS_TWICE,
    SABOTAGE_TAKES_A_STALE_KEY,
    SABOTAGE_CHANGES_A_RESULT,
    SABOTAGE_COUNTS_A_RESULT_TWICE,
    SABOTAGE_IGNORES_CREDIT,
    SABOTAGE_IGNORES_THE_LIMIT,
    SABOTAGE_RESTART_ENDS_A_LEASE,
    SABOTAGE_ENDS_A_LEASE_EARLY,
    SABOTAGE_DELIVERS_AGAIN,
    SABOTAGE_FORGETS_A_DELIVERY,
    SABOTAGE_FORGETS_A_SUBMISSION,
    SABOTAGE_MISCOUNTS,
    SABOTAGE_IGNORES_STUDENTS,
    SABOTAGE_IGNORES_LABELS,
    SABOTAGE_END
};

struct simulation_options {
    uint64_t seed;
    uint64_t first;    /* step to begin with: 0 */
    uint64_t steps;    /* how many */
    uint64_t left_out; /* bits of step kinds that do nothing */
    uint64_t sweep;    /* a full comparison every so many steps; 0 = SIMULATION_SWEEP_STEPS */
    bool trace;        /* print every line */
    enum sabotage sabotage;
};

/* A stream of a grader; several of one name only while the service has not noticed that the older is gone. */
struct stream {
    struct grader_link link; /* first */
    struct simulation *simulation;
    struct list_node node;
    int references; /* the list's, and one per ask */
    int grader;
    int instance;
    uint64_t number;
    int64_t slots;
    struct work_session *session; /* NULL: not yet, or not any more */
    bool welcome;
    bool draining;
    bool silent;
    int64_t quiet_until_ms; /* it was told that nothing is granted to it until then */
    int64_t credit;         /* as told, less what was granted since */
    bool has_byte_credit;
    int64_t bytes;
};

/* A delivery lease that a courier was given. */
struct bringing {
    int64_t id;
    char key[LEASE_KEY_LENGTH + 1];
};

struct simulation {
    struct simulation_options options;
    struct trace trace;
    struct world world;
    struct model model;
    uint64_t random;
    bool calm;                             /* everybody behaves: what is open comes to its end */
    struct list streams;                   /* of struct stream */
    struct stream *current[MODEL_GRADERS]; /* the newest of each grader; NULL: not connected */
    int instances[MODEL_GRADERS];
    uint64_t stream_count;
    int courier_instance;
    struct bringing bringings[SIMULATION_COURIER_MEMORY];
    uint64_t bringing_count;
    uint64_t batch_left; /* steps until the next turn */
    uint64_t disk_left;  /* steps until the disk is healed; 0: it works */
    int64_t jumped_ms;   /* by which clocks were set back since the last settling */
    bool sabotaged;
    uint64_t restarts;
    uint64_t settlings;
};

/* Runs; true when every promise was kept. simulation is left for a report; simulation_finish frees. */
bool simulation_run(struct simulation *simulation, const struct simulation_options *options);
void simulation_finish(struct simulation *simulation);

/* 0 to sides - 1. */
uint32_t simulation_roll(struct simulation *simulation, uint32_t sides);

size_t simulation_kind_count(void);
const char *simulation_kind_name(size_t kind);

#endif
