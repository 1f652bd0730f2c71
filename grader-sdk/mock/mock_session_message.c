/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "grader-sdk/mock/mock_rules.h"
#include "grader-sdk/mock/mock_session_internal.h"

enum { CREDIT_MAX = 10000, PERCENT_MAX = 100 };

typedef void on_kind(struct xqueue_mock *mock, struct mock_session *session, const Xqueue__V1__GraderMessage *body);

/* ---- confirmations ---- */

static void send_ack(struct xqueue_mock *mock, struct mock_session *session, const struct mock_wire_ack *ack)
{
    if (!mock->holds_acks) {
        mock_session_sent(session, mock_wire_ack(session->call, ack));
        return;
    }
    struct mock_ack *held = MEMORY_NEW(struct mock_ack);
    held->ack = *ack;
    (void)text_copy(held->key, sizeof(held->key), ack->lease.key);
    held->ack.lease.key = held->key;
    list_append(&session->held_acks, &held->node);
}

void mock_session_release_acks(struct mock_session *session)
{
    struct list_node *node;
    while ((node = list_take_first(&session->held_acks)) != NULL) {
        struct mock_ack *held = LIST_OWNER(node, struct mock_ack, node);
        mock_session_sent(session, mock_wire_ack(session->call, &held->ack));
        memory_free(held);
    }
}

/* What the service calls each verdict; results have rules of their own. */
static const struct {
    Xqueue__V1__AckOutcome outcome;
    const char *reason;
} outcomes[] = {
    [MOCK_VERDICT_OK] = {XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_OK, ""},
    [MOCK_VERDICT_ALREADY] = {XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_ALREADY, ""},
    [MOCK_VERDICT_STALE] = {XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_STALE, "LEASE_STALE"},
    [MOCK_VERDICT_UNWANTED] = {XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_STALE, "LEASE_SUPERSEDED"},
    [MOCK_VERDICT_EXISTS] = {XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_INVALID, "RESULT_EXISTS"},
    [MOCK_VERDICT_TOO_LARGE] = {XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_INVALID, "RESULT_TOO_LARGE"},
    [MOCK_VERDICT_BAD] = {XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_INVALID, "ANSWER_INVALID"},
};

static void answer(struct xqueue_mock *mock, struct mock_session *session, Xqueue__V1__AckItem item, struct mock_saying *saying,
                   const Xqueue__V1__LeaseRef *lease)
{
    if (!lease) {
        mock_session_breach(session, "LEASE_MISSING", "an answer names no lease");
        return;
    }
    saying->id = lease->submission_id;
    saying->key = lease->lease_key;
    enum mock_verdict verdict = mock_rules_answer(mock, saying);
    send_ack(mock, session,
             &(struct mock_wire_ack){.lease = {saying->id, saying->key},
                                     .item = item,
                                     .outcome = outcomes[verdict].outcome,
                                     .reason = outcomes[verdict].reason});
}

static void on_complete(struct xqueue_mock *mock, struct mock_session *session, const Xqueue__V1__GraderMessage *body)
{
    const Xqueue__V1__CompleteRequest *said = body->complete;
    struct mock_saying saying = {
        .kind = MOCK_ANSWER_RESULT, .result = said->result.data, .result_length = said->result.len, .may_amend = said->amend};
    answer(mock, session, XQUEUE__V1__ACK_ITEM__ACK_ITEM_COMPLETE, &saying, said->lease);
}

static void on_fail(struct xqueue_mock *mock, struct mock_session *session, const Xqueue__V1__GraderMessage *body)
{
    const Xqueue__V1__FailRequest *said = body->fail;
    struct mock_saying saying = {
        .kind = MOCK_ANSWER_FAIL, .fail_kind = (int)said->kind, .message = said->message, .delay_ms = said->retry_after_ms};
    answer(mock, session, XQUEUE__V1__ACK_ITEM__ACK_ITEM_FAIL, &saying, said->lease);
}

static void on_release(struct xqueue_mock *mock, struct mock_session *session, const Xqueue__V1__GraderMessage *body)
{
    struct mock_saying saying = {.kind = MOCK_ANSWER_RELEASE, .delay_ms = body->release->delay_ms};
    answer(mock, session, XQUEUE__V1__ACK_ITEM__ACK_ITEM_RELEASE, &saying, body->release->lease);
}

/* ---- leases ---- */

/* The running lease that ref names. Otherwise NULL, and the grader hears an Ack STALE of item. */
static struct mock_submission *held_or_stale(struct xqueue_mock *mock, struct mock_session *session,
                                             const Xqueue__V1__LeaseRef *ref, Xqueue__V1__AckItem item)
{
    if (!ref) {
        mock_session_breach(session, "LEASE_MISSING", "a message names no lease");
        return NULL;
    }
    struct mock_submission *submission = mock_rules_held(mock, ref->submission_id, ref->lease_key);
    if (!submission)
        send_ack(mock, session,
                 &(struct mock_wire_ack){.lease = {ref->submission_id, ref->lease_key},
                                         .item = item,
                                         .outcome = XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_STALE,
                                         .reason = "LEASE_STALE"});
    return submission;
}

static void on_accept(struct xqueue_mock *mock, struct mock_session *session, const Xqueue__V1__GraderMessage *body)
{
    struct mock_submission *submission =
        held_or_stale(mock, session, body->accept->lease, XQUEUE__V1__ACK_ITEM__ACK_ITEM_ACCEPT);
    if (submission)
        mock_rules_accept(mock, submission);
}

