/* SPDX-License-Identifier: Apache-2.0 */
/* Admin.Backup: the one method that does its work beside the engine, in the backup maker's thread. */
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/backup_maker.h"
#include "service/methods/contract.h"
#include "service/methods/method.h"
#include "service/methods/methods.h"
#include "xqueue/v1/admin.pb-c.h"

struct backup_method {
    struct backup_job job;        /* first member */
    struct rpc_server_call *call; /* counted */
};

static bool backup_is_wanted(struct backup_job *job)
{
    return !rpc_server_call_is_over(((struct backup_method *)job)->call);
}

static void backup_free(struct backup_method *backup)
{
    rpc_server_call_release(backup->call);
    memory_free(backup);
}

static void backup_done(struct backup_job *job, enum status status, const struct error *error)
{
    struct backup_method *backup = (struct backup_method *)job;
    if (status == STATUS_OK) {
        Xqueue__V1__BackupResponse reply = XQUEUE__V1__BACKUP_RESPONSE__INIT;
        reply.file = job->file;
        reply.size_bytes = (uint64_t)job->bytes;
        log_event(LOG_INFO, "backup_made", LOG_TEXT("file", job->file), LOG_INT("bytes", job->bytes),
                  LOG_TEXT("by", method_identity(backup->call)->user));
        rpc_server_call_reply(backup->call, &reply.base);
    } else {
        log_event(LOG_WARN, "backup_failed", LOG_TEXT("text", error->text),
                  LOG_TEXT("by", method_identity(backup->call)->user));
        rpc_server_call_finish(backup->call, status, error);
    }
    backup_free(backup);
}

static void on_backup(struct rpc_server_call *call, struct rpc_message *message)
{
    const Xqueue__V1__BackupRequest *request = (const Xqueue__V1__BackupRequest *)rpc_message_body(message);
    struct error error;
    if (!backup_label_is_valid(request->label)) {
        method_refuse(call, message, "BACKUP_INVALID", "label has at most 64 letters, digits and '-'");
        return;
    }
    struct backup_method *backup = MEMORY_NEW(struct backup_method);
    backup->job.is_wanted = backup_is_wanted;
    backup->job.done = backup_done;
    (void)text_copy(backup->job.label, sizeof backup->job.label, request->label);
    backup->call = call;
    rpc_server_call_keep(call);
    rpc_message_free(message);
    enum status status = backup_maker_start(method_service(call)->backups, &backup->job, &error);
    if (status != STATUS_OK) {
        rpc_server_call_finish(call, status, &error);
        backup_free(backup);
    }
}

const struct rpc_method admin_backup_methods[] = {
    {.path = "/xqueue.v1.Admin/Backup",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__backup_request__descriptor,
     .on_message = on_backup,
     .role = METHOD_ADMIN},
    {0},
};
