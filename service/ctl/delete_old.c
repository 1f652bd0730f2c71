/* SPDX-License-Identifier: Apache-2.0 */
/* `xqueuectl delete-old`: removes what nobody needs any more. */
#include "base/clock.h"
#include "service/ctl/bulk.h"
#include "service/ctl/commands.h"

#define DAY_MS INT64_C(86400000)

enum { CHUNK_DEFAULT = 1000, DAYS_DEFAULT = 7, DAYS_MAX = 36500, PAUSE_MS_MAX = 3600000 };

static int run(struct command_call *call)
{
    struct bulk bulk = {.call = call,
                        .method = &bulk_purge_method,
                        .verb = "delete",
                        .done = "deleted",
                        .pause_ms = command_number(call, "sleep-between")};
    struct error error = {0};
    Xqueue__V1__SubmissionFilter filter = XQUEUE__V1__SUBMISSION_FILTER__INIT;
    Xqueue__V1__BulkRequest request = XQUEUE__V1__BULK_REQUEST__INIT;
    int64_t until_ms = clock_wall_ms() - command_number(call, "days-old") * DAY_MS;
    if (until_ms <= 0) // 0 would be no bound at all
        return command_fail(COMMAND_EXIT_FAILED, "--days-old: nothing is that old");
    filter.submitted_until_ms = until_ms;
    request.filter = &filter;
    request.dry_run = command_flag(call, "dry-run");
    request.limit = (uint32_t)command_number(call, "chunk-size");
    request.unfinished_too = command_flag(call, "unfinished-too");
    request.reason = (char *)"deleted by an administrator: old"; // not const, though nothing is written
    enum status status = bulk_run(&bulk, &request, &error);
    return bulk_finish(&bulk, status, &error);
}

static const struct command_option options[] = {
    {.name = "days-old",
     .value = "DAYS",
     .help = "how old a submission must be; 7",
     .kind = COMMAND_OPTION_NUMBER,
     .max = DAYS_MAX,
     .fallback = DAYS_DEFAULT},
    {.name = "chunk-size",
     .value = "N",
     .help = "submissions that are deleted in one go, up to 10000; 1000",
     .kind = COMMAND_OPTION_NUMBER,
     .min = 1,
     .max = BULK_LIMIT_MAX,
     .fallback = CHUNK_DEFAULT},
    {.name = "sleep-between",
     .value = "SECONDS",
     .help = "pause after each chunk; 0",
     .kind = COMMAND_OPTION_SECONDS,
     .max = PAUSE_MS_MAX},
    {.name = "unfinished-too",
     .help = "also those that are not graded or not delivered yet, as the original does; nobody is told",
     .kind = COMMAND_OPTION_FLAG},
    {.name = "dry-run", .help = "only say how many", .kind = COMMAND_OPTION_FLAG},
};

const struct command command_delete_old = {
    .name = "delete-old",
    .operands = "",
    .old_name = "delete_old_submissions",
    .help = "deletes old submissions that are over, chunk by chunk",
    .details =
        "Deletes submissions in a final state whose outcome has been delivered or given up. Others are left alone unless\n"
        "--unfinished-too. The service goes on serving meanwhile.",
    COMMAND_OPTIONS(options),
    .run = run,
};
