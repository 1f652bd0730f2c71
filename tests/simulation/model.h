/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the clients of the service were told, and what follows from it: an own account of every submission, lease and delivery,
 * made of answers alone and never of what the service has in memory or store. Each answer is checked against it as it comes.
 *
 * The model knows for certain what somebody was told (graded, canceled, superseded, not gradable, delivered). What time alone
 * brings about (a lease that runs out, a pause that ends, giving up) it knows as bounds: until when something was promised, and
 * what could explain a state.
 *
 * Threading: one run, one thread.
 */
#ifndef TESTS_SIMULATION_MODEL_H
#define TESTS_SIMULATION_MODEL_H

#include "base/config.h"
#include "base/map.h"
#include "service/delivering.h"
#include "service/grading.h"
#include "service/submitting.h"
#include "tests/simulation/trace.h"

enum {
    MODEL_SUBMISSIONS_MAX = 4000, /* not purged, at the same time */
    MODEL_LEASES_MAX = 24,        /* the last ones of a submission; older keys are forgotten */
    MODEL_GRADERS = 6,
    MODEL_QUEUES = 3,
    MODEL_RECENT = 64,
    MODEL_UNARY = -1, /* in place of the instance of a grader */
    MODEL_NOBODY = -1,
};

enum model_fate {
    FATE_LIVE = 1, /* or given up, without anybody having heard of it */
    FATE_GRADED,
    FATE_DEAD,
    FATE_CANCELED,
    FATE_SUPERSEDED,
    FATE_UNGRADABLE,
};

struct model_lease {
    char key[LEASE_KEY_LENGTH + 1];
    uint32_t number; /* for people */
    int grader;
    int instance; /* of the grader; MODEL_UNARY */
    int64_t granted_at_ms;
    int64_t lease_ms;
    int64_t hard_limit_at_ms;
    int64_t first_hard_limit_at_ms; /* without what a start of the service added */
    int64_t promised_until_ms;      /* it is good until then, unless somebody says otherwise; 0: nothing is promised */
    bool accepted;
    bool over;      /* it can never hold anything again */
    bool may_count; /* its end may have counted as a failure */
    bool outlives;  /* it was good when the service ended */
};

enum model_bringing { BRINGING_NOTHING, BRINGING_DUE, BRINGING_DONE, BRINGING_GIVEN_UP };

struct model_delivery {
    enum model_bringing bringing;
    char key[LEASE_KEY_LENGTH + 1]; /* the newest that a courier was given for this outcome; "" = none */
    int courier_instance;
    int64_t leased_until_ms; /* 0: not with a courier */
    int64_t tries;
    int64_t not_before_ms; /* after a failure */
    bool loose;            /* the submission was requeued meanwhile: an older outcome may still be on its way */
};

struct model_submission {
    int64_t id;
    int queue;
    int lms;
    int replace_key; /* 0 = none */
    uint64_t request;
    uint64_t body;
    bool has_destination;
    int channel;
    int student;     /* whose fairness key it has; 0 = none */
    unsigned skills; /* that a grader must have: see skills.h */
    uint32_t rank;   /* of its priority */
    int64_t submitted_at_ms;
    int64_t ready_at_ms; /* not before */
    int64_t expires_at_ms;
    bool may_have_expired;
    enum model_fate fate;
    int64_t superseded_by;
    struct model_lease leases[MODEL_LEASES_MAX]; /* a ring; the newest is at (grants - 1) % MODEL_LEASES_MAX */
    int64_t grants;
    bool surrendered; /* the newest key was given back */
    int64_t failures_sure;
    int64_t failures_possible;
    unsigned graders_possible; /* bits of those who may have gone down on it */
    int64_t generation;
    uint64_t result;
    struct model_delivery delivery;
    bool tell_nobody;
    size_t place; /* in model->items */
    struct map_node by_id;
};

struct model_recent {
    int64_t id;
    char key[LEASE_KEY_LENGTH + 1];
};

struct model {
    struct trace *trace;             /* borrowed */
    const struct config *config;     /* borrowed */
    struct model_submission **items; /* owned; in no order */
    size_t count;
    struct map by_id;
    struct model_recent recent[MODEL_RECENT]; /* leases given last */
    uint64_t recent_count;
    uint32_t lease_numbers;
    uint64_t texts; /* bodies and results so far: each is another */
    int64_t last_id;
    bool paused[MODEL_QUEUES];
    bool draining[MODEL_QUEUES];
    /* For the closing report, and to know that a run was worth something. */
    uint64_t submitted, granted, graded, delivered, stale, superseded, refused, purged, unstored;
};

