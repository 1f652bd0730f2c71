/* SPDX-License-Identifier: Apache-2.0 */
/* `xqueuectl watch`: tells each change of a submission until it is delivered. */
#include <inttypes.h>
#include <stdio.h>

#include "base/client/connection.h"
#include "base/client/submission_words.h"
#include "service/ctl/commands.h"
#include "service/ctl/submission_report.h"

enum { SECOND_MS = 1000 };

static const struct rpc_client_method watch_method = {"/xqueue.v1.Submissions/Watch", &xqueue__v1__watch_event__descriptor};

static json_t *progress_json(const Xqueue__V1__Progress *progress)
{
    if (!progress)
        return json_null();
    return json_pack("{s:o, s:I, s:o}", "phase", report_json_text(progress->phase), "percent", (json_int_t)progress->percent,
                     "note", report_json_text(progress->note));
}

static void print_json(const Xqueue__V1__WatchEvent *event)
{
    json_t *document = submission_report_json(event->submission);
    json_object_set_new(document, "position", json_integer((json_int_t)event->position));
    json_object_set_new(document, "estimate_ms", json_integer((json_int_t)event->estimate_ms));
    json_object_set_new(document, "progress", progress_json(event->progress));
    report_json_line(document);
}

/* "2026-01-31 12:00:00  READY, 3 before it, about 40 s; delivery NONE", "...  LEASED, about 9 s, 40 % tests; delivery NONE" */
static void print(const Xqueue__V1__WatchEvent *event)
{
    const Xqueue__V1__GetResponse *submission = event->submission;
    char stamp[REPORT_STAMP_MAX];
    (void)printf("%s  %s", report_time(submission->state_at_ms, stamp), submission_words_state(submission->state));
    if (submission->state == XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_READY)
        (void)printf(", %" PRIu64 " before it", event->position);
    if (event->estimate_ms > 0)
        (void)printf(", about %" PRId64 " s", (event->estimate_ms + SECOND_MS - 1) / SECOND_MS);
    if (event->progress) {
        (void)printf(", %" PRIu32 " %% ", event->progress->percent);
        submission_report_put(event->progress->phase);
    }
    (void)printf("; delivery %s\n", submission_words_delivery(submission->delivery_state));
}

static bool on_event(void *context, const struct rpc_message *message)
{
    const struct command_call *call = context;
    const Xqueue__V1__WatchEvent *event = (const Xqueue__V1__WatchEvent *)(const void *)rpc_message_body(message);
    if (!event->submission)
        return true;
    if (call->json)
        print_json(event);
    else
        print(event);
    (void)fflush(stdout);
    return true;
}

static int run(struct command_call *call)
{
    struct error error = {0};
    Xqueue__V1__WatchRequest request = XQUEUE__V1__WATCH_REQUEST__INIT;
    if (!submission_report_id(call->operands[0], &request.submission_id))
        return COMMAND_EXIT_FAILED;
    const struct connection_watch watch = {
        .method = &watch_method, .request = &request.base, .on_message = on_event, .context = call};
    enum status status = connection_watch(call->connection, &watch, &error);
    return status == STATUS_OK ? COMMAND_EXIT_OK : command_fail_status(status, &error);
}

const struct command command_watch = {
    .name = "watch",
    .operands = "ID",
    .help = "tells how a submission stands and each change, until it is delivered",
    .details =
        "One line for each change, with its place in the queue and an estimate where there is one; with --json one document\n"
        "a line. Ends when nothing will change by itself any more, and at a signal.",
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
