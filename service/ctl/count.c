/* SPDX-License-Identifier: Apache-2.0 */
/* `xqueuectl count`: how many submissions wait in each queue. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/client/connection.h"
#include "base/memory.h"
#include "service/ctl/commands.h"
#include "service/ctl/report.h"
#include "xqueue/v1/admin.pb-c.h"

static const struct rpc_client_method statistics_method = {"/xqueue.v1.Admin/GetStatistics",
                                                           &xqueue__v1__statistics__descriptor};

/* All that are not over: also those that a grader has, as the original counts. */
static uint64_t waiting(const Xqueue__V1__QueueStatistics *queue)
{
    return queue->ready_count + queue->leased_count + queue->delayed_count;
}

/* Most first; the same number by name. */
static int compare(const void *a, const void *b)
{
    const Xqueue__V1__QueueStatistics *left = *(const Xqueue__V1__QueueStatistics *const *)a;
    const Xqueue__V1__QueueStatistics *right = *(const Xqueue__V1__QueueStatistics *const *)b;
    if (waiting(left) != waiting(right))
        return waiting(left) > waiting(right) ? -1 : 1;
    return strcmp(left->queue, right->queue);
}

static void print_json(const Xqueue__V1__Statistics *statistics, const Xqueue__V1__QueueStatistics *const *queues)
{
    json_t *list = json_array();
    for (size_t at = 0; at < statistics->n_queues; at++) {
        const Xqueue__V1__QueueStatistics *queue = queues[at];
        json_array_append_new(list,
                              json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I}", "queue", report_json_text(queue->queue), "count",
                                        (json_int_t)waiting(queue), "ready", (json_int_t)queue->ready_count, "leased",
                                        (json_int_t)queue->leased_count, "delayed", (json_int_t)queue->delayed_count, "dead",
                                        (json_int_t)queue->dead_count, "oldest_ready_ms", (json_int_t)queue->oldest_ready_ms));
    }
    report_json(json_pack("{s:I, s:o}", "at_ms", (json_int_t)statistics->at_ms, "queues", list));
}

static void print(const struct command_call *call, const Xqueue__V1__Statistics *statistics)
{
    const Xqueue__V1__QueueStatistics **queues = memory_allocate_array(statistics->n_queues, sizeof(void *));
    for (size_t at = 0; at < statistics->n_queues; at++)
        queues[at] = statistics->queues[at];
    qsort(queues, statistics->n_queues, sizeof(void *), compare);
    if (call->json)
        print_json(statistics, queues);
    for (size_t at = 0; at < statistics->n_queues && !call->json; at++) {
        if (waiting(queues[at]) > 0)
            (void)printf("%-30s %-10" PRIu64 "\n", queues[at]->queue, waiting(queues[at]));
    }
    memory_free(queues);
}

static int run(struct command_call *call)
{
    struct error error = {0};
    struct rpc_message *reply = NULL;
    Xqueue__V1__GetStatisticsRequest request = XQUEUE__V1__GET_STATISTICS_REQUEST__INIT;
    enum status status = connection_call(call->connection, &statistics_method, &request.base, &reply, &error);
    if (status != STATUS_OK)
        return command_fail_status(status, &error);
    print(call, (const Xqueue__V1__Statistics *)(const void *)rpc_message_body(reply));
    rpc_message_free(reply);
    return COMMAND_EXIT_OK;
}

const struct command command_count = {
    .name = "count",
    .operands = "",
    .old_name = "count_queued_submissions",
    .help = "queues with submissions that are not graded yet, most first",
    .details = "One line for each queue with waiting submissions: its name, and how many, those included that a grader has.\n"
               "Nothing when all are empty. With --json all queues, with ready, leased, delayed and dead ones apart, and how\n"
               "long the oldest ready one has waited.",
    .run = run,
};
