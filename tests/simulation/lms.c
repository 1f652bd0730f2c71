/* SPDX-License-Identifier: Apache-2.0 */
/* LMSs: hand in, hand in again what they are not sure about, look how it stands. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "service/rules/order.h"
#include "tests/simulation/actors.h"
#include "tests/simulation/skills.h"

enum { REPLACE_KEYS = 12, TEXT_MAX = 32 };

struct submit_ask {
    struct ask ask; /* first */
    struct simulation *simulation;
    struct model_submission sent;
    int64_t not_before_ms;
    int64_t expire_after_ms;
    struct submit_receipt receipt; /* owned list in it */
};

static enum status submit_run(struct ask *ask, struct queues *queues)
{
    struct submit_ask *submit = (struct submit_ask *)ask;
    const struct model_submission *sent = &submit->sent;
    char body[TEXT_MAX], request[TEXT_MAX] = "", lms[TEXT_MAX], student[TEXT_MAX] = "", replace[TEXT_MAX];
    char url[] = "https://lms.example.org/callback", nothing[] = "", channel[] = "results", header[] = "{}";
    snprintf(body, sizeof body, "%" PRIu64, sent->body);
    snprintf(lms, sizeof lms, "lms%d", sent->lms);
    snprintf(replace, sizeof replace, "key%d", sent->replace_key);
    if (sent->request != 0)
        snprintf(request, sizeof request, "r%" PRIu64, sent->request);
    if (sent->student != 0 && submit->simulation->options.sabotage != SABOTAGE_IGNORES_STUDENTS)
        snprintf(student, sizeof student, "student%d", sent->student);
    struct label labels[SKILLS_COUNT];
    unsigned skills = submit->simulation->options.sabotage == SABOTAGE_IGNORES_LABELS ? 0 : sent->skills;
    struct submit_order order = {
        .queue = queues->config->queues[sent->queue].name,
        .request = {.submitter = lms, .request_id = request, .fairness_key = student, .cost = 1},
        .content =
            {
                .header = header,
                .header_length = strlen(header),
                .body = body,
                .body_length = strlen(body),
                .callback_url = sent->has_destination && sent->channel == 0 ? url : nothing,
                .results_channel = sent->has_destination && sent->channel != 0 ? channel : nothing,
                .trace_parent = nothing,
                .trace_state = nothing,
                .labels = skills_labels(skills, labels),
            },
        .priority = sent->rank,
        .not_before_ms = submit->not_before_ms,
        .expire_after_ms = submit->expire_after_ms,
        .replace_key = (const uint8_t *)replace,
        .replace_key_length = sent->replace_key != 0 ? strlen(replace) : 0,
    };
    memcpy(order.request.digest, &sent->body, sizeof sent->body);
    return submitting_submit(queues, &order, &submit->receipt, &ask->error);
}

static void submit_told(struct ask *ask, bool stored)
{
    struct submit_ask *submit = (struct submit_ask *)ask;
    struct model *model = &submit->simulation->model;
    const struct model_submission *sent = &submit->sent;
    if (!stored) {
        model->unstored++;
        return;
    }
    if (ask->status != STATUS_OK) {
        trace_add(model->trace, "lms%d submits to q%d: %s", sent->lms, sent->queue, status_name(ask->status));
        model_refused(model, sent, ask->status);
        return;
    }
    trace_add(model->trace, "lms%d submits to q%d, body %" PRIu64 ", key%d: %" PRId64 "%s, %zu superseded", sent->lms,
              sent->queue, sent->body, sent->replace_key, submit->receipt.submission_id,
              submit->receipt.already ? " already" : "", submit->receipt.superseded_count);
    submit->sent.submitted_at_ms = ask->world->now_ms;
    submit->sent.ready_at_ms = ask->world->now_ms + submit->not_before_ms;
    submit->sent.expires_at_ms = submit->expire_after_ms > 0 ? ask->world->now_ms + submit->expire_after_ms : 0;
    model_submitted(model, sent, &submit->receipt);
}

static void submit_finish(struct ask *ask)
{
    memory_free(((struct submit_ask *)ask)->receipt.superseded_ids);
}

static struct submit_ask *submit_new(struct simulation *simulation)
{
    struct submit_ask *submit = world_new_ask(&simulation->world, sizeof *submit);
    submit->ask.run = submit_run;
    submit->ask.told = submit_told;
    submit->ask.finish = submit_finish;
    submit->simulation = simulation;
    return submit;
}

void lms_submits(struct simulation *simulation)
{
    if (simulation->model.count + simulation->world.asks.count >= MODEL_SUBMISSIONS_MAX)
        return;
    struct submit_ask *submit = submit_new(simulation);
    struct model_submission *sent = &submit->sent;
    static const uint32_t priorities[] = {ORDER_PRIORITY_NORMAL, ORDER_PRIORITY_NORMAL, ORDER_PRIORITY_NORMAL,
                                          ORDER_PRIORITY_HIGH, ORDER_PRIORITY_LOW};
    sent->queue = (int)simulation_roll(simulation, SIMULATION_QUEUES);
    sent->lms = (int)simulation_roll(simulation, SIMULATION_LMS);
    sent->body = ++simulation->model.texts;
    sent->replace_key = simulation_roll(simulation, 3) == 0 ? (int)simulation_roll(simulation, REPLACE_KEYS) + 1 : 0;
    sent->request = simulation_roll(simulation, 2) ? sent->body : 0;
    sent->has_destination = simulation_roll(simulation, 8) != 0;
    sent->channel = simulation_roll(simulation, 4) == 0;
    sent->student = (int)simulation_roll(simulation, 5);
    sent->skills = simulation_roll(simulation, 4) == 0 ? simulation_roll(simulation, SKILLS_ALL + 1) : 0;
    sent->rank = priorities[simulation_roll(simulation, 5)];
    submit->not_before_ms = simulation_roll(simulation, 8) == 0 ? simulation_roll(simulation, 20000) + 1 : 0;
    submit->expire_after_ms = simulation_roll(simulation, 12) == 0 ? simulation_roll(simulation, 600000) + 1 : 0;
    world_ask(&submit->ask);
}

