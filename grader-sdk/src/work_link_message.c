/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "base/memory.h"
#include "grader-sdk/src/work_link_internal.h"

/*
 * One message of the service. *message is the whole; who keeps it sets it to NULL.
 */
typedef void on_kind(struct work_link *link, const Xqueue__V1__ServerMessage *body, struct rpc_message **message);

/* ---- welcome ---- */

/* What Welcome says of a lease that we named; one that it does not mention is not ours any more. */
static enum xqueue_lost fate_of(const Xqueue__V1__Welcome *welcome, const struct xqueue_submission *submission)
{
    for (size_t i = 0; i < welcome->n_kept; i++)
        if (wire_is_lease(welcome->kept[i], submission))
            return XQUEUE_LOST_NOT;
    for (size_t i = 0; i < welcome->n_lost; i++)
        if (wire_is_lease(welcome->lost[i]->lease, submission))
            return wire_lost_reason(welcome->lost[i]->reason);
    return XQUEUE_LOST_STALE;
}

/* Names the same leases as the Hello did: what is held changes, but nothing is added while greeting. */
static enum status sort_leases(struct work_link *link, const Xqueue__V1__Welcome *welcome)
{
    struct wire_leases held = {0};
    enum status status = link_leases_held(link, false, &held);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < held.count; i++) {
        enum xqueue_lost fate = fate_of(welcome, held.items[i]);
        if (fate != XQUEUE_LOST_NOT)
            link_lease_lost(link, held.items[i], fate);
    }
    memory_free(held.items);
    return STATUS_OK;
}

static void start_stream_clocks(struct work_link *link, const Xqueue__V1__Welcome *welcome)
{
    struct link_stream *stream = &link->stream;
    int64_t lease_ms = welcome->lease_ms > 0 ? welcome->lease_ms : LINK_LEASE_MS_DEFAULT;
    stream->lease_ms = lease_ms < LINK_LEASE_MS_MIN ? LINK_LEASE_MS_MIN : lease_ms;
    stream->ping_period_ms = welcome->ping_period_ms > 0 ? welcome->ping_period_ms : 0;
    stream->beaten_at_ms = link_now_ms(link); // Welcome has renewed what it kept
    stream->beat_at_ms = clock_add_ms(stream->beaten_at_ms, stream->lease_ms / LINK_BEATS_PER_LEASE);
}

static void on_welcome(struct work_link *link, const Xqueue__V1__ServerMessage *body, struct rpc_message **message)
{
    (void)message;
    const Xqueue__V1__Welcome *welcome = body->welcome;
    if (link->state != LINK_GREETING || !welcome)
        return;
    link->ever_welcome = true;
    link->token_is_fresh = false;
    link->is_away = false;
    backoff_reset(&link->backoff);
    if (welcome->result_bytes_max > 0)
        atomic_store(&link->with.inbox->result_bytes_max, (size_t)welcome->result_bytes_max);
    start_stream_clocks(link, welcome);
    link_move(link, LINK_WORKING);
    report_line(link->with.report, XQUEUE_LOG_INFO, "connected to %s as %s, session %s: %zu leases kept, %zu lost",
                link->with.settings->address, link->with.settings->grader, welcome->session, welcome->n_kept, welcome->n_lost);
    link_sent(link, sort_leases(link, welcome));
}

/* ---- grants ---- */

static void reject(struct work_link *link, const Xqueue__V1__LeaseRef *lease, const char *why)
{
    report_line(link->with.report, XQUEUE_LOG_DEBUG, "submission %" PRIu64 ": rejected: %s", lease->submission_id, why);
    link->stream.credit = 0;
    link->stream.credit_at_ms = clock_add_ms(link_now_ms(link), LINK_REJECT_PAUSE_MS);
    link_sent(link, wire_send_reject(link->stream.rpc, lease, why));
}

static void on_grant(struct work_link *link, const Xqueue__V1__ServerMessage *body, struct rpc_message **message)
{
    const Xqueue__V1__Grant *grant = body->grant;
    if (link->state != LINK_WORKING || !grant)
        return;
    if (!wire_grant_is_valid(grant)) {
        report_line(link->with.report, XQUEUE_LOG_ERROR, "the service sent a grant without lease or submission");
        return;
    }
    if (link_find_lease(link, grant->lease))
        return;
    link->stream.credit -= link->stream.credit > 0;
    if (link->stop != INBOX_STOP_NOT || !link_has_room(link)) {
        reject(link, grant->lease, link->stop != INBOX_STOP_NOT ? "draining" : "no slot is free");
        return;
    }
    struct xqueue_submission *submission = NULL;
    enum status status = wire_grant_open(grant, *message, link->with.inbox, link->with.clock, &submission);
    if (status != STATUS_OK) {
        reject(link, grant->lease, "out of memory");
        return;
    }
    *message = NULL; // the submission has it
    submission->access = &link->access;
    report_line(link->with.report, XQUEUE_LOG_DEBUG, "submission %" PRIu64 ": granted, attempt %" PRIu32, submission->id,
                submission->attempt);
    link_sent(link, wire_send_accept(link->stream.rpc, submission));
    link_lease_add(link, submission);
}

