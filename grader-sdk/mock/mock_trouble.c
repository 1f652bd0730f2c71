/* SPDX-License-Identifier: Apache-2.0 */
/* The trouble that a test orders. Threading: any thread. */
#include <inttypes.h>

#include "grader-sdk/mock/mock.h"
#include "grader-sdk/mock/mock_rules.h"
#include "grader-sdk/mock/mock_session.h"
#include "grader-sdk/src/report.h"

static bool is_reason(enum xqueue_lost reason)
{
    return reason >= XQUEUE_LOST_EXPIRED && reason <= XQUEUE_LOST_ADMIN;
}

/* Is it there to be taken for this reason? */
static bool may_take(const struct mock_submission *submission, enum xqueue_lost reason)
{
    bool needs_lease = reason != XQUEUE_LOST_CANCELED && reason != XQUEUE_LOST_SUPERSEDED;
    return !mock_rules_is_final(submission) && (!needs_lease || submission->state == XQUEUE_MOCK_STATE_LEASED);
}

enum xqueue_status xqueue_mock_take(struct xqueue_mock *mock, uint64_t id, enum xqueue_lost reason, struct xqueue_error *error)
{
    enum xqueue_status status = XQUEUE_STATUS_OK;
    if (!mock || !is_reason(reason))
        return report_error(error, XQUEUE_STATUS_INVALID, false, NULL, "mock is NULL, or no such reason");
    pthread_mutex_lock(&mock->mutex);
    struct mock_submission *submission = mock_find(mock, id);
    if (!submission)
        status = report_error(error, XQUEUE_STATUS_NOT_FOUND, false, NULL, "there is no submission %" PRIu64, id);
    else if (!may_take(submission, reason))
        status = report_error(error, XQUEUE_STATUS_WRONG_STATE, false, NULL,
                              "submission %" PRIu64 " is finished, or no grader has it", id);
    else
        mock_rules_take(mock, submission, reason, mock_session_tell_lost);
    pthread_mutex_unlock(&mock->mutex);
    return status;
}

void xqueue_mock_pause(struct xqueue_mock *mock, bool paused)
{
    if (!mock)
        return;
    pthread_mutex_lock(&mock->mutex);
    mock->is_paused = paused;
    mock_changed(mock);
    pthread_mutex_unlock(&mock->mutex);
}

static void for_each_session(struct xqueue_mock *mock, void (*visit)(struct mock_session *session))
{
    for (struct list_node *node = list_first(&mock->sessions); node; node = list_next(&mock->sessions, node))
        visit(LIST_OWNER(node, struct mock_session, node));
}

void xqueue_mock_hold_acks(struct xqueue_mock *mock, bool held)
{
    if (!mock)
        return;
    pthread_mutex_lock(&mock->mutex);
    mock->holds_acks = held;
    if (!held)
        for_each_session(mock, mock_session_release_acks);
    mock_changed(mock);
    pthread_mutex_unlock(&mock->mutex);
}

/* The service's word for what a Hello is refused with; STATUS_OK: it never says that. */
static enum status refusal_of(enum xqueue_status status)
{
    static const struct {
        enum xqueue_status status;
        enum status inner;
    } refusals[] = {
        {XQUEUE_STATUS_INVALID, STATUS_INVALID},         {XQUEUE_STATUS_UNAUTHENTICATED, STATUS_UNAUTHENTICATED},
        {XQUEUE_STATUS_DENIED, STATUS_DENIED},           {XQUEUE_STATUS_NOT_FOUND, STATUS_NOT_FOUND},
        {XQUEUE_STATUS_UNAVAILABLE, STATUS_UNAVAILABLE}, {XQUEUE_STATUS_UNIMPLEMENTED, STATUS_UNIMPLEMENTED},
        {XQUEUE_STATUS_INTERNAL, STATUS_INTERNAL},
    };
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        if (refusals[i].status == status)
            return refusals[i].inner;
    return STATUS_OK;
}

enum xqueue_status xqueue_mock_refuse_hellos(struct xqueue_mock *mock, unsigned count, enum xqueue_status status,
                                             const char *reason, int64_t retry_after_ms, struct xqueue_error *error)
{
    struct mock_refusal refusal = {.count = count, .status = refusal_of(status)};
    if (!mock || retry_after_ms < 0 || retry_after_ms > XQUEUE_MOCK_MS_MAX || (count > 0 && refusal.status == STATUS_OK))
        return report_error(error, XQUEUE_STATUS_INVALID, false, NULL,
                            "mock is NULL, retry_after_ms out of range, or no service refuses with that status");
    (void)error_set(&refusal.error, refusal.status, reason, "refused by order");
    refusal.error.retry_after_ms = retry_after_ms;
    pthread_mutex_lock(&mock->mutex);
    mock->refusal = refusal;
    pthread_mutex_unlock(&mock->mutex);
    return XQUEUE_STATUS_OK;
}

void xqueue_mock_end_sessions(struct xqueue_mock *mock)
{
    if (!mock)
        return;
    pthread_mutex_lock(&mock->mutex);
    secret_token(mock->session_token);
    pthread_mutex_unlock(&mock->mutex);
}

void xqueue_mock_go_away(struct xqueue_mock *mock)
{
    if (!mock)
        return;
    pthread_mutex_lock(&mock->mutex);
    for_each_session(mock, mock_session_go_away);
    mock_changed(mock);
    pthread_mutex_unlock(&mock->mutex);
}
