/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who does something in a simulation. Each function is one step: it asks something of the service, or does something to it;
 * what is answered goes to the model.
 *
 * Threading: one run, one thread.
 */
#ifndef TESTS_SIMULATION_ACTORS_H
#define TESTS_SIMULATION_ACTORS_H

#include "tests/simulation/simulation.h"

/* ---- LMSs ---- */
void lms_submits(struct simulation *simulation);
void lms_repeats(struct simulation *simulation);
void lms_looks(struct simulation *simulation);
void lms_cancels(struct simulation *simulation);
/* One of that student's, with nothing special. */
void lms_submits_for(struct simulation *simulation, int queue, int student);
void student_hands_in_a_lot(struct simulation *simulation);

/* ---- graders, on streams ---- */
void grader_connects(struct simulation *simulation);
void grader_vanishes(struct simulation *simulation);
void grader_gives_credit(struct simulation *simulation);
void grader_drains(struct simulation *simulation);
void grader_falls_silent(struct simulation *simulation);
/* A steady one: connects if need be, and gives credit. */
void grader_is_there(struct simulation *simulation, int grader);
void stream_release(struct stream *stream);
/* The process of the service has ended: so have all streams. */
void streams_end(struct simulation *simulation);
/* Is there a stream of that grader that the service knows? Its slots; 0: none. */
int64_t streams_slots(const struct simulation *simulation, int grader);

/* ---- graders, whichever way they came to their lease ---- */
void grader_accepts(struct simulation *simulation);
void grader_renews(struct simulation *simulation);
void grader_completes(struct simulation *simulation);
void grader_amends(struct simulation *simulation);
void grader_fails(struct simulation *simulation);
void grader_releases(struct simulation *simulation);
/* Accepts and completes that one. */
void grader_does(struct simulation *simulation, int64_t id, const char *key);

/* ---- pollers ---- */
void poller_leases(struct simulation *simulation);

/* ---- couriers ---- */
void courier_leases(struct simulation *simulation);
void courier_answers(struct simulation *simulation);
void courier_starts_anew(struct simulation *simulation);
void courier_takes_all(struct simulation *simulation);

/* ---- administrators ---- */
void administrator_purges(struct simulation *simulation);
void administrator_requeues(struct simulation *simulation);
void administrator_retires(struct simulation *simulation);
void administrator_requeues_deliveries(struct simulation *simulation);
void administrator_regrades(struct simulation *simulation);
/* One is paused or drained, or not any more. */
void administrator_stops_queue(struct simulation *simulation);
void administrator_lets_all_queues_go(struct simulation *simulation);

/* ---- the world ---- */
void time_passes(struct simulation *simulation);
void time_passes_asleep(struct simulation *simulation);
void service_restarts(struct simulation *simulation);
void disk_breaks(struct simulation *simulation);

/* Everything is compared: each submission with the store, memory with the store. */
void sweep(struct simulation *simulation);
/* Memory and store alone. */
void sweep_counts(struct simulation *simulation);
/* Everybody behaves until nothing is open. */
void settle(struct simulation *simulation);
/* Breaks what options.sabotage says, once, when there is an occasion. */
void sabotage(struct simulation *simulation);
const char *sabotage_name(enum sabotage sabotage);
enum promise sabotage_breaks(enum sabotage sabotage);

#endif
