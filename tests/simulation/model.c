/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/model.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "tests/simulation/skills.h"

/* ---- the account ---- */

void model_init(struct model *model, struct trace *trace, const struct config *config)
{
    *model = (struct model){.trace = trace, .config = config};
    model->items = memory_allocate_array(MODEL_SUBMISSIONS_MAX, sizeof(void *));
    map_init(&model->by_id);
}

void model_finish(struct model *model)
{
    for (size_t at = 0; at < model->count; at++) {
        map_remove(&model->by_id, &model->items[at]->by_id);
        memory_free(model->items[at]);
    }
    map_finish(&model->by_id);
    memory_free(model->items);
}

struct model_submission *model_find(const struct model *model, int64_t id)
{
    struct map_node *node = map_find(&model->by_id, &id, sizeof id);
    return node ? MAP_OWNER(node, struct model_submission, by_id) : NULL;
}

struct model_lease *model_newest(struct model_submission *submission)
{
    return submission->grants > 0 ? &submission->leases[(submission->grants - 1) % MODEL_LEASES_MAX] : NULL;
}

struct model_lease *model_find_lease(struct model_submission *submission, const char *key)
{
    int64_t known = submission->grants < MODEL_LEASES_MAX ? submission->grants : MODEL_LEASES_MAX;
    for (int64_t at = 0; at < known; at++) {
        if (strcmp(submission->leases[at].key, key) == 0)
            return &submission->leases[at];
    }
    return NULL;
}

static int64_t now(const struct model *model)
{
    return model->trace->now_ms;
}

