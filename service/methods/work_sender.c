/* SPDX-License-Identifier: Apache-2.0 */
#include "service/methods/work_sender.h"

#include "service/methods/contract.h"
#include "service/methods/method.h"

Xqueue__V1__LeaseRef work_sender_lease_ref(int64_t submission_id, const char *key)
{
    Xqueue__V1__LeaseRef lease = XQUEUE__V1__LEASE_REF__INIT;
    lease.submission_id = (uint64_t)submission_id;
    lease.lease_key = contract_text(key);
    return lease;
}

void work_sender_lost(struct rpc_server_call *call, int64_t submission_id, const char *key, enum lost_reason reason)
{
    Xqueue__V1__LeaseRef lease = work_sender_lease_ref(submission_id, key);
    Xqueue__V1__LeaseLost lost = XQUEUE__V1__LEASE_LOST__INIT;
    Xqueue__V1__ServerMessage message = XQUEUE__V1__SERVER_MESSAGE__INIT;
    lost.lease = &lease;
    lost.reason = (Xqueue__V1__LostReason)reason;
    message.kind_case = XQUEUE__V1__SERVER_MESSAGE__KIND_LEASE_LOST;
    message.lease_lost = &lost;
    method_send(call, &message.base);
}

void work_sender_soon(struct rpc_server_call *call, const struct grader_notice *notice)
{
    Xqueue__V1__LeaseRef lease = work_sender_lease_ref(notice->submission_id, notice->lease_key);
    Xqueue__V1__DeadlineSoon soon = XQUEUE__V1__DEADLINE_SOON__INIT;
    Xqueue__V1__ServerMessage message = XQUEUE__V1__SERVER_MESSAGE__INIT;
    soon.lease = &lease;
    soon.expires_in_ms = notice->duration_ms;
    message.kind_case = XQUEUE__V1__SERVER_MESSAGE__KIND_DEADLINE_SOON;
    message.deadline_soon = &soon;
    method_send(call, &message.base);
}

void work_sender_quiet(struct rpc_server_call *call, const struct grader_notice *notice)
{
    Xqueue__V1__Quiet quiet = XQUEUE__V1__QUIET__INIT;
    Xqueue__V1__ServerMessage message = XQUEUE__V1__SERVER_MESSAGE__INIT;
    quiet.for_ms = notice->duration_ms;
    quiet.reason = contract_text(notice->error.reason);
    quiet.message = contract_text(notice->error.text);
    quiet.queue = contract_text(notice->queue);
    message.kind_case = XQUEUE__V1__SERVER_MESSAGE__KIND_QUIET;
    message.quiet = &quiet;
    method_send(call, &message.base);
}

void work_sender_go_away(struct rpc_server_call *call, const struct grader_notice *notice)
{
    Xqueue__V1__GoAway go_away = XQUEUE__V1__GO_AWAY__INIT;
    Xqueue__V1__ServerMessage message = XQUEUE__V1__SERVER_MESSAGE__INIT;
    go_away.reason = contract_text(notice->error.reason);
    go_away.message = contract_text(notice->error.text);
    message.kind_case = XQUEUE__V1__SERVER_MESSAGE__KIND_GO_AWAY;
    message.go_away = &go_away;
    method_send(call, &message.base);
}

void work_sender_ping(struct rpc_server_call *call, uint64_t number)
{
    Xqueue__V1__Ping ping = XQUEUE__V1__PING__INIT;
    Xqueue__V1__ServerMessage message = XQUEUE__V1__SERVER_MESSAGE__INIT;
    ping.number = number;
    message.kind_case = XQUEUE__V1__SERVER_MESSAGE__KIND_PING;
    message.ping = &ping;
    method_send(call, &message.base);
}

void work_sender_pong(struct rpc_server_call *call, uint64_t number)
{
    Xqueue__V1__Pong pong = XQUEUE__V1__PONG__INIT;
    Xqueue__V1__ServerMessage message = XQUEUE__V1__SERVER_MESSAGE__INIT;
    pong.number = number;
    message.kind_case = XQUEUE__V1__SERVER_MESSAGE__KIND_PONG;
    message.pong = &pong;
    method_send(call, &message.base);
}

void work_sender_grant(struct rpc_server_call *call, const struct grant *from)
{
    Xqueue__V1__ServerMessage message = XQUEUE__V1__SERVER_MESSAGE__INIT;
    message.kind_case = XQUEUE__V1__SERVER_MESSAGE__KIND_GRANT;
    message.grant = contract_grant(from);
    method_send(call, &message.base);
    contract_grant_destroy(message.grant);
}

static Xqueue__V1__AckOutcome work_ack_outcome(enum status status, bool already)
{
    switch (status) {
    case STATUS_OK:
        return already ? XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_ALREADY : XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_OK;
    case STATUS_STALE:
    case STATUS_NOT_FOUND:
    case STATUS_WRONG_STATE:
        return XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_STALE;
    case STATUS_INVALID:
        return XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_INVALID;
    default:
        return XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_RETRY;
    }
}

void work_sender_ack(struct rpc_server_call *call, Xqueue__V1__LeaseRef *lease, const struct work_verdict *verdict)
{
    Xqueue__V1__Ack ack = XQUEUE__V1__ACK__INIT;
    Xqueue__V1__ServerMessage message = XQUEUE__V1__SERVER_MESSAGE__INIT;
    ack.lease = lease;
    ack.item = verdict->item;
    ack.outcome = work_ack_outcome(verdict->status, verdict->already);
    if (verdict->status != STATUS_OK) {
        ack.reason = contract_text(verdict->error->reason);
        ack.message = contract_text(verdict->error->text);
        ack.retry_after_ms = verdict->error->retry_after_ms;
    }
    message.kind_case = XQUEUE__V1__SERVER_MESSAGE__KIND_ACK;
    message.ack = &ack;
    method_send(call, &message.base);
}
