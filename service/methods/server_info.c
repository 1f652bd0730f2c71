/* SPDX-License-Identifier: Apache-2.0 */
#include "service/grading.h"
#include "service/methods/contract.h"
#include "service/methods/method.h"
#include "service/methods/methods.h"
#include "service/submitting.h"
#include "xqueue/v1/server.pb-c.h"

enum { SERVER_CONTRACT = 0, SERVER_KEEPALIVE_MIN_MS = 10000 };

static void on_get_server_info(struct rpc_server_call *call, struct rpc_message *message)
{
    static const char *const features[] = {"submit", "work",     "lease",  "report",    "deliveries",
                                           "files",  "sessions", "health", "reflection"};
    Xqueue__V1__GetServerInfoResponse reply = XQUEUE__V1__GET_SERVER_INFO_RESPONSE__INIT;
    char *names[sizeof features / sizeof features[0]];
    for (size_t i = 0; i < sizeof features / sizeof features[0]; i++) {
        names[i] = contract_text(features[i]);
    }
    reply.version = contract_text(XQUEUE_VERSION);
    reply.contract = SERVER_CONTRACT;
    reply.features = names;
    reply.n_features = sizeof features / sizeof features[0];
    if (!method_service(call)->reflection) {
        reply.n_features--; /* the last */
    }
    reply.header_bytes_max = SUBMITTING_HEADER_BYTES_MAX;
    reply.body_bytes_max = SUBMITTING_BODY_BYTES_MAX;
    reply.result_bytes_max = GRADING_RESULT_BYTES_MAX;
    reply.files_max = SUBMITTING_FILES_MAX;
    reply.message_bytes_max = method_service(call)->message_bytes_max;
    reply.keepalive_min_ms = SERVER_KEEPALIVE_MIN_MS;
    rpc_server_call_reply(call, &reply.base);
    rpc_message_free(message);
}

const struct rpc_method server_methods[] = {
    {.path = "/xqueue.v1.Server/GetServerInfo",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__get_server_info_request__descriptor,
     .on_message = on_get_server_info,
     .role = METHOD_OPEN},
    {0},
};
