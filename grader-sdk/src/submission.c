/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/src/submission.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"

#define PERCENT_MAX          100U
#define FAIL_DELAY_MS_MAX    INT64_C(86400000)
#define RELEASE_DELAY_MS_MAX INT64_C(3600000)

#define MISSING_ANSWER "the grader ended without an answer"

void submission_destroy(struct xqueue_submission *submission)
{
    if (!submission)
        return;
    memory_free(submission->answer.bytes);
    memory_free(submission->files);
    memory_free(submission->labels);
    rpc_message_free(submission->message);
    memory_free(submission);
}

bool submission_lost_takes_result(enum xqueue_lost lost)
{
    return lost == XQUEUE_LOST_NOT || lost == XQUEUE_LOST_EXPIRED || lost == XQUEUE_LOST_HARD_LIMIT;
}

/* ---- what is in it ---- */

uint64_t xqueue_submission_id(const struct xqueue_submission *submission)
{
    return submission ? submission->id : 0;
}

const char *xqueue_submission_queue(const struct xqueue_submission *submission)
{
    return submission ? submission->queue : "";
}

uint32_t xqueue_submission_attempt(const struct xqueue_submission *submission)
{
    return submission ? submission->attempt : 0;
}

const void *xqueue_submission_header(const struct xqueue_submission *submission, size_t *out_length)
{
    if (out_length)
        *out_length = submission ? submission->header_length : 0;
    return submission && submission->header ? submission->header : "";
}

const void *xqueue_submission_body(const struct xqueue_submission *submission, size_t *out_length)
{
    if (out_length)
        *out_length = submission ? submission->body_length : 0;
    return submission && submission->body ? submission->body : "";
}

const char *xqueue_submission_label(const struct xqueue_submission *submission, const char *key)
{
    const char *value = NULL;
    if (!submission || !key)
        return NULL;
    // A key that was sent twice counts as its last value, as in every protobuf map.
    for (size_t i = 0; i < submission->label_count; i++)
        if (strcmp(submission->labels[i].key, key) == 0)
            value = submission->labels[i].value;
    return value;
}

const char *xqueue_submission_trace_parent(const struct xqueue_submission *submission)
{
    return submission ? submission->trace_parent : "";
}

const char *xqueue_submission_trace_state(const struct xqueue_submission *submission)
{
    return submission ? submission->trace_state : "";
}

int64_t xqueue_submission_submitted_at_ms(const struct xqueue_submission *submission)
{
    return submission ? submission->submitted_at_ms : 0;
}

size_t xqueue_submission_file_count(const struct xqueue_submission *submission)
{
    return submission ? submission->file_count : 0;
}

const struct xqueue_file *xqueue_submission_file(const struct xqueue_submission *submission, size_t index)
{
    return submission && index < submission->file_count ? &submission->files[index] : NULL;
}

/* ---- while grading ---- */

int64_t xqueue_submission_time_left_ms(const struct xqueue_submission *submission)
{
    if (!submission)
        return 0;
    if (submission->hard_limit_at_ms == CLOCK_NEVER)
        return INT64_MAX;
    int64_t left_ms = submission->hard_limit_at_ms - clock_now_ms(submission->clock);
    return left_ms > 0 ? left_ms : 0;
}

enum xqueue_lost xqueue_submission_lost_reason(const struct xqueue_submission *submission)
{
    return submission ? (enum xqueue_lost)atomic_load(&submission->lost) : XQUEUE_LOST_NOT;
}

bool xqueue_submission_is_lost(const struct xqueue_submission *submission)
{
    return xqueue_submission_lost_reason(submission) != XQUEUE_LOST_NOT;
}

enum xqueue_status xqueue_submission_progress(struct xqueue_submission *submission, const char *phase, unsigned percent,
                                              const char *note)
{
    phase = phase ? phase : "";
    note = note ? note : "";
    if (!submission || percent > PERCENT_MAX || !text_is_utf8(phase, strlen(phase)) || !text_is_utf8(note, strlen(note)))
        return XQUEUE_STATUS_INVALID;
    pthread_mutex_lock(&submission->inbox->mutex);
    struct progress_note *progress = &submission->progress;
    progress->is_new = true;
    progress->percent = percent;
    (void)text_copy(progress->phase, sizeof(progress->phase), phase);
    (void)text_copy(progress->note, sizeof(progress->note), note);
    inbox_add_progress(submission->inbox);
    pthread_mutex_unlock(&submission->inbox->mutex);
    return XQUEUE_STATUS_OK;
}

