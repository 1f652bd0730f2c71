/* SPDX-License-Identifier: Apache-2.0 */
/* `xqueuectl queues ...`: queues as they are set up, and how they are changed. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/client/connection.h"
#include "base/rpc/rpc_client_call.h"
#include "service/ctl/commands.h"
#include "service/ctl/report.h"
#include "xqueue/v1/admin.pb-c.h"

enum { NUMBER_MAX = 24, QUEUES_MAX = 10000 };

static const struct rpc_client_method list_method = {"/xqueue.v1.Admin/ListQueueSettings",
                                                     &xqueue__v1__list_queue_settings_response__descriptor};
static const struct rpc_client_method create_method = {"/xqueue.v1.Admin/CreateQueue", &xqueue__v1__queue_settings__descriptor};
static const struct rpc_client_method update_method = {"/xqueue.v1.Admin/UpdateQueue", &xqueue__v1__queue_settings__descriptor};
static const struct rpc_client_method pause_method = {"/xqueue.v1.Admin/PauseQueue", &xqueue__v1__queue_settings__descriptor};
static const struct rpc_client_method drain_method = {"/xqueue.v1.Admin/DrainQueue", &xqueue__v1__queue_settings__descriptor};
static const struct rpc_client_method delete_method = {"/xqueue.v1.Admin/DeleteQueue",
                                                       &xqueue__v1__delete_queue_response__descriptor};

/* ---- queues list ---- */

static json_t *json_queue(const Xqueue__V1__QueueSettings *queue)
{
    return json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:b}", "name",
                     report_json_text(queue->name), "push_url", report_json_text(queue->push_url), "lease_ms",
                     (json_int_t)queue->lease_ms, "hard_limit_ms", (json_int_t)queue->hard_limit_ms, "accept_within_ms",
                     (json_int_t)queue->accept_within_ms, "attempts_max", (json_int_t)queue->attempts_max, "poison_graders_max",
                     (json_int_t)queue->poison_graders_max, "retry_delay_ms", (json_int_t)queue->retry_delay_ms,
                     "retry_delay_ms_max", (json_int_t)queue->retry_delay_ms_max, "ready_max", (json_int_t)queue->ready_max,
                     "body_bytes_max", (json_int_t)queue->body_bytes_max, "submits_per_minute_max",
                     (json_int_t)queue->submits_per_minute_max, "paused", (int)queue->paused, "draining", (int)queue->draining,
                     "configured", (int)queue->configured);
}

static const char *state_of(const Xqueue__V1__QueueSettings *queue)
{
    if (queue->paused)
        return queue->draining ? "paused, draining" : "paused";
    return queue->draining ? "draining" : "open";
}

static void add_row(struct report_table *table, const Xqueue__V1__QueueSettings *queue)
{
    char lease[REPORT_AGE_MAX];
    char limit[REPORT_AGE_MAX];
    char attempts[NUMBER_MAX];
    char ready_max[NUMBER_MAX];
    (void)snprintf(attempts, sizeof attempts, "%" PRIu32, queue->attempts_max);
    (void)snprintf(ready_max, sizeof ready_max, "%" PRIu64, queue->ready_max);
    const char *const row[] = {queue->name,
                               state_of(queue),
                               queue->configured ? "configuration" : "database",
                               report_age(queue->lease_ms, lease),
                               report_age(queue->hard_limit_ms, limit),
                               attempts,
                               ready_max,
                               queue->push_url};
    report_table_add(table, row);
}

static enum status list_queues(struct command_call *call, struct rpc_message **out_reply, struct error *error)
{
    const Xqueue__V1__ListQueueSettingsRequest request = XQUEUE__V1__LIST_QUEUE_SETTINGS_REQUEST__INIT;
    return connection_call(call->connection, &list_method, &request.base, out_reply, error);
}

static const Xqueue__V1__ListQueueSettingsResponse *list_of(const struct rpc_message *reply)
{
    return (const Xqueue__V1__ListQueueSettingsResponse *)(const void *)rpc_message_body(reply);
}

static int run_list(struct command_call *call)
{
    static const char *const titles[] = {"QUEUE",    "STATE",    "FROM",      "LEASE", "HARD LIMIT",
                                         "ATTEMPTS", "MAY WAIT", "PUSHED TO", NULL};
    struct error error = {0};
    struct rpc_message *reply = NULL;
    enum status status = list_queues(call, &reply, &error);
    if (status != STATUS_OK)
        return command_fail_status(status, &error);
    const Xqueue__V1__ListQueueSettingsResponse *list = list_of(reply);
    struct report_table *table = report_table_create(titles);
    json_t *queues = json_array();
    for (size_t at = 0; at < list->n_queues; at++) {
        if (call->json)
            json_array_append_new(queues, json_queue(list->queues[at]));
        else
            add_row(table, list->queues[at]);
    }
    report_table_print(table, stdout);
    if (call->json)
        report_json(json_pack("{s:O}", "queues", queues));
    json_decref(queues);
    rpc_message_free(reply);
    return COMMAND_EXIT_OK;
}

