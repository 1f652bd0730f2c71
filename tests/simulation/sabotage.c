/* SPDX-License-Identifier: Apache-2.0 */
/* Services as they must not be: each breaks one promise, and the simulation has to notice that very one. */
#include <string.h>

#include "tests/simulation/actors.h"

static const struct {
    const char *name;
    enum promise breaks;
} kinds[SABOTAGE_END] = {
    [SABOTAGE_NONE] = {"none", PROMISE_KEPT},
    [SABOTAGE_LOSES_A_SUBMISSION] = {"loses-a-submission", PROMISE_ACKNOWLEDGED},
    [SABOTAGE_KEEPS_AN_UNACKNOWLEDGED_ONE] = {"keeps-an-unacknowledged-one", PROMISE_ACKNOWLEDGED},
    [SABOTAGE_GRANTS_TWICE] = {"grants-twice", PROMISE_ONE_LEASE},
    [SABOTAGE_TAKES_A_STALE_KEY] = {"takes-a-stale-key", PROMISE_STALE_KEY},
    [SABOTAGE_CHANGES_A_RESULT] = {"changes-a-result", PROMISE_ONE_RESULT},
    [SABOTAGE_COUNTS_A_RESULT_TWICE] = {"counts-a-result-twice", PROMISE_ONE_RESULT},
    [SABOTAGE_IGNORES_CREDIT] = {"ignores-credit", PROMISE_CREDIT},
    [SABOTAGE_IGNORES_THE_LIMIT] = {"ignores-the-limit", PROMISE_CREDIT},
    [SABOTAGE_RESTART_ENDS_A_LEASE] = {"restart-ends-a-lease", PROMISE_RESTART},
    [SABOTAGE_ENDS_A_LEASE_EARLY] = {"ends-a-lease-early", PROMISE_ONE_LEASE},
    [SABOTAGE_DELIVERS_AGAIN] = {"delivers-again", PROMISE_DELIVERY},
    [SABOTAGE_FORGETS_A_DELIVERY] = {"forgets-a-delivery", PROMISE_FINAL},
    [SABOTAGE_FORGETS_A_SUBMISSION] = {"forgets-a-submission", PROMISE_FINAL},
    [SABOTAGE_MISCOUNTS] = {"miscounts", PROMISE_MEMORY},
    [SABOTAGE_IGNORES_STUDENTS] = {"ignores-students", PROMISE_FAIR},
    [SABOTAGE_IGNORES_LABELS] = {"ignores-labels", PROMISE_LABELS},
};

const char *sabotage_name(enum sabotage sabotage)
{
    return kinds[sabotage].name;
}

enum promise sabotage_breaks(enum sabotage sabotage)
{
    return kinds[sabotage].breaks;
}

/* ---- behind everybody's back, between two turns ---- */

static struct model_submission *find_victim(struct simulation *simulation,
                                            bool (*fits)(struct simulation *, struct model_submission *))
{
    for (size_t at = 0; at < simulation->model.count; at++) {
        if (fits(simulation, simulation->model.items[at]))
            return simulation->model.items[at];
    }
    return NULL;
}

static bool fits_any(struct simulation *simulation, struct model_submission *submission)
{
    (void)simulation;
    return submission->fate == FATE_CANCELED || submission->fate == FATE_SUPERSEDED || submission->fate == FATE_GRADED;
}

static bool fits_leased(struct simulation *simulation, struct model_submission *submission)
{
    const struct model_lease *newest = model_newest(submission);
    return submission->fate == FATE_LIVE && !submission->surrendered && model_is_promised(&simulation->model, newest) &&
           newest->promised_until_ms > simulation->world.now_ms + 20000;
}

static bool fits_graded(struct simulation *simulation, struct model_submission *submission)
{
    (void)simulation;
    return submission->fate == FATE_GRADED;
}

static bool fits_delivered(struct simulation *simulation, struct model_submission *submission)
{
    (void)simulation;
    return submission->fate == FATE_GRADED && submission->delivery.bringing == BRINGING_DONE;
}

static bool fits_due(struct simulation *simulation, struct model_submission *submission)
{
    return submission->fate == FATE_GRADED && submission->delivery.bringing == BRINGING_DUE &&
           submission->delivery.leased_until_ms < simulation->world.now_ms && submission->delivery.tries == 0;
}

static bool fits_waiting(struct simulation *simulation, struct model_submission *submission)
{
    struct store_submission row;
    return submission->fate == FATE_LIVE && submission->replace_key == 0 &&
           store_find_submission(simulation->world.store, submission->id, &row) == STATUS_OK &&
           row.state == SUBMISSION_DELAYED && row.expires_at_ms == 0;
}

static enum status lose_submission(struct simulation *simulation, struct model_submission *victim)
{
    return store_delete_submission(simulation->world.store, victim->id);
}

/* Its lease goes on, and it can be granted again. */
static enum status grant_twice(struct simulation *simulation, struct model_submission *victim)
{
    struct store_submission row;
    struct queues *queues = simulation->world.queues;
    enum status status = store_find_submission(queues->store, victim->id, &row);
    if (status == STATUS_OK)
        status = queues_move(queues, &row, SUBMISSION_READY);
    if (status == STATUS_OK)
        grading_forget_lease_of(queues, victim->id, 0);
    return status;
}

static enum status end_lease(struct simulation *simulation, struct model_submission *victim)
{
    struct live_lease *lease = lease_table_find(&simulation->world.queues->leases, victim->id);
    return lease ? grading_expire(simulation->world.queues, lease, LOST_EXPIRED) : STATUS_NOT_FOUND;
}

