/* SPDX-License-Identifier: Apache-2.0 */
/* WatchBulk: how far a regrade is. (Regrade itself is a bulk call like the others: admin_submissions.) */
#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"
#include "service/methods/method.h"
#include "service/methods/methods.h"
#include "service/methods/periodic.h"
#include "service/regrading.h"
#include "xqueue/v1/admin.pb-c.h"

enum { WATCH_PERIOD_MS = 1000 };

struct bulk_watch {
    struct periodic base;
    int64_t regrade_id;
    struct store_regrade now;
    struct store_regrade told;
    bool has_told;
};

static enum status bulk_watch_look(struct periodic *periodic, struct queues *queues)
{
    struct bulk_watch *watch = (struct bulk_watch *)periodic;
    const Xqueue__V1__WatchBulkRequest *request = (const Xqueue__V1__WatchBulkRequest *)rpc_message_body(periodic->message);
    if (text_to_int64(request->bulk_id, 1, INT64_MAX, &watch->regrade_id) != STATUS_OK) {
        return error_set(&periodic->error, STATUS_NOT_FOUND, "BULK_NOT_FOUND", "there is no such regrade");
    }
    return regrading_find(queues, watch->regrade_id, &watch->now, &periodic->error);
}

static bool bulk_watch_tell(struct periodic *periodic)
{
    struct bulk_watch *watch = (struct bulk_watch *)periodic;
    const struct store_regrade *now = &watch->now;
    bool is_over = now->graded + now->failed == now->total;
    bool is_read = true;
    bool is_new = !watch->has_told || now->total != watch->told.total || now->graded != watch->told.graded ||
                  now->failed != watch->told.failed;
    if (is_new) {
        Xqueue__V1__BulkResponse message = XQUEUE__V1__BULK_RESPONSE__INIT;
        const Xqueue__V1__WatchBulkRequest *request = (const Xqueue__V1__WatchBulkRequest *)rpc_message_body(periodic->message);
        message.bulk_id = request->bulk_id;
        message.matched = (uint64_t)now->total;
        message.done = (uint64_t)now->graded;
        message.failed = (uint64_t)now->failed;
        message.finished = is_over;
        is_read = method_send(periodic->call, &message.base);
    }
    watch->told = *now;
    watch->has_told = true;
    return is_read && !is_over;
}

static const struct periodic_steps bulk_watch_steps = {
    .size = sizeof(struct bulk_watch),
    .look = bulk_watch_look,
    .tell = bulk_watch_tell,
};

static void on_watch_bulk(struct rpc_server_call *call, struct rpc_message *message)
{
    periodic_start(call, message, &bulk_watch_steps, WATCH_PERIOD_MS);
}

const struct rpc_method admin_regrade_methods[] = {
    {.path = "/xqueue.v1.Admin/WatchBulk",
     .kind = RPC_SERVER_STREAM,
     .request = &xqueue__v1__watch_bulk_request__descriptor,
     .on_message = on_watch_bulk,
     .on_close = periodic_on_close,
     .role = METHOD_ADMIN},
    {0},
};
