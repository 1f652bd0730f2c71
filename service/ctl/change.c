/* SPDX-License-Identifier: Apache-2.0 */
/* `xqueuectl requeue`, `retire`, `purge`, `requeue-deliveries`, `regrade`: what is done to many submissions at once. */
#include <inttypes.h>
#include <stdio.h>

#include "base/client/connection.h"
#include "service/ctl/bulk.h"
#include "service/ctl/commands.h"
#include "service/ctl/filter.h"
#include "service/ctl/report.h"

enum { LIMIT_DEFAULT = 1000 };

static const struct rpc_client_method requeue_method = {"/xqueue.v1.Admin/Requeue", &xqueue__v1__bulk_response__descriptor};
static const struct rpc_client_method requeue_deliveries_method = {"/xqueue.v1.Admin/RequeueDeliveries",
                                                                   &xqueue__v1__bulk_response__descriptor};
static const struct rpc_client_method regrade_method = {"/xqueue.v1.Admin/Regrade", &xqueue__v1__bulk_response__descriptor};
static const struct rpc_client_method watch_method = {"/xqueue.v1.Admin/WatchBulk", &xqueue__v1__bulk_response__descriptor};

#define CHANGE_OPTIONS                                                                                                        \
    FILTER_OPTIONS, {.name = "all", .help = "really all, when no other option narrows it down", .kind = COMMAND_OPTION_FLAG}, \
        {.name = "dry-run", .help = "only say how many", .kind = COMMAND_OPTION_FLAG},                                        \
    {                                                                                                                         \
        .name = "chunk-size", .value = "N", .help = "submissions that are changed in one go, up to 10000; 1000",              \
        .kind = COMMAND_OPTION_NUMBER, .min = 1, .max = BULK_LIMIT_MAX, .fallback = LIMIT_DEFAULT                             \
    }

/* Reads the filter; 0, or what to exit with. */
static int prepare(struct command_call *call, struct filter *filter, Xqueue__V1__BulkRequest *request)
{
    int exit_code = filter_read(call, filter);
    if (exit_code != 0)
        return exit_code;
    if (filter->is_empty && !command_flag(call, "all"))
        return command_fail(COMMAND_EXIT_USAGE, "%s: say which (--queue, --id, --state, ...), or --all", call->command->name);
    xqueue__v1__bulk_request__init(request);
    request->filter = &filter->message;
    request->dry_run = command_flag(call, "dry-run");
    request->limit = (uint32_t)command_number(call, "chunk-size");
    return 0;
}

/* fill adds what the change has of its own to the request; NULL: nothing. */
static int run_change(struct bulk *bulk, void (*fill)(const struct command_call *call, Xqueue__V1__BulkRequest *request))
{
    struct filter filter;
    Xqueue__V1__BulkRequest request;
    struct error error = {0};
    int exit_code = prepare(bulk->call, &filter, &request);
    if (exit_code != 0)
        return exit_code;
    if (fill)
        fill(bulk->call, &request);
    enum status status = bulk_run(bulk, &request, &error);
    return bulk_finish(bulk, status, &error);
}

/* ---- requeue ---- */

static int run_requeue(struct command_call *call)
{
    struct bulk bulk = {.call = call, .method = &requeue_method, .verb = "requeue", .done = "requeued"};
    return run_change(&bulk, NULL);
}

static const struct command_option change_options[] = {CHANGE_OPTIONS};

const struct command command_requeue = {
    .name = "requeue",
    .operands = "",
    .help = "dead and ungradable submissions wait for a grader again, with all attempts anew",
    .details =
        "An outcome that the LMS has not been told yet is withdrawn. Submissions that a later one has taken the place of are\n"
        "left alone.",
    COMMAND_OPTIONS(change_options),
    .run = run_requeue,
};

/* ---- requeue-deliveries ---- */

static int run_requeue_deliveries(struct command_call *call)
{
    struct bulk bulk = {
        .call = call, .method = &requeue_deliveries_method, .verb = "deliver again", .done = "will deliver again"};
    return run_change(&bulk, NULL);
}

const struct command command_requeue_deliveries = {
    .name = "requeue-deliveries",
    .operands = "",
    .help = "undeliverable results are delivered again, with all tries anew",
    COMMAND_OPTIONS(change_options),
    .run = run_requeue_deliveries,
};

/* ---- retire ---- */

static void fill_retire(const struct command_call *call, Xqueue__V1__BulkRequest *request)
{
    const char *reason = command_text(call, "reason");
    request->reason = (char *)(uintptr_t)(reason ? reason : ""); // the generated type is not const
    request->tell_nobody = command_flag(call, "tell-nobody");
}