static enum status change_result(struct simulation *simulation, struct model_submission *victim)
{
    struct store_result result;
    enum status status = store_read_result(simulation->world.store, victim->id, false, &result);
    char text[] = "another";
    result.body = text;
    result.body_length = sizeof text;
    return status == STATUS_OK ? store_save_result(simulation->world.store, victim->id, &result) : status;
}

static enum status move_delivery(struct simulation *simulation, struct model_submission *victim, int64_t due_at_ms)
{
    struct store_delivery row;
    enum status status = store_find_delivery(simulation->world.store, victim->id, &row);
    row.due_at_ms = due_at_ms;
    return status == STATUS_OK ? store_move_delivery(simulation->world.store, &row, DELIVERY_PENDING) : status;
}

static enum status deliver_again(struct simulation *simulation, struct model_submission *victim)
{
    return move_delivery(simulation, victim, 0);
}

static enum status forget_delivery(struct simulation *simulation, struct model_submission *victim)
{
    return move_delivery(simulation, victim, INT64_MAX - 1);
}

/* DELAYED for ever: over READY and LEASED, as no move leads there directly. */
static enum status forget_submission(struct simulation *simulation, struct model_submission *victim)
{
    struct store *store = simulation->world.store;
    struct store_submission row;
    char key[sizeof row.lease_key];
    enum status status = store_find_submission(store, victim->id, &row);
    if (status != STATUS_OK)
        return status;
    memcpy(key, row.lease_key, sizeof key);
    row.ready_at_ms = INT64_MAX - 1;
    memset(row.lease_key, 'x', sizeof row.lease_key - 1);
    status = store_move_submission(store, &row, SUBMISSION_READY);
    if (status == STATUS_OK)
        status = store_move_submission(store, &row, SUBMISSION_LEASED);
    memcpy(row.lease_key, key, sizeof key);
    return status == STATUS_OK ? store_move_submission(store, &row, SUBMISSION_DELAYED) : status;
}

static enum status miscount(struct simulation *simulation, struct model_submission *victim)
{
    struct queues *queues = simulation->world.queues;
    queues_find(queues, queues->config->queues[victim->queue].name)->ready_count++;
    return STATUS_OK;
}

static enum status ignore_limit(struct simulation *simulation, struct model_submission *victim)
{
    struct queues *queues = simulation->world.queues;
    queues->graders.leases_max = 1000;
    for (struct list_node *node = list_first(&queues->sessions); node; node = list_next(&queues->sessions, node)) {
        struct work_session *session = LIST_OWNER(node, struct work_session, node);
        session->grader->leases_max = 1000;
        work_session_update_waiting(queues, session);
    }
    (void)victim;
    return STATUS_NOT_FOUND; /* again and again */
}

static enum status keep_unacknowledged(struct simulation *simulation, struct model_submission *victim)
{
    struct store_submission row;
    char nothing[] = "";
    const struct store_content content = {
        .callback_url = nothing, .results_channel = nothing, .trace_parent = nothing, .trace_state = nothing};
    const struct store_request request = {.submitter = "lms", .request_id = "", .fairness_key = "", .cost = 1};
    enum status status = store_find_submission(simulation->world.store, victim->id, &row);
    row.id = 0;
    row.state = SUBMISSION_READY;
    if (status == STATUS_OK)
        status = store_insert_submission(simulation->world.store, &row, &content, &request);
    if (status == STATUS_OK)
        queues_count_move(simulation->world.queues, &row, (enum submission_state)0, SUBMISSION_READY);
    return status;
}

static const struct {
    bool (*fits)(struct simulation *simulation, struct model_submission *submission);
    enum status (*spoil)(struct simulation *simulation, struct model_submission *victim);
} spoilers[SABOTAGE_END] = {
    [SABOTAGE_LOSES_A_SUBMISSION] = {fits_any, lose_submission},
    [SABOTAGE_KEEPS_AN_UNACKNOWLEDGED_ONE] = {fits_any, keep_unacknowledged},
    [SABOTAGE_GRANTS_TWICE] = {fits_leased, grant_twice},
    [SABOTAGE_CHANGES_A_RESULT] = {fits_graded, change_result},
    [SABOTAGE_IGNORES_THE_LIMIT] = {fits_any, ignore_limit},
    [SABOTAGE_ENDS_A_LEASE_EARLY] = {fits_leased, end_lease},
    [SABOTAGE_DELIVERS_AGAIN] = {fits_delivered, deliver_again},
    [SABOTAGE_FORGETS_A_DELIVERY] = {fits_due, forget_delivery},
    [SABOTAGE_FORGETS_A_SUBMISSION] = {fits_waiting, forget_submission},
    [SABOTAGE_MISCOUNTS] = {fits_any, miscount},
};

void sabotage(struct simulation *simulation)
{
    enum sabotage kind = simulation->options.sabotage;
    struct world *world = &simulation->world;
    /* What is forgotten shows when everybody behaves: before that something else may end it. */
    bool early = simulation->trace.step % SIMULATION_SETTLE_STEPS < SIMULATION_SETTLE_STEPS - 500;
    if (early && kinds[kind].breaks == PROMISE_FINAL)
        return;
    if (!spoilers[kind].spoil || simulation->sabotaged || store_begin(world->store) != STATUS_OK)
        return;
    struct model_submission *victim = find_victim(simulation, spoilers[kind].fits);
    simulation->sabotaged = victim && spoilers[kind].spoil(simulation, victim) == STATUS_OK;
    if (simulation->sabotaged) {
        trace_add(&simulation->trace, "SABOTAGE of %lld: %s", (long long)victim->id, kinds[kind].name);
        if (store_commit(world->store) == STATUS_OK)
            queues_apply_effects(world->queues);
    } else {
        store_rollback(world->store);
    }
}
