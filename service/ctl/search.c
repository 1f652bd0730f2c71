/* SPDX-License-Identifier: Apache-2.0 */
/* `xqueuectl search`: submissions of anybody. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/client/connection.h"
#include "base/memory.h"
#include "base/rpc/rpc_client_call.h"
#include "service/ctl/commands.h"
#include "service/ctl/filter.h"
#include "service/ctl/report.h"

enum { FOUND_DEFAULT = 100, FOUND_MAX = 100000, PAGE_MAX = 1000, NUMBER_MAX = 24 };

static const struct rpc_client_method search_method = {"/xqueue.v1.Admin/Search", &xqueue__v1__list_response__descriptor};

/* What was found so far. */
struct found {
    struct report_table *table; /* taken by printing */
    json_t *list;               /* with --json; likewise */
    size_t count;
    char *page_token; /* owned; "" = that was all */
};

static void add_json(struct found *found, const Xqueue__V1__GetResponse *one)
{
    json_array_append_new(found->list,
                          json_pack("{s:I, s:o, s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:o, s:I, s:o}", "submission_id",
                                    (json_int_t)one->submission_id, "queue", report_json_text(one->queue), "state",
                                    filter_state_name(one->state), "delivery", filter_delivery_name(one->delivery_state),
                                    "attempt", (json_int_t)one->attempt, "failures", (json_int_t)one->failures,
                                    "submitted_at_ms", (json_int_t)one->submitted_at_ms, "state_at_ms",
                                    (json_int_t)one->state_at_ms, "grader", report_json_text(one->grader), "message",
                                    report_json_text(one->message), "delivery_attempts", (json_int_t)one->delivery_attempts,
                                    "delivery_message", report_json_text(one->delivery_message)));
}

static void add_row(struct found *found, const Xqueue__V1__GetResponse *one)
{
    char id[NUMBER_MAX];
    char failures[NUMBER_MAX];
    char submitted[REPORT_STAMP_MAX];
    (void)snprintf(id, sizeof id, "%" PRIu64, one->submission_id);
    (void)snprintf(failures, sizeof failures, "%" PRIu32, one->failures);
    const char *message = one->message[0] != '\0' ? one->message : one->delivery_message;
    const char *const texts[] = {id,
                                 one->queue,
                                 filter_state_name(one->state),
                                 filter_delivery_name(one->delivery_state),
                                 failures,
                                 report_time(one->submitted_at_ms, submitted),
                                 one->grader,
                                 message};
    report_table_add(found->table, texts);
}

static enum status next_page(struct command_call *call, Xqueue__V1__SearchRequest *request, struct found *found,
                             struct error *error)
{
    struct rpc_message *reply = NULL;
    request->page_token = found->page_token;
    enum status status = connection_call(call->connection, &search_method, &request->base, &reply, error);
    if (status != STATUS_OK)
        return status;
    const Xqueue__V1__ListResponse *page = (const Xqueue__V1__ListResponse *)(const void *)rpc_message_body(reply);
    for (size_t at = 0; at < page->n_submissions; at++) {
        if (call->json)
            add_json(found, page->submissions[at]);
        else
            add_row(found, page->submissions[at]);
    }
    found->count += page->n_submissions;
    memory_free(found->page_token);
    found->page_token = memory_copy_text(page->next_page_token);
    rpc_message_free(reply);
    return STATUS_OK;
}

static enum status find(struct command_call *call, Xqueue__V1__SearchRequest *request, struct found *found, struct error *error)
{
    const size_t limit = (size_t)command_number(call, "limit");
    enum status status = STATUS_OK;
    do {
        size_t left = limit - found->count;
        request->page_size = (uint32_t)(left < PAGE_MAX ? left : PAGE_MAX);
        status = next_page(call, request, found, error);
    } while (status == STATUS_OK && found->page_token[0] != '\0' && found->count < limit);
    return status;
}

static int run(struct command_call *call)
{
    static const char *const titles[] = {"ID",     "QUEUE",   "STATE", "DELIVERY", "FAILURES", "SUBMITTED (UTC)",
                                         "GRADER", "MESSAGE", NULL};
    struct filter filter;
    struct error error = {0};
    const char *token = command_text(call, "page-token");
    Xqueue__V1__SearchRequest request = XQUEUE__V1__SEARCH_REQUEST__INIT;
    int exit_code = filter_read(call, &filter);
    if (exit_code != 0)
        return exit_code;
    request.filter = &filter.message;
    struct found found = {
        .table = report_table_create(titles), .list = json_array(), .page_token = memory_copy_text(token ? token : "")};
    enum status status = find(call, &request, &found, &error);
    // What was found before a failure is shown, too.
    report_table_print(found.table, stdout);
    if (call->json && status == STATUS_OK)
        report_json(json_pack("{s:O, s:s}", "submissions", found.list, "next_page_token", found.page_token));
    else if (status == STATUS_OK && found.page_token[0] != '\0')
        (void)printf("There are more: --page-token %s\n", found.page_token);
    json_decref(found.list);
    memory_free(found.page_token);
    return status == STATUS_OK ? COMMAND_EXIT_OK : command_fail_status(status, &error);
}

static const struct command_option options[] = {
    FILTER_OPTIONS,
    {.name = "limit",
     .value = "N",
     .help = "show so many at most; 100",
     .kind = COMMAND_OPTION_NUMBER,
     .min = 1,
     .max = FOUND_MAX,
     .fallback = FOUND_DEFAULT},
    {.name = "page-token", .value = "TOKEN", .help = "go on where an earlier search ended", .kind = COMMAND_OPTION_TEXT},
};

const struct command command_search = {
    .name = "search",
    .operands = "",
    .help = "submissions of anybody, oldest first",
    .details = "All options that are given must fit. Without any it shows everything.",
    COMMAND_OPTIONS(options),
    .run = run,
};
