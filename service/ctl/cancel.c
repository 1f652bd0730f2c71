/* SPDX-License-Identifier: Apache-2.0 */
/* `xqueuectl cancel`: takes submissions back, as their submitter could. */
#include <inttypes.h>
#include <stdio.h>

#include "base/client/connection.h"
#include "base/client/submission_words.h"
#include "service/ctl/commands.h"
#include "service/ctl/submission_report.h"

enum { IDS_MAX = 1000 };

static const struct rpc_client_method cancel_method = {"/xqueue.v1.Submissions/Cancel",
                                                       &xqueue__v1__cancel_response__descriptor};
static const struct rpc_client_method get_method = {"/xqueue.v1.Submissions/Get", &xqueue__v1__get_response__descriptor};

static bool may_be_canceled(Xqueue__V1__SubmissionState state)
{
    return state == XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_READY ||
           state == XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_LEASED ||
           state == XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_DELAYED ||
           state == XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_CANCELED;
}

/* Only looks whether it could be done. */
static enum status try_one(struct command_call *call, uint64_t id, struct error *error)
{
    Xqueue__V1__GetRequest request = XQUEUE__V1__GET_REQUEST__INIT;
    struct rpc_message *reply = NULL;
    request.submission_id = id;
    enum status status = connection_call(call->connection, &get_method, &request.base, &reply, error);
    if (status != STATUS_OK)
        return status;
    Xqueue__V1__SubmissionState state = ((const Xqueue__V1__GetResponse *)(const void *)rpc_message_body(reply))->state;
    rpc_message_free(reply);
    if (!may_be_canceled(state))
        return error_set(error, STATUS_WRONG_STATE, "WRONG_STATE",
                         "submission %" PRIu64 " is %s: there is nothing to take back", id, submission_words_state(state));
    return STATUS_OK;
}

static enum status cancel_one(struct command_call *call, uint64_t id, struct error *error)
{
    Xqueue__V1__CancelRequest request = XQUEUE__V1__CANCEL_REQUEST__INIT;
    const char *reason = command_text(call, "reason");
    if (command_flag(call, "dry-run"))
        return try_one(call, id, error);
    request.submission_id = id;
    request.reason = (char *)(reason ? reason : "taken back by an administrator"); // not const, though nothing is written
    return connection_call(call->connection, &cancel_method, &request.base, NULL, error);
}

static int run(struct command_call *call)
{
    struct error error = {0};
    enum status status = STATUS_OK;
    uint64_t ids[IDS_MAX];
    size_t done = 0;
    for (size_t at = 0; at < call->operand_count; at++) {
        if (!submission_report_id(call->operands[at], &ids[at]))
            return COMMAND_EXIT_FAILED;
    }
    while (done < call->operand_count && status == STATUS_OK) {
        status = cancel_one(call, ids[done], &error);
        done += status == STATUS_OK;
    }
    if (call->json)
        report_json(json_pack("{s:I, s:b}", "canceled", (json_int_t)done, "dry_run", command_flag(call, "dry-run")));
    else
        (void)printf("%s %zu\n", command_flag(call, "dry-run") ? "would cancel" : "canceled", done);
    return status == STATUS_OK ? COMMAND_EXIT_OK : command_fail_status(status, &error);
}

static const struct command_option options[] = {
    {.name = "reason", .value = "TEXT", .help = "kept with the submission, for people", .kind = COMMAND_OPTION_TEXT},
    {.name = "dry-run", .help = "only say how many", .kind = COMMAND_OPTION_FLAG},
};

const struct command command_cancel = {
    .name = "cancel",
    .operands = "ID...",
    .help = "takes submissions back, also from a grader at work",
    .details = "They become canceled, and nobody is told: unlike retire-old, which gives up and tells the student. Stops at "
               "the first\n"
               "that is graded or over otherwise. One that is canceled already counts as done.",
    COMMAND_OPTIONS(options),
    .operands_min = 1,
    .operands_max = IDS_MAX,
    .run = run,
};
