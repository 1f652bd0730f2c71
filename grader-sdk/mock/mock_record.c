/* SPDX-License-Identifier: Apache-2.0 */
/* What tests look at and wait for. Threading: as mock.h says; xqueue_mock_* any thread. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "grader-sdk/mock/mock.h"
#include "grader-sdk/mock/mock_session.h"
#include "grader-sdk/src/report.h"

static const char *const event_names[MOCK_EVENTS] = {
    [XQUEUE_MOCK_GRANTED] = "granted",
    [XQUEUE_MOCK_ACCEPTED] = "accepted",
    [XQUEUE_MOCK_REJECTED] = "rejected",
    [XQUEUE_MOCK_RENEWED] = "renewed",
    [XQUEUE_MOCK_PROGRESS] = "progress",
    [XQUEUE_MOCK_COMPLETED] = "completed",
    [XQUEUE_MOCK_FAILED] = "failed",
    [XQUEUE_MOCK_RELEASED] = "released",
    [XQUEUE_MOCK_LOST] = "lost",
    [XQUEUE_MOCK_REPEATED] = "repeated",
    [XQUEUE_MOCK_REFUSED] = "refused",
    [XQUEUE_MOCK_FINISHED] = "finished",
    [XQUEUE_MOCK_LOGIN] = "login",
    [XQUEUE_MOCK_LOGIN_REFUSED] = "login refused",
    [XQUEUE_MOCK_HELLO] = "hello",
    [XQUEUE_MOCK_WELCOME] = "welcome",
    [XQUEUE_MOCK_HELLO_REFUSED] = "hello refused",
    [XQUEUE_MOCK_DRAINING] = "draining",
    [XQUEUE_MOCK_LEFT] = "left",
    [XQUEUE_MOCK_PONG] = "pong",
    [XQUEUE_MOCK_FETCHED] = "fetched",
};

static const char *const state_names[] = {
    [XQUEUE_MOCK_STATE_READY] = "ready",
    [XQUEUE_MOCK_STATE_LEASED] = "leased",
    [XQUEUE_MOCK_STATE_DELAYED] = "delayed",
    [XQUEUE_MOCK_STATE_GRADED] = "graded",
    [XQUEUE_MOCK_STATE_DEAD] = "dead",
    [XQUEUE_MOCK_STATE_CANCELED] = "canceled",
    [XQUEUE_MOCK_STATE_SUPERSEDED] = "superseded",
    [XQUEUE_MOCK_STATE_UNGRADABLE] = "ungradable",
};

static bool is_event(enum xqueue_mock_event event)
{
    return (size_t)event < MOCK_EVENTS && event_names[event];
}

static bool is_timeout(int64_t timeout_ms)
{
    return timeout_ms >= 0 && timeout_ms <= XQUEUE_MOCK_MS_MAX;
}

void mock_count_event(struct xqueue_mock *mock, struct mock_submission *submission, enum xqueue_mock_event event)
{
    mock->events[event]++;
    if (submission)
        submission->events[event]++;
    mock_changed(mock);
}

/* ---- looking ---- */

static enum xqueue_mock_state state_of(const struct mock_submission *submission)
{
    bool is_delayed = submission->state == XQUEUE_MOCK_STATE_READY && submission->ready_at_ms > clock_now_ms(clock_system());
    return is_delayed ? XQUEUE_MOCK_STATE_DELAYED : submission->state;
}

static struct xqueue_mock_record *record_of(const struct mock_submission *submission)
{
    struct xqueue_mock_record *record = MEMORY_NEW(struct xqueue_mock_record);
    *record =
        (struct xqueue_mock_record){.id = submission->id,
                                    .state = state_of(submission),
                                    .grader = memory_copy_text(submission->grader),
                                    .attempt = submission->attempt,
                                    .failures = submission->failures,
                                    .phase = memory_copy_text(submission->phase),
                                    .percent = submission->percent,
                                    .note = memory_copy_text(submission->note),
                                    .fail_kind = submission->fail_kind,
                                    .fail_message = memory_copy_text(submission->fail_message ? submission->fail_message : ""),
                                    .retry_after_ms = submission->retry_after_ms,
                                    .release_delay_ms = submission->release_delay_ms,
                                    .lost_reason = submission->lost_reason};
    if (submission->result.bytes) {
        record->result = mock_bytes_copy(submission->result.bytes, submission->result.length).bytes;
        record->result_length = submission->result.length;
    }
    return record;
}

enum xqueue_status xqueue_mock_look(struct xqueue_mock *mock, uint64_t id, struct xqueue_mock_record **out_record,
                                    struct xqueue_error *error)
{
    if (!mock || !out_record)
        return report_error(error, XQUEUE_STATUS_INVALID, false, NULL, "mock or out_record is NULL");
    pthread_mutex_lock(&mock->mutex);
    const struct mock_submission *submission = mock_find(mock, id);
    if (submission)
        *out_record = record_of(submission);
    pthread_mutex_unlock(&mock->mutex);
    return submission ? XQUEUE_STATUS_OK
                      : report_error(error, XQUEUE_STATUS_NOT_FOUND, false, NULL, "there is no submission %" PRIu64, id);
}

