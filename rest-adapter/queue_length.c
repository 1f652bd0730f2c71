/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/queue_length.h"

#include "xqueue/v1/submissions.pb-c.h"

static const struct rpc_client_method get_queue_method = {"/xqueue.v1.Submissions/GetQueue",
                                                          &xqueue__v1__get_queue_response__descriptor};

bool queue_length_is_pushed(const struct endpoint *endpoint, const char *queue)
{
    const struct config_queue *configured = config_find_queue(endpoint->adapter->config, queue);
    return configured && configured->push_url[0] != '\0';
}

enum status queue_length_ask(struct endpoint *endpoint, const char *queue, struct queue_length *out_length, struct error *error)
{
    Xqueue__V1__GetQueueRequest request = XQUEUE__V1__GET_QUEUE_REQUEST__INIT;
    struct rpc_message *reply = NULL;

    request.queue = (char *)queue;
    enum status status = endpoint_call(endpoint, &get_queue_method, &request.base, &reply, error);
    if (status != STATUS_OK)
        return status;
    const Xqueue__V1__GetQueueResponse *response = (const void *)rpc_message_body(reply);
    uint64_t counted = response->ready_count;
    if (queue_length_is_pushed(endpoint, queue))
        counted += response->leased_count + response->delayed_count;
    *out_length = (struct queue_length){.ready = (int64_t)response->ready_count, .counted = (int64_t)counted};
    rpc_message_free(reply);
    return STATUS_OK;
}
