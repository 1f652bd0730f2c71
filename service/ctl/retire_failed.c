/* SPDX-License-Identifier: Apache-2.0 */
/* `xqueuectl retire-failed`: puts aside what has failed too often. */
#include <stdio.h>

#include "service/ctl/bulk.h"
#include "service/ctl/commands.h"

enum { FAILURES_MAX = 1000, FAILURES_DEFAULT = 3, QUEUES_MAX = 10000, REASON_MAX = 128 };

static int run(struct command_call *call)
{
    struct bulk bulk = {.call = call, .method = &bulk_retire_method, .verb = "give up", .done = "gave up"};
    struct error error = {0};
    enum status status = STATUS_OK;
    char reason[REASON_MAX];
    Xqueue__V1__SubmissionFilter filter = XQUEUE__V1__SUBMISSION_FILTER__INIT;
    Xqueue__V1__BulkRequest request = XQUEUE__V1__BULK_REQUEST__INIT;
    filter.failures_min = (uint32_t)command_number(call, "failures");
    request.filter = &filter;
    request.dry_run = command_flag(call, "dry-run");
    request.tell_nobody = command_flag(call, "force");
    (void)snprintf(reason, sizeof reason, "given up by an administrator: failed %u times or more",
                   (unsigned)filter.failures_min);
    request.reason = reason;
    // Without operands once, for all queues.
    for (size_t at = 0; status == STATUS_OK && (at == 0 || at < call->operand_count); at++) {
        if (call->operand_count > 0)
            filter.queue = (char *)call->operands[at]; // the generated type is not const, though nothing is written
        status = bulk_run(&bulk, &request, &error);
    }
    return bulk_finish(&bulk, status, &error);
}

static const struct command_option options[] = {
    {.name = "force", .letter = 'f', .help = "do not tell the students", .kind = COMMAND_OPTION_FLAG},
    {.name = "failures",
     .value = "N",
     .help = "counted failures from which on a submission is given up; 3, as MAX_NUMBER_OF_FAILURES",
     .kind = COMMAND_OPTION_NUMBER,
     .min = 1,
     .max = FAILURES_MAX,
     .fallback = FAILURES_DEFAULT},
    {.name = "dry-run", .help = "only say how many", .kind = COMMAND_OPTION_FLAG},
};

const struct command command_retire_failed = {
    .name = "retire-failed",
    .operands = "[QUEUE...]",
    .old_name = "retire_failed_submissions",
    .help = "gives up submissions that have failed too often, and tells the students",
    .details =
        "Takes submissions that are not graded yet and have at least N counted failures, in the named queues or in all.\n"
        "They become dead, and their LMS is told that they could not be graded; with --force it is not.\n"
        "An LMS that cannot be reached does not hold it up: what it is told is delivered later.",
    COMMAND_OPTIONS(options),
    .operands_max = QUEUES_MAX,
    .run = run,
};
