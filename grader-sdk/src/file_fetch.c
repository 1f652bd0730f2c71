/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/src/file_fetch.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include <xqueue/v1/files.pb-c.h>

#include "base/backoff.h"
#include "base/memory.h"
#include "base/secret.h"
#include "grader-sdk/src/file_access.h"
#include "grader-sdk/src/report.h"

struct fetch {
    struct file_access *access;
    struct xqueue_submission *submission;
    const struct xqueue_file *file;
    struct file_sink *sink;
    uint64_t bytes_max;
    int64_t deadline_ms;                 /* CLOCK_NEVER: none */
    struct secret_digest_stream *digest; /* owned; NULL once it is finished */
    struct backoff backoff;
    bool is_announced; /* the size and the digest are known, and the sink has begun */
    uint64_t size_bytes;
    uint8_t sha256[SECRET_DIGEST_BYTES];
    uint64_t received;
    bool is_logged; /* an interruption was */
    bool is_over;   /* with outcome */
    enum xqueue_status outcome;
    struct xqueue_error *error; /* filled with outcome, unless OK */

    /* one call of Files.Fetch */
    struct rpc_client_stream *stream;
    char token[SETTINGS_TOKEN_MAX]; /* that it went with */
    bool is_renewed;                /* the token was, and nothing has come since */
    bool is_silent;                 /* it was given up, for want of messages */

    /* guarded by the access's mutex */
    struct file_waiter waiter;
    struct rpc_message *message; /* owned; NULL: none has come */
    bool is_closed;
    enum status status; /* of the closed stream, with close_error */
    struct error close_error;
};

static const struct rpc_client_method fetch_method = {.path = "/xqueue.v1.Files/Fetch",
                                                      .reply = &xqueue__v1__fetch_response__descriptor};

static struct clock *clock_of(const struct fetch *fetch)
{
    return fetch->access->with->clock;
}

/* The only writer of outcome. */
static void conclude(struct fetch *fetch, enum xqueue_status outcome)
{
    assert(!fetch->is_over);
    fetch->is_over = true;
    fetch->outcome = outcome;
}

/* ---- who does not want it any more ---- */

enum wish { WISH_GO_ON, WISH_LOST, WISH_ANSWERED, WISH_TIMEOUT };

static enum wish wish_of(const struct fetch *fetch)
{
    struct xqueue_submission *submission = fetch->submission;
    if (xqueue_submission_is_lost(submission))
        return WISH_LOST;
    pthread_mutex_lock(&submission->inbox->mutex);
    bool is_answered = submission->answered;
    pthread_mutex_unlock(&submission->inbox->mutex);
    if (is_answered)
        return WISH_ANSWERED;
    return clock_now_ms(clock_of(fetch)) >= fetch->deadline_ms ? WISH_TIMEOUT : WISH_GO_ON;
}

/* False: the fetch is over. why: what kept it, for a timeout; may be "". */
static bool goes_on(struct fetch *fetch, const char *why)
{
    switch (wish_of(fetch)) {
    case WISH_LOST:
        conclude(fetch, report_error(fetch->error, XQUEUE_STATUS_LOST, false, NULL, "the lease is lost"));
        break;
    case WISH_ANSWERED:
        conclude(fetch,
                 report_error(fetch->error, XQUEUE_STATUS_WRONG_STATE, false, NULL, "the submission was answered already"));
        break;
    case WISH_TIMEOUT:
        conclude(fetch, report_error(fetch->error, XQUEUE_STATUS_TIMEOUT, false, NULL, "the file did not come in time%s%s",
                                     why[0] ? ": " : "", why));
        break;
    case WISH_GO_ON:
        break;
    }
    return !fetch->is_over;
}

/* ---- what the service says: RPC loop ---- */

static void on_message(void *context, struct rpc_message *message)
{
    struct fetch *fetch = context;
    pthread_mutex_lock(&fetch->access->mutex);
    assert(!fetch->message); // paced: asked for after the one before was taken
    fetch->message = message;
    pthread_cond_signal(&fetch->waiter.changed);
    pthread_mutex_unlock(&fetch->access->mutex);
}

static void on_close(void *context, enum status status, const struct error *error)
{
    struct fetch *fetch = context;
    pthread_mutex_lock(&fetch->access->mutex);
    fetch->is_closed = true;
    fetch->status = status;
    fetch->close_error = error ? *error : (struct error){0};
    pthread_cond_signal(&fetch->waiter.changed);
    pthread_mutex_unlock(&fetch->access->mutex);
}