void xqueue_mock_record_free(struct xqueue_mock_record *record)
{
    if (!record)
        return;
    const char *const texts[] = {record->grader, record->phase, record->note, record->fail_message, record->result};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        memory_free((char *)(uintptr_t)texts[i]);
    memory_free(record);
}

/* ---- waiting ---- */

/* Where event is counted; NULL: there is no such submission. Mutex held. */
static const unsigned *counter_of(const struct xqueue_mock *mock, uint64_t id, enum xqueue_mock_event event)
{
    const struct mock_submission *submission = id ? mock_find(mock, id) : NULL;
    if (id && !submission)
        return NULL;
    return submission ? &submission->events[event] : &mock->events[event];
}

/* Until *number is count or more. False: the time was up. Mutex held. */
static bool wait_count(struct xqueue_mock *mock, const unsigned *number, unsigned count, int64_t timeout_ms)
{
    int64_t until_ms = clock_now_ms(clock_system()) + timeout_ms;
    bool in_time = true;
    while (*number < count && in_time)
        in_time = clock_wait_until(clock_system(), &mock->changed, &mock->mutex, until_ms);
    return *number >= count;
}

static enum xqueue_status report_timeout(const struct xqueue_mock *mock, uint64_t id, const char *wanted,
                                         struct xqueue_error *error)
{
    const struct mock_submission *submission = id ? mock_find(mock, id) : NULL;
    if (!submission)
        return report_error(error, XQUEUE_STATUS_TIMEOUT, false, NULL, "%s; %u graders are connected", wanted,
                            mock_session_live_count(mock));
    return report_error(error, XQUEUE_STATUS_TIMEOUT, false, NULL,
                        "%s; submission %" PRIu64 " is %s, attempt %u, grader '%.40s', %u graders are connected", wanted, id,
                        state_names[state_of(submission)], submission->attempt, submission->grader,
                        mock_session_live_count(mock));
}

enum xqueue_status xqueue_mock_wait(struct xqueue_mock *mock, uint64_t id, enum xqueue_mock_event event, unsigned count,
                                    int64_t timeout_ms, struct xqueue_error *error)
{
    char text[XQUEUE_ERROR_TEXT_MAX / 2];
    if (!mock || !is_event(event) || !is_timeout(timeout_ms))
        return report_error(error, XQUEUE_STATUS_INVALID, false, NULL,
                            "mock is NULL, no such event, or timeout_ms out of range");
    pthread_mutex_lock(&mock->mutex);
    const unsigned *number = counter_of(mock, id, event);
    enum xqueue_status status = XQUEUE_STATUS_OK;
    if (!number) {
        status = report_error(error, XQUEUE_STATUS_NOT_FOUND, false, NULL, "there is no submission %" PRIu64, id);
    } else if (!wait_count(mock, number, count, timeout_ms)) {
        (void)snprintf(text, sizeof(text), "waited %" PRId64 " ms for '%s' %u times, there were %u", timeout_ms,
                       event_names[event], count, *number);
        status = report_timeout(mock, id, text, error);
    }
    pthread_mutex_unlock(&mock->mutex);
    return status;
}

unsigned xqueue_mock_count(struct xqueue_mock *mock, uint64_t id, enum xqueue_mock_event event)
{
    if (!mock || !is_event(event))
        return 0;
    pthread_mutex_lock(&mock->mutex);
    const unsigned *number = counter_of(mock, id, event);
    unsigned count = number ? *number : 0;
    pthread_mutex_unlock(&mock->mutex);
    return count;
}

unsigned xqueue_mock_grader_count(struct xqueue_mock *mock)
{
    if (!mock)
        return 0;
    pthread_mutex_lock(&mock->mutex);
    unsigned count = mock_session_live_count(mock);
    pthread_mutex_unlock(&mock->mutex);
    return count;
}

enum xqueue_status xqueue_mock_wait_graders(struct xqueue_mock *mock, unsigned count, int64_t timeout_ms,
                                            struct xqueue_error *error)
{
    char text[XQUEUE_ERROR_TEXT_MAX / 2];
    if (!mock || !is_timeout(timeout_ms))
        return report_error(error, XQUEUE_STATUS_INVALID, false, NULL, "mock is NULL, or timeout_ms out of range");
    enum xqueue_status status = XQUEUE_STATUS_OK;
    int64_t until_ms = clock_now_ms(clock_system()) + timeout_ms;
    bool in_time = true;
    pthread_mutex_lock(&mock->mutex);
    while (mock_session_live_count(mock) != count && in_time)
        in_time = clock_wait_until(clock_system(), &mock->changed, &mock->mutex, until_ms);
    if (mock_session_live_count(mock) != count) {
        (void)snprintf(text, sizeof(text), "waited %" PRId64 " ms for %u graders", timeout_ms, count);
        status = report_timeout(mock, 0, text, error);
    }
    pthread_mutex_unlock(&mock->mutex);
    return status;
}
