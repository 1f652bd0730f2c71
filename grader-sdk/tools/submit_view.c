/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/tools/submit_view.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"

#define STATE(name_) XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_##name_

enum { MS_PER_SECOND = 1000, SECONDS_PER_MINUTE = 60, SECONDS_PER_HOUR = 3600, POSITION_MANY = 10000 };

void submit_view_take(struct submit_view *view, const Xqueue__V1__WatchEvent *event)
{
    const Xqueue__V1__GetResponse *submission = event->submission;
    const Xqueue__V1__Progress *progress = event->progress;
    *view = (struct submit_view){
        .id = submission->submission_id,
        .state = submission->state,
        .position = event->position,
        .estimate_ms = event->estimate_ms,
        .ready_after_ms = submission->ready_after_ms,
        .failures = submission->failures,
        .nobody_can_grade = event->nobody_can_grade,
        .has_progress = progress != NULL,
        .percent = progress ? progress->percent : 0,
    };
    (void)text_copy(view->phase, sizeof view->phase, progress ? progress->phase : "");
    (void)text_copy(view->note, sizeof view->note, progress ? progress->note : "");
    (void)text_copy(view->grader, sizeof view->grader, submission->grader);
    (void)text_copy(view->message, sizeof view->message, submission->message);
}

bool submit_view_is_final(const struct submit_view *view)
{
    switch (view->state) {
    case STATE(GRADED):
    case STATE(DEAD):
    case STATE(CANCELED):
    case STATE(SUPERSEDED):
    case STATE(UNGRADABLE):
        return true;
    default:
        return false;
    }
}

/* ---- words ---- */

/* ", about 40 s"; rounded up, as nobody likes to be told too little. */
static void append_time(struct text *text, const char *before, int64_t time_ms)
{
    int64_t seconds = (time_ms + MS_PER_SECOND - 1) / MS_PER_SECOND;
    if (seconds < INT64_C(2) * SECONDS_PER_MINUTE)
        text_append_format(text, "%s%" PRId64 " s", before, seconds);
    else if (seconds < INT64_C(2) * SECONDS_PER_HOUR)
        text_append_format(text, "%s%" PRId64 " min", before, (seconds + SECONDS_PER_MINUTE - 1) / SECONDS_PER_MINUTE);
    else
        text_append_format(text, "%s%" PRId64 " h", before, (seconds + SECONDS_PER_HOUR - 1) / SECONDS_PER_HOUR);
}

static void append_waiting(struct text *text, const struct submit_view *view)
{
    if (view->position >= POSITION_MANY)
        text_append_format(text, "waiting, %d or more before it", POSITION_MANY);
    else if (view->position > 0)
        text_append_format(text, "waiting, %" PRIu64 " before it", view->position);
    else
        text_append_string(text, "waiting, next in line");
    if (view->nobody_can_grade)
        text_append_string(text, ", no grader that is here can take it");
}

static void append_grading(struct text *text, const struct submit_view *view)
{
    text_append_format(text, "being graded%s%s", view->grader[0] ? " by " : "", view->grader);
    if (!view->has_progress)
        return;
    text_append_format(text, ", %" PRIu32 " %%", view->percent);
    if (view->phase[0])
        text_append_format(text, " %s", view->phase);
    if (view->note[0])
        text_append_format(text, ": %s", view->note);
}

static void append_state(struct text *text, const struct submit_view *view)
{
    switch (view->state) {
    case STATE(READY):
        append_waiting(text, view);
        break;
    case STATE(LEASED):
        append_grading(text, view);
        break;
    case STATE(DELAYED):
        append_time(text, view->failures > 0 ? "tried again in " : "not before ", view->ready_after_ms);
        break;
    case STATE(GRADED):
        text_append_string(text, "graded");
        break;
    default:
        text_append_string(text, "over");
        break;
    }
    if (view->estimate_ms > 0 && (view->state == STATE(READY) || view->state == STATE(LEASED)))
        append_time(text, ", about ", view->estimate_ms);
    bool has_reason = view->state == STATE(DELAYED) && view->message[0];
    if (view->failures > 0 && !submit_view_is_final(view))
        text_append_format(text, " (failed %" PRIu32 " time%s%s%.200s)", view->failures, view->failures > 1 ? "s" : "",
                           has_reason ? ": " : "", has_reason ? view->message : "");
}

const char *submit_view_text(const struct submit_view *view, char out[SUBMIT_VIEW_TEXT_MAX])
{
    struct text text;
    text_init(&text, (size_t)2 * SUBMIT_VIEW_TEXT_MAX);
    if (view->id == 0) {
        text_append_string(&text, "submitting");
    } else {
        text_append_format(&text, "submission %" PRIu64 ": ", view->id);
        append_state(&text, view);
    }
    (void)text_copy(out, SUBMIT_VIEW_TEXT_MAX, text.bytes);
    text_make_printable(out);
    text_finish(&text);
    return out;
}

bool submit_view_is_news(const struct submit_view *before, const struct submit_view *now)
{
    if (submit_view_is_final(now))
        return false;
    return before->id != now->id || before->state != now->state || before->failures != now->failures ||
           before->nobody_can_grade != now->nobody_can_grade || strcmp(before->phase, now->phase) != 0 ||
           strcmp(before->grader, now->grader) != 0;
}
