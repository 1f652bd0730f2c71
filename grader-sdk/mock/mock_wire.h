/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of the Work stream as the service sends them. Knows the wire, no states. Every function queues one message and
 * answers as rpc_server_call_send does; everything is borrowed during the call.
 *
 * Threading: any thread.
 */
#ifndef GRADER_SDK_MOCK_MOCK_WIRE_H
#define GRADER_SDK_MOCK_MOCK_WIRE_H

#include <xqueue/v1/graders.pb-c.h>

#include "base/rpc/rpc_server_call.h"

/* A lease by its names. */
struct mock_wire_lease {
    uint64_t id;
    const char *key;
};

struct mock_wire_ack {
    struct mock_wire_lease lease;
    Xqueue__V1__AckItem item;
    Xqueue__V1__AckOutcome outcome;
    const char *reason; /* NULL: "" */
    int64_t retry_after_ms;
};

struct mock_wire_grant {
    struct mock_wire_lease lease;
    const Xqueue__V1__Submission *submission;
    uint32_t attempt;
    int64_t accept_within_ms;
    int64_t lease_ms;
    int64_t hard_limit_ms;
};

enum status mock_wire_welcome(struct rpc_server_call *call, const Xqueue__V1__Welcome *welcome) STATUS_CHECKED;
enum status mock_wire_grant(struct rpc_server_call *call, const struct mock_wire_grant *grant) STATUS_CHECKED;
enum status mock_wire_ack(struct rpc_server_call *call, const struct mock_wire_ack *ack) STATUS_CHECKED;
enum status mock_wire_lost(struct rpc_server_call *call, const struct mock_wire_lease *lease,
                           Xqueue__V1__LostReason reason) STATUS_CHECKED;
enum status mock_wire_lease_status(struct rpc_server_call *call, const struct mock_wire_lease *lease,
                                   int64_t expires_in_ms) STATUS_CHECKED;
enum status mock_wire_ping(struct rpc_server_call *call, uint64_t number) STATUS_CHECKED;
enum status mock_wire_pong(struct rpc_server_call *call, uint64_t number) STATUS_CHECKED;
/* At once. */
enum status mock_wire_go_away(struct rpc_server_call *call, const char *reason) STATUS_CHECKED;

#endif