/* ---- one call ---- */

static enum status send_request(struct fetch *fetch)
{
    Xqueue__V1__FetchRequest request = XQUEUE__V1__FETCH_REQUEST__INIT;
    request.file_id = (char *)(uintptr_t)fetch->file->file_id; // only read
    request.offset = fetch->received;
    return rpc_client_stream_send(fetch->stream, &request.base);
}

/* True: on_close will come. False: status and close_error say why not. */
static bool open_stream(struct fetch *fetch)
{
    static const struct rpc_client_stream_events events = {.on_message = on_message, .on_close = on_close};
    file_access_token(fetch->access, fetch->token);
    struct rpc_call_options options = {.bearer = fetch->token[0] ? fetch->token : NULL, .is_paced = 1};
    fetch->is_closed = false;
    fetch->is_silent = false;
    fetch->status =
        rpc_client_stream_open(fetch->access->with->channel, &fetch_method, &options, &events, fetch, &fetch->stream);
    if (fetch->status != STATUS_OK) {
        (void)error_set(&fetch->close_error, fetch->status, NULL, "the call cannot be made: %s", status_name(fetch->status));
        return false;
    }
    enum status sent = send_request(fetch);
    if (sent == STATUS_OK)
        rpc_client_stream_half_close(fetch->stream);
    else
        rpc_client_stream_cancel(fetch->stream);
    if (sent == STATUS_NO_MEMORY)
        conclude(fetch, report_error(fetch->error, XQUEUE_STATUS_NO_MEMORY, false, NULL, "out of memory"));
    return true;
}

/* The next message, the caller's; NULL: there is none, for any reason. */
static struct rpc_message *next_message(struct fetch *fetch)
{
    pthread_mutex_t *mutex = &fetch->access->mutex;
    int64_t silent_at_ms = clock_add_ms(clock_now_ms(clock_of(fetch)), fetch->access->with->timing->fetch_silence_ms);
    int64_t until_ms = silent_at_ms < fetch->deadline_ms ? silent_at_ms : fetch->deadline_ms;
    pthread_mutex_lock(mutex);
    while (!fetch->message && !fetch->is_closed && !fetch->is_silent && wish_of(fetch) == WISH_GO_ON)
        if (!clock_wait_until(clock_of(fetch), &fetch->waiter.changed, mutex, until_ms))
            fetch->is_silent = true;
    struct rpc_message *message = fetch->message;
    fetch->message = NULL;
    pthread_mutex_unlock(mutex);
    return message;
}

/* Waits for the end; nothing of the call is left. */
static void close_stream(struct fetch *fetch)
{
    rpc_client_stream_cancel(fetch->stream);
    pthread_mutex_lock(&fetch->access->mutex);
    while (!fetch->is_closed)
        (void)clock_wait_until(clock_of(fetch), &fetch->waiter.changed, &fetch->access->mutex, CLOCK_NEVER);
    rpc_message_free(fetch->message);
    fetch->message = NULL;
    pthread_mutex_unlock(&fetch->access->mutex);
    rpc_client_stream_release(fetch->stream);
    fetch->stream = NULL;
}

/* ---- what comes ---- */

static bool is_whole(const struct fetch *fetch)
{
    return fetch->is_announced && fetch->received == fetch->size_bytes;
}

/* What the service says of the whole file, against what the submission says. */
static void announce(struct fetch *fetch, const Xqueue__V1__FetchResponse *response)
{
    const struct xqueue_file *file = fetch->file;
    if ((file->size_bytes > 0 && file->size_bytes != response->size_bytes) ||
        (file->sha256 && memcmp(file->sha256, response->sha256.data, SECRET_DIGEST_BYTES) != 0)) {
        conclude(fetch, report_error(fetch->error, XQUEUE_STATUS_DATA_LOSS, false, NULL,
                                     "the service has another file than the submission names"));
    } else if (response->size_bytes > fetch->bytes_max) {
        conclude(fetch,
                 report_error(fetch->error, XQUEUE_STATUS_FULL, false, NULL,
                              "the file has %" PRIu64 " bytes, more than %" PRIu64, response->size_bytes, fetch->bytes_max));
    } else {
        fetch->is_announced = true;
        fetch->size_bytes = response->size_bytes;
        memcpy(fetch->sha256, response->sha256.data, SECRET_DIGEST_BYTES);
        enum xqueue_status begun = file_sink_begin(fetch->sink, fetch->size_bytes, fetch->error);
        if (begun != XQUEUE_STATUS_OK)
            conclude(fetch, begun);
    }
}

