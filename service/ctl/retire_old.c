/* SPDX-License-Identifier: Apache-2.0 */
/* `xqueuectl retire-old`: empties a queue of what has waited too long. */
#include "service/ctl/bulk.h"
#include "service/ctl/commands.h"
#include "service/ctl/moment.h"

static int run(struct command_call *call)
{
    struct bulk bulk = {.call = call, .method = &bulk_retire_method, .verb = "give up", .done = "gave up"};
    struct error error = {0};
    const char *before = command_text(call, "before");
    Xqueue__V1__SubmissionFilter filter = XQUEUE__V1__SUBMISSION_FILTER__INIT;
    Xqueue__V1__BulkRequest request = XQUEUE__V1__BULK_REQUEST__INIT;
    if (before && moment_parse(before, &filter.submitted_until_ms) != STATUS_OK)
        return command_fail(COMMAND_EXIT_FAILED,
                            "unable to parse datetime '%s': it should look like 2026-01-31T12:00:00Z or "
                            "'2026-01-31 12:00:00' (UTC)",
                            before);
    // The generated types are not const, though nothing is written.
    filter.queue = (char *)call->operands[0];
    request.filter = &filter;
    request.dry_run = command_flag(call, "dry-run");
    request.reason = (char *)"given up by an administrator: waited too long";
    enum status status = bulk_run(&bulk, &request, &error);
    return bulk_finish(&bulk, status, &error);
}

static const struct command_option options[] = {
    {.name = "before",
     .value = "DATETIME",
     .help = "only those that came until then: 2026-01-31, 2026-01-31T12:00:00Z, '2026-01-31 12:00:00'; UTC",
     .kind = COMMAND_OPTION_TEXT},
    {.name = "dry-run", .help = "only say how many", .kind = COMMAND_OPTION_FLAG},
};

const struct command command_retire_old = {
    .name = "retire-old",
    .operands = "QUEUE",
    .old_name = "retire_old_submissions",
    .help = "gives up all submissions of a queue that are not graded yet, and tells the students",
    .details = "They become dead, and their LMS is told that they could not be graded. Without --before all of the queue.",
    COMMAND_OPTIONS(options),
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
