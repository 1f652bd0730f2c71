/* SPDX-License-Identifier: Apache-2.0 */
/* `xqueuectl graders`: who is connected. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/client/connection.h"
#include "base/clock.h"
#include "base/rpc/rpc_client_call.h"
#include "service/ctl/commands.h"
#include "service/ctl/report.h"
#include "xqueue/v1/admin.pb-c.h"

enum { NUMBER_MAX = 24, QUEUES_SHOWN_MAX = 256 };

static const struct rpc_client_method list_method = {"/xqueue.v1.Admin/ListGraders",
                                                     &xqueue__v1__list_graders_response__descriptor};

static void print_json(const Xqueue__V1__ListGradersResponse *list)
{
    json_t *graders = json_array();
    for (size_t at = 0; at < list->n_graders; at++) {
        const Xqueue__V1__GraderInfo *grader = list->graders[at];
        json_t *queues = json_array();
        for (size_t queue = 0; queue < grader->n_queues; queue++)
            json_array_append_new(queues, report_json_text(grader->queues[queue]));
        json_array_append_new(graders,
                              json_pack("{s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I}", "grader",
                                        report_json_text(grader->grader), "instance", report_json_text(grader->instance), "sdk",
                                        report_json_text(grader->sdk), "peer", report_json_text(grader->peer), "queues", queues,
                                        "slots", (json_int_t)grader->slots, "credit", (json_int_t)grader->credit, "in_flight",
                                        (json_int_t)grader->in_flight, "connected_at_ms", (json_int_t)grader->connected_at_ms,
                                        "heard_at_ms", (json_int_t)grader->heard_at_ms, "quiet_for_ms",
                                        (json_int_t)grader->quiet_for_ms));
    }
    report_json(json_pack("{s:o}", "graders", graders));
}

/* "cs101,cs102", cut when there are very many. */
static void join_queues(const Xqueue__V1__GraderInfo *grader, char out[QUEUES_SHOWN_MAX])
{
    size_t length = 0;
    out[0] = '\0';
    for (size_t at = 0; at < grader->n_queues && length < QUEUES_SHOWN_MAX - 1; at++)
        length += (size_t)snprintf(out + length, QUEUES_SHOWN_MAX - length, "%s%s", at > 0 ? "," : "", grader->queues[at]);
}

static void print_table(const Xqueue__V1__ListGradersResponse *list)
{
    static const char *const titles[] = {"GRADER", "INSTANCE",        "QUEUES", "SLOTS", "CREDIT",
                                         "HOLDS",  "CONNECTED (UTC)", "SDK",    "PEER",  NULL};
    struct report_table *table = report_table_create(titles);
    for (size_t at = 0; at < list->n_graders; at++) {
        const Xqueue__V1__GraderInfo *grader = list->graders[at];
        char queues[QUEUES_SHOWN_MAX];
        char slots[NUMBER_MAX];
        char credit[NUMBER_MAX];
        char holds[NUMBER_MAX];
        char connected[REPORT_STAMP_MAX];
        join_queues(grader, queues);
        (void)snprintf(slots, sizeof slots, "%" PRIu32, grader->slots);
        (void)snprintf(credit, sizeof credit, "%" PRIu32, grader->credit);
        (void)snprintf(holds, sizeof holds, "%" PRIu32, grader->in_flight);
        const char *const row[] = {
            grader->grader, grader->instance, queues, slots, credit, holds, report_time(grader->connected_at_ms, connected),
            grader->sdk,    grader->peer};
        report_table_add(table, row);
    }
    report_table_print(table, stdout);
}

static int run(struct command_call *call)
{
    struct error error = {0};
    struct rpc_message *reply = NULL;
    Xqueue__V1__ListGradersRequest request = XQUEUE__V1__LIST_GRADERS_REQUEST__INIT;
    if (call->operand_count > 0)
        request.queue = (char *)(uintptr_t)call->operands[0]; // the generated type is not const
    enum status status = connection_call(call->connection, &list_method, &request.base, &reply, &error);
    if (status != STATUS_OK)
        return command_fail_status(status, &error);
    const Xqueue__V1__ListGradersResponse *list =
        (const Xqueue__V1__ListGradersResponse *)(const void *)rpc_message_body(reply);
    if (call->json)
        print_json(list);
    else
        print_table(list);
    rpc_message_free(reply);
    return COMMAND_EXIT_OK;
}

const struct command command_graders = {
    .name = "graders",
    .operands = "[QUEUE]",
    .help = "who is connected over a stream, with how many slots, and what he holds",
    .operands_max = 1,
    .run = run,
};
