/* SPDX-License-Identifier: Apache-2.0 */
#include "service/ctl/submission_report.h"

#include <inttypes.h>

#include "base/client/submission_words.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/ctl/command.h"

bool submission_report_id(const char *text, uint64_t *out_id)
{
    int64_t id = 0;
    if (text_to_int64(text, 1, INT64_MAX, &id) != STATUS_OK) {
        (void)command_fail(COMMAND_EXIT_FAILED, "'%s' is not the id of a submission", text);
        return false;
    }
    *out_id = (uint64_t)id;
    return true;
}

json_t *submission_report_json(const Xqueue__V1__GetResponse *submission)
{
    return json_pack(
        "{s:I, s:o, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:I, s:I}", "id",
        (json_int_t)submission->submission_id, "queue", report_json_text(submission->queue), "state",
        submission_words_state(submission->state), "delivery", submission_words_delivery(submission->delivery_state), "attempt",
        (json_int_t)submission->attempt, "failures", (json_int_t)submission->failures, "delivery_attempts",
        (json_int_t)submission->delivery_attempts, "submitted_at_ms", (json_int_t)submission->submitted_at_ms, "state_at_ms",
        (json_int_t)submission->state_at_ms, "delivered_at_ms", (json_int_t)submission->delivered_at_ms, "grader",
        report_json_text(submission->grader), "message", report_json_text(submission->message), "delivery_message",
        report_json_text(submission->delivery_message), "superseded_by", (json_int_t)submission->superseded_by_id,
        "ready_after_ms", (json_int_t)submission->ready_after_ms);
}

void submission_report_put(const char *text)
{
    char *shown = memory_copy_text(text);
    text_make_printable(shown);
    (void)fputs(shown, stdout);
    memory_free(shown);
}

static void print_text(const char *name, const char *text)
{
    if (text[0] == '\0')
        return;
    (void)printf("%s: ", name);
    submission_report_put(text);
    (void)putchar('\n');
}

static void print_number(const char *name, uint64_t number)
{
    if (number > 0)
        (void)printf("%s: %" PRIu64 "\n", name, number);
}

static void print_time(const char *name, int64_t at_ms)
{
    char stamp[REPORT_STAMP_MAX];
    if (at_ms > 0)
        (void)printf("%s: %s\n", name, report_time(at_ms, stamp));
}

void submission_report_print(const Xqueue__V1__GetResponse *submission)
{
    print_number("submission", submission->submission_id);
    print_text("queue", submission->queue);
    print_text("state", submission_words_state(submission->state));
    print_time("since", submission->state_at_ms);
    print_time("submitted", submission->submitted_at_ms);
    print_number("attempts", submission->attempt);
    print_number("failures", submission->failures);
    print_text("grader", submission->grader);
    print_text("message", submission->message);
    print_number("superseded by", submission->superseded_by_id);
    print_text("delivery", submission_words_delivery(submission->delivery_state));
    print_number("delivery attempts", submission->delivery_attempts);
    print_text("delivery message", submission->delivery_message);
    print_time("delivered", submission->delivered_at_ms);
}