static void take_first(struct fetch *fetch, const Xqueue__V1__FetchResponse *response)
{
    if (response->sha256.len != SECRET_DIGEST_BYTES)
        conclude(fetch,
                 report_error(fetch->error, XQUEUE_STATUS_INTERNAL, false, NULL, "the service does not say the file's digest"));
    else if (!fetch->is_announced)
        announce(fetch, response);
    else if (response->size_bytes != fetch->size_bytes ||
             memcmp(response->sha256.data, fetch->sha256, SECRET_DIGEST_BYTES) != 0)
        conclude(fetch, report_error(fetch->error, XQUEUE_STATUS_DATA_LOSS, false, NULL, "the service's file has changed"));
}

static void take_chunk(struct fetch *fetch, const ProtobufCBinaryData *chunk)
{
    if (chunk->len > fetch->size_bytes - fetch->received) {
        conclude(fetch, report_error(fetch->error, XQUEUE_STATUS_DATA_LOSS, false, NULL, "more bytes came than the file has"));
        return;
    }
    if (chunk->len == 0)
        return;
    enum xqueue_status written = file_sink_write(fetch->sink, chunk->data, chunk->len, fetch->error);
    if (written != XQUEUE_STATUS_OK) {
        conclude(fetch, written);
        return;
    }
    secret_digest_stream_add(fetch->digest, chunk->data, chunk->len);
    fetch->received += chunk->len;
}

static void receive(struct fetch *fetch)
{
    struct rpc_message *message;
    bool is_first = true;
    while (!fetch->is_over && !is_whole(fetch) && (message = next_message(fetch)) != NULL) {
        const Xqueue__V1__FetchResponse *response = (const Xqueue__V1__FetchResponse *)rpc_message_body(message);
        rpc_client_stream_receive(fetch->stream); // comes while this one is written
        if (is_first)
            take_first(fetch, response);
        if (!fetch->is_over)
            take_chunk(fetch, &response->chunk);
        is_first = false;
        fetch->is_renewed = false;
        rpc_message_free(message);
    }
}

static void check_whole(struct fetch *fetch)
{
    uint8_t sha256[SECRET_DIGEST_BYTES];
    secret_digest_stream_finish(fetch->digest, sha256);
    fetch->digest = NULL;
    if (memcmp(sha256, fetch->sha256, sizeof(sha256)) != 0)
        conclude(fetch, report_error(fetch->error, XQUEUE_STATUS_DATA_LOSS, false, NULL,
                                     "other bytes came than the file's digest says"));
    else
        conclude(fetch, file_sink_keep(fetch->sink, fetch->error));
}

/* ---- once more ---- */

/* Will the next call end as this one has? One that brought something is not the same again. */
static bool is_final(enum status status, bool has_moved)
{
    switch (status) {
    case STATUS_INVALID:
    case STATUS_DENIED:
    case STATUS_NOT_FOUND:
    case STATUS_UNIMPLEMENTED:
    case STATUS_DATA_LOSS:
    case STATUS_NO_MEMORY:
        return true;
    case STATUS_OK: // it ended before the file did
    case STATUS_INTERNAL:
        return !has_moved;
    default:
        return false;
    }
}

static void conclude_call(struct fetch *fetch, enum status status, const struct error *error)
{
    const char *text = error->text[0] ? error->text : "the service ended the file too early";
    enum xqueue_status outcome = status == STATUS_OK ? XQUEUE_STATUS_DATA_LOSS : report_status(status);
    conclude(fetch, report_error(fetch->error, outcome, false, error->reason, "%s", text));
}

static void log_interruption(struct fetch *fetch, const char *why)
{
    if (fetch->is_logged)
        return;
    fetch->is_logged = true;
    report_line(fetch->access->with->report, XQUEUE_LOG_WARN,
                "submission %" PRIu64 ": file %s is interrupted at %" PRIu64 " bytes: %s; going on", fetch->submission->id,
                fetch->file->file_id, fetch->received, why);
}

/* Until the next call may be made. */
static void pause_fetch(struct fetch *fetch, int64_t pause_ms)
{
    pthread_mutex_t *mutex = &fetch->access->mutex;
    int64_t until_ms = clock_add_ms(clock_now_ms(clock_of(fetch)), pause_ms);
    until_ms = until_ms < fetch->deadline_ms ? until_ms : fetch->deadline_ms;
    pthread_mutex_lock(mutex);
    while (wish_of(fetch) == WISH_GO_ON && clock_wait_until(clock_of(fetch), &fetch->waiter.changed, mutex, until_ms)) {
    }
    pthread_mutex_unlock(mutex);
}

