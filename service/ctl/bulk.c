/* SPDX-License-Identifier: Apache-2.0 */
#include "service/ctl/bulk.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/client/connection.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/ctl/report.h"

const struct rpc_client_method bulk_retire_method = {"/xqueue.v1.Admin/Retire", &xqueue__v1__bulk_response__descriptor};
const struct rpc_client_method bulk_purge_method = {"/xqueue.v1.Admin/Purge", &xqueue__v1__bulk_response__descriptor};

/* Where a run is. */
struct progress {
    char *page_token; /* owned; "" at first */
    uint64_t matched; /* of the first call: later ones find the rest */
    uint64_t done;
    bool finished;
};

static enum status step(struct bulk *bulk, Xqueue__V1__BulkRequest *request, struct progress *progress, struct error *error)
{
    struct rpc_message *reply = NULL;
    request->page_token = progress->page_token;
    request->bulk_id = bulk->bulk_id;
    enum status status = connection_call(bulk->call->connection, bulk->method, &request->base, &reply, error);
    if (status != STATUS_OK)
        return status;
    const Xqueue__V1__BulkResponse *response = (const Xqueue__V1__BulkResponse *)(const void *)rpc_message_body(reply);
    if (progress->page_token[0] == '\0' && progress->done == 0)
        progress->matched = response->matched;
    progress->done += response->done;
    if (response->bulk_id[0] != '\0' && !text_copy(bulk->bulk_id, sizeof bulk->bulk_id, response->bulk_id))
        bulk->bulk_id[0] = '\0'; // of some other kind of service: then it cannot be watched
    progress->finished = response->finished;
    char *next = memory_copy_text(response->next_page_token);
    // An answer that neither does something nor goes on would be asked for for ever.
    if (!progress->finished && !request->dry_run && next[0] == '\0' && response->done == 0)
        status = error_set(error, STATUS_INTERNAL, NULL, "xqueued does not say how to go on");
    memory_free(progress->page_token);
    progress->page_token = next;
    rpc_message_free(reply);
    return status;
}

enum status bulk_run(struct bulk *bulk, Xqueue__V1__BulkRequest *request, struct error *error)
{
    struct progress progress = {.page_token = memory_copy_text("")};
    enum status status = step(bulk, request, &progress, error);
    while (status == STATUS_OK && !progress.finished && !request->dry_run) {
        if (connection_pause(bulk->call->connection, bulk->pause_ms))
            status = step(bulk, request, &progress, error);
        else
            status = error_set(error, STATUS_CANCELED, NULL, "interrupted");
    }
    bulk->matched_count += progress.matched > progress.done ? progress.matched : progress.done;
    bulk->done_count += progress.done;
    memory_free(progress.page_token);
    return status;
}

static void print_count(const char *before, const char *verb, uint64_t count, const char *bulk_id)
{
    (void)printf("%s%s %" PRIu64 " submission%s", before, verb, count, count == 1 ? "" : "s");
    if (bulk_id[0] != '\0')
        (void)printf(" (regrade %s)", bulk_id);
    (void)printf("\n");
}

int bulk_finish(const struct bulk *bulk, enum status status, const struct error *error)
{
    bool dry_run = command_flag(bulk->call, "dry-run");
    if (bulk->call->json) {
        json_t *document =
            json_pack("{s:I, s:I, s:b, s:b}", "matched", (json_int_t)bulk->matched_count, "done", (json_int_t)bulk->done_count,
                      "dry_run", (int)dry_run, "finished", (int)(status == STATUS_OK));
        if (bulk->bulk_id[0] != '\0')
            json_object_set_new(document, "bulk_id", report_json_text(bulk->bulk_id));
        report_json(document);
    } else if (dry_run && status == STATUS_OK) {
        print_count("would ", bulk->verb, bulk->matched_count, "");
    } else if (status == STATUS_OK || bulk->done_count > 0) {
        print_count("", bulk->done, bulk->done_count, bulk->bulk_id);
    }
    return status == STATUS_OK ? COMMAND_EXIT_OK : command_fail_status(status, error);
}
