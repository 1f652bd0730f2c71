/* SPDX-License-Identifier: Apache-2.0 */
/* What is done with leases, whichever way a grader came to them: in time, late, twice, or with a key that is long over. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "tests/simulation/actors.h"
#include "tests/simulation/skills.h"

enum { GRANTS_MAX = 4, RETRY_MS_MAX = 60000 };

/* ---- something said about a lease ---- */

struct lease_ask {
    struct ask ask; /* first */
    struct simulation *simulation;
    int64_t id;
    char key[LEASE_KEY_LENGTH + 1];
    uint32_t number; /* of the lease, for people; 0: forgotten */
    void (*done)(struct lease_ask *said, struct lease_name name);
    int64_t delay_ms;
    int64_t expires_in_ms;
    struct grading_failure failure;
    struct model_result result;
};

static struct lease_name lease_ask_name(const struct lease_ask *said)
{
    return (struct lease_name){.submission_id = said->id, .key = said->key};
}

static void lease_ask_told(struct ask *ask, bool stored)
{
    struct lease_ask *said = (struct lease_ask *)ask;
    if (stored)
        said->done(said, lease_ask_name(said));
}

static struct lease_ask *lease_ask_new(struct simulation *simulation, enum status (*run)(struct ask *, struct queues *),
                                       void (*done)(struct lease_ask *, struct lease_name))
{
    struct lease_ask *said = world_new_ask(&simulation->world, sizeof *said);
    said->ask.run = run;
    said->ask.told = lease_ask_told;
    said->simulation = simulation;
    said->done = done;
    return said;
}

static void lease_ask_add(struct lease_ask *said, int64_t id, const char *key)
{
    said->id = id;
    text_copy(said->key, sizeof said->key, key);
    struct model_submission *submission = model_find(&said->simulation->model, id);
    const struct model_lease *lease = submission ? model_find_lease(submission, key) : NULL;
    said->number = lease ? lease->number : 0;
    world_ask(&said->ask);
}

/* Mostly a young lease, sometimes any that ever was, sometimes none at all. */
static void lease_ask_add_some(struct lease_ask *said)
{
    struct simulation *simulation = said->simulation;
    struct model *model = &simulation->model;
    uint64_t known = model->recent_count < MODEL_RECENT ? model->recent_count : MODEL_RECENT;
    if (known == 0 || simulation_roll(simulation, 50) == 0) {
        lease_ask_add(said, model->last_id, "0123456789abcdef0123456789abcdef");
        return;
    }
    if (simulation_roll(simulation, 6) == 0 && model->count > 0) {
        struct model_submission *submission = model->items[simulation_roll(simulation, (uint32_t)model->count)];
        int64_t leases = submission->grants < MODEL_LEASES_MAX ? submission->grants : MODEL_LEASES_MAX;
        if (leases > 0) {
            lease_ask_add(said, submission->id, submission->leases[simulation_roll(simulation, (uint32_t)leases)].key);
            return;
        }
    }
    uint64_t window = simulation_roll(simulation, 4) ? (known < 16 ? known : 16) : known;
    uint64_t at = model->recent_count - 1 - simulation_roll(simulation, (uint32_t)window);
    const struct model_recent *recent = &model->recent[at % MODEL_RECENT];
    lease_ask_add(said, recent->id, recent->key);
}

static void lease_ask_trace(const struct lease_ask *said, const char *what)
{
    trace_add(&said->simulation->trace, "%s of %" PRId64 " with lease #%u: %s", what, said->id, said->number,
              status_name(said->ask.status));
}

/* ---- holding ---- */

static enum status accept_run(struct ask *ask, struct queues *queues)
{
    return grading_accept(queues, lease_ask_name((struct lease_ask *)ask), &ask->error);
}

static void accept_done(struct lease_ask *said, struct lease_name name)
{
    lease_ask_trace(said, "accept");
    model_accepted(&said->simulation->model, name, said->ask.status);
}

void grader_accepts(struct simulation *simulation)
{
    lease_ask_add_some(lease_ask_new(simulation, accept_run, accept_done));
}

static enum status renew_run(struct ask *ask, struct queues *queues)
{
    struct lease_ask *said = (struct lease_ask *)ask;
    return grading_extend(queues, lease_ask_name(said), &said->expires_in_ms, &ask->error);
}

static void renew_done(struct lease_ask *said, struct lease_name name)
{
    lease_ask_trace(said, "renewal");
    model_extended(&said->simulation->model, name, said->ask.status, said->expires_in_ms);
}

