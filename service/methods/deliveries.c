/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "service/delivering.h"
#include "service/methods/contract.h"
#include "service/methods/delivery_stream.h"
#include "service/methods/method.h"
#include "service/methods/methods.h"
#include "xqueue/v1/deliveries.pb-c.h"

enum {
    DELIVERIES_WAIT_MS_MAX = 60000,
    DELIVERIES_REPLY_BYTES_MAX = 3 * 1024 * 1024 + 256 * 1024, /* of bodies in one reply, so that any client's 4 MiB do */
};

/* ---- Lease ---- */

struct lease_deliveries_method {
    struct method_command base;
    int64_t deadline_ms; /* 0 before the first run */
    size_t count;
    struct delivery_lease *leases; /* owned */
};

static enum status lease_deliveries_perform(struct method_command *method, struct queues *queues)
{
    struct lease_deliveries_method *lease = (struct lease_deliveries_method *)method;
    const Xqueue__V1__LeaseDeliveriesRequest *request =
        (const Xqueue__V1__LeaseDeliveriesRequest *)rpc_message_body(method->message);
    if (rpc_server_call_is_over(method->call)) {
        return error_set(&method->error, STATUS_CANCELED, NULL, "the caller is gone");
    }
    struct delivery_order order = {
        .courier = request->courier,
        .instance = request->instance,
        .channel = request->results_channel,
        .max = request->max == 0 ? 1 : request->max,
        .bytes_max = DELIVERIES_REPLY_BYTES_MAX,
    };
    if (!lease->leases) {
        lease->leases = memory_allocate_array(order.max, sizeof *lease->leases);
    }
    struct rights rights;
    access_read_rights(method_service(method->call)->access, method_identity(method->call), &rights);
    order.rights = &rights;
    enum status status = delivering_lease(queues, &order, lease->leases, &lease->count);
    rights_finish(&rights);
    if (status != STATUS_OK || lease->count > 0 || request->wait_ms == 0 || method->command.timed_out || queues->stopping) {
        return status;
    }
    if (lease->deadline_ms == 0) {
        lease->deadline_ms = clock_add_ms(queues->now_ms, request->wait_ms);
    }
    queues_park(queues, &method->command, &queues->delivery_polls, lease->deadline_ms);
    return STATUS_OK;
}

static void lease_deliveries_reply(struct method_command *method)
{
    const struct lease_deliveries_method *lease = (const struct lease_deliveries_method *)method;
    int64_t lease_ms = method_service(method->call)->config->delivery.lease_ms;
    Xqueue__V1__Delivery deliveries[DELIVERING_LEASES_PER_CALL_MAX];
    Xqueue__V1__Delivery *pointers[DELIVERING_LEASES_PER_CALL_MAX];
    Xqueue__V1__LeaseDeliveriesResponse reply = XQUEUE__V1__LEASE_DELIVERIES_RESPONSE__INIT;
    for (size_t i = 0; i < lease->count; i++) {
        contract_fill_delivery(&deliveries[i], &lease->leases[i], lease_ms);
        pointers[i] = &deliveries[i];
    }
    reply.deliveries = pointers;
    reply.n_deliveries = lease->count;
    rpc_server_call_reply(method->call, &reply.base);
}

static void lease_deliveries_finish(struct method_command *method)
{
    struct lease_deliveries_method *lease = (struct lease_deliveries_method *)method;
    for (size_t i = 0; i < lease->count; i++) {
        delivery_lease_finish(&lease->leases[i]);
    }
    memory_free(lease->leases);
}

static const struct method_steps lease_deliveries_steps = {
    .size = sizeof(struct lease_deliveries_method),
    .perform = lease_deliveries_perform,
    .reply = lease_deliveries_reply,
    .finish = lease_deliveries_finish,
};

static void on_lease_deliveries(struct rpc_server_call *call, struct rpc_message *message)
{
    const Xqueue__V1__LeaseDeliveriesRequest *request = (const Xqueue__V1__LeaseDeliveriesRequest *)rpc_message_body(message);
    if (!text_is_name(request->courier, STORE_NAME_MAX - 1) || !text_is_name(request->instance, LEASE_INSTANCE_MAX - 1) ||
        !method_text_fits(request->results_channel, STORE_NAME_MAX - 1) || request->max > DELIVERING_LEASES_PER_CALL_MAX ||
        request->wait_ms < 0 || request->wait_ms > DELIVERIES_WAIT_MS_MAX) {
        method_refuse(call, message, "LEASE_INVALID",
                      "courier is 1 to 128 bytes, instance 1 to 64, max at most 100, wait_ms 0 to 60,000");
        return;
    }
    method_start(call, message, &lease_deliveries_steps);
}

