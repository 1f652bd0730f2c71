/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/mock/mock_rules.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

enum { MESSAGE_BYTES_MAX = 1024, RELEASE_MS_MAX = 3600000 };

static int64_t now_ms_of(void)
{
    return clock_now_ms(clock_system());
}

static int64_t earlier(int64_t a_ms, int64_t b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

/* ---- states: the only writers ---- */

bool mock_rules_is_final(const struct mock_submission *submission)
{
    return submission->state != XQUEUE_MOCK_STATE_READY && submission->state != XQUEUE_MOCK_STATE_LEASED;
}

static void finish(struct xqueue_mock *mock, struct mock_submission *submission, enum xqueue_mock_state state)
{
    bool was_final = mock_rules_is_final(submission);
    submission->state = state;
    if (!was_final)
        mock_count_event(mock, submission, XQUEUE_MOCK_FINISHED);
}

static void make_ready(struct xqueue_mock *mock, struct mock_submission *submission, int64_t delay_ms)
{
    submission->state = XQUEUE_MOCK_STATE_READY;
    submission->ready_at_ms = clock_add_ms(now_ms_of(), delay_ms);
    mock_changed(mock);
}

static void count_failure(struct xqueue_mock *mock, struct mock_submission *submission, int64_t delay_ms)
{
    submission->failures++;
    if (submission->failures >= mock->options.failures_max)
        finish(mock, submission, XQUEUE_MOCK_STATE_DEAD);
    else
        make_ready(mock, submission, delay_ms);
}

/* ---- leases ---- */

static bool is_newest(const struct mock_submission *submission, const char *key)
{
    return submission && key[0] && strcmp(submission->lease.key, key) == 0;
}

struct mock_submission *mock_rules_held(const struct xqueue_mock *mock, uint64_t id, const char *key)
{
    struct mock_submission *submission = mock_find(mock, id);
    return is_newest(submission, key) && submission->state == XQUEUE_MOCK_STATE_LEASED ? submission : NULL;
}

enum xqueue_lost mock_rules_why_lost(const struct xqueue_mock *mock, uint64_t id, const char *key)
{
    const struct mock_submission *submission = mock_find(mock, id);
    bool was_lost = is_newest(submission, key) && submission->lease.answer == MOCK_ANSWER_NONE;
    return was_lost && submission->lost_reason != XQUEUE_LOST_NOT ? submission->lost_reason : XQUEUE_LOST_STALE;
}

bool mock_rules_is_ready(const struct mock_submission *submission, int64_t now_ms)
{
    return submission->state == XQUEUE_MOCK_STATE_READY && submission->ready_at_ms <= now_ms;
}

void mock_rules_grant(struct xqueue_mock *mock, struct mock_submission *submission, const struct mock_session *session)
{
    assert(submission->state == XQUEUE_MOCK_STATE_READY);
    int64_t now_ms = now_ms_of();
    struct mock_lease *lease = &submission->lease;
    *lease = (struct mock_lease){.accept_by_ms = clock_add_ms(now_ms, mock->options.accept_ms),
                                 .hard_limit_at_ms = clock_add_ms(now_ms, mock->options.hard_limit_ms)};
    secret_key(lease->key);
    (void)text_copy(lease->instance, sizeof(lease->instance), session->instance);
    (void)text_copy(submission->grader, sizeof(submission->grader), session->grader);
    submission->state = XQUEUE_MOCK_STATE_LEASED;
    submission->attempt++;
    mock_rules_renew(mock, submission);
    mock_count_event(mock, submission, XQUEUE_MOCK_GRANTED);
}

void mock_rules_accept(struct xqueue_mock *mock, struct mock_submission *submission)
{
    if (submission->lease.is_accepted)
        return;
    submission->lease.is_accepted = true;
    mock_count_event(mock, submission, XQUEUE_MOCK_ACCEPTED);
}

void mock_rules_reject(struct xqueue_mock *mock, struct mock_submission *submission)
{
    submission->lost_reason = XQUEUE_LOST_NOT_ACCEPTED;
    make_ready(mock, submission, 0);
    mock_count_event(mock, submission, XQUEUE_MOCK_REJECTED);
}

void mock_rules_renew(struct xqueue_mock *mock, struct mock_submission *submission)
{
    int64_t full_ms = clock_add_ms(now_ms_of(), mock->options.lease_ms);
    submission->lease.expires_at_ms = earlier(full_ms, submission->lease.hard_limit_at_ms);
    mock_changed(mock);
}

/* ---- losing ---- */

/* Somebody else has it, and says nothing of it any more. */
static void give_elsewhere(struct mock_submission *submission)
{
    submission->lease = (struct mock_lease){
        .is_accepted = true, .accept_by_ms = CLOCK_NEVER, .expires_at_ms = CLOCK_NEVER, .hard_limit_at_ms = CLOCK_NEVER};
    secret_key(submission->lease.key);
    submission->attempt++;
    (void)text_copy(submission->grader, sizeof(submission->grader), "somebody else");
}

void mock_rules_take(struct xqueue_mock *mock, struct mock_submission *submission, enum xqueue_lost reason,
                     mock_on_lost *on_lost)
{
    assert(!mock_rules_is_final(submission));
    if (submission->state == XQUEUE_MOCK_STATE_LEASED) {
        submission->lost_reason = reason;
        on_lost(mock, submission);
        mock_count_event(mock, submission, XQUEUE_MOCK_LOST);
    }
    switch (reason) {
    case XQUEUE_LOST_CANCELED:
        finish(mock, submission, XQUEUE_MOCK_STATE_CANCELED);
        break;
    case XQUEUE_LOST_SUPERSEDED:
        finish(mock, submission, XQUEUE_MOCK_STATE_SUPERSEDED);
        break;
    case XQUEUE_LOST_STALE:
        give_elsewhere(submission);
        break;
    case XQUEUE_LOST_EXPIRED:
    case XQUEUE_LOST_HARD_LIMIT:
        count_failure(mock, submission, 0);
        break;
    default:
        make_ready(mock, submission, 0);
    }
}

/* What ends the lease now; XQUEUE_LOST_NOT: nothing. */
static enum xqueue_lost what_is_up(const struct mock_lease *lease, int64_t now_ms)
{
    if (lease->hard_limit_at_ms <= now_ms)
        return XQUEUE_LOST_HARD_LIMIT;
    if (lease->expires_at_ms <= now_ms)
        return XQUEUE_LOST_EXPIRED;
    return !lease->is_accepted && lease->accept_by_ms <= now_ms ? XQUEUE_LOST_NOT_ACCEPTED : XQUEUE_LOST_NOT;
}

static int64_t due_at_ms(const struct mock_submission *submission, int64_t now_ms)
{
    const struct mock_lease *lease = &submission->lease;
    if (submission->state == XQUEUE_MOCK_STATE_READY)
        return submission->ready_at_ms > now_ms ? submission->ready_at_ms : CLOCK_NEVER;
    if (submission->state != XQUEUE_MOCK_STATE_LEASED)
        return CLOCK_NEVER;
    return lease->is_accepted ? lease->expires_at_ms : earlier(lease->expires_at_ms, lease->accept_by_ms);
}

int64_t mock_rules_tick(struct xqueue_mock *mock, int64_t now_ms, mock_on_lost *on_lost)
{
    int64_t due_ms = CLOCK_NEVER;
    for (struct mock_submission *at = mock_next(mock, NULL); at; at = mock_next(mock, at)) {
        enum xqueue_lost reason = at->state == XQUEUE_MOCK_STATE_LEASED ? what_is_up(&at->lease, now_ms) : XQUEUE_LOST_NOT;
        if (reason != XQUEUE_LOST_NOT)
            mock_rules_take(mock, at, reason, on_lost);
        due_ms = earlier(due_ms, due_at_ms(at, now_ms));
    }
    return due_ms;
}

/* ---- answers ---- */

static bool is_same_result(const struct mock_submission *submission, const struct mock_saying *saying)
{
    return submission->result.length == saying->result_length &&
           (saying->result_length == 0 || memcmp(submission->result.bytes, saying->result, saying->result_length) == 0);
}

static bool is_bad(const struct mock_saying *saying)
{
    bool bad_kind = saying->kind == MOCK_ANSWER_FAIL && saying->fail_kind != XQUEUE_FAIL_TRANSIENT &&
                    saying->fail_kind != XQUEUE_FAIL_UNGRADABLE;
    return bad_kind || saying->delay_ms < 0 || (saying->message && strlen(saying->message) > MESSAGE_BYTES_MAX);
}

/* An answer after the one that was taken under the same key. */
static enum mock_verdict judge_second(const struct mock_submission *submission, const struct mock_saying *saying)
{
    if (submission->lease.answer != saying->kind)
        return MOCK_VERDICT_STALE;
    if (saying->kind != MOCK_ANSWER_RESULT || is_same_result(submission, saying))
        return MOCK_VERDICT_ALREADY;
    return saying->may_amend ? MOCK_VERDICT_OK : MOCK_VERDICT_EXISTS;
}

static enum mock_verdict judge(const struct xqueue_mock *mock, const struct mock_submission *submission,
                               const struct mock_saying *saying)
{
    if (!is_newest(submission, saying->key))
        return MOCK_VERDICT_STALE;
    if (is_bad(saying))
        return MOCK_VERDICT_BAD;
    if (saying->kind == MOCK_ANSWER_RESULT && saying->result_length > mock->options.result_bytes_max)
        return MOCK_VERDICT_TOO_LARGE;
    if (submission->state == XQUEUE_MOCK_STATE_CANCELED || submission->state == XQUEUE_MOCK_STATE_SUPERSEDED)
        return MOCK_VERDICT_UNWANTED;
    if (submission->lease.answer != MOCK_ANSWER_NONE)
        return judge_second(submission, saying);
    // A late result is not thrown away; a late word without one changes nothing.
    bool counts = saying->kind == MOCK_ANSWER_RESULT || submission->state == XQUEUE_MOCK_STATE_LEASED;
    return counts ? MOCK_VERDICT_OK : MOCK_VERDICT_STALE;
}

static void take_result(struct xqueue_mock *mock, struct mock_submission *submission, const struct mock_saying *saying)
{
    memory_free(submission->result.bytes);
    submission->result = mock_bytes_copy(saying->result, saying->result_length);
    mock_count_event(mock, submission, XQUEUE_MOCK_COMPLETED);
    finish(mock, submission, XQUEUE_MOCK_STATE_GRADED);
}

static void take_fail(struct xqueue_mock *mock, struct mock_submission *submission, const struct mock_saying *saying)
{
    memory_free(submission->fail_message);
    submission->fail_message = memory_copy_text(saying->message);
    submission->fail_kind = saying->fail_kind;
    submission->retry_after_ms = earlier(saying->delay_ms, XQUEUE_MOCK_MS_MAX);
    mock_count_event(mock, submission, XQUEUE_MOCK_FAILED);
    if (saying->fail_kind == XQUEUE_FAIL_UNGRADABLE)
        finish(mock, submission, XQUEUE_MOCK_STATE_UNGRADABLE);
    else
        count_failure(mock, submission, submission->retry_after_ms);
}

static void take_release(struct xqueue_mock *mock, struct mock_submission *submission, const struct mock_saying *saying)
{
    submission->release_delay_ms = earlier(saying->delay_ms, RELEASE_MS_MAX);
    make_ready(mock, submission, submission->release_delay_ms);
    mock_count_event(mock, submission, XQUEUE_MOCK_RELEASED);
}

enum mock_verdict mock_rules_answer(struct xqueue_mock *mock, const struct mock_saying *saying)
{
    static void (*const takers[])(struct xqueue_mock *, struct mock_submission *, const struct mock_saying *) = {
        [MOCK_ANSWER_RESULT] = take_result, [MOCK_ANSWER_FAIL] = take_fail, [MOCK_ANSWER_RELEASE] = take_release};
    struct mock_submission *submission = mock_find(mock, saying->id);
    enum mock_verdict verdict = judge(mock, submission, saying);
    if (verdict == MOCK_VERDICT_OK) {
        submission->lease.answer = saying->kind;
        takers[saying->kind](mock, submission, saying);
    } else {
        mock_count_event(mock, submission, verdict == MOCK_VERDICT_ALREADY ? XQUEUE_MOCK_REPEATED : XQUEUE_MOCK_REFUSED);
    }
    return verdict;
}
