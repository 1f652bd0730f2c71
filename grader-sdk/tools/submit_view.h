/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a submission stands, as it is shown to people while they wait.
 *
 * Threading: pure; one view belongs to whoever guards it.
 */
#ifndef GRADER_SDK_TOOLS_SUBMIT_VIEW_H
#define GRADER_SDK_TOOLS_SUBMIT_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "grader-sdk/tools/submit_outcome.h"
#include "xqueue/v1/submissions.pb-c.h"

enum { SUBMIT_VIEW_PHASE_MAX = 65, SUBMIT_VIEW_NOTE_MAX = 513, SUBMIT_VIEW_TEXT_MAX = 1024 };

struct submit_view {
    uint64_t id; /* 0: not taken yet */
    Xqueue__V1__SubmissionState state;
    uint64_t position;      /* READY: how many are before it */
    int64_t estimate_ms;    /* 0: unknown */
    int64_t ready_after_ms; /* DELAYED */
    uint32_t failures;
    bool nobody_can_grade;
    bool has_progress;
    uint32_t percent;
    char phase[SUBMIT_VIEW_PHASE_MAX];
    char note[SUBMIT_VIEW_NOTE_MAX];
    char grader[SUBMIT_OUTCOME_NAME_MAX];
    char message[SUBMIT_OUTCOME_TEXT_MAX]; /* why it failed last */
};

/* Takes over what an event says; its submission is there. */
void submit_view_take(struct submit_view *view, const Xqueue__V1__WatchEvent *event);

/* A state that only an administrator changes? */
bool submit_view_is_final(const struct submit_view *view);

/* "submission 7: waiting, 3 before it, about 40 s", on one line. Returns out. */
const char *submit_view_text(const struct submit_view *view, char out[SUBMIT_VIEW_TEXT_MAX]);

/* Is it worth a line of its own where lines stay: another state, phase, failure? The end is
 * not: it is told by itself. */
bool submit_view_is_news(const struct submit_view *before, const struct submit_view *now);

#endif
