/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/mock/mock_wire.h"

/* The generated structs take texts without const; they are only read. */
static char *text_of(const char *text)
{
    return (char *)(uintptr_t)(text ? text : "");
}

static Xqueue__V1__LeaseRef ref_of(const struct mock_wire_lease *lease)
{
    Xqueue__V1__LeaseRef ref = XQUEUE__V1__LEASE_REF__INIT;
    ref.submission_id = lease->id;
    ref.lease_key = text_of(lease->key);
    return ref;
}

static Xqueue__V1__ServerMessage message_of(Xqueue__V1__ServerMessage__KindCase kind)
{
    Xqueue__V1__ServerMessage message = XQUEUE__V1__SERVER_MESSAGE__INIT;
    message.kind_case = kind;
    return message;
}

enum status mock_wire_welcome(struct rpc_server_call *call, const Xqueue__V1__Welcome *welcome)
{
    Xqueue__V1__Welcome copy = *welcome;
    Xqueue__V1__ServerMessage message = message_of(XQUEUE__V1__SERVER_MESSAGE__KIND_WELCOME);
    message.welcome = &copy;
    return rpc_server_call_send(call, &message.base);
}

enum status mock_wire_grant(struct rpc_server_call *call, const struct mock_wire_grant *grant)
{
    Xqueue__V1__LeaseRef ref = ref_of(&grant->lease);
    Xqueue__V1__Submission submission = *grant->submission;
    Xqueue__V1__Grant part = XQUEUE__V1__GRANT__INIT;
    part.lease = &ref;
    part.submission = &submission;
    part.attempt = grant->attempt;
    part.accept_within_ms = grant->accept_within_ms;
    part.lease_ms = grant->lease_ms;
    part.hard_limit_ms = grant->hard_limit_ms;
    Xqueue__V1__ServerMessage message = message_of(XQUEUE__V1__SERVER_MESSAGE__KIND_GRANT);
    message.grant = &part;
    return rpc_server_call_send(call, &message.base);
}

enum status mock_wire_ack(struct rpc_server_call *call, const struct mock_wire_ack *ack)
{
    Xqueue__V1__LeaseRef ref = ref_of(&ack->lease);
    Xqueue__V1__Ack part = XQUEUE__V1__ACK__INIT;
    part.lease = &ref;
    part.item = ack->item;
    part.outcome = ack->outcome;
    part.reason = text_of(ack->reason);
    part.retry_after_ms = ack->retry_after_ms;
    Xqueue__V1__ServerMessage message = message_of(XQUEUE__V1__SERVER_MESSAGE__KIND_ACK);
    message.ack = &part;
    return rpc_server_call_send(call, &message.base);
}

enum status mock_wire_lost(struct rpc_server_call *call, const struct mock_wire_lease *lease, Xqueue__V1__LostReason reason)
{
    Xqueue__V1__LeaseRef ref = ref_of(lease);
    Xqueue__V1__LeaseLost part = XQUEUE__V1__LEASE_LOST__INIT;
    part.lease = &ref;
    part.reason = reason;
    Xqueue__V1__ServerMessage message = message_of(XQUEUE__V1__SERVER_MESSAGE__KIND_LEASE_LOST);
    message.lease_lost = &part;
    return rpc_server_call_send(call, &message.base);
}

enum status mock_wire_lease_status(struct rpc_server_call *call, const struct mock_wire_lease *lease, int64_t expires_in_ms)
{
    Xqueue__V1__LeaseRef ref = ref_of(lease);
    Xqueue__V1__LeaseStatus part = XQUEUE__V1__LEASE_STATUS__INIT;
    part.lease = &ref;
    part.expires_in_ms = expires_in_ms;
    Xqueue__V1__ServerMessage message = message_of(XQUEUE__V1__SERVER_MESSAGE__KIND_LEASE_STATUS);
    message.lease_status = &part;
    return rpc_server_call_send(call, &message.base);
}

enum status mock_wire_ping(struct rpc_server_call *call, uint64_t number)
{
    Xqueue__V1__Ping part = XQUEUE__V1__PING__INIT;
    part.number = number;
    Xqueue__V1__ServerMessage message = message_of(XQUEUE__V1__SERVER_MESSAGE__KIND_PING);
    message.ping = &part;
    return rpc_server_call_send(call, &message.base);
}

enum status mock_wire_pong(struct rpc_server_call *call, uint64_t number)
{
    Xqueue__V1__Pong part = XQUEUE__V1__PONG__INIT;
    part.number = number;
    Xqueue__V1__ServerMessage message = message_of(XQUEUE__V1__SERVER_MESSAGE__KIND_PONG);
    message.pong = &part;
    return rpc_server_call_send(call, &message.base);
}

enum status mock_wire_go_away(struct rpc_server_call *call, const char *reason)
{
    Xqueue__V1__GoAway part = XQUEUE__V1__GO_AWAY__INIT;
    part.reason = text_of(reason);
    Xqueue__V1__ServerMessage message = message_of(XQUEUE__V1__SERVER_MESSAGE__KIND_GO_AWAY);
    message.go_away = &part;
    return rpc_server_call_send(call, &message.base);
}