void grader_renews(struct simulation *simulation)
{
    lease_ask_add_some(lease_ask_new(simulation, renew_run, renew_done));
}

static enum status release_run(struct ask *ask, struct queues *queues)
{
    struct lease_ask *said = (struct lease_ask *)ask;
    return grading_release(queues, lease_ask_name(said), said->delay_ms, &ask->error);
}

static void release_done(struct lease_ask *said, struct lease_name name)
{
    lease_ask_trace(said, "release");
    model_released(&said->simulation->model, name, said->ask.status, said->delay_ms);
}

void grader_releases(struct simulation *simulation)
{
    struct lease_ask *said = lease_ask_new(simulation, release_run, release_done);
    said->delay_ms = simulation_roll(simulation, 2) ? 0 : simulation_roll(simulation, RETRY_MS_MAX);
    lease_ask_add_some(said);
}

/* ---- ending ---- */

/* A service that forgets to look at the key. */
static void complete_with_newest_key(struct lease_ask *said, struct queues *queues)
{
    struct store_submission row;
    if (store_find_submission(queues->store, said->id, &row) == STATUS_OK && row.lease_key[0] != '\0')
        memcpy(said->key, row.lease_key, sizeof said->key);
}

static enum status complete_run(struct ask *ask, struct queues *queues)
{
    struct lease_ask *said = (struct lease_ask *)ask;
    char body[32], key[sizeof said->key];
    enum sabotage sabotage = said->simulation->options.sabotage;
    snprintf(body, sizeof body, "%" PRIu64, said->result.result);
    memcpy(key, said->key, sizeof key);
    if (sabotage == SABOTAGE_TAKES_A_STALE_KEY)
        complete_with_newest_key(said, queues);
    const struct store_bytes bytes = {.data = body, .length = strlen(body)};
    struct lease_name name = lease_ask_name(said);
    enum status status = grading_complete(queues, name, bytes, said->result.amend, &said->result.completion, &ask->error);
    if (sabotage == SABOTAGE_COUNTS_A_RESULT_TWICE && status == STATUS_OK && !said->result.completion.already) {
        body[0] = 'x';
        struct grading_completion ignored;
        status = grading_complete(queues, name, bytes, true, &ignored, &ask->error);
    }
    memcpy(said->key, key, sizeof key);
    return status;
}

static void complete_done(struct lease_ask *said, struct lease_name name)
{
    lease_ask_trace(said, said->result.amend ? "amended result" : "result");
    said->result.status = said->ask.status;
    model_completed(&said->simulation->model, name, &said->result);
}

static struct lease_ask *complete_new(struct simulation *simulation)
{
    struct lease_ask *said = lease_ask_new(simulation, complete_run, complete_done);
    said->result.result = ++simulation->model.texts;
    return said;
}

/* Now and then the same result again: the answer to the first may have been lost. */
static void complete_repeat(struct lease_ask *said)
{
    const struct model_submission *submission = model_find(&said->simulation->model, said->id);
    if (submission && submission->fate == FATE_GRADED && simulation_roll(said->simulation, 2))
        said->result.result = submission->result;
}

void grader_completes(struct simulation *simulation)
{
    struct lease_ask *said = complete_new(simulation);
    lease_ask_add_some(said);
    complete_repeat(said);
}

void grader_amends(struct simulation *simulation)
{
    struct lease_ask *said = complete_new(simulation);
    said->result.amend = true;
    lease_ask_add_some(said);
}

void grader_does(struct simulation *simulation, int64_t id, const char *key)
{
    lease_ask_add(lease_ask_new(simulation, accept_run, accept_done), id, key);
    lease_ask_add(complete_new(simulation), id, key);
}

static enum status fail_run(struct ask *ask, struct queues *queues)
{
    struct lease_ask *said = (struct lease_ask *)ask;
    return grading_fail(queues, lease_ask_name(said), &said->failure, &ask->error);
}

static void fail_done(struct lease_ask *said, struct lease_name name)
{
    lease_ask_trace(said, said->failure.ungradable ? "not gradable" : "failure");
    model_failed(&said->simulation->model, name, said->ask.status, &said->failure);
}

