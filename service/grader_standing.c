/* SPDX-License-Identifier: Apache-2.0 */
#include "service/grader_standing.h"

#include "base/log.h"
#include "base/text.h"
#include "service/work_session.h"

/* What it was is kept until the batch is through. */
static void grader_judge(struct queues *queues, struct grader *grader)
{
    if (!list_contains(&grader->judged_node)) {
        grader->stored_quarantine = grader->quarantine;
        list_append(&queues->graders.judged, &grader->judged_node);
    }
}

/* The timer is always that of the quarantine. */
static void grader_schedule(struct graders *graders, struct grader *grader)
{
    if (quarantine_is_quiet(&grader->quarantine)) {
        heap_schedule(&graders->quiet_ends, &grader->quiet_end, grader->quarantine.until_ms);
    } else {
        heap_remove(&graders->quiet_ends, &grader->quiet_end);
    }
}

int64_t grader_quiet_for_ms(const struct grader *grader, int64_t now_ms)
{
    int64_t left_ms = grader->quarantine.until_ms - now_ms;
    return left_ms > 0 ? left_ms : 0;
}

static enum status grader_explain(const struct grader *grader, int64_t now_ms, struct error *error)
{
    enum status status = error_set(error, STATUS_FULL, "GRADER_QUIET",
                                   "this grader failed %lld times in a row: nothing is granted to it for now",
                                   (long long)grader->quarantine.failures);
    error->retry_after_ms = grader_quiet_for_ms(grader, now_ms);
    return status;
}

static void grader_tell(struct queues *queues, struct grader *grader)
{
    struct work_session *session = grader->session;
    if (!session || session->closed) {
        return;
    }
    struct error why = {.reason = ""};
    if (quarantine_is_quiet(&grader->quarantine)) {
        (void)grader_explain(grader, queues->now_ms, &why); /* it is a text here, nobody's failure */
    }
    work_session_say_quiet(queues, session, &(struct quiet_period){.for_ms = why.retry_after_ms, .why = why});
    work_session_update_waiting(queues, session);
}

static void grader_changed(struct queues *queues, struct grader *grader)
{
    grader_schedule(&queues->graders, grader);
    grader_tell(queues, grader);
}

void grader_failed(struct queues *queues, struct grader *grader, const struct store_submission *row, bool lost)
{
    const struct config_service *settings = &queues->config->service;
    struct quarantine_bounds bounds = {.failures_max = settings->grader_failures_max,
                                       .first_ms = settings->grader_quiet_ms,
                                       .period_ms_max = settings->grader_quiet_ms_max};
    struct quarantine_failure failure = {
        .submission_id = row->id, .granted_at_ms = row->leased_at_ms, .lost = lost, .now_ms = queues->now_ms};
    grader_judge(queues, grader);
    if (quarantine_on_failure(&grader->quarantine, &bounds, &failure)) {
        log_event(LOG_WARN, "grader_quiet", LOG_TEXT("grader", grader->name), LOG_INT("failures", grader->quarantine.failures),
                  LOG_INT("for_ms", grader_quiet_for_ms(grader, queues->now_ms)));
        grader_changed(queues, grader);
    }
}

void grader_succeeded(struct queues *queues, struct grader *grader)
{
    if (quarantine_is_clean(&grader->quarantine)) {
        return;
    }
    bool was_limited = grader->quarantine.rounds > 0;
    grader_judge(queues, grader);
    bool was_quiet = quarantine_on_success(&grader->quarantine);
    if (was_limited) {
        log_event(LOG_INFO, "grader_recovered", LOG_TEXT("grader", grader->name));
    }
    if (was_quiet) {
        grader_changed(queues, grader);
    } else if (grader->session) {
        work_session_update_waiting(queues, grader->session); /* it may hold more than one lease again */
    }
}

enum status graders_check_quiet(struct queues *queues, const char *name, struct error *error)
{
    const struct grader *grader = graders_find(&queues->graders, name);
    if (grader && quarantine_is_quiet(&grader->quarantine)) {
        return grader_explain(grader, queues->now_ms, error);
    }
    return STATUS_OK;
}

void grader_tell_quiet(struct queues *queues, struct work_session *session)
{
    if (quarantine_is_quiet(&session->grader->quarantine)) {
        grader_tell(queues, session->grader);
    }
}

void graders_tick(struct queues *queues)
{
    struct heap_node *node = NULL;
    while ((node = heap_first(&queues->graders.quiet_ends)) != NULL && node->due_ms <= queues->now_ms) {
        struct grader *grader = HEAP_OWNER(node, struct grader, quiet_end);
        grader_judge(queues, grader);
        quarantine_end_period(&grader->quarantine);
        grader_changed(queues, grader);
    }
}

int64_t graders_next_due_ms(const struct queues *queues)
{
    return heap_next_due_ms(&queues->graders.quiet_ends);
}

void graders_settle(struct queues *queues, bool committed)
{
    struct graders *graders = &queues->graders;
    struct list_node *node = NULL;
    while ((node = list_take_first(&graders->judged)) != NULL) {
        struct grader *grader = LIST_OWNER(node, struct grader, judged_node);
        if (!committed) {
            grader->quarantine = grader->stored_quarantine;
            grader_schedule(graders, grader);
        }
        graders_forget_idle(graders, grader);
    }
}
