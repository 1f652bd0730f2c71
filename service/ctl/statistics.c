/* SPDX-License-Identifier: Apache-2.0 */
/* `xqueuectl statistics`: how every queue stands, once or again and again. */
#include <inttypes.h>
#include <stdio.h>

#include "base/client/connection.h"
#include "base/rpc/rpc_client_call.h"
#include "service/ctl/commands.h"
#include "service/ctl/report.h"
#include "xqueue/v1/admin.pb-c.h"

enum { PERIOD_MS_MIN = 1000, PERIOD_MS_MAX = 3600000, PERIOD_MS_DEFAULT = 5000, NUMBER_MAX = 24, COLUMNS = 10 };

static const struct rpc_client_method get_method = {"/xqueue.v1.Admin/GetStatistics", &xqueue__v1__statistics__descriptor};
static const struct rpc_client_method watch_method = {"/xqueue.v1.Admin/WatchStatistics", &xqueue__v1__statistics__descriptor};

/* ---- as JSON ---- */

static json_t *json_counts(const Xqueue__V1__EventCounts *counts)
{
    static const Xqueue__V1__EventCounts none = XQUEUE__V1__EVENT_COUNTS__INIT;
    counts = counts ? counts : &none; // a xqueued of before
    return json_pack("{s:I, s:I, s:I, s:I}", "submitted", (json_int_t)counts->submitted, "graded", (json_int_t)counts->graded,
                     "failed", (json_int_t)counts->failed, "expired", (json_int_t)counts->expired);
}

static json_t *json_queue(const Xqueue__V1__QueueStatistics *queue)
{
    json_t *object =
        json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:b}", "queue", report_json_text(queue->queue), "ready",
                  (json_int_t)queue->ready_count, "leased", (json_int_t)queue->leased_count, "delayed",
                  (json_int_t)queue->delayed_count, "dead", (json_int_t)queue->dead_count, "oldest_ready_ms",
                  (json_int_t)queue->oldest_ready_ms, "grading_ms_median", (json_int_t)queue->grading_ms_median, "paused",
                  (int)queue->paused, "draining", (int)queue->draining, "configured", (int)queue->configured);
    json_t *total = json_pack("{s:I, s:I, s:I, s:I}", "submitted", (json_int_t)queue->submitted_total, "graded",
                              (json_int_t)queue->graded_total, "failed", (json_int_t)queue->failed_total, "expired",
                              (json_int_t)queue->expired_total);
    json_object_set_new(object, "total", total);
    json_object_set_new(object, "last_minute", json_counts(queue->last_minute));
    json_object_set_new(object, "last_ten_minutes", json_counts(queue->last_ten_minutes));
    json_object_set_new(object, "last_hour", json_counts(queue->last_hour));
    return object;
}

static json_t *json_statistics(const Xqueue__V1__Statistics *statistics)
{
    json_t *queues = json_array();
    for (size_t at = 0; at < statistics->n_queues; at++)
        json_array_append_new(queues, json_queue(statistics->queues[at]));
    return json_pack("{s:I, s:I, s:I, s:I, s:o}", "at_ms", (json_int_t)statistics->at_ms, "graders",
                     (json_int_t)statistics->graders, "deliveries_pending", (json_int_t)statistics->deliveries_pending,
                     "deliveries_undeliverable", (json_int_t)statistics->deliveries_undeliverable, "queues", queues);
}

/* ---- as a table ---- */

static const char *queue_state(const Xqueue__V1__QueueStatistics *queue)
{
    if (queue->paused)
        return queue->draining ? "paused, draining" : "paused";
    return queue->draining ? "draining" : "open";
}

static void add_row(struct report_table *table, const Xqueue__V1__QueueStatistics *queue)
{
    static const Xqueue__V1__EventCounts none = XQUEUE__V1__EVENT_COUNTS__INIT;
    const Xqueue__V1__EventCounts *lately = queue->last_minute ? queue->last_minute : &none;
    const uint64_t numbers[] = {queue->ready_count,
                                queue->leased_count,
                                queue->delayed_count,
                                queue->dead_count,
                                lately->submitted,
                                lately->graded,
                                lately->failed + lately->expired};
    char texts[sizeof numbers / sizeof *numbers][NUMBER_MAX];
    char age[REPORT_AGE_MAX];
    for (size_t at = 0; at < sizeof numbers / sizeof *numbers; at++)
        (void)snprintf(texts[at], NUMBER_MAX, "%" PRIu64, numbers[at]);
    const char *const row[COLUMNS] = {
        queue->queue, queue_state(queue), texts[0], texts[1], texts[2], texts[3], report_age(queue->oldest_ready_ms, age),
        texts[4],     texts[5],           texts[6]};
    report_table_add(table, row);
}