void grader_fails(struct simulation *simulation)
{
    struct lease_ask *said = lease_ask_new(simulation, fail_run, fail_done);
    said->failure = (struct grading_failure){
        .ungradable = simulation_roll(simulation, 3) == 0,
        .message = "the sandbox broke",
        .retry_after_ms = simulation_roll(simulation, 2) ? 0 : simulation_roll(simulation, RETRY_MS_MAX),
    };
    lease_ask_add_some(said);
}

/* ---- polling ---- */

struct poll_ask {
    struct ask ask; /* first */
    struct simulation *simulation;
    int grader;
    int queue;
    size_t max;
    int64_t slots;
    int64_t wait_ms;
    int64_t deadline_ms;
    size_t count;
    struct model_grant grants[GRANTS_MAX];
    struct label skills[SKILLS_COUNT];
    struct labels offered; /* of skills */
};

static int64_t poll_limit(const struct poll_ask *poll, const struct queues *queues)
{
    int64_t most = queues->config->service.grader_leases_max;
    int64_t streamed = streams_slots(poll->simulation, poll->grader);
    int64_t own = streamed > 0 ? streamed : poll->slots;
    return own > 0 && own < most ? own : most;
}

static void poll_keep(struct poll_ask *poll, const struct grant *grant, int64_t limit)
{
    char body[32] = "";
    struct model_grant *kept = &poll->grants[poll->count++];
    *kept = (struct model_grant){
        .id = grant->submission_id,
        .attempt = grant->attempt,
        .grader = poll->grader,
        .instance = MODEL_UNARY,
        .limit = limit,
    };
    memcpy(kept->key, grant->lease_key, sizeof kept->key);
    memcpy(body, grant->content.body, grant->content.body_length < sizeof body ? grant->content.body_length : 0);
    (void)sscanf(body, "%" SCNu64, &kept->body);
}

static enum status poll_run(struct ask *ask, struct queues *queues)
{
    struct poll_ask *poll = (struct poll_ask *)ask;
    struct grant grants[GRANTS_MAX] = {0};
    size_t count = 0;
    char grader[16];
    int64_t limit = poll_limit(poll, queues);
    snprintf(grader, sizeof grader, "g%d", poll->grader);
    const struct lease_order order = {.grader = grader, .slots = poll->slots, .max = poll->max, .labels = poll->offered};
    struct queue *queue = queues_find(queues, queues->config->queues[poll->queue].name);
    enum status status = grading_lease(queues, queue, &order, grants, &count);
    poll->count = 0;
    for (size_t at = 0; at < count; at++) {
        poll_keep(poll, &grants[at], limit);
        grant_finish(&grants[at]);
    }
    if (status != STATUS_OK || count > 0 || poll->wait_ms == 0 || ask->command.timed_out || queues->stopping)
        return status;
    if (poll->deadline_ms == 0)
        poll->deadline_ms = queues->now_ms + poll->wait_ms;
    ask->command.offered = &poll->offered;
    queues_park(queues, &ask->command, &queue->polls, poll->deadline_ms);
    ask->parked = true;
    return STATUS_OK;
}

static void poll_told(struct ask *ask, bool stored)
{
    struct poll_ask *poll = (struct poll_ask *)ask;
    for (size_t at = 0; stored && at < poll->count; at++) {
        trace_add(ask->world->trace, "g%d polls q%d: %" PRId64 ", attempt %" PRId64, poll->grader, poll->queue,
                  poll->grants[at].id, poll->grants[at].attempt);
        model_granted(&poll->simulation->model, &poll->grants[at]);
        if (poll->simulation->calm)
            grader_does(poll->simulation, poll->grants[at].id, poll->grants[at].key);
    }
}

void poller_leases(struct simulation *simulation)
{
    struct poll_ask *poll = world_new_ask(&simulation->world, sizeof *poll);
    poll->ask.run = poll_run;
    poll->ask.told = poll_told;
    poll->simulation = simulation;
    poll->grader = (int)simulation_roll(simulation, MODEL_GRADERS);
    poll->offered = skills_labels(skills_of(poll->grader), poll->skills);
    poll->queue = (int)simulation_roll(simulation, SIMULATION_QUEUES);
    poll->max = simulation_roll(simulation, 4) ? 1 : simulation_roll(simulation, GRANTS_MAX) + 1;
    poll->slots = simulation_roll(simulation, 2) ? simulation_roll(simulation, 5) : 0;
    poll->wait_ms = simulation_roll(simulation, 4) ? 0 : simulation_roll(simulation, 20000) + 1;
    world_ask(&poll->ask);
}