static int64_t earlier(int64_t a_ms, int64_t b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

static const struct config_queue *settings_of(const struct model *model, const struct model_submission *submission)
{
    return &model->config->queues[submission->queue];
}

bool model_is_promised(const struct model *model, const struct model_lease *lease)
{
    return lease && !lease->over && lease->promised_until_ms > now(model);
}

static bool model_holds(struct model_submission *submission, const char *key)
{
    struct model_lease *newest = model_newest(submission);
    return newest && !submission->surrendered && strcmp(newest->key, key) == 0;
}

/* Nobody can hold it any more. */
static void model_end_lease(struct model_submission *submission)
{
    struct model_lease *newest = model_newest(submission);
    if (newest)
        newest->over = true;
}

static void model_settle(struct model_submission *submission, enum model_fate fate)
{
    submission->fate = fate;
    model_end_lease(submission);
}

static int64_t count_bits(unsigned bits)
{
    int64_t count = 0;
    for (; bits != 0; bits &= bits - 1)
        count++;
    return count;
}

/* As many failures as are allowed, or as many graders that went down on it. */
static bool model_may_be_used_up(const struct model *model, const struct model_submission *submission)
{
    const struct config_queue *settings = settings_of(model, submission);
    return submission->failures_possible >= settings->attempts_max ||
           count_bits(submission->graders_possible) >= settings->poison_graders_max;
}

bool model_may_be_dead(const struct model *model, const struct model_submission *submission)
{
    return model_may_be_used_up(model, submission) || submission->may_have_expired ||
           (submission->expires_at_ms > 0 && submission->expires_at_ms <= now(model));
}

/* ---- submitters ---- */

static void model_supersede(struct model *model, int64_t by, int64_t id)
{
    struct model_submission *old = model_find(model, id);
    const struct model_submission *new = model_find(model, by);
    if (!old || old->fate != FATE_LIVE || old->replace_key != new->replace_key || old->replace_key == 0) {
        trace_break(model->trace, PROMISE_STATE, "%" PRId64 " superseded %" PRId64 ", which it could not", by, id);
        return;
    }
    model_settle(old, FATE_SUPERSEDED);
    old->superseded_by = by;
    model->superseded++;
}

/* What has the replace key and did not give way can only have been dead. */
static void model_check_not_superseded(struct model *model, const struct model_submission *new)
{
    for (size_t at = 0; at < model->count && new->replace_key != 0; at++) {
        struct model_submission *other = model->items[at];
        if (other == new || other->replace_key != new->replace_key || other->fate != FATE_LIVE)
            continue;
        if (!model_may_be_dead(model, other) || model_is_promised(model, model_newest(other)))
            trace_break(model->trace, PROMISE_STATE, "%" PRId64 " was not superseded by %" PRId64, other->id, new->id);
        model_settle(other, FATE_DEAD);
        model_outcome_before(other);
    }
}

static struct model_submission *model_find_request(const struct model *model, int lms, uint64_t request)
{
    for (size_t at = 0; at < model->count && request != 0; at++) {
        if (model->items[at]->lms == lms && model->items[at]->request == request)
            return model->items[at];
    }
    return NULL;
}

static void model_repeated(struct model *model, const struct model_submission *sent, const struct submit_receipt *receipt)
{
    const struct model_submission *first = model_find_request(model, sent->lms, sent->request);
    if (!first || first->id != receipt->submission_id || first->body != sent->body)
        trace_break(model->trace, PROMISE_ANSWER, "request %" PRIu64 " is taken for submission %" PRId64, sent->request,
                    receipt->submission_id);
}

void model_submitted(struct model *model, const struct model_submission *sent, const struct submit_receipt *receipt)
{
    int64_t id = receipt->submission_id;
    if (receipt->already) {
        model_repeated(model, sent, receipt);
        return;
    }
    if (id <= model->last_id || model_find_request(model, sent->lms, sent->request)) {
        trace_break(model->trace, PROMISE_ACKNOWLEDGED, "submission %" PRId64 " was given an id or a request id again", id);
        return;
    }
    if (model->draining[sent->queue])
        trace_break(model->trace, PROMISE_STATE, "submission %" PRId64 " is taken, and its queue is draining", id);
    assert(model->count < MODEL_SUBMISSIONS_MAX);
    struct model_submission *kept = memory_copy(sent, sizeof *sent);
    kept->id = id;
    kept->fate = FATE_LIVE;
    kept->place = model->count;
    model->items[model->count++] = kept;
    map_put(&model->by_id, &kept->by_id, &kept->id, sizeof kept->id);
    model->last_id = id;
    model->submitted++;
    for (size_t at = 0; at < receipt->superseded_count; at++)
        model_supersede(model, id, receipt->superseded_ids[at]);
    model_check_not_superseded(model, kept);
}

void model_refused(struct model *model, const struct model_submission *sent, enum status status)
{
    const struct config_queue *settings = settings_of(model, sent);
    const struct model_submission *first = model_find_request(model, sent->lms, sent->request);
    bool reused = status == STATUS_EXISTS && first && first->body != sent->body;
    int64_t live = 0;
    for (size_t at = 0; at < model->count; at++)
        live += model->items[at]->queue == sent->queue && model->items[at]->fate == FATE_LIVE;
    bool full = status == STATUS_FULL && live >= settings->ready_max && !first;
    bool drained = model->draining[sent->queue] && (status == STATUS_WRONG_STATE || status == STATUS_UNAVAILABLE) && !first;
    if (!reused && !full && !drained)
        trace_break(model->trace, PROMISE_ANSWER, "a submission to %s was refused: %s, %" PRId64 " are live", settings->name,
                    status_name(status), live);
    model->refused++;
}

void model_canceled(struct model *model, int64_t id, enum status status)
{
    struct model_submission *submission = model_find(model, id);
    enum status right = STATUS_WRONG_STATE;
    if (!submission)
        right = STATUS_NOT_FOUND;
    else if (submission->fate == FATE_LIVE || submission->fate == FATE_CANCELED)
        right = STATUS_OK;
    bool may_be_dead = submission && submission->fate == FATE_LIVE && model_may_be_dead(model, submission) &&
                       (submission->surrendered || !model_is_promised(model, model_newest(submission)));
    if (status != right && !(status == STATUS_WRONG_STATE && may_be_dead))
        trace_break(model->trace, PROMISE_STATE, "%" PRId64 " is canceled: %s instead of %s", id, status_name(status),
                    status_name(right));
    if (status == STATUS_OK && submission) {
        model_settle(submission, FATE_CANCELED);
    } else if (submission && submission->fate == FATE_LIVE) {
        model_settle(submission, FATE_DEAD);
        model_outcome_before(submission);
    }
}

void model_purged(struct model *model, struct model_submission *submission)
{
    struct model_submission *last = model->items[--model->count];
    last->place = submission->place;
    model->items[last->place] = last;
    map_remove(&model->by_id, &submission->by_id);
    memory_free(submission);
    model->purged++;
}

void model_retired(struct model *model, struct model_submission *submission, bool tell_nobody)
{
    model_settle(submission, FATE_DEAD);
    submission->tell_nobody = tell_nobody;
    if (!tell_nobody)
        model_outcome(submission);
    (void)model;
}

/* It is graded anew. */
static void model_begin_again(struct model *model, struct model_submission *submission)
{
    model_end_lease(submission);
    submission->fate = FATE_LIVE;
    submission->failures_sure = 0;
    submission->failures_possible = 0;
    submission->graders_possible = 0;
    submission->expires_at_ms = 0;
    submission->may_have_expired = false;
    submission->ready_at_ms = now(model);
}

void model_regraded(struct model *model, struct model_submission *submission)
{
    if (submission->fate != FATE_GRADED)
        trace_break(model->trace, PROMISE_STATE, "%" PRId64 " is graded once more, which it could not be", submission->id);
    model_begin_again(model, submission);
    submission->surrendered = true;
}

void model_requeued(struct model *model, struct model_submission *submission)
{
    bool may_be = submission->fate == FATE_DEAD || submission->fate == FATE_UNGRADABLE ||
                  (submission->fate == FATE_LIVE && model_may_be_dead(model, submission));
    if (!may_be)
        trace_break(model->trace, PROMISE_STATE, "%" PRId64 " was requeued, which it could not be", submission->id);
    model_begin_again(model, submission);
    submission->delivery.loose = true;
}

/* ---- graders ---- */

static bool model_is_in_flight(const struct model *model, struct model_submission *submission, int grader)
{
    const struct model_lease *newest = model_newest(submission);
    return submission->fate == FATE_LIVE && !submission->surrendered && model_is_promised(model, newest) &&
           newest->grader == grader;
}

int64_t model_in_flight(const struct model *model, int grader)
{
    int64_t count = 0;
    for (size_t at = 0; at < model->count; at++)
        count += model_is_in_flight(model, model->items[at], grader);
    return count;
}

static void model_break_limit(const struct model *model, const struct model_grant *grant, int64_t in_flight)
{
    for (size_t at = 0; at < model->count; at++) {
        struct model_submission *submission = model->items[at];
        if (model_is_in_flight(model, submission, grant->grader))
            trace_add(model->trace, "g%d has %" PRId64 " with lease #%u for %" PRId64 " ms", grant->grader, submission->id,
                      model_newest(submission)->number, model_newest(submission)->promised_until_ms - now(model));
    }
    trace_break(model->trace, PROMISE_CREDIT, "grader g%d has %" PRId64 " in flight, %" PRId64 " are allowed", grant->grader,
                in_flight, grant->limit);
}

static void model_check_grant(struct model *model, struct model_submission *submission, const struct model_grant *grant)
{
    const struct model_lease *newest = model_newest(submission);
    struct trace *trace = model->trace;
    if (submission->fate != FATE_LIVE)
        trace_break(trace, PROMISE_STATE, "%" PRId64 " is granted although it is final", grant->id);
    if (!submission->surrendered && model_is_promised(model, newest))
        trace_break(trace, PROMISE_ONE_LEASE, "%" PRId64 " is granted while lease #%u is good", grant->id, newest->number);
    if (grant->attempt != submission->grants + 1)
        trace_break(trace, PROMISE_ONE_LEASE, "%" PRId64 " is granted as attempt %" PRId64 " after %" PRId64, grant->id,
                    grant->attempt, submission->grants);
    if (model_find_lease(submission, grant->key))
        trace_break(trace, PROMISE_ONE_LEASE, "%" PRId64 " is granted with a key that was used", grant->id);
    if (now(model) < submission->ready_at_ms)
        trace_break(trace, PROMISE_STATE, "%" PRId64 " is granted %" PRId64 " ms before its time", grant->id,
                    submission->ready_at_ms - now(model));
    if ((submission->skills & ~skills_of(grant->grader)) != 0)
        trace_break(trace, PROMISE_LABELS, "%" PRId64 " is granted to g%d, which has not all of its labels", grant->id,
                    grant->grader);
    if (model->paused[submission->queue])
        trace_break(trace, PROMISE_STATE, "%" PRId64 " is granted, and its queue is paused", grant->id);
    if (grant->body != submission->body)
        trace_break(trace, PROMISE_ACKNOWLEDGED, "%" PRId64 " is granted with another body", grant->id);
}

void model_granted(struct model *model, const struct model_grant *grant)
{
    struct model_submission *submission = model_find(model, grant->id);
    if (!submission) {
        trace_break(model->trace, PROMISE_ACKNOWLEDGED, "%" PRId64 " is granted, which nobody submitted", grant->id);
        return;
    }
    model_check_grant(model, submission, grant);
    const struct config_queue *settings = settings_of(model, submission);
    submission->grants++;
    submission->surrendered = false;
    submission->failures_possible++;
    if (grant->grader >= 0)
        submission->graders_possible |= 1U << (unsigned)grant->grader;
    struct model_lease *lease = model_newest(submission);
    *lease = (struct model_lease){
        .number = ++model->lease_numbers,
        .grader = grant->grader,
        .instance = grant->instance,
        .granted_at_ms = now(model),
        .lease_ms = settings->lease_ms,
        .hard_limit_at_ms = now(model) + settings->hard_limit_ms,
        .first_hard_limit_at_ms = now(model) + settings->hard_limit_ms,
        .may_count = true,
        .accepted = grant->instance == MODEL_UNARY,
    };
    memcpy(lease->key, grant->key, sizeof lease->key);
    int64_t good_ms = earlier(settings->lease_ms, settings->hard_limit_ms);
    if (grant->instance != MODEL_UNARY)
        good_ms = earlier(good_ms, settings->accept_within_ms);
    lease->promised_until_ms = now(model) + good_ms;
    if (submission->expires_at_ms > 0)
        lease->promised_until_ms = earlier(lease->promised_until_ms, submission->expires_at_ms);
    struct model_recent *recent = &model->recent[model->recent_count++ % MODEL_RECENT];
    recent->id = grant->id;
    memcpy(recent->key, grant->key, sizeof recent->key);
    model->granted++;
    int64_t in_flight = model_in_flight(model, grant->grader);
    if (in_flight > grant->limit)
        model_break_limit(model, grant, in_flight);
}

void model_lost(struct model *model, int64_t id, const char *key, enum lost_reason reason)
{
    struct model_submission *submission = model_find(model, id);
    struct model_lease *lease = submission ? model_find_lease(submission, key) : NULL;
    if (!lease)
        return; /* purged, or long ago */
    if (lease == model_newest(submission) && submission->fate == FATE_LIVE && !submission->surrendered &&
        model_is_promised(model, lease))
        trace_break(model->trace, PROMISE_ONE_LEASE, "lease #%u of %" PRId64 " is lost (%d) %" PRId64 " ms too early",
                    lease->number, id, (int)reason, lease->promised_until_ms - now(model));
    if (reason == LOST_SUPERSEDED && submission->fate != FATE_SUPERSEDED)
        trace_break(model->trace, PROMISE_STATE, "%" PRId64 " is lost as superseded and is not", id);
    if (reason == LOST_NOT_ACCEPTED && lease->may_count) {
        lease->may_count = false;
        submission->failures_possible--;
    }
    lease->over = true;
}

struct model_lease *model_held(struct model *model, struct lease_name name, enum status status, const char *what)
{
    struct model_submission *submission = model_find(model, name.submission_id);
    if (!submission) {
        if (status != STATUS_NOT_FOUND)
            trace_break(model->trace, PROMISE_ACKNOWLEDGED, "%s of %" PRId64 ", which is not there: %s", what,
                        name.submission_id, status_name(status));
        return NULL;
    }
    if (status == STATUS_NOT_FOUND)
        trace_break(model->trace, PROMISE_ACKNOWLEDGED, "%" PRId64 " was acknowledged, and %s does not find it", submission->id,
                    what);
    struct model_lease *lease = model_find_lease(submission, name.key);
    bool can_hold = submission->fate == FATE_LIVE && lease && !lease->over && model_holds(submission, name.key);
    if (!can_hold && status == STATUS_OK)
        trace_break(model->trace, PROMISE_STALE_KEY, "%s of %" PRId64 " with a key that holds nothing", what, submission->id);
    if (can_hold && status != STATUS_OK && model_is_promised(model, lease))
        trace_break(model->trace, PROMISE_ONE_LEASE, "%s of %" PRId64 " with lease #%u, which is good: %s", what,
                    submission->id, lease->number, status_name(status));
    if (status != STATUS_OK) {
        model->stale++;
        if (lease && can_hold)
            lease->over = true;
        return NULL;
    }
    return lease;
}

/* Accepted or renewed, it is good for its whole length. */
static void model_promise(const struct model_submission *submission, struct model_lease *lease, int64_t until_ms)
{
    until_ms = earlier(until_ms, lease->hard_limit_at_ms);
    if (submission->expires_at_ms > 0)
        until_ms = earlier(until_ms, submission->expires_at_ms);
    lease->promised_until_ms = until_ms;
    lease->accepted = true;
}

void model_accepted(struct model *model, struct lease_name name, enum status status)
{
    struct model_lease *lease = model_held(model, name, status, "accept");
    if (lease && !lease->accepted)
        model_promise(model_find(model, name.submission_id), lease, lease->granted_at_ms + lease->lease_ms);
}

void model_extended(struct model *model, struct lease_name name, enum status status, int64_t expires_in_ms)
{
    struct model_submission *submission = model_find(model, name.submission_id);
    struct model_lease *known = submission ? model_find_lease(submission, name.key) : NULL;
    if (status == STATUS_STALE && known && now(model) >= known->hard_limit_at_ms)
        return; /* it may be held still, until the tick */
    struct model_lease *lease = model_held(model, name, status, "renewal");
    if (!lease)
        return;
    bool full = expires_in_ms == lease->lease_ms;
    bool at_limit = now(model) + expires_in_ms >= lease->hard_limit_at_ms;
    if (expires_in_ms <= 0 || (!full && !at_limit))
        trace_break(model->trace, PROMISE_ONE_LEASE, "lease #%u is renewed for %" PRId64 " ms", lease->number, expires_in_ms);
    model_promise(submission, lease, now(model) + expires_in_ms);
}

static void model_give_back(struct model_submission *submission, struct model_lease *lease)
{
    lease->over = true;
    submission->surrendered = true;
}

void model_released(struct model *model, struct lease_name name, enum status status, int64_t delay_ms)
{
    struct model_lease *lease = model_held(model, name, status, "release");
    if (!lease)
        return;
    struct model_submission *submission = model_find(model, name.submission_id);
    model_give_back(submission, lease);
    if (lease->may_count)
        submission->failures_possible--;
    lease->may_count = false;
    submission->ready_at_ms = now(model) + delay_ms;
}

void model_failed(struct model *model, struct lease_name name, enum status status, const struct grading_failure *failure)
{
    struct model_lease *lease = model_held(model, name, status, "failure");
    if (!lease)
        return;
    struct model_submission *submission = model_find(model, name.submission_id);
    model_give_back(submission, lease);
    if (failure->ungradable) {
        model_settle(submission, FATE_UNGRADABLE);
        model_outcome(submission);
        return;
    }
    submission->failures_sure++;
    bool dead = failure->out_state == SUBMISSION_DEAD;
    int64_t most = settings_of(model, submission)->attempts_max;
    if (dead ? !model_may_be_used_up(model, submission) : submission->failures_sure >= most)
        trace_break(model->trace, PROMISE_STATE, "%" PRId64 " is %s after %" PRId64 " to %" PRId64 " failures", submission->id,
                    dead ? "dead" : "not dead", submission->failures_sure, submission->failures_possible);
    if (dead) {
        model_settle(submission, FATE_DEAD);
        model_outcome(submission);
    } else {
        submission->ready_at_ms = now(model) + failure->out_ready_after_ms;
    }
}

/* What is to be answered, and whether it makes a new result. */
static enum status model_judge(struct model_submission *submission, const char *key, const struct model_result *result,
                               bool *out_new)
{
    *out_new = false;
    if (!model_holds(submission, key))
        return STATUS_STALE;
    if (submission->fate == FATE_LIVE || submission->fate == FATE_DEAD) {
        *out_new = true;
        return STATUS_OK;
    }
    if (submission->fate != FATE_GRADED)
        return STATUS_STALE;
    bool same = submission->result == result->result;
    *out_new = !same && result->amend;
    return same || result->amend ? STATUS_OK : STATUS_STALE;
}

void model_completed(struct model *model, struct lease_name name, const struct model_result *result)
{
    struct trace *trace = model->trace;
    struct model_submission *submission = model_find(model, name.submission_id);
    if (!submission) {
        (void)model_held(model, name, result->status, "result");
        return;
    }
    if (result->status == STATUS_NOT_FOUND)
        trace_break(trace, PROMISE_ACKNOWLEDGED, "%" PRId64 " was acknowledged, and no result finds it", submission->id);
    bool is_new = false;
    enum status right = model_judge(submission, name.key, result, &is_new);
    if (result->status != right) {
        enum promise promise = right == STATUS_STALE ? PROMISE_STALE_KEY : PROMISE_ONE_RESULT;
        trace_break(trace, promise, "a result for %" PRId64 " is answered %s instead of %s", submission->id,
                    status_name(result->status), status_name(right));
        return;
    }
    model->stale += right != STATUS_OK;
    if (right != STATUS_OK)
        return;
    int64_t generation = submission->generation + is_new;
    if (result->completion.already == is_new || result->completion.generation != generation)
        trace_break(trace, PROMISE_ONE_RESULT, "%" PRId64 " has generation %" PRId64 " instead of %" PRId64, submission->id,
                    result->completion.generation, generation);
    if (!is_new)
        return;
    model->graded += submission->fate != FATE_GRADED;
    model_settle(submission, FATE_GRADED);
    submission->generation = generation;
    submission->result = result->result;
    model_outcome(submission);
}

void model_instance(struct model *model, int grader, int instance)
{
    for (size_t at = 0; at < model->count; at++) {
        struct model_lease *newest = model_newest(model->items[at]);
        if (!newest || newest->grader != grader || newest->instance == MODEL_UNARY)
            continue;
        if (newest->instance != instance || !newest->accepted)
            newest->promised_until_ms = 0;
    }
}

void model_claimed(struct model *model, struct lease_name name, int grader, int instance)
{
    struct model_submission *submission = model_find(model, name.submission_id);
    struct model_lease *lease = submission ? model_find_lease(submission, name.key) : NULL;
    if (!lease)
        return;
    submission->graders_possible |= 1U << (unsigned)grader;
    /* What another grader said of it does not count; but nobody knows any more which start of its own program has it. */
    lease->instance = lease->grader == grader ? instance : MODEL_UNARY;
}

void model_resumed(struct model *model, struct lease_name name, int grader, int instance, const struct held_answer *answer)
{
    enum status lost = model_find(model, name.submission_id) ? STATUS_STALE : STATUS_NOT_FOUND; /* LeaseLost names no other */
    struct model_lease *lease = model_held(model, name, answer->kept ? STATUS_OK : lost, "resumption");
    if (!lease)
        return;
    struct model_submission *submission = model_find(model, name.submission_id);
    submission->graders_possible |= 1U << (unsigned)grader;
    lease->grader = grader;
    lease->instance = instance;
    model_promise(submission, lease, now(model) + lease->lease_ms);
}

/* ---- what anybody can see ---- */

static void model_unexplained(struct model *model, const struct model_submission *submission,
                              const struct store_submission *row)
{
    trace_break(model->trace, PROMISE_STATE,
                "%" PRId64 " is %s, attempt %" PRId64 ", failures %" PRId64 ", generation %" PRId64 ": fate %d, %" PRId64
                " grants, %" PRId64 " to %" PRId64 " failures, generation %" PRId64,
                row->id, submission_state_name(row->state), row->attempt, row->failures, row->generation, (int)submission->fate,
                submission->grants, submission->failures_sure, submission->failures_possible, submission->generation);
}

static bool model_explains_live(struct model *model, struct model_submission *submission, const struct store_submission *row)
{
    struct model_lease *newest = model_newest(submission);
    bool promised = !submission->surrendered && model_is_promised(model, newest);
    if (promised && row->state != SUBMISSION_LEASED) {
        trace_break(model->trace, PROMISE_ONE_LEASE, "lease #%u of %" PRId64 " is good, and the submission is %s",
                    newest->number, row->id, submission_state_name(row->state));
        return true;
    }
    switch (row->state) {
    case SUBMISSION_LEASED:
        return newest && !newest->over && !submission->surrendered;
    case SUBMISSION_READY:
        return now(model) >= submission->ready_at_ms;
    case SUBMISSION_DELAYED:
        return true;
    case SUBMISSION_DEAD:
        if (!model_may_be_dead(model, submission))
            return false;
        trace_add(model->trace, "%" PRId64 " turns out to be dead", row->id);
        model_settle(submission, FATE_DEAD);
        model_outcome_before(submission);
        return true;
    default:
        return false;
    }
}

static bool model_explains(struct model *model, struct model_submission *submission, const struct store_submission *row)
{
    static const enum submission_state states[] = {
        [FATE_GRADED] = SUBMISSION_GRADED,         [FATE_DEAD] = SUBMISSION_DEAD,
        [FATE_CANCELED] = SUBMISSION_CANCELED,     [FATE_SUPERSEDED] = SUBMISSION_SUPERSEDED,
        [FATE_UNGRADABLE] = SUBMISSION_UNGRADABLE,
    };
    if (row->attempt != submission->grants || row->generation != submission->generation)
        return false;
    if (row->failures < submission->failures_sure || row->failures > submission->failures_possible)
        return false;
    if (submission->fate == FATE_LIVE)
        return model_explains_live(model, submission, row);
    return row->state == states[submission->fate] && row->superseded_by_id == submission->superseded_by;
}

void model_seen(struct model *model, struct model_submission *submission, const struct store_submission *row)
{
    struct model_lease *newest = model_newest(submission);
    const char *key = newest && !submission->surrendered ? newest->key : "";
    if (strcmp(row->lease_key, key) != 0)
        trace_break(model->trace, PROMISE_ONE_LEASE, "%" PRId64 " has another lease key than was given out last", row->id);
    if (!model_explains(model, submission, row))
        model_unexplained(model, submission, row);
}

/* ---- a start of the service ---- */

/* What has passed stays passed, also when the clock is set back. */
static void model_pass(const struct model *model, struct model_submission *submission)
{
    struct model_delivery *delivery = &submission->delivery;
    if (submission->ready_at_ms <= now(model))
        submission->ready_at_ms = INT64_MIN;
    if (delivery->not_before_ms <= now(model))
        delivery->not_before_ms = INT64_MIN;
    if (delivery->leased_until_ms <= now(model))
        delivery->leased_until_ms = INT64_MIN;
    if (submission->expires_at_ms > 0 && submission->expires_at_ms <= now(model))
        submission->may_have_expired = true;
}

void model_service_ends(struct model *model)
{
    for (size_t at = 0; at < model->count; at++) {
        struct model_submission *submission = model->items[at];
        model_pass(model, submission);
        struct model_lease *newest = model_newest(submission);
        if (!newest)
            continue;
        newest->outlives = submission->fate == FATE_LIVE && !submission->surrendered && model_is_promised(model, newest);
        if (!newest->outlives)
            newest->promised_until_ms = 0;
    }
}

/* Stored times are those of the clock before. */
static void model_move_hard_limit(const struct model *model, const struct model_submission *submission,
                                  struct model_lease *lease)
{
    int64_t full_ms = now(model) + lease->lease_ms;
    int64_t last_ms = now(model) + settings_of(model, submission)->hard_limit_ms;
    lease->hard_limit_at_ms = earlier(lease->first_hard_limit_at_ms, last_ms);
    if (lease->hard_limit_at_ms < full_ms)
        lease->hard_limit_at_ms = full_ms;
}

void model_service_starts(struct model *model, const struct lease_table *leases)
{
    for (size_t at = 0; at < model->count; at++) {
        struct model_submission *submission = model->items[at];
        struct model_lease *newest = model_newest(submission);
        if (!newest)
            continue;
        model_move_hard_limit(model, submission, newest);
        newest->accepted = true; /* for all that the service knows */
        if (!newest->outlives)
            continue;
        const struct map_node *node = map_find(&leases->by_submission, &submission->id, sizeof submission->id);
        const struct live_lease *live = node ? MAP_OWNER(node, struct live_lease, by_submission) : NULL;
        if (!live || strcmp(live->key, newest->key) != 0 || live->expires_at_ms < now(model) + newest->lease_ms)
            trace_break(model->trace, PROMISE_RESTART, "lease #%u of %" PRId64 " %s the restart", newest->number,
                        submission->id, live ? "is good for less than its length after" : "did not outlive");
        model_promise(submission, newest, now(model) + newest->lease_ms);
    }
}