static int run_retire(struct command_call *call)
{
    struct bulk bulk = {.call = call, .method = &bulk_retire_method, .verb = "give up", .done = "gave up"};
    return run_change(&bulk, fill_retire);
}

static const struct command_option retire_options[] = {
    CHANGE_OPTIONS,
    {.name = "reason", .value = "TEXT", .help = "what the submission's message says", .kind = COMMAND_OPTION_TEXT},
    {.name = "tell-nobody", .help = "do not tell the students", .kind = COMMAND_OPTION_FLAG},
};

const struct command command_retire = {
    .name = "retire",
    .operands = "",
    .help = "gives up submissions that are not graded yet; the students are told",
    COMMAND_OPTIONS(retire_options),
    .run = run_retire,
};

/* ---- purge ---- */

static void fill_purge(const struct command_call *call, Xqueue__V1__BulkRequest *request)
{
    request->unfinished_too = command_flag(call, "unfinished-too");
}

static int run_purge(struct command_call *call)
{
    struct bulk bulk = {.call = call, .method = &bulk_purge_method, .verb = "delete", .done = "deleted"};
    return run_change(&bulk, fill_purge);
}

static const struct command_option purge_options[] = {
    CHANGE_OPTIONS,
    {.name = "unfinished-too",
     .help = "also those that are not graded or not delivered yet; nobody is told",
     .kind = COMMAND_OPTION_FLAG},
};

const struct command command_purge = {
    .name = "purge",
    .operands = "",
    .help = "deletes submissions that are over, with all that belongs to them",
    COMMAND_OPTIONS(purge_options),
    .run = run_purge,
};

/* ---- regrade ---- */

/* One progress message, as a line. */
static bool print_progress(void *context, const struct rpc_message *message)
{
    const struct command_call *call = context;
    const Xqueue__V1__BulkResponse *body = (const Xqueue__V1__BulkResponse *)(const void *)rpc_message_body(message);
    if (call->json)
        report_json_line(json_pack("{s:o, s:I, s:I, s:I, s:b}", "bulk_id", report_json_text(body->bulk_id), "matched",
                                   (json_int_t)body->matched, "done", (json_int_t)body->done, "failed",
                                   (json_int_t)body->failed, "finished", (int)body->finished));
    else
        (void)printf("%" PRIu64 " of %" PRIu64 " graded again, %" PRIu64 " kept their result\n", body->done, body->matched,
                     body->failed);
    (void)fflush(stdout);
    return true;
}

static int follow(struct command_call *call, char *bulk_id)
{
    struct error error = {0};
    Xqueue__V1__WatchBulkRequest request = XQUEUE__V1__WATCH_BULK_REQUEST__INIT;
    request.bulk_id = bulk_id;
    const struct connection_watch watch = {
        .method = &watch_method, .request = &request.base, .on_message = print_progress, .context = call};
    enum status status = connection_watch(call->connection, &watch, &error);
    return status == STATUS_OK ? COMMAND_EXIT_OK : command_fail_status(status, &error);
}

static int run_regrade(struct command_call *call)
{
    struct bulk bulk = {.call = call, .method = &regrade_method, .verb = "regrade", .done = "will regrade"};
    int exit_code = run_change(&bulk, NULL);
    if (exit_code != COMMAND_EXIT_OK || !command_flag(call, "follow") || bulk.bulk_id[0] == '\0')
        return exit_code;
    return follow(call, bulk.bulk_id);
}

static const struct command_option regrade_options[] = {
    CHANGE_OPTIONS,
    {.name = "follow", .help = "say how far it is until all are graded", .kind = COMMAND_OPTION_FLAG},
};

const struct command command_regrade = {
    .name = "regrade",
    .operands = "",
    .help = "graded submissions are graded once more, after all others that wait",
    .details =
        "The result that a submission has stays until there is a new one, which is delivered like the first. One that cannot\n"
        "be graded this time keeps it, and nobody is told. See first how many it would be: --dry-run.",
    COMMAND_OPTIONS(regrade_options),
    .run = run_regrade,
};

/* ---- regrade-status ---- */

static int run_regrade_status(struct command_call *call)
{
    return follow(call, (char *)(uintptr_t)call->operands[0]);
}

const struct command command_regrade_status = {
    .name = "regrade-status",
    .operands = "BULK-ID",
    .help = "how far a regrade is, until all of it is graded",
    .operands_min = 1,
    .operands_max = 1,
    .run = run_regrade_status,
};
