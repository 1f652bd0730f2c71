/* SPDX-License-Identifier: Apache-2.0 */
/* `xqueuectl backup`: a copy of the database while the service runs. */
#include <inttypes.h>
#include <stdio.h>

#include "base/client/connection.h"
#include "base/rpc/rpc_client_call.h"
#include "service/ctl/commands.h"
#include "service/ctl/report.h"
#include "xqueue/v1/admin.pb-c.h"

static const struct rpc_client_method backup_method = {"/xqueue.v1.Admin/Backup", &xqueue__v1__backup_response__descriptor};

static int run(struct command_call *call)
{
    struct error error = {0};
    struct rpc_message *reply = NULL;
    const char *label = command_text(call, "label");
    Xqueue__V1__BackupRequest request = XQUEUE__V1__BACKUP_REQUEST__INIT;
    request.label = (char *)(uintptr_t)(label ? label : ""); // the generated type is not const
    enum status status = connection_call(call->connection, &backup_method, &request.base, &reply, &error);
    if (status != STATUS_OK)
        return command_fail_status(status, &error);
    const Xqueue__V1__BackupResponse *backup = (const Xqueue__V1__BackupResponse *)(const void *)rpc_message_body(reply);
    if (call->json)
        report_json(
            json_pack("{s:o, s:I}", "file", report_json_text(backup->file), "size_bytes", (json_int_t)backup->size_bytes));
    else
        (void)printf("%s (%" PRIu64 " bytes)\n", backup->file, backup->size_bytes);
    rpc_message_free(reply);
    return COMMAND_EXIT_OK;
}

static const struct command_option options[] = {
    {.name = "label",
     .value = "TEXT",
     .help = "goes into the file's name: letters, digits and '-'",
     .kind = COMMAND_OPTION_TEXT},
};

const struct command command_backup = {
    .name = "backup",
    .operands = "",
    .help = "makes a copy of the database in the service's backup folder",
    .details =
        "Everything that was acknowledged before is in it. The folder is service.backup_folder, on the service's machine. A\n"
        "large database takes a while: --timeout.",
    COMMAND_OPTIONS(options),
    .run = run,
};
