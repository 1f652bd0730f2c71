/* SPDX-License-Identifier: Apache-2.0 */
/* How everything stands: GetStatistics once, WatchStatistics again and again. */
#include "base/memory.h"
#include "service/administering.h"
#include "service/methods/contract.h"
#include "service/methods/method.h"
#include "service/methods/methods.h"
#include "service/methods/periodic.h"
#include "xqueue/v1/admin.pb-c.h"

enum { WATCH_PERIOD_MS_DEFAULT = 5000, WATCH_PERIOD_MS_MIN = 1000, WATCH_PERIOD_MS_MAX = 3600000 };

/* ---- the message ---- */

/* One queue with all that belongs to it. */
struct statistics_row {
    Xqueue__V1__QueueStatistics queue;
    Xqueue__V1__EventCounts last_minute;
    Xqueue__V1__EventCounts last_ten_minutes;
    Xqueue__V1__EventCounts last_hour;
};

static void statistics_take_counts(Xqueue__V1__EventCounts *to, const int64_t counts[QUEUE_EVENT_END])
{
    xqueue__v1__event_counts__init(to);
    to->submitted = (uint64_t)counts[QUEUE_SUBMITTED];
    to->graded = (uint64_t)counts[QUEUE_GRADED];
    to->failed = (uint64_t)counts[QUEUE_FAILED];
    to->expired = (uint64_t)counts[QUEUE_EXPIRED];
}

static void statistics_take_rates(struct statistics_row *row, const struct queue *from, int64_t now_ms)
{
    int64_t minute[QUEUE_EVENT_END];
    int64_t ten_minutes[QUEUE_EVENT_END];
    int64_t hour[QUEUE_EVENT_END];
    for (int event = 0; event < QUEUE_EVENT_END; event++) {
        minute[event] = event_rates_last_minute(&from->rates[event], now_ms);
        ten_minutes[event] = event_rates_last_minutes(&from->rates[event], now_ms, 10);
        hour[event] = event_rates_last_minutes(&from->rates[event], now_ms, 60);
    }
    statistics_take_counts(&row->last_minute, minute);
    statistics_take_counts(&row->last_ten_minutes, ten_minutes);
    statistics_take_counts(&row->last_hour, hour);
    row->queue.last_minute = &row->last_minute;
    row->queue.last_ten_minutes = &row->last_ten_minutes;
    row->queue.last_hour = &row->last_hour;
}

static void statistics_fill(struct statistics_row *row, const struct queue_figures *from, int64_t now_ms)
{
    Xqueue__V1__QueueStatistics *to = &row->queue;
    xqueue__v1__queue_statistics__init(to);
    to->queue = contract_text(from->name);
    to->ready_count = (uint64_t)from->counts.ready;
    to->leased_count = (uint64_t)from->counts.leased;
    to->delayed_count = (uint64_t)from->counts.delayed;
    to->dead_count = (uint64_t)from->counts.dead;
    to->oldest_ready_ms = from->oldest_ready_ms;
    if (from->queue) {
        to->configured = from->queue->is_configured;
        to->stored = !from->queue->is_configured;
        to->paused = from->queue->paused;
        to->draining = from->queue->draining;
        to->submitted_total = (uint64_t)from->queue->totals[QUEUE_SUBMITTED];
        to->graded_total = (uint64_t)from->queue->totals[QUEUE_GRADED];
        to->failed_total = (uint64_t)from->queue->totals[QUEUE_FAILED];
        to->expired_total = (uint64_t)from->queue->totals[QUEUE_EXPIRED];
        to->nobody_can_grade_count = (uint64_t)from->stranded;
        to->grading_ms_median = queue_median_ms(from->queue);
        statistics_take_rates(row, from->queue, now_ms);
    }
}

/* What was read in a transaction, and when. */
struct statistics {
    struct figures figures;
    int64_t at_ms;
};

static enum status statistics_read(struct statistics *statistics, struct queues *queues, const char *queue, struct error *error)
{
    figures_finish(&statistics->figures);
    statistics->figures = (struct figures){0};
    statistics->at_ms = queues->now_ms;
    return administering_read_figures(queues, queue, &statistics->figures, error);
}

/* Hands the message to send, and forgets it. */
static void statistics_say(const struct statistics *statistics, void (*send)(void *context, const ProtobufCMessage *message),
                           void *context)
{
    const struct figures *figures = &statistics->figures;
    struct statistics_row *rows = memory_allocate_array(figures->queue_count, sizeof *rows);
    Xqueue__V1__QueueStatistics **pointers = memory_allocate_array(figures->queue_count, sizeof(void *));
    for (size_t i = 0; i < figures->queue_count; i++) {
        statistics_fill(&rows[i], &figures->queues[i], statistics->at_ms);
        pointers[i] = &rows[i].queue;
    }
    Xqueue__V1__Statistics message = XQUEUE__V1__STATISTICS__INIT;
    message.at_ms = statistics->at_ms;
    message.queues = pointers;
    message.n_queues = figures->queue_count;
    message.graders = (uint32_t)figures->grader_count;
    message.deliveries_pending = (uint64_t)(figures->deliveries.pending + figures->deliveries.in_flight);
    message.deliveries_undeliverable = (uint64_t)figures->deliveries.undeliverable;
    send(context, &message.base);
    memory_free(pointers);
    memory_free(rows);
}

