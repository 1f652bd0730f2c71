/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/grader_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "grader-sdk/src/client.h"

static const struct work_link_timing timing = {
    .backoff_first_ms = 1,
    .backoff_longest_ms = 20,
    .login_timeout_ms = 10000,
    .welcome_timeout_ms = 5000,
    .progress_pause_ms = 1,
    .fetch_silence_ms = 10000,
    .farewell_ms = 300,
};

static bool await(struct grader_rig *rig, const int *number, int count)
{
    int64_t until_ms = clock_now_ms(clock_system()) + SCRIPTED_XQUEUED_PATIENCE_MS;
    pthread_mutex_lock(&rig->mutex);
    while (*number < count && clock_wait_until(clock_system(), &rig->changed, &rig->mutex, until_ms)) {
    }
    bool reached = *number >= count;
    pthread_mutex_unlock(&rig->mutex);
    return reached;
}

/* ---- what the grader calls ---- */

/* The gate, or the loss of the lease, whichever comes first or is meant. */
static void wait_in_handler(struct grader_rig *rig, const struct xqueue_submission *submission, bool for_gate)
{
    pthread_mutex_lock(&rig->mutex);
    while (!(for_gate && rig->is_open) && !xqueue_submission_is_lost(submission))
        pthread_cond_wait(&rig->changed, &rig->mutex);
    pthread_mutex_unlock(&rig->mutex);
}

static enum xqueue_status complete_big(struct xqueue_submission *submission)
{
    char *bytes = memory_allocate(GRADER_RIG_BIG_BYTES);
    enum xqueue_status status = xqueue_submission_complete(submission, bytes, GRADER_RIG_BIG_BYTES);
    memory_free(bytes);
    return status;
}

static enum xqueue_status answer(struct grader_rig *rig, struct xqueue_submission *submission, const char *body)
{
    if (strcmp(body, "silent") == 0)
        return XQUEUE_STATUS_OK;
    if (strcmp(body, "fail") == 0)
        return xqueue_submission_fail(submission, XQUEUE_FAIL_TRANSIENT, "no compiler", 250);
    if (strcmp(body, "release") == 0)
        return xqueue_submission_release(submission, 500);
    if (strcmp(body, "big") == 0)
        return complete_big(submission);
    if (strcmp(body, "note") == 0 && xqueue_submission_progress(submission, "testing", 40, "half") != XQUEUE_STATUS_OK)
        return XQUEUE_STATUS_INTERNAL;
    if (strcmp(body, "wait") == 0 || strcmp(body, "note") == 0 || strcmp(body, "until_lost") == 0)
        wait_in_handler(rig, submission, strcmp(body, "until_lost") != 0);
    enum xqueue_status status = xqueue_submission_complete(submission, "graded", strlen("graded"));
    if (strcmp(body, "linger") == 0)
        wait_in_handler(rig, submission, true);
    return status;
}

static void handle(struct xqueue_submission *submission, void *context)
{
    struct grader_rig *rig = context;
    char body[32];
    size_t length = 0;
    const void *bytes = xqueue_submission_body(submission, &length);
    length = length < sizeof(body) ? length : sizeof(body) - 1;
    memcpy(body, bytes, length);
    body[length] = '\0';

    pthread_mutex_lock(&rig->mutex);
    rig->running++;
    if (rig->running > rig->running_most)
        rig->running_most = rig->running;
    pthread_cond_broadcast(&rig->changed);
    pthread_mutex_unlock(&rig->mutex);

    enum xqueue_status status = answer(rig, submission, body);

    pthread_mutex_lock(&rig->mutex);
    rig->last_answer = status;
    rig->running--;
    rig->returned++;
    pthread_cond_broadcast(&rig->changed);
    pthread_mutex_unlock(&rig->mutex);
}

static void on_lost(struct xqueue_submission *submission, void *context)
{
    struct grader_rig *rig = context;
    pthread_mutex_lock(&rig->mutex);
    rig->lost++;
    rig->lost_reason = xqueue_submission_lost_reason(submission);
    pthread_cond_broadcast(&rig->changed);
    pthread_mutex_unlock(&rig->mutex);
}