/* ---- Acknowledge, Fail ---- */

static enum status delivery_check(struct method_command *method, struct queues *queues, uint64_t submission_id)
{
    return method_check_submission(method->call, queues, METHOD_DELIVER, contract_id(submission_id), &method->error);
}

struct acknowledge_method {
    struct method_command base;
    bool already;
};

static enum status acknowledge_perform(struct method_command *method, struct queues *queues)
{
    const Xqueue__V1__AcknowledgeDeliveryRequest *request =
        (const Xqueue__V1__AcknowledgeDeliveryRequest *)rpc_message_body(method->message);
    enum status status = delivery_check(method, queues, request->submission_id);
    if (status != STATUS_OK) {
        return status;
    }
    return delivering_acknowledge(queues, contract_id(request->submission_id), request->delivery_key,
                                  &((struct acknowledge_method *)method)->already, &method->error);
}

static void acknowledge_reply(struct method_command *method)
{
    Xqueue__V1__AcknowledgeDeliveryResponse reply = XQUEUE__V1__ACKNOWLEDGE_DELIVERY_RESPONSE__INIT;
    reply.already = ((struct acknowledge_method *)method)->already;
    rpc_server_call_reply(method->call, &reply.base);
}

static const struct method_steps acknowledge_steps = {
    .size = sizeof(struct acknowledge_method), .perform = acknowledge_perform, .reply = acknowledge_reply};

static void on_acknowledge(struct rpc_server_call *call, struct rpc_message *message)
{
    method_start(call, message, &acknowledge_steps);
}

struct fail_delivery_method {
    struct method_command base;
    struct delivery_failure failure;
};

static enum status fail_delivery_perform(struct method_command *method, struct queues *queues)
{
    const Xqueue__V1__FailDeliveryRequest *request = (const Xqueue__V1__FailDeliveryRequest *)rpc_message_body(method->message);
    struct delivery_failure *failure = &((struct fail_delivery_method *)method)->failure;
    enum status status = delivery_check(method, queues, request->submission_id);
    if (status == STATUS_OK) {
        status = contract_read_delivery_failure(request, failure, &method->error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    return delivering_fail(queues, contract_id(request->submission_id), request->delivery_key, failure, &method->error);
}

static void fail_delivery_reply(struct method_command *method)
{
    const struct delivery_failure *failure = &((struct fail_delivery_method *)method)->failure;
    Xqueue__V1__FailDeliveryResponse reply = XQUEUE__V1__FAIL_DELIVERY_RESPONSE__INIT;
    reply.undeliverable = failure->out_undeliverable;
    reply.retry_after_ms = failure->out_retry_after_ms;
    rpc_server_call_reply(method->call, &reply.base);
}

static const struct method_steps fail_delivery_steps = {
    .size = sizeof(struct fail_delivery_method), .perform = fail_delivery_perform, .reply = fail_delivery_reply};

static void on_fail_delivery(struct rpc_server_call *call, struct rpc_message *message)
{
    method_start(call, message, &fail_delivery_steps);
}

const struct rpc_method deliveries_methods[] = {
    {.path = "/xqueue.v1.Deliveries/Lease",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__lease_deliveries_request__descriptor,
     .on_message = on_lease_deliveries,
     .on_close = method_on_close,
     .role = METHOD_DELIVER | METHOD_PER_QUEUE},
    {.path = "/xqueue.v1.Deliveries/Acknowledge",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__acknowledge_delivery_request__descriptor,
     .on_message = on_acknowledge,
     .role = METHOD_DELIVER | METHOD_PER_QUEUE},
    {.path = "/xqueue.v1.Deliveries/Fail",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__fail_delivery_request__descriptor,
     .on_message = on_fail_delivery,
     .role = METHOD_DELIVER | METHOD_PER_QUEUE},
    {.path = "/xqueue.v1.Deliveries/Stream",
     .kind = RPC_BIDI_STREAM,
     .request = &xqueue__v1__delivery_answer__descriptor,
     .on_open = delivery_stream_on_open,
     .on_message = delivery_stream_on_message,
     .on_half_close = delivery_stream_on_half_close,
     .on_close = standing_on_close,
     .on_drained = standing_on_drained,
     .role = METHOD_DELIVER | METHOD_PER_QUEUE},
    {0},
};