const struct command command_queues_list = {
    .name = "queues list",
    .operands = "",
    .help = "all queues with their settings",
    .run = run_list,
};

/* ---- queues create, queues update ---- */

#define SETTING(name_, value_, help_)                                                                        \
    {                                                                                                        \
        .name = (name_), .value = (value_), .help = (help_), .kind = COMMAND_OPTION_NUMBER, .max = INT64_MAX \
    }
#define SETTING_OPTIONS                                                                                                  \
    SETTING("lease-ms", "MS", "how long a grader may take before it must renew"),                                        \
        SETTING("hard-limit-ms", "MS", "how long a grader may take with renewing"),                                      \
        SETTING("accept-within-ms", "MS", "how long a grader may take to confirm a grant"),                              \
        SETTING("attempts-max", "N", "counted failures after which a submission is dead"),                               \
        SETTING("poison-graders-max", "N", "graders that a submission may take down until it is dead"),                  \
        SETTING("retry-delay-ms", "MS", "wait after the first failure; doubles"),                                        \
        SETTING("retry-delay-ms-max", "MS", "the longest wait"), SETTING("ready-max", "N", "submissions that may wait"), \
        SETTING("body-bytes-max", "BYTES", "of one submission"),                                                         \
        SETTING("submits-per-minute-max", "N", "submissions of each submitter; default: no bound")

static void take_duration(const struct command_call *call, const char *name, int64_t *number)
{
    const struct command_value *value = command_option(call, name);
    if (value->given)
        *number = value->number;
}

static void take_count(const struct command_call *call, const char *name, uint64_t *number)
{
    const struct command_value *value = command_option(call, name);
    if (value->given)
        *number = (uint64_t)value->number;
}

/* What was given; xqueued knows the ranges. */
static void take_settings(const struct command_call *call, Xqueue__V1__QueueSettings *settings)
{
    uint64_t attempts = settings->attempts_max;
    uint64_t poison_graders = settings->poison_graders_max;
    uint64_t submits = settings->submits_per_minute_max;
    take_duration(call, "lease-ms", &settings->lease_ms);
    take_duration(call, "hard-limit-ms", &settings->hard_limit_ms);
    take_duration(call, "accept-within-ms", &settings->accept_within_ms);
    take_duration(call, "retry-delay-ms", &settings->retry_delay_ms);
    take_duration(call, "retry-delay-ms-max", &settings->retry_delay_ms_max);
    take_count(call, "attempts-max", &attempts);
    take_count(call, "poison-graders-max", &poison_graders);
    take_count(call, "ready-max", &settings->ready_max);
    take_count(call, "body-bytes-max", &settings->body_bytes_max);
    take_count(call, "submits-per-minute-max", &submits);
    settings->submits_per_minute_max = submits < UINT32_MAX ? (uint32_t)submits : UINT32_MAX;
    settings->attempts_max = attempts < UINT32_MAX ? (uint32_t)attempts : UINT32_MAX;
    settings->poison_graders_max = poison_graders < UINT32_MAX ? (uint32_t)poison_graders : UINT32_MAX;
}

/* A call whose answer is the queue as it is now. */
static int change(struct command_call *call, const struct rpc_client_method *method, const ProtobufCMessage *request,
                  const char *done)
{
    struct error error = {0};
    struct rpc_message *reply = NULL;
    enum status status = connection_call(call->connection, method, request, &reply, &error);
    if (status != STATUS_OK)
        return command_fail_status(status, &error);
    const Xqueue__V1__QueueSettings *queue = (const Xqueue__V1__QueueSettings *)(const void *)rpc_message_body(reply);
    if (call->json)
        report_json(json_queue(queue));
    else
        (void)printf("%s %s\n", done, queue->name);
    rpc_message_free(reply);
    return COMMAND_EXIT_OK;
}

/* The generated types are not const, though nothing is written. */
static char *operand(const struct command_call *call, size_t at)
{
    return (char *)(uintptr_t)call->operands[at];
}

static int run_create(struct command_call *call)
{
    Xqueue__V1__QueueSettings settings = XQUEUE__V1__QUEUE_SETTINGS__INIT;
    Xqueue__V1__CreateQueueRequest request = XQUEUE__V1__CREATE_QUEUE_REQUEST__INIT;
    settings.name = operand(call, 0);
    take_settings(call, &settings);
    settings.paused = command_flag(call, "paused");
    settings.draining = command_flag(call, "draining");
    request.queue = &settings;
    return change(call, &create_method, &request.base, "created");
}

static const struct command_option create_options[] = {
    SETTING_OPTIONS,
    {.name = "paused", .help = "grants none at first", .kind = COMMAND_OPTION_FLAG},
    {.name = "draining", .help = "takes none at first", .kind = COMMAND_OPTION_FLAG},
};