static void on_log(void *context, enum xqueue_log_level level, const char *text)
{
    (void)level;
    struct grader_rig *rig = context;
    pthread_mutex_lock(&rig->mutex);
    size_t length = strlen(rig->log);
    if (length + strlen(text) + 2 < sizeof(rig->log)) {
        (void)text_copy(rig->log + length, sizeof(rig->log) - length, text);
        (void)text_copy(rig->log + strlen(rig->log), 2, "\n");
    }
    pthread_cond_broadcast(&rig->changed);
    pthread_mutex_unlock(&rig->mutex);
}

/* ---- the test's side ---- */

void grader_rig_init(struct grader_rig *rig, const char *listener)
{
    static const char *const queues[] = {"cs101"};
    memset(rig, 0, sizeof(*rig));
    pthread_mutex_init(&rig->mutex, NULL);
    clock_condition_init(&rig->changed);
    rig->core = scripted_xqueued_start(listener ? listener : "127.0.0.1:0");
    assert_non_null(rig->core);
    xqueue_grader_options_init(&rig->options);
    rig->options.address = scripted_xqueued_address(rig->core);
    rig->options.grader = "grader-1";
    rig->options.queues = queues;
    rig->options.queue_count = 1;
    rig->options.slots = 1;
    rig->options.handler = handle;
    rig->options.context = rig;
    rig->options.log = on_log;
    rig->options.log_level = XQUEUE_LOG_DEBUG;
    rig->options.on_lost = on_lost;
}

static void *run(void *context)
{
    struct grader_rig *rig = context;
    rig->outcome = xqueue_grader_run(rig->grader, &rig->error);
    return NULL;
}

void grader_rig_create(struct grader_rig *rig)
{
    struct xqueue_error error;
    enum xqueue_status status = client_create(&rig->options, clock_system(), &timing, &rig->grader, &error);
    assert_int_equal(status, XQUEUE_STATUS_OK);
}

void grader_rig_start(struct grader_rig *rig)
{
    grader_rig_create(rig);
    assert_int_equal(pthread_create(&rig->thread, NULL, run, rig), 0);
    rig->is_running = true;
}

void grader_rig_open(struct grader_rig *rig)
{
    pthread_mutex_lock(&rig->mutex);
    rig->is_open = true;
    pthread_cond_broadcast(&rig->changed);
    pthread_mutex_unlock(&rig->mutex);
}

bool grader_rig_await_running(struct grader_rig *rig, int count)
{
    return await(rig, &rig->running_most, count);
}

bool grader_rig_await_returned(struct grader_rig *rig, int count)
{
    return await(rig, &rig->returned, count);
}

bool grader_rig_await_lost(struct grader_rig *rig, int count)
{
    return await(rig, &rig->lost, count);
}

static int count_text(const char *log, const char *text)
{
    int count = 0;
    for (const char *at = strstr(log, text); at; at = strstr(at + 1, text))
        count++;
    return count;
}

bool grader_rig_await_log(struct grader_rig *rig, const char *text)
{
    int64_t until_ms = clock_now_ms(clock_system()) + SCRIPTED_XQUEUED_PATIENCE_MS;
    pthread_mutex_lock(&rig->mutex);
    while (count_text(rig->log, text) == 0 && clock_wait_until(clock_system(), &rig->changed, &rig->mutex, until_ms)) {
    }
    bool is_there = count_text(rig->log, text) > 0;
    pthread_mutex_unlock(&rig->mutex);
    return is_there;
}

int grader_rig_count_log(struct grader_rig *rig, const char *text)
{
    pthread_mutex_lock(&rig->mutex);
    int count = count_text(rig->log, text);
    pthread_mutex_unlock(&rig->mutex);
    return count;
}

enum xqueue_status grader_rig_join(struct grader_rig *rig)
{
    pthread_join(rig->thread, NULL);
    rig->is_running = false;
    return rig->outcome;
}

void grader_rig_finish(struct grader_rig *rig)
{
    if (rig->is_running) {
        grader_rig_open(rig);
        xqueue_grader_stop(rig->grader);
        xqueue_grader_stop(rig->grader);
        (void)grader_rig_join(rig);
    }
    xqueue_grader_destroy(rig->grader);
    scripted_xqueued_stop(rig->core);
    pthread_cond_destroy(&rig->changed);
    pthread_mutex_destroy(&rig->mutex);
}