void model_init(struct model *model, struct trace *trace, const struct config *config);
void model_finish(struct model *model);

struct model_submission *model_find(const struct model *model, int64_t id); /* NULL: none, or purged */
struct model_lease *model_newest(struct model_submission *submission);      /* NULL: never leased */
struct model_lease *model_find_lease(struct model_submission *submission, const char *key);
bool model_is_promised(const struct model *model, const struct model_lease *lease);

/* ---- submitters ---- */

/* submission: filled in as it was sent; copied. */
void model_submitted(struct model *model, const struct model_submission *submission, const struct submit_receipt *receipt);
void model_refused(struct model *model, const struct model_submission *submission, enum status status);
void model_canceled(struct model *model, int64_t id, enum status status);
void model_purged(struct model *model, struct model_submission *submission);
/* An administrator's word. */
void model_retired(struct model *model, struct model_submission *submission, bool tell_nobody);
void model_requeued(struct model *model, struct model_submission *submission);
/* Graded once more: what the LMS was told stays until there is a new result. */
void model_regraded(struct model *model, struct model_submission *submission);
/* Checks the row that somebody was shown, and takes what only time could bring about. */
void model_seen(struct model *model, struct model_submission *submission, const struct store_submission *row);
/* The same of its delivery; NULL: there is none. */
void model_seen_delivery(struct model *model, struct model_submission *submission, const struct store_delivery *row);

/* ---- graders ---- */

struct model_grant {
    int64_t id;
    char key[LEASE_KEY_LENGTH + 1];
    int64_t attempt;
    uint64_t body;
    int grader;
    int instance;
    int64_t limit; /* how much the grader may have in flight over all paths */
};
void model_granted(struct model *model, const struct model_grant *grant);
void model_lost(struct model *model, int64_t id, const char *key, enum lost_reason reason);

/* What only the holder of a live lease may do. Returns the lease when it was done and the key is known. */
struct model_lease *model_held(struct model *model, struct lease_name lease, enum status status, const char *what);
void model_accepted(struct model *model, struct lease_name lease, enum status status);
void model_extended(struct model *model, struct lease_name lease, enum status status, int64_t expires_in_ms);
void model_released(struct model *model, struct lease_name lease, enum status status, int64_t delay_ms);
void model_failed(struct model *model, struct lease_name lease, enum status status, const struct grading_failure *failure);
struct model_result {
    uint64_t result;
    bool amend;
    enum status status;
    struct grading_completion completion;
};
void model_completed(struct model *model, struct lease_name lease, const struct model_result *result);
/* A grader has come again: what another start of its program held is not promised any more, nor what it never accepted. What it
 * names is, see model_resumed. */
void model_instance(struct model *model, int grader, int instance);
/* A Hello said so, and was not stored. */
void model_claimed(struct model *model, struct lease_name lease, int grader, int instance);
void model_resumed(struct model *model, struct lease_name lease, int grader, int instance, const struct held_answer *answer);

bool model_may_be_dead(const struct model *model, const struct model_submission *submission);
/* From now on the LMS is to hear of another outcome, or of one at all. */
void model_outcome(struct model_submission *submission);
/* The same, some time ago: what has been told since is not known after a requeue. */
void model_outcome_before(struct model_submission *submission);

/* How much the grader has in flight for certain. */
int64_t model_in_flight(const struct model *model, int grader);

/* ---- couriers ---- */

struct model_bringing_lease {
    struct store_delivery row;
    uint64_t result;
};
void model_taken(struct model *model, const struct model_bringing_lease *lease, int instance);
void model_acknowledged(struct model *model, int64_t id, const char *key, enum status status, bool already);
void model_delivery_failed(struct model *model, int64_t id, const char *key, enum status status,
                           const struct delivery_failure *failure);
/* Checks that nothing of it was open. */
void model_purged_rightly(struct model *model, const struct model_submission *submission);
void model_delivery_requeued(struct model *model, struct model_submission *submission);

/* A courier program started anew: what the earlier one held is due again. */
void model_courier_instance(struct model *model, int channel, int instance);

/* ---- a start of the service ---- */

/* Before the clock is set: which leases are good. */
void model_service_ends(struct model *model);
/* Those that were have a full length before them. leases: what the service knows after its start. */
void model_service_starts(struct model *model, const struct lease_table *leases);

#endif