const struct command command_queues_create = {
    .name = "queues create",
    .operands = "QUEUE",
    .help = "makes a queue, beside those of the configuration",
    .details = "What is not given is the default, as in the configuration. Queues whose submissions are pushed to graders "
               "stand in the\n"
               "configuration file.",
    COMMAND_OPTIONS(create_options),
    .operands_min = 1,
    .operands_max = 1,
    .run = run_create,
};

static Xqueue__V1__QueueSettings *find(const struct rpc_message *reply, const char *name)
{
    const Xqueue__V1__ListQueueSettingsResponse *list = list_of(reply);
    for (size_t at = 0; at < list->n_queues; at++) {
        if (strcmp(list->queues[at]->name, name) == 0)
            return list->queues[at];
    }
    return NULL;
}

static int run_update(struct command_call *call)
{
    struct error error = {0};
    struct rpc_message *reply = NULL;
    Xqueue__V1__UpdateQueueRequest request = XQUEUE__V1__UPDATE_QUEUE_REQUEST__INIT;
    enum status status = list_queues(call, &reply, &error);
    if (status != STATUS_OK)
        return command_fail_status(status, &error);
    Xqueue__V1__QueueSettings *now = find(reply, call->operands[0]);
    if (!now) {
        rpc_message_free(reply);
        return command_fail(COMMAND_EXIT_FAILED, "there is no queue named '%s'", call->operands[0]);
    }
    Xqueue__V1__QueueSettings settings = *now; // borrows from the reply
    take_settings(call, &settings);
    request.queue = &settings;
    int exit_code = change(call, &update_method, &request.base, "updated");
    rpc_message_free(reply);
    return exit_code;
}

static const struct command_option update_options[] = {SETTING_OPTIONS};

const struct command command_queues_update = {
    .name = "queues update",
    .operands = "QUEUE",
    .help = "changes settings of a queue that is not of the configuration",
    .details = "What is not given stays as it is; 0 is the default.",
    COMMAND_OPTIONS(update_options),
    .operands_min = 1,
    .operands_max = 1,
    .run = run_update,
};

/* ---- queues pause, drain, resume, delete ---- */

static int pause_one(struct command_call *call, char *queue, bool paused, const char *done)
{
    Xqueue__V1__PauseQueueRequest request = XQUEUE__V1__PAUSE_QUEUE_REQUEST__INIT;
    request.queue = queue;
    request.paused = paused;
    return change(call, &pause_method, &request.base, done);
}

static int drain_one(struct command_call *call, char *queue, bool draining, const char *done)
{
    Xqueue__V1__DrainQueueRequest request = XQUEUE__V1__DRAIN_QUEUE_REQUEST__INIT;
    request.queue = queue;
    request.draining = draining;
    return change(call, &drain_method, &request.base, done);
}

static int run_pause(struct command_call *call)
{
    return pause_one(call, operand(call, 0), true, "paused");
}

static int run_drain(struct command_call *call)
{
    return drain_one(call, operand(call, 0), true, "draining");
}

static int run_resume(struct command_call *call)
{
    struct error error = {0};
    Xqueue__V1__DrainQueueRequest request = XQUEUE__V1__DRAIN_QUEUE_REQUEST__INIT;
    request.queue = operand(call, 0);
    enum status status = connection_call(call->connection, &drain_method, &request.base, NULL, &error);
    if (status != STATUS_OK)
        return command_fail_status(status, &error);
    return pause_one(call, operand(call, 0), false, "resumed");
}

static int run_delete(struct command_call *call)
{
    struct error error = {0};
    Xqueue__V1__DeleteQueueRequest request = XQUEUE__V1__DELETE_QUEUE_REQUEST__INIT;
    request.queue = operand(call, 0);
    enum status status = connection_call(call->connection, &delete_method, &request.base, NULL, &error);
    if (status != STATUS_OK)
        return command_fail_status(status, &error);
    if (call->json)
        report_json(json_pack("{s:o, s:s}", "name", report_json_text(call->operands[0]), "change", "deleted"));
    else
        (void)printf("deleted %s\n", call->operands[0]);
    return COMMAND_EXIT_OK;
}

const struct command command_queues_pause = {
    .name = "queues pause",
    .operands = "QUEUE",
    .help = "the queue takes submissions and grants none",
    .operands_min = 1,
    .operands_max = 1,
    .run = run_pause,
};

const struct command command_queues_drain = {
    .name = "queues drain",
    .operands = "QUEUE",
    .help = "the queue grants what it has and takes no submissions",
    .operands_min = 1,
    .operands_max = 1,
    .run = run_drain,
};

const struct command command_queues_resume = {
    .name = "queues resume",
    .operands = "QUEUE",
    .help = "the queue is neither paused nor draining any more",
    .operands_min = 1,
    .operands_max = 1,
    .run = run_resume,
};

const struct command command_queues_delete = {
    .name = "queues delete",
    .operands = "QUEUE",
    .help = "takes away a queue in which everything is finished",
    .details = "Not one of the configuration. What was graded in it stays until it is deleted by itself.",
    .operands_min = 1,
    .operands_max = 1,
    .run = run_delete,
};
