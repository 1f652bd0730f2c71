/* SPDX-License-Identifier: Apache-2.0 */
/* What couriers were told, and what follows from it. */
#include <inttypes.h>
#include <string.h>

#include "tests/simulation/model.h"

static int64_t now(const struct model *model)
{
    return model->trace->now_ms;
}

void model_outcome(struct model_submission *submission)
{
    /* Graded once more, and not as well as before: nobody is told. */
    if (submission->generation > 0 && submission->fate != FATE_GRADED)
        return;
    submission->delivery = (struct model_delivery){
        .bringing = submission->has_destination ? BRINGING_DUE : BRINGING_NOTHING,
    };
}

void model_outcome_before(struct model_submission *submission)
{
    if (!submission->delivery.loose)
        model_outcome(submission);
}

static bool model_tries_used_up(const struct model *model, const struct model_submission *submission)
{
    return submission->delivery.tries >= model->config->delivery.attempts_max;
}

/* Somebody with the same replace key whose outcome must come first. */
static const struct model_submission *model_find_older(const struct model *model, const struct model_submission *submission)
{
    for (size_t at = 0; at < model->count && submission->replace_key != 0; at++) {
        const struct model_submission *other = model->items[at];
        if (other->replace_key == submission->replace_key && other->id < submission->id && other->fate != FATE_LIVE &&
            other->delivery.bringing == BRINGING_DUE && !other->delivery.loose && !model_tries_used_up(model, other))
            return other;
    }
    return NULL;
}

static bool model_outcome_is_right(struct model *model, struct model_submission *submission,
                                   const struct model_bringing_lease *lease)
{
    const struct store_delivery *row = &lease->row;
    switch (row->outcome) {
    case DELIVERY_OUTCOME_RESULT:
        if (submission->generation > 0 && row->generation == submission->generation && lease->result == submission->result)
            return true;
        trace_break(model->trace, PROMISE_ONE_RESULT,
                    "of %" PRId64 " generation %" PRId64 " is brought, which is not the result", row->submission_id,
                    row->generation);
        return true;
    case DELIVERY_OUTCOME_UNGRADABLE:
        return submission->fate == FATE_UNGRADABLE && submission->generation == 0;
    default:
        if (submission->fate == FATE_LIVE && model_may_be_dead(model, submission)) {
            struct model_lease *newest = model_newest(submission);
            if (newest)
                newest->over = true;
            submission->fate = FATE_DEAD;
            model_outcome_before(submission);
        }
        return submission->fate == FATE_DEAD && !submission->tell_nobody && submission->generation == 0;
    }
}

static void model_check_taken(struct model *model, struct model_submission *submission,
                              const struct model_bringing_lease *lease)
{
    const struct model_delivery *delivery = &submission->delivery;
    int64_t id = submission->id;
    const struct model_submission *older = model_find_older(model, submission);
    if (delivery->bringing != BRINGING_DUE)
        trace_break(model->trace, PROMISE_DELIVERY, "the outcome of %" PRId64 " is brought, but it is %s", id,
                    delivery->bringing == BRINGING_DONE ? "there already" : "not to be brought");
    if (delivery->leased_until_ms > now(model))
        trace_break(model->trace, PROMISE_DELIVERY, "the outcome of %" PRId64 " is brought by two at the same time", id);
    if (delivery->not_before_ms > now(model))
        trace_break(model->trace, PROMISE_DELIVERY, "the outcome of %" PRId64 " is brought again too early", id);
    if (older)
        trace_break(model->trace, PROMISE_DELIVERY, "the outcome of %" PRId64 " is brought before that of %" PRId64, id,
                    older->id);
    if (submission->channel != 0 && lease->row.channel[0] == '\0')
        trace_break(model->trace, PROMISE_DELIVERY, "the outcome of %" PRId64 " is brought on another channel", id);
}