static void on_reject(struct xqueue_mock *mock, struct mock_session *session, const Xqueue__V1__GraderMessage *body)
{
    const Xqueue__V1__LeaseRef *ref = body->reject->lease;
    struct mock_submission *submission = held_or_stale(mock, session, ref, XQUEUE__V1__ACK_ITEM__ACK_ITEM_REJECT);
    if (!submission)
        return;
    session->credit = 0;
    mock_rules_reject(mock, submission);
    send_ack(mock, session,
             &(struct mock_wire_ack){.lease = {ref->submission_id, ref->lease_key},
                                     .item = XQUEUE__V1__ACK_ITEM__ACK_ITEM_REJECT,
                                     .outcome = XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_OK});
}

static void take_note(struct xqueue_mock *mock, struct mock_submission *submission, const Xqueue__V1__Progress *note)
{
    (void)text_copy(submission->phase, sizeof(submission->phase), note->phase);
    (void)text_copy(submission->note, sizeof(submission->note), note->note);
    submission->percent = note->percent < PERCENT_MAX ? note->percent : PERCENT_MAX;
    mock_count_event(mock, submission, XQUEUE_MOCK_PROGRESS);
}

static void beat(struct xqueue_mock *mock, struct mock_session *session, const Xqueue__V1__LeaseProgress *part)
{
    const struct mock_wire_lease name = {part->lease->submission_id, part->lease->lease_key};
    struct mock_submission *submission = mock_rules_held(mock, name.id, name.key);
    if (!submission) {
        mock_session_sent(session, mock_wire_lost(session->call, &name,
                                                  (Xqueue__V1__LostReason)mock_rules_why_lost(mock, name.id, name.key)));
        return;
    }
    mock_rules_renew(mock, submission);
    mock_count_event(mock, submission, XQUEUE_MOCK_RENEWED);
    if (part->progress)
        take_note(mock, submission, part->progress);
    int64_t left_ms = submission->lease.expires_at_ms - clock_now_ms(clock_system());
    if (submission->lease.expires_at_ms == submission->lease.hard_limit_at_ms)
        mock_session_sent(session, mock_wire_lease_status(session->call, &name, left_ms > 0 ? left_ms : 0));
}

static void on_heartbeat(struct xqueue_mock *mock, struct mock_session *session, const Xqueue__V1__GraderMessage *body)
{
    for (size_t i = 0; i < body->heartbeat->n_leases; i++)
        if (body->heartbeat->leases[i]->lease)
            beat(mock, session, body->heartbeat->leases[i]);
}

/* ---- the grader itself ---- */

static void on_credit(struct xqueue_mock *mock, struct mock_session *session, const Xqueue__V1__GraderMessage *body)
{
    session->credit = body->credit->submissions < CREDIT_MAX ? body->credit->submissions : CREDIT_MAX;
    session->credit_has_bytes = body->credit->body_bytes > 0;
    session->credit_bytes = body->credit->body_bytes;
    mock_changed(mock);
}

static void on_drain(struct xqueue_mock *mock, struct mock_session *session, const Xqueue__V1__GraderMessage *body)
{
    (void)body;
    session->is_draining = true;
    mock_count_event(mock, NULL, XQUEUE_MOCK_DRAINING);
}

static void on_ping(struct xqueue_mock *mock, struct mock_session *session, const Xqueue__V1__GraderMessage *body)
{
    (void)mock;
    mock_session_sent(session, mock_wire_pong(session->call, body->ping->number));
}

static void on_pong(struct xqueue_mock *mock, struct mock_session *session, const Xqueue__V1__GraderMessage *body)
{
    (void)session;
    (void)body;
    mock_count_event(mock, NULL, XQUEUE_MOCK_PONG);
}

static void on_second_hello(struct xqueue_mock *mock, struct mock_session *session, const Xqueue__V1__GraderMessage *body)
{
    (void)mock;
    (void)body;
    mock_session_breach(session, "HELLO_AGAIN", "Hello comes once");
}

static on_kind *const kinds[] = {
    [XQUEUE__V1__GRADER_MESSAGE__KIND_HELLO] = on_second_hello,  [XQUEUE__V1__GRADER_MESSAGE__KIND_CREDIT] = on_credit,
    [XQUEUE__V1__GRADER_MESSAGE__KIND_ACCEPT] = on_accept,       [XQUEUE__V1__GRADER_MESSAGE__KIND_REJECT] = on_reject,
    [XQUEUE__V1__GRADER_MESSAGE__KIND_HEARTBEAT] = on_heartbeat, [XQUEUE__V1__GRADER_MESSAGE__KIND_COMPLETE] = on_complete,
    [XQUEUE__V1__GRADER_MESSAGE__KIND_FAIL] = on_fail,           [XQUEUE__V1__GRADER_MESSAGE__KIND_RELEASE] = on_release,
    [XQUEUE__V1__GRADER_MESSAGE__KIND_DRAIN] = on_drain,         [XQUEUE__V1__GRADER_MESSAGE__KIND_PONG] = on_pong,
    [XQUEUE__V1__GRADER_MESSAGE__KIND_PING] = on_ping,
};

void mock_session_message(struct xqueue_mock *mock, struct mock_session *session, const Xqueue__V1__GraderMessage *body)
{
    size_t kind = (size_t)body->kind_case;
    if (kind < sizeof(kinds) / sizeof(kinds[0]) && kinds[kind])
        kinds[kind](mock, session, body);
    else
        mock_session_breach(session, "MESSAGE_UNKNOWN", "a message of no known kind");
}