/* ---- GetStatistics ---- */

struct statistics_method {
    struct method_command base;
    struct statistics statistics;
};

static enum status statistics_perform(struct method_command *method, struct queues *queues)
{
    struct statistics *statistics = &((struct statistics_method *)method)->statistics;
    const Xqueue__V1__GetStatisticsRequest *request =
        (const Xqueue__V1__GetStatisticsRequest *)rpc_message_body(method->message);
    enum status status = method_check_queue(method->call, METHOD_ADMIN, request->queue, &method->error);
    return status == STATUS_OK ? statistics_read(statistics, queues, request->queue, &method->error) : status;
}

static void statistics_reply_with(void *context, const ProtobufCMessage *message)
{
    rpc_server_call_reply(((const struct method_command *)context)->call, message);
}

static void statistics_reply(struct method_command *method)
{
    statistics_say(&((struct statistics_method *)method)->statistics, statistics_reply_with, method);
}

static void statistics_finish(struct method_command *method)
{
    figures_finish(&((struct statistics_method *)method)->statistics.figures);
}

static const struct method_steps statistics_steps = {
    .size = sizeof(struct statistics_method),
    .perform = statistics_perform,
    .reply = statistics_reply,
    .finish = statistics_finish,
};

static void on_get_statistics(struct rpc_server_call *call, struct rpc_message *message)
{
    const Xqueue__V1__GetStatisticsRequest *request = (const Xqueue__V1__GetStatisticsRequest *)rpc_message_body(message);
    if (!method_text_fits(request->queue, STORE_NAME_MAX - 1)) {
        method_refuse(call, message, "STATISTICS_INVALID", "queue has at most 128 bytes");
        return;
    }
    method_start(call, message, &statistics_steps);
}

/* ---- WatchStatistics ---- */

struct statistics_watch {
    struct periodic base;
    struct statistics statistics;
};

static enum status watch_look(struct periodic *periodic, struct queues *queues)
{
    struct statistics *statistics = &((struct statistics_watch *)periodic)->statistics;
    const Xqueue__V1__WatchStatisticsRequest *request =
        (const Xqueue__V1__WatchStatisticsRequest *)rpc_message_body(periodic->message);
    enum status status = method_check_queue(periodic->call, METHOD_ADMIN, request->queue, &periodic->error);
    return status == STATUS_OK ? statistics_read(statistics, queues, request->queue, &periodic->error) : status;
}

static void watch_send(void *context, const ProtobufCMessage *message)
{
    struct periodic *periodic = context;
    (void)method_send(periodic->call, message); /* its end shows in the next look */
}

static bool watch_tell(struct periodic *periodic)
{
    statistics_say(&((struct statistics_watch *)periodic)->statistics, watch_send, periodic);
    return true;
}

static void watch_finish(struct periodic *periodic)
{
    figures_finish(&((struct statistics_watch *)periodic)->statistics.figures);
}

static const struct periodic_steps watch_steps = {
    .size = sizeof(struct statistics_watch),
    .look = watch_look,
    .tell = watch_tell,
    .finish = watch_finish,
};

static void on_watch_statistics(struct rpc_server_call *call, struct rpc_message *message)
{
    const Xqueue__V1__WatchStatisticsRequest *request = (const Xqueue__V1__WatchStatisticsRequest *)rpc_message_body(message);
    int64_t period_ms = request->period_ms != 0 ? request->period_ms : WATCH_PERIOD_MS_DEFAULT;
    if (!method_text_fits(request->queue, STORE_NAME_MAX - 1) || period_ms < WATCH_PERIOD_MS_MIN ||
        period_ms > WATCH_PERIOD_MS_MAX) {
        method_refuse(call, message, "STATISTICS_INVALID", "queue has at most 128 bytes, period_ms is 1,000 to 3,600,000");
        return;
    }
    periodic_start(call, message, &watch_steps, period_ms);
}

const struct rpc_method admin_statistics_methods[] = {
    {.path = "/xqueue.v1.Admin/GetStatistics",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__get_statistics_request__descriptor,
     .on_message = on_get_statistics,
     .role = METHOD_ADMIN | METHOD_PER_QUEUE},
    {.path = "/xqueue.v1.Admin/WatchStatistics",
     .kind = RPC_SERVER_STREAM,
     .request = &xqueue__v1__watch_statistics_request__descriptor,
     .on_message = on_watch_statistics,
     .on_close = periodic_on_close,
     .role = METHOD_ADMIN | METHOD_PER_QUEUE},
    {0},
};