void model_taken(struct model *model, const struct model_bringing_lease *lease, int instance)
{
    struct model_submission *submission = model_find(model, lease->row.submission_id);
    if (!submission) {
        trace_break(model->trace, PROMISE_ACKNOWLEDGED, "the outcome of %" PRId64 " is brought, which is not there",
                    lease->row.submission_id);
        return;
    }
    struct model_delivery *delivery = &submission->delivery;
    if (!delivery->loose) {
        if (!model_outcome_is_right(model, submission, lease))
            trace_break(model->trace, PROMISE_DELIVERY, "of %" PRId64 " the outcome %s is brought: fate %d", submission->id,
                        delivery_outcome_name(lease->row.outcome), (int)submission->fate);
        model_check_taken(model, submission, lease);
    }
    memcpy(delivery->key, lease->row.lease_key, sizeof delivery->key);
    delivery->leased_until_ms = now(model) + model->config->delivery.lease_ms;
    delivery->courier_instance = instance;
    delivery->tries++;
}

void model_courier_instance(struct model *model, int channel, int instance)
{
    for (size_t at = 0; at < model->count; at++) {
        struct model_submission *submission = model->items[at];
        if (submission->channel == channel && submission->delivery.courier_instance != instance)
            submission->delivery.leased_until_ms = 0;
    }
}

/* NULL: checked already, or nothing can be said. */
static struct model_delivery *model_judge_bringing(struct model *model, int64_t id, const char *key, enum status status,
                                                   bool must)
{
    struct model_submission *submission = model_find(model, id);
    if (!submission) {
        if (status != STATUS_NOT_FOUND)
            trace_break(model->trace, PROMISE_ACKNOWLEDGED, "a courier of %" PRId64 ", which is not there: %s", id,
                        status_name(status));
        return NULL;
    }
    struct model_delivery *delivery = &submission->delivery;
    if (delivery->loose)
        return NULL;
    if (status == STATUS_NOT_FOUND)
        trace_break(model->trace, PROMISE_ACKNOWLEDGED, "%" PRId64 " was acknowledged, and no courier finds it", id);
    bool newest = delivery->key[0] != '\0' && strcmp(delivery->key, key) == 0;
    if (status == STATUS_OK && (!newest || delivery->bringing == BRINGING_GIVEN_UP))
        trace_break(model->trace, PROMISE_DELIVERY, "a courier of %" PRId64 " with a key that is not good any more", id);
    if (status != STATUS_OK && newest && must)
        trace_break(model->trace, PROMISE_DELIVERY, "a courier of %" PRId64 " with a good key: %s", id, status_name(status));
    return status == STATUS_OK ? delivery : NULL;
}

void model_acknowledged(struct model *model, int64_t id, const char *key, enum status status, bool already)
{
    struct model_submission *submission = model_find(model, id);
    bool must =
        submission && (submission->delivery.bringing == BRINGING_DONE ||
                       (submission->delivery.bringing == BRINGING_DUE &&
                        (!model_tries_used_up(model, submission) || submission->delivery.leased_until_ms > now(model))));
    struct model_delivery *delivery = model_judge_bringing(model, id, key, status, must);
    if (!delivery)
        return;
    if (already != (delivery->bringing == BRINGING_DONE))
        trace_break(model->trace, PROMISE_DELIVERY, "the outcome of %" PRId64 " is %s there", id,
                    already ? "said to be" : "not");
    model->delivered += delivery->bringing != BRINGING_DONE;
    delivery->bringing = BRINGING_DONE;
    delivery->leased_until_ms = 0;
}

void model_delivery_failed(struct model *model, int64_t id, const char *key, enum status status,
                           const struct delivery_failure *failure)
{
    struct model_submission *submission = model_find(model, id);
    bool must =
        submission && submission->delivery.bringing == BRINGING_DUE && submission->delivery.leased_until_ms > now(model);
    struct model_delivery *delivery = model_judge_bringing(model, id, key, status, must);
    if (!submission || !delivery)
        return;
    if (delivery->bringing == BRINGING_DONE)
        trace_break(model->trace, PROMISE_DELIVERY, "the outcome of %" PRId64 " is there, and a failure of it is taken", id);
    delivery->leased_until_ms = 0;
    bool may_give_up = failure->permanent || (!failure->uncounted && model_tries_used_up(model, submission));
    if (failure->out_undeliverable != may_give_up)
        trace_break(model->trace, PROMISE_DELIVERY, "the outcome of %" PRId64 " is %s after %" PRId64 " tries", id,
                    may_give_up ? "not given up" : "given up", delivery->tries);
    delivery->bringing = failure->out_undeliverable ? BRINGING_GIVEN_UP : BRINGING_DUE;
    delivery->not_before_ms = now(model) + failure->out_retry_after_ms;
    delivery->tries -= failure->uncounted && delivery->tries > 0;
}