/* ---- the answer ---- */

/* Takes answer->bytes if OK, else frees them. */
static enum xqueue_status give_answer(struct xqueue_submission *submission, struct answer *answer)
{
    enum xqueue_status status = XQUEUE_STATUS_OK;
    enum xqueue_lost lost = xqueue_submission_lost_reason(submission);
    pthread_mutex_lock(&submission->inbox->mutex);
    if (answer->kind == ANSWER_COMPLETE ? !submission_lost_takes_result(lost) : lost != XQUEUE_LOST_NOT)
        status = XQUEUE_STATUS_LOST;
    else if (submission->answered)
        status = XQUEUE_STATUS_WRONG_STATE;
    if (status == XQUEUE_STATUS_OK) {
        submission->answered = true;
        submission->answer = *answer;
        inbox_add_answered(submission->inbox, submission);
        answer->bytes = NULL;
    }
    pthread_mutex_unlock(&submission->inbox->mutex);
    memory_free(answer->bytes);
    return status;
}

enum xqueue_status xqueue_submission_complete(struct xqueue_submission *submission, const void *result, size_t length)
{
    if (!submission || (!result && length > 0))
        return XQUEUE_STATUS_INVALID;
    if (length > atomic_load(&submission->inbox->result_bytes_max))
        return XQUEUE_STATUS_FULL;
    struct answer answer = {.kind = ANSWER_COMPLETE, .bytes = memory_try_copy(result, length), .length = length};
    return answer.bytes ? give_answer(submission, &answer) : XQUEUE_STATUS_NO_MEMORY;
}

enum xqueue_status xqueue_submission_fail(struct xqueue_submission *submission, enum xqueue_fail kind, const char *message,
                                          int64_t retry_after_ms)
{
    message = message ? message : "";
    if (!submission || (kind != XQUEUE_FAIL_TRANSIENT && kind != XQUEUE_FAIL_UNGRADABLE) || retry_after_ms < 0 ||
        retry_after_ms > FAIL_DELAY_MS_MAX || !text_is_utf8(message, strlen(message)))
        return XQUEUE_STATUS_INVALID;
    size_t length = text_utf8_cut(message, strlen(message), SUBMISSION_MESSAGE_BYTES_MAX);
    char *copy = memory_try_allocate(length + 1);
    if (!copy)
        return XQUEUE_STATUS_NO_MEMORY;
    (void)text_copy(copy, length + 1, message);
    struct answer answer = {.kind = ANSWER_FAIL, .fail = kind, .bytes = copy, .length = length, .delay_ms = retry_after_ms};
    return give_answer(submission, &answer);
}

enum xqueue_status xqueue_submission_release(struct xqueue_submission *submission, int64_t delay_ms)
{
    if (!submission || delay_ms < 0 || delay_ms > RELEASE_DELAY_MS_MAX)
        return XQUEUE_STATUS_INVALID;
    struct answer answer = {.kind = ANSWER_RELEASE, .delay_ms = delay_ms};
    return give_answer(submission, &answer);
}

void xqueue_submission_close(struct xqueue_submission *submission)
{
    // A handler's own is closed when it returns.
    if (submission && submission->handout->with.for_host)
        handout_close(submission->handout, submission);
}

void submission_answer_missing(struct xqueue_submission *submission)
{
    struct answer answer = {.kind = ANSWER_FAIL, .fail = XQUEUE_FAIL_TRANSIENT};
    answer.bytes = memory_try_copy_text(MISSING_ANSWER);
    answer.length = answer.bytes ? strlen(MISSING_ANSWER) : 0; // without memory it goes without its text
    (void)give_answer(submission, &answer);                    // refused where an answer stands, or none is wanted
}