/* ---- leases and answers ---- */

static void on_lease_lost(struct work_link *link, const Xqueue__V1__ServerMessage *body, struct rpc_message **message)
{
    (void)message;
    struct xqueue_submission *submission = body->lease_lost ? link_find_lease(link, body->lease_lost->lease) : NULL;
    if (submission)
        link_lease_lost(link, submission, wire_lost_reason(body->lease_lost->reason));
}

static void on_ack(struct work_link *link, const Xqueue__V1__ServerMessage *body, struct rpc_message **message)
{
    (void)message;
    const Xqueue__V1__Ack *ack = body->ack;
    struct xqueue_submission *submission = ack ? link_find_lease(link, ack->lease) : NULL;
    if (!submission || ack->item == XQUEUE__V1__ACK_ITEM__ACK_ITEM_REJECT)
        return;
    if (ack->item != XQUEUE__V1__ACK_ITEM__ACK_ITEM_ACCEPT)
        link_lease_acked(link, submission, ack);
    else if (ack->outcome != XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_OK &&
             ack->outcome != XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_ALREADY)
        link_lease_lost(link, submission, XQUEUE_LOST_NOT_ACCEPTED);
}

/* ---- the stream ---- */

static void on_ping(struct work_link *link, const Xqueue__V1__ServerMessage *body, struct rpc_message **message)
{
    (void)message;
    if (body->ping)
        link_sent(link, wire_send_pong(link->stream.rpc, body->ping->number));
}

static void on_quiet(struct work_link *link, const Xqueue__V1__ServerMessage *body, struct rpc_message **message)
{
    (void)message;
    const Xqueue__V1__Quiet *quiet = body->quiet;
    bool is_quiet = quiet && quiet->for_ms > 0;
    if (!quiet || is_quiet == link->stream.quiet)
        return;
    link->stream.quiet = is_quiet;
    if (is_quiet)
        report_line(link->with.report, XQUEUE_LOG_WARN, "the service gives no submissions for %" PRId64 " ms: %s %s",
                    quiet->for_ms, quiet->reason, quiet->message);
    else
        report_line(link->with.report, XQUEUE_LOG_INFO, "the service gives submissions again");
}

static void on_go_away(struct work_link *link, const Xqueue__V1__ServerMessage *body, struct rpc_message **message)
{
    (void)message;
    if (!body->go_away || link->stream.going_away)
        return;
    link->stream.going_away = true;
    report_line(link->with.report, XQUEUE_LOG_INFO, "the service is about to end the connection: %s %s", body->go_away->reason,
                body->go_away->message);
}

static on_kind *const handlers[] = {
    [XQUEUE__V1__SERVER_MESSAGE__KIND_WELCOME] = on_welcome,
    [XQUEUE__V1__SERVER_MESSAGE__KIND_GRANT] = on_grant,
    [XQUEUE__V1__SERVER_MESSAGE__KIND_LEASE_LOST] = on_lease_lost,
    [XQUEUE__V1__SERVER_MESSAGE__KIND_ACK] = on_ack,
    [XQUEUE__V1__SERVER_MESSAGE__KIND_QUIET] = on_quiet,
    [XQUEUE__V1__SERVER_MESSAGE__KIND_GO_AWAY] = on_go_away,
    [XQUEUE__V1__SERVER_MESSAGE__KIND_PING] = on_ping,
};

/* LeaseStatus, DeadlineSoon, Pong and kinds of later versions need nothing: renewing goes on by our own clock. */
void link_message(struct work_link *link, struct rpc_message *message)
{
    const Xqueue__V1__ServerMessage *body = (const Xqueue__V1__ServerMessage *)rpc_message_body(message);
    size_t kind = (size_t)body->kind_case;
    link->stream.heard_at_ms = link_now_ms(link);
    bool is_expected =
        link->state == LINK_WORKING || (link->state == LINK_GREETING && kind == XQUEUE__V1__SERVER_MESSAGE__KIND_WELCOME);
    if (is_expected && kind < sizeof(handlers) / sizeof(handlers[0]) && handlers[kind])
        handlers[kind](link, body, &message);
    rpc_message_free(message);
}