void model_delivery_requeued(struct model *model, struct model_submission *submission)
{
    struct model_delivery *delivery = &submission->delivery;
    bool may_be = delivery->loose || delivery->bringing == BRINGING_GIVEN_UP ||
                  (delivery->bringing == BRINGING_DUE && model_tries_used_up(model, submission));
    if (!may_be)
        trace_break(model->trace, PROMISE_DELIVERY, "the delivery of %" PRId64 " was requeued, which it could not be",
                    submission->id);
    if (!delivery->loose)
        delivery->bringing = BRINGING_DUE;
    delivery->tries = 0;
    delivery->leased_until_ms = 0;
    delivery->not_before_ms = 0;
}

void model_purged_rightly(struct model *model, const struct model_submission *submission)
{
    const struct model_delivery *delivery = &submission->delivery;
    bool unfinished = submission->fate == FATE_LIVE && !model_may_be_dead(model, submission);
    bool untold = submission->fate != FATE_LIVE && !delivery->loose && delivery->bringing == BRINGING_DUE &&
                  !model_tries_used_up(model, submission);
    if (unfinished || untold)
        trace_break(model->trace, PROMISE_ACKNOWLEDGED, "%" PRId64 " is purged before it is %s", submission->id,
                    unfinished ? "final" : "delivered");
}

/* ---- what anybody can see ---- */

static bool model_explains_delivery(struct model *model, struct model_submission *submission, const struct store_delivery *row)
{
    static const enum delivery_outcome outcomes[FATE_UNGRADABLE + 1] = {
        [FATE_GRADED] = DELIVERY_OUTCOME_RESULT,
        [FATE_DEAD] = DELIVERY_OUTCOME_DEAD,
        [FATE_UNGRADABLE] = DELIVERY_OUTCOME_UNGRADABLE,
    };
    struct model_delivery *delivery = &submission->delivery;
    enum delivery_outcome outcome = submission->generation > 0 ? DELIVERY_OUTCOME_RESULT : outcomes[submission->fate];
    if (row->outcome != outcome || (row->outcome == DELIVERY_OUTCOME_RESULT && row->generation != submission->generation))
        return false;
    switch (row->state) {
    case DELIVERY_IN_FLIGHT:
    case DELIVERY_PENDING:
        return delivery->bringing == BRINGING_DUE;
    case DELIVERY_DELIVERED:
        return delivery->bringing == BRINGING_DONE;
    default:
        /* Its last courier was not heard of again. */
        if (delivery->bringing == BRINGING_DUE && model_tries_used_up(model, submission))
            delivery->bringing = BRINGING_GIVEN_UP;
        return delivery->bringing == BRINGING_GIVEN_UP;
    }
}

void model_seen_delivery(struct model *model, struct model_submission *submission, const struct store_delivery *row)
{
    if (submission->delivery.loose)
        return;
    bool expected = submission->delivery.bringing != BRINGING_NOTHING;
    if (expected != (row != NULL))
        trace_break(model->trace, PROMISE_DELIVERY, "%" PRId64 " has %s delivery: fate %d", submission->id, row ? "a" : "no",
                    (int)submission->fate);
    else if (row && !model_explains_delivery(model, submission, row))
        trace_break(model->trace, PROMISE_DELIVERY,
                    "the delivery of %" PRId64 " is %s %s: fate %d, bringing %d, %" PRId64 " tries", submission->id,
                    delivery_outcome_name(row->outcome), delivery_state_name(row->state), (int)submission->fate,
                    (int)submission->delivery.bringing, submission->delivery.tries);
}
