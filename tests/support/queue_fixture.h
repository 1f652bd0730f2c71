/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of the queue over a real store, without threads and in virtual time: the test is the engine. Everything that is
 * done stands in a turn, one transaction with its tick and its notices; the helpers make a turn of their own unless the test
 * has begun one. They fail the running test (cmocka) when something answers what it should not.
 *
 *     int64_t id = lms_submits(queue, "demo", "print(1)");
 *     grader_connects(queue, &grader, "g", "start-1", 5);
 *     grader_gives_credit(queue, &grader, 1);
 *     struct told grant = grader_hears(&grader, GRADER_NOTICE_GRANT);
 *     assert_int_equal(grader_completes(queue, grant.lease, "right"), STATUS_OK);
 *
 * Threading: the test's thread.
 */
#ifndef TESTS_SUPPORT_QUEUE_FIXTURE_H
#define TESTS_SUPPORT_QUEUE_FIXTURE_H

#include "base/config.h"
#include "service/delivering.h"
#include "service/grading.h"
#include "service/queue.h"
#include "service/submitting.h"
#include "service/work_session.h"

#define QUEUE_FIXTURE_START_MS INT64_C(1000000)
enum { QUEUE_FIXTURE_TOLD_MAX = 256 };

struct queue_fixture {
    char folder[64];
    char path[96];
    struct config *config; /* owned */
    struct store *store;   /* owned; NULL while stopped */
    struct queues *queues; /* owned; NULL while stopped */
    int64_t now_ms;
    bool in_turn;
    struct error error; /* of the last helper that answered something else than STATUS_OK */
};

/* A lease by value. */
struct lease {
    int64_t id;
    char key[LEASE_KEY_LENGTH + 1];
};

/* A notice that a grader got. grant: what counts of it is copied; the content is not there any more. */
struct told {
    struct grader_notice notice;
    struct lease lease;
    int64_t attempt;
    size_t body_length;
};

/* A connected grader that keeps what it is told. */
struct scripted_grader {
    struct grader_link link; /* first member */
    struct work_session *session;
    bool finished;
    size_t first; /* the oldest that was not looked at */
    size_t count;
    struct told told[QUEUE_FIXTURE_TOLD_MAX];
};

/* ---- the queue as a whole ---- */

/* yaml: the configuration's text; NULL: one queue "demo" with a lease of 60 s. */
struct queue_fixture *queue_fixture_create(const char *yaml);
void queue_fixture_destroy(struct queue_fixture *fixture);
/* Stops without a word, as a killed process does, and starts again with what is on disk. */
void queue_fixture_restart(struct queue_fixture *fixture);

void turn_begins(struct queue_fixture *fixture);
void turn_ends(struct queue_fixture *fixture);                  /* tick, commit, notices */
void turn_fails(struct queue_fixture *fixture);                 /* the disk is full: everything is rolled back */
void clock_advances(struct queue_fixture *fixture, int64_t ms); /* and a turn */
/* Goes on to when the next thing is due, but not by more than ms. */
void clock_advances_to_due(struct queue_fixture *fixture, int64_t ms);

/* Memory says what the store says, and no grader holds more than it may. In no turn. */
void queue_fixture_check(struct queue_fixture *fixture);

/* ---- submitters ---- */

/* An order with all fields set; change what matters. Borrows body. */
struct submit_order submission_of(const char *queue, const char *body);
enum status lms_tries(struct queue_fixture *fixture, const struct submit_order *order, struct submit_receipt *out_receipt);
int64_t lms_submits(struct queue_fixture *fixture, const char *queue, const char *body);
int64_t lms_submits_with_key(struct queue_fixture *fixture, const char *queue, const char *replace_key);
struct store_submission submission_now(struct queue_fixture *fixture, int64_t id);
enum submission_state state_of(struct queue_fixture *fixture, int64_t id);

/* ---- graders ---- */

enum status grader_tries_hello(struct queue_fixture *fixture, struct scripted_grader *grader, const struct work_hello *hello,
                               struct held_answer *answers);
/* For the queue "demo", holding nothing. */
void grader_connects(struct queue_fixture *fixture, struct scripted_grader *grader, const char *name, const char *instance,
                     int64_t slots);
void grader_vanishes(struct queue_fixture *fixture, struct scripted_grader *grader);
void grader_gives_credit(struct queue_fixture *fixture, struct scripted_grader *grader, int64_t submissions);
/* The oldest notice, which must be of that kind. */
struct told grader_hears(struct scripted_grader *grader, enum grader_notice_kind kind);
void grader_hears_nothing(const struct scripted_grader *grader);
/* A grant that is accepted at once. */
struct lease grader_takes(struct queue_fixture *fixture, struct scripted_grader *grader);

/* One lease by a unary call; its id is 0 when there was none. */
struct lease poller_leases(struct queue_fixture *fixture, const char *grader, int64_t slots);
enum status grader_accepts(struct queue_fixture *fixture, struct lease lease);
enum status grader_renews(struct queue_fixture *fixture, struct lease lease, int64_t *out_expires_in_ms);
enum status grader_releases(struct queue_fixture *fixture, struct lease lease, int64_t delay_ms);
enum status grader_completes(struct queue_fixture *fixture, struct lease lease, const char *result);
enum status grader_amends(struct queue_fixture *fixture, struct lease lease, const char *result,
                          struct grading_completion *out);
/* TRANSIENT. out_ready_after_ms may be NULL. */
enum status grader_fails(struct queue_fixture *fixture, struct lease lease, int64_t *out_ready_after_ms);
enum status grader_gives_up(struct queue_fixture *fixture, struct lease lease, const char *message);

/* ---- couriers ---- */

/* One delivery on the channel ""; row.submission_id is 0 when nothing is due. Contents are freed already. */
struct store_delivery courier_leases(struct queue_fixture *fixture, const char *instance);
enum status courier_acknowledges(struct queue_fixture *fixture, const struct store_delivery *delivery);
enum status courier_fails(struct queue_fixture *fixture, const struct store_delivery *delivery,
                          struct delivery_failure *failure);
/* STATUS_NOT_FOUND: none. */
enum status delivery_of(struct queue_fixture *fixture, int64_t id, struct store_delivery *out_row);
void assert_delivery(struct queue_fixture *fixture, int64_t id, enum delivery_state state, enum delivery_outcome outcome);

#endif