/* The session has ended, which is no failure when there can be another one. True: at once once more. */
static bool renews(struct fetch *fetch, enum status *status, struct error *error)
{
    if (*status != STATUS_UNAUTHENTICATED || fetch->is_renewed)
        return false;
    struct error renewal_error = {0};
    enum status renewed = file_access_renew(fetch->access, fetch->token, &renewal_error);
    if (renewed == STATUS_UNAUTHENTICATED && !renewal_error.text[0])
        return false; // there is nothing to renew: what the service said stands
    *status = renewed;
    *error = renewal_error;
    fetch->is_renewed = renewed == STATUS_OK;
    return renewed == STATUS_OK;
}

/* A call has ended before the file was whole. moved: bytes that it brought. */
static void try_again(struct fetch *fetch, uint64_t moved)
{
    enum status status = fetch->is_silent ? STATUS_UNAVAILABLE : fetch->status;
    struct error error = fetch->close_error;
    if (fetch->is_silent)
        (void)error_set(&error, status, NULL, "the service is silent");
    if (!goes_on(fetch, error.text) || renews(fetch, &status, &error))
        return;
    if (status == STATUS_UNAUTHENTICATED || is_final(status, moved > 0)) {
        conclude_call(fetch, status, &error);
        return;
    }
    log_interruption(fetch, error.text[0] ? error.text : status_name(status));
    if (moved > 0)
        backoff_reset(&fetch->backoff);
    int64_t pause_ms = backoff_next_ms(&fetch->backoff);
    pause_fetch(fetch, error.retry_after_ms > pause_ms ? error.retry_after_ms : pause_ms);
    (void)goes_on(fetch, error.text);
}

static void run(struct fetch *fetch)
{
    while (!fetch->is_over) {
        uint64_t before = fetch->received;
        if (open_stream(fetch)) {
            receive(fetch);
            close_stream(fetch);
        }
        if (!fetch->is_over && is_whole(fetch))
            check_whole(fetch);
        else if (!fetch->is_over)
            try_again(fetch, fetch->received - before);
    }
}

static void init(struct fetch *fetch, const struct xqueue_fetch_options *options)
{
    const struct work_link_timing *timing = fetch->access->with->timing;
    int64_t now_ms = clock_now_ms(clock_of(fetch));
    fetch->bytes_max = options->bytes_max > 0 ? options->bytes_max : XQUEUE_FETCH_BYTES_DEFAULT;
    fetch->deadline_ms = options->timeout_ms > 0 ? clock_add_ms(now_ms, options->timeout_ms) : CLOCK_NEVER;
    // Those who fetch at one time are different submissions, mostly.
    backoff_init(&fetch->backoff, timing->backoff_first_ms, timing->backoff_longest_ms,
                 (uint64_t)clock_monotonic_us() ^ fetch->submission->id);
    if (fetch->file->size_bytes > fetch->bytes_max)
        conclude(fetch,
                 report_error(fetch->error, XQUEUE_STATUS_FULL, false, NULL,
                              "the file has %" PRIu64 " bytes, more than %" PRIu64, fetch->file->size_bytes, fetch->bytes_max));
    fetch->digest = secret_digest_stream_try_create();
    if (!fetch->digest && !fetch->is_over)
        conclude(fetch, report_error(fetch->error, XQUEUE_STATUS_NO_MEMORY, false, NULL, "out of memory"));
}

enum xqueue_status file_fetch(struct xqueue_submission *submission, const struct xqueue_file *file,
                              const struct xqueue_fetch_options *options, struct file_sink *sink, struct xqueue_error *error)
{
    struct xqueue_error ignored;
    struct fetch fetch = {
        .access = submission->access, .submission = submission, .file = file, .sink = sink, .error = error ? error : &ignored};
    file_access_enter(fetch.access, &fetch.waiter, submission);
    init(&fetch, options);
    if (!fetch.is_over)
        (void)goes_on(&fetch, "");
    run(&fetch);
    file_access_leave(fetch.access, &fetch.waiter);
    memory_wipe(fetch.token, sizeof(fetch.token));
    secret_digest_stream_destroy(fetch.digest);
    if (fetch.outcome != XQUEUE_STATUS_OK)
        file_sink_abandon(sink);
    return fetch.outcome;
}
