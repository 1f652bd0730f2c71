/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/push_grader.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/secret.h"
#include "rest-adapter/adapter_name.h"
#include "rest-adapter/charset.h"
#include "rest-adapter/direct_files.h"
#include "rest-adapter/push_format.h"
#include "rest-adapter/trace_context.h"
#include "xqueue/grader.h"

enum { STOPS_MAX = 2 };

struct push_grader {
    struct push_grader_options options;
    char name[ADAPTER_NAME_MAX];
    struct log_once failing; /* the push_url */
    struct log_once refused; /* by the service */
    struct backoff pause;    /* own thread only */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* guarded by lock */
    struct xqueue_grader *client; /* owned; NULL: between two of them */
    int stops;                    /* how often it was asked to */
    bool finished;
};

/* One POST, from its slot's point of view. */
struct push {
    struct push_grader *grader;
    struct xqueue_submission *submission;
    struct http_client_result result; /* without what is borrowed in it */
    struct text answer;               /* owned, UTF-8 */
};

/* ---- what came of it ---- */

static void log_push(const struct push *push, enum log_level level, const char *event)
{
    const struct http_client_result *result = &push->result;
    log_event(level, event, LOG_INT("submission", (int64_t)xqueue_submission_id(push->submission)),
              LOG_TEXT("queue", push->grader->options.queue->name), LOG_TEXT("status", status_name(result->status)),
              LOG_INT("http", result->http_status), LOG_INT("attempt", xqueue_submission_attempt(push->submission)),
              LOG_INT("ms", result->duration_ms), LOG_TEXT("grader", result->origin), LOG_TEXT("text", result->text));
}

/* Every success has a line; of failures the first of a row, at debug level all. */
static void log_outcome(struct push *push)
{
    struct push_grader *grader = push->grader;
    bool tried = push->result.status != STATUS_FULL && push->result.status != STATUS_CANCELED;
    if (push->result.status == STATUS_OK) {
        if (log_once_leave(&grader->failing))
            log_event(LOG_INFO, "push_grader_back", LOG_TEXT("queue", grader->options.queue->name));
        log_push(push, LOG_INFO, "push_done");
    } else {
        log_push(push, tried && log_once_enter(&grader->failing) ? LOG_WARN : LOG_DEBUG, "push_failed");
    }
}

/* An answer that the SDK does not want any more (the lease is lost) is nobody's business here: the SDK has logged it. */
static void fail(struct push *push)
{
    char message[URL_ORIGIN_MAX + ERROR_TEXT_MAX + 3];
    (void)snprintf(message, sizeof(message), "%s%s%s", push->result.origin, push->result.origin[0] ? ": " : "",
                   push->result.text);
    (void)xqueue_submission_fail(push->submission, XQUEUE_FAIL_TRANSIENT, message, push->result.retry_after_ms);
}

static void complete(struct push *push)
{
    const char *bytes = push->answer.bytes ? push->answer.bytes : "";
    enum xqueue_status status = xqueue_submission_complete(push->submission, bytes, push->answer.length);
    if (status == XQUEUE_STATUS_OK || status == XQUEUE_STATUS_LOST)
        return;
    push->result.status = STATUS_INVALID;
    (void)text_copy(push->result.text, sizeof(push->result.text),
                    status == XQUEUE_STATUS_FULL ? "the answer is longer than a result may be" : xqueue_status_name(status));
    fail(push);
}

static void tell_service(struct push *push)
{
    switch (push->result.status) {
    case STATUS_OK:
        complete(push);
        break;
    case STATUS_CANCELED: // stopping
        (void)xqueue_submission_release(push->submission, 0);
        break;
    case STATUS_FULL: // never tried
        (void)xqueue_submission_release(push->submission, PUSH_GRADER_CROWDED_MS);
        break;
    default:
        fail(push);
    }
    log_outcome(push);
}

/* ---- the post ---- */

/* HTTP client's thread. Decoding is quick, and saves a copy. */
static void on_answered(void *context, const struct http_client_result *result)
{
    struct push *push = context;
    push->result = *result;
    push->result.reply = (struct span){0};
    push->result.transfer = NULL;
    if (result->status != STATUS_OK)
        return;
    push_format_read_answer(span_of(http_client_result_header(result, "Content-Type")), result->reply, &push->answer);
}

static enum status write_body(struct push *push, struct http_client_request *request)
{
    size_t body_length = 0;
    const char *body = xqueue_submission_body(push->submission, &body_length);
    size_t count = xqueue_submission_file_count(push->submission);
    struct direct_files direct;
    direct_files_init(&direct, count);
    for (size_t i = 0; i < count; i++) {
        const struct xqueue_file *file = xqueue_submission_file(push->submission, i);
        direct_files_add(&direct, push->grader->options.files, file->name, file->url);
    }
    enum status status =
        push_format_write((struct span){body, body_length}, direct.items, direct.count, &request->body, &request->body_length);
    direct_files_finish(&direct);
    return status;
}

