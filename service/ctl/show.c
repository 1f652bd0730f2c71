/* SPDX-License-Identifier: Apache-2.0 */
/* `xqueuectl show`: how a submission stands. */
#include "base/client/connection.h"
#include "service/ctl/commands.h"
#include "service/ctl/submission_report.h"

static const struct rpc_client_method get_method = {"/xqueue.v1.Submissions/Get", &xqueue__v1__get_response__descriptor};

static int run(struct command_call *call)
{
    struct error error = {0};
    struct rpc_message *reply = NULL;
    Xqueue__V1__GetRequest request = XQUEUE__V1__GET_REQUEST__INIT;
    if (!submission_report_id(call->operands[0], &request.submission_id))
        return COMMAND_EXIT_FAILED;
    enum status status = connection_call(call->connection, &get_method, &request.base, &reply, &error);
    if (status != STATUS_OK)
        return command_fail_status(status, &error);
    const Xqueue__V1__GetResponse *submission = (const Xqueue__V1__GetResponse *)(const void *)rpc_message_body(reply);
    if (call->json)
        report_json(submission_report_json(submission));
    else
        submission_report_print(submission);
    rpc_message_free(reply);
    return COMMAND_EXIT_OK;
}

const struct command command_show = {
    .name = "show",
    .operands = "ID",
    .help = "how a submission stands, with its grading and its delivery",
    .details = "Times are UTC. What is not there is left out; with --json every key is.",
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