static void print_table(const Xqueue__V1__Statistics *statistics)
{
    static const char *const titles[COLUMNS + 1] = {"QUEUE",  "STATE",  "READY",   "LEASED",   "DELAYED", "DEAD",
                                                    "OLDEST", "IN/MIN", "OUT/MIN", "FAIL/MIN", NULL};
    struct report_table *table = report_table_create(titles);
    for (size_t at = 0; at < statistics->n_queues; at++)
        add_row(table, statistics->queues[at]);
    report_table_print(table, stdout);
    (void)printf("graders: %" PRIu32 ", deliveries: %" PRIu64 " pending, %" PRIu64 " undeliverable\n", statistics->graders,
                 statistics->deliveries_pending, statistics->deliveries_undeliverable);
}

/* ---- the command ---- */

static bool print_sample(void *context, const struct rpc_message *message)
{
    const struct command_call *call = context;
    const Xqueue__V1__Statistics *statistics = (const Xqueue__V1__Statistics *)(const void *)rpc_message_body(message);
    char stamp[REPORT_STAMP_MAX];
    if (call->json) {
        report_json_line(json_statistics(statistics));
    } else {
        (void)printf("%s\n", report_time(statistics->at_ms, stamp));
        print_table(statistics);
        (void)printf("\n");
    }
    (void)fflush(stdout);
    return true;
}

static int follow(struct command_call *call, char *queue)
{
    struct error error = {0};
    Xqueue__V1__WatchStatisticsRequest request = XQUEUE__V1__WATCH_STATISTICS_REQUEST__INIT;
    request.queue = queue;
    request.period_ms = command_number(call, "period");
    const struct connection_watch watch = {
        .method = &watch_method, .request = &request.base, .on_message = print_sample, .context = call};
    enum status status = connection_watch(call->connection, &watch, &error);
    return status == STATUS_OK ? COMMAND_EXIT_OK : command_fail_status(status, &error);
}

static int run(struct command_call *call)
{
    struct error error = {0};
    struct rpc_message *reply = NULL;
    char *queue = (char *)(uintptr_t)(call->operand_count > 0 ? call->operands[0] : ""); // the generated type is not const
    Xqueue__V1__GetStatisticsRequest request = XQUEUE__V1__GET_STATISTICS_REQUEST__INIT;
    if (command_flag(call, "follow"))
        return follow(call, queue);
    request.queue = queue;
    enum status status = connection_call(call->connection, &get_method, &request.base, &reply, &error);
    if (status != STATUS_OK)
        return command_fail_status(status, &error);
    const Xqueue__V1__Statistics *statistics = (const Xqueue__V1__Statistics *)(const void *)rpc_message_body(reply);
    if (call->json)
        report_json(json_statistics(statistics));
    else
        print_table(statistics);
    rpc_message_free(reply);
    return COMMAND_EXIT_OK;
}

static const struct command_option options[] = {
    {.name = "follow", .letter = 'f', .help = "again and again, until interrupted", .kind = COMMAND_OPTION_FLAG},
    {.name = "period",
     .value = "SECONDS",
     .help = "with --follow: how often; 5",
     .kind = COMMAND_OPTION_SECONDS,
     .min = PERIOD_MS_MIN,
     .max = PERIOD_MS_MAX,
     .fallback = PERIOD_MS_DEFAULT},
};

const struct command command_statistics = {
    .name = "statistics",
    .operands = "[QUEUE]",
    .help = "how the queues stand: what waits, for how long, what came and went in the last minute",
    .details = "OLDEST is how long the oldest ready submission has waited; IN, OUT and FAIL count the last minute: submitted,\n"
               "graded, failed or expired. With --json also of the last ten minutes, the last hour, and since the start; with\n"
               "--follow one document a line.",
    COMMAND_OPTIONS(options),
    .operands_max = 1,
    .run = run,
};