static void post(struct push *push)
{
    const struct config_queue *queue = push->grader->options.queue;
    struct error error = {0};
    struct trace_lines trace;
    trace_lines_make(&trace, xqueue_submission_trace_parent(push->submission), xqueue_submission_trace_state(push->submission));
    struct http_client_request request = {.method = HTTP_CLIENT_POST,
                                          .url = queue->push_url,
                                          .headers = trace.lines,
                                          .header_count = trace.count,
                                          .limits = {.connect_timeout_ms = queue->push_timeout_ms,
                                                     .timeout_ms = queue->push_timeout_ms,
                                                     .reply_bytes_max = PUSH_FORMAT_ANSWER_BYTES_MAX},
                                          .start_within_ms = PUSH_GRADER_CROWDED_MS,
                                          .keep_reply = true,
                                          .once = true};
    enum status status = write_body(push, &request);
    if (status != STATUS_OK)
        (void)error_set(&error, status, NULL, "the submission is too long to be posted");
    else
        status = http_client_call(push->grader->options.http, &request, on_answered, push, &error);
    if (status == STATUS_OK)
        return; // on_answered has been called
    memory_free(request.body);
    push->result.status = status;
    (void)text_copy(push->result.text, sizeof(push->result.text), error.text);
}

/* A slot's thread of the SDK. */
static void on_submission(struct xqueue_submission *submission, void *context)
{
    struct push push = {.grader = context, .submission = submission};
    text_init(&push.answer, (size_t)CHARSET_GROWTH * PUSH_FORMAT_ANSWER_BYTES_MAX);
    post(&push);
    tell_service(&push);
    text_finish(&push.answer);
}

/* ---- its client of the service ---- */

static void on_log(void *context, enum xqueue_log_level level, const char *text)
{
    static const enum log_level levels[] = {LOG_DEBUG, LOG_DEBUG, LOG_WARN, LOG_ERROR}; // connected and so on: a line a queue
    struct push_grader *grader = context;
    log_event(level <= XQUEUE_LOG_ERROR ? levels[level] : LOG_ERROR, "push_link",
              LOG_TEXT("queue", grader->options.queue->name), LOG_TEXT("text", text));
}

static enum xqueue_status create_client(struct push_grader *grader, struct xqueue_grader **out_client,
                                        struct xqueue_error *error)
{
    const struct config *config = grader->options.config;
    const struct config_queue *queue = grader->options.queue;
    const struct config_user *user = config_find_user(config, config->rest.user);
    const char *queues[] = {queue->name};
    struct xqueue_grader_options options;
    xqueue_grader_options_init(&options);
    options.handler = on_submission;
    options.context = grader;
    options.address = config->rest.core;
    options.grader = grader->name;
    options.queues = queues;
    options.queue_count = 1;
    options.slots = (unsigned)queue->push_parallel_max;
    if (config->rest.token_file[0] != '\0') {
        options.token_file = config->rest.token_file;
    } else {
        options.user = user->name;
        options.password = user->password;
    }
    options.ca_file = config->rest.core_tls.ca_file;
    options.certificate_file = config->rest.core_tls.certificate_file;
    options.key_file = config->rest.core_tls.key_file;
    options.server_name = config->rest.core_tls.server_name;
    options.log = on_log;
    options.log_level = log_enabled(LOG_DEBUG) ? XQUEUE_LOG_DEBUG : XQUEUE_LOG_WARN;
    return xqueue_grader_create(&options, out_client, error);
}

/* Lock held. Passes on what was asked for before there was a client. */
static void adopt_client(struct push_grader *grader, struct xqueue_grader *client)
{
    grader->client = client;
    for (int i = 0; i < grader->stops; i++)
        xqueue_grader_stop(client);
}

static void drop_client(struct push_grader *grader)
{
    pthread_mutex_lock(&grader->lock);
    struct xqueue_grader *client = grader->client;
    grader->client = NULL;
    pthread_mutex_unlock(&grader->lock);
    xqueue_grader_destroy(client);
}

static void note_refusal(struct push_grader *grader, enum xqueue_status status, const struct xqueue_error *error)
{
    if (log_once_enter(&grader->refused))
        log_event(LOG_ERROR, "push_refused", LOG_TEXT("queue", grader->options.queue->name),
                  LOG_TEXT("status", xqueue_status_name(status)), LOG_TEXT("text", error->text));
}