void lms_submits_for(struct simulation *simulation, int queue, int student)
{
    struct submit_ask *submit = submit_new(simulation);
    submit->sent.queue = queue;
    submit->sent.student = student;
    submit->sent.body = ++simulation->model.texts;
    world_ask(&submit->ask);
}

static struct model_submission *some_submission(struct simulation *simulation)
{
    struct model *model = &simulation->model;
    return model->count > 0 ? model->items[simulation_roll(simulation, (uint32_t)model->count)] : NULL;
}

/* The answer to a request may have been lost: it is sent again, the same, or by a mistake with something else in it. */
void lms_repeats(struct simulation *simulation)
{
    const struct model_submission *first = some_submission(simulation);
    if (!first || first->request == 0)
        return;
    struct submit_ask *submit = submit_new(simulation);
    struct model_submission *sent = &submit->sent;
    sent->queue = first->queue;
    sent->lms = first->lms;
    sent->request = first->request;
    sent->has_destination = first->has_destination;
    sent->channel = first->channel;
    sent->body = simulation_roll(simulation, 4) ? first->body : ++simulation->model.texts;
    world_ask(&submit->ask);
}

/* ---- looking ---- */

struct look_ask {
    struct ask ask; /* first */
    struct simulation *simulation;
    int64_t id;
    struct submission_view view; /* owned */
};

static enum status look_run(struct ask *ask, struct queues *queues)
{
    struct look_ask *look = (struct look_ask *)ask;
    const struct view_request request = {.id = look->id, .user = "lms", .may_see_all = true, .with_result = true};
    return submitting_view(queues, &request, &look->view, &ask->error);
}

static void look_check_result(struct model *model, const struct model_submission *submission,
                              const struct submission_view *view)
{
    char expected[TEXT_MAX];
    snprintf(expected, sizeof expected, "%" PRIu64, submission->result);
    bool graded = submission->generation > 0;
    bool right = view->has_result == graded && (!graded || (view->result.body_length == strlen(expected) &&
                                                            memcmp(view->result.body, expected, strlen(expected)) == 0 &&
                                                            view->result.generation == submission->generation));
    if (!right)
        trace_break(model->trace, PROMISE_ONE_RESULT, "the result of %" PRId64 " is not the one that was accepted",
                    submission->id);
}

static void look_told(struct ask *ask, bool stored)
{
    struct look_ask *look = (struct look_ask *)ask;
    struct model *model = &look->simulation->model;
    struct model_submission *submission = model_find(model, look->id);
    if (!stored)
        return;
    if ((submission != NULL) != (ask->status == STATUS_OK)) {
        trace_break(model->trace, PROMISE_ACKNOWLEDGED, "a look at %" PRId64 " is answered %s", look->id,
                    status_name(ask->status));
        return;
    }
    if (!submission)
        return;
    trace_add(model->trace, "lms%d sees %" PRId64 " %s", submission->lms, look->id,
              submission_state_name(look->view.row.state));
    model_seen(model, submission, &look->view.row);
    model_seen_delivery(model, submission, look->view.has_delivery ? &look->view.delivery : NULL);
    look_check_result(model, submission, &look->view);
}

static void look_finish(struct ask *ask)
{
    submission_view_finish(&((struct look_ask *)ask)->view);
}

void lms_looks(struct simulation *simulation)
{
    const struct model_submission *submission = some_submission(simulation);
    if (!submission)
        return;
    struct look_ask *look = world_new_ask(&simulation->world, sizeof *look);
    look->ask.run = look_run;
    look->ask.told = look_told;
    look->ask.finish = look_finish;
    look->simulation = simulation;
    look->id = submission->id;
    world_ask(&look->ask);
}

/* ---- taking back ---- */

struct cancel_ask {
    struct ask ask; /* first */
    struct simulation *simulation;
    int64_t id;
};

static enum status cancel_run(struct ask *ask, struct queues *queues)
{
    const struct cancel_order order = {
        .id = ((struct cancel_ask *)ask)->id, .user = "lms", .may_cancel_all = true, .reason = "handed in by mistake"};
    return submitting_cancel(queues, &order, &ask->error);
}

static void cancel_told(struct ask *ask, bool stored)
{
    const struct cancel_ask *cancel = (struct cancel_ask *)ask;
    if (!stored)
        return;
    trace_add(ask->world->trace, "an LMS takes %" PRId64 " back: %s", cancel->id, status_name(ask->status));
    model_canceled(&cancel->simulation->model, cancel->id, ask->status);
}

void lms_cancels(struct simulation *simulation)
{
    const struct model_submission *submission = some_submission(simulation);
    if (!submission)
        return;
    struct cancel_ask *cancel = world_new_ask(&simulation->world, sizeof *cancel);
    cancel->ask.run = cancel_run;
    cancel->ask.told = cancel_told;
    cancel->simulation = simulation;
    cancel->id = submission->id;
    world_ask(&cancel->ask);
}