/* false: stopping came first. */
static bool wait_before_next(struct push_grader *grader)
{
    int64_t until_ms = clock_add_ms(clock_now_ms(clock_system()), backoff_next_ms(&grader->pause));
    pthread_mutex_lock(&grader->lock);
    while (grader->stops == 0 && clock_wait_until(clock_system(), &grader->changed, &grader->lock, until_ms)) {
    }
    bool goes_on = grader->stops == 0;
    pthread_mutex_unlock(&grader->lock);
    return goes_on;
}

/* A client that has come to its end is replaced by another. */
static enum xqueue_status renew_client(struct push_grader *grader, struct xqueue_error *error)
{
    struct xqueue_grader *client = NULL;
    drop_client(grader);
    enum xqueue_status status = create_client(grader, &client, error);
    if (status != XQUEUE_STATUS_OK)
        return status;
    pthread_mutex_lock(&grader->lock);
    adopt_client(grader, client);
    pthread_mutex_unlock(&grader->lock);
    return XQUEUE_STATUS_OK;
}

/* One that ran for long was not refused, whatever ended it. */
static enum xqueue_status run_client(struct push_grader *grader, struct xqueue_error *error)
{
    int64_t started_ms = clock_now_ms(clock_system());
    enum xqueue_status status = xqueue_grader_run(grader->client, error);
    if (clock_now_ms(clock_system()) - started_ms > PUSH_GRADER_PAUSE_MS_MAX) {
        backoff_reset(&grader->pause);
        (void)log_once_leave(&grader->refused);
    }
    return status;
}

static void *thread_main(void *argument)
{
    struct push_grader *grader = argument;
    struct xqueue_error error = {0};
    enum xqueue_status status = run_client(grader, &error);
    while (status != XQUEUE_STATUS_OK && status != XQUEUE_STATUS_CANCELED) { // with those two it was stopped
        note_refusal(grader, status, &error);
        if (!wait_before_next(grader))
            break;
        status = renew_client(grader, &error);
        if (status == XQUEUE_STATUS_OK)
            status = run_client(grader, &error);
    }
    pthread_mutex_lock(&grader->lock);
    grader->finished = true;
    pthread_cond_broadcast(&grader->changed);
    pthread_mutex_unlock(&grader->lock);
    return NULL;
}

/* ---- life ---- */

static void free_grader(struct push_grader *grader)
{
    xqueue_grader_destroy(grader->client);
    pthread_cond_destroy(&grader->changed);
    pthread_mutex_destroy(&grader->lock);
    memory_free(grader);
}

enum status push_grader_create(const struct push_grader_options *options, struct push_grader **out_grader, struct error *error)
{
    struct push_grader *grader = MEMORY_NEW(struct push_grader);
    struct xqueue_error client_error = {0};
    uint64_t seed = 0;
    grader->options = *options;
    adapter_name_for_queue(&options->config->rest, options->queue->name, grader->name);
    secret_random(&seed, sizeof(seed));
    backoff_init(&grader->pause, PUSH_GRADER_PAUSE_MS, PUSH_GRADER_PAUSE_MS_MAX, seed);
    pthread_mutex_init(&grader->lock, NULL);
    clock_condition_init(&grader->changed);
    enum status status = STATUS_OK;
    if (create_client(grader, &grader->client, &client_error) != XQUEUE_STATUS_OK)
        status =
            error_set(error, STATUS_INVALID, NULL, "queue '%s' cannot be pushed: %s", options->queue->name, client_error.text);
    else if (pthread_create(&grader->thread, NULL, thread_main, grader) != 0)
        status = error_set(error, STATUS_NO_MEMORY, NULL, "no thread to push queue '%s'", options->queue->name);
    if (status != STATUS_OK) {
        free_grader(grader);
        return status;
    }
    *out_grader = grader;
    return STATUS_OK;
}

void push_grader_stop(struct push_grader *grader)
{
    pthread_mutex_lock(&grader->lock);
    if (grader->stops < STOPS_MAX) {
        grader->stops++;
        xqueue_grader_stop(grader->client); // NULL is fine
        pthread_cond_broadcast(&grader->changed);
    }
    pthread_mutex_unlock(&grader->lock);
}

bool push_grader_wait(struct push_grader *grader, int64_t deadline_ms)
{
    pthread_mutex_lock(&grader->lock);
    while (!grader->finished && clock_wait_until(clock_system(), &grader->changed, &grader->lock, deadline_ms)) {
    }
    bool finished = grader->finished;
    pthread_mutex_unlock(&grader->lock);
    return finished;
}

void push_grader_destroy(struct push_grader *grader)
{
    if (!grader)
        return;
    push_grader_stop(grader);
    push_grader_stop(grader);
    pthread_join(grader->thread, NULL);
    free_grader(grader);
}
