/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "grader-sdk/src/work_link_internal.h"

enum { BACKOFF_FIRST_MS_DEFAULT = 100, BACKOFF_LONGEST_MS_DEFAULT = 15000 };

#define REASON_REPLACED "SESSION_REPLACED"

static const struct rpc_client_method work_method = {.path = "/xqueue.v1.Graders/Work",
                                                     .reply = &xqueue__v1__server_message__descriptor};

const struct work_link_timing *work_link_timing_default(void)
{
    static const struct work_link_timing timing = {
        .backoff_first_ms = BACKOFF_FIRST_MS_DEFAULT,
        .backoff_longest_ms = BACKOFF_LONGEST_MS_DEFAULT,
        .login_timeout_ms = 30000,
        .welcome_timeout_ms = 15000,
        .progress_pause_ms = 500,
        .fetch_silence_ms = 90000, // the service ends such calls after 60 s
        .farewell_ms = 3000,
    };
    return &timing;
}

enum status work_link_create(const struct work_link_options *options, struct work_link **out_link)
{
    struct work_link *link = MEMORY_TRY_NEW(struct work_link);
    if (!link)
        return STATUS_NO_MEMORY;
    link->with = *options;
    text_hex(link->instance, options->instance, sizeof(options->instance));
    uint64_t seed;
    memcpy(&seed, options->instance, sizeof(seed));
    backoff_init(&link->backoff, options->timing->backoff_first_ms, options->timing->backoff_longest_ms, seed);
    list_init(&link->leases);
    file_access_init(&link->access, &link->with);
    link->drain_by_ms = CLOCK_NEVER;
    link->cancel_by_ms = CLOCK_NEVER;
    link->retry_at_ms = link_now_ms(link);
    *out_link = link;
    return STATUS_OK;
}

void work_link_destroy(struct work_link *link)
{
    if (!link)
        return;
    assert(list_is_empty(&link->leases) && !link->stream.rpc);
    file_access_finish(&link->access);
    memory_wipe(link->token, sizeof(link->token));
    memory_free(link);
}

int64_t link_now_ms(const struct work_link *link)
{
    return clock_now_ms(link->with.clock);
}

/* ---- states ---- */

#define BIT(state_) (1U << (state_))

static const unsigned moves[LINK_STATE_COUNT] = {
    [LINK_AWAY] = BIT(LINK_AWAY) | BIT(LINK_LOGIN) | BIT(LINK_GREETING) | BIT(LINK_FINISHED),
    [LINK_LOGIN] = BIT(LINK_AWAY) | BIT(LINK_GREETING),
    [LINK_GREETING] = BIT(LINK_AWAY) | BIT(LINK_WORKING) | BIT(LINK_CLOSING),
    [LINK_WORKING] = BIT(LINK_AWAY) | BIT(LINK_CLOSING),
    [LINK_CLOSING] = BIT(LINK_AWAY),
};

void link_move(struct work_link *link, enum link_state state)
{
    assert(moves[link->state] & BIT(state));
    link->state = state;
}

/* ---- the stream ---- */

/* RPC loop. */
static void on_stream_message(void *context, struct rpc_message *message)
{
    inbox_post_message(context, message);
}

static void on_stream_close(void *context, enum status status, const struct error *error)
{
    inbox_post_closed(context, status, error);
}

static enum status open_and_greet(struct work_link *link)
{
    static const struct rpc_client_stream_events events = {.on_message = on_stream_message, .on_close = on_stream_close};
    struct rpc_call_options options = {.bearer = link->token[0] ? link->token : NULL};
    struct wire_leases held = {0};
    enum status status = link_leases_held(link, false, &held);
    if (status == STATUS_OK)
        status =
            rpc_client_stream_open(link->with.channel, &work_method, &options, &events, link->with.inbox, &link->stream.rpc);
    if (status == STATUS_OK) {
        link_move(link, LINK_GREETING);
        link_sent(link, wire_send_hello(link->stream.rpc, link->with.settings, link->instance, &held));
    }
    memory_free(held.items);
    return status;
}

void link_open_stream(struct work_link *link)
{
    int64_t now_ms = link_now_ms(link);
    link->stream = (struct link_stream){
        .welcome_by_ms = now_ms + link->with.timing->welcome_timeout_ms,
        .heard_at_ms = now_ms,
        .lease_ms = LINK_LEASE_MS_DEFAULT,
        .beat_at_ms = CLOCK_NEVER,
        .note_at_ms = CLOCK_NEVER,
        .credit_at_ms = now_ms,
        .drained_at_ms = CLOCK_NEVER,
    };
    file_access_set_token(&link->access, link->token);
    enum status status = open_and_greet(link);
    if (status != STATUS_OK) {
        struct error error;
        (void)error_set(&error, status, NULL, "the stream cannot be opened: %s", status_name(status));
        link_attempt_failed(link, status, &error);
    }
}

void link_drop_stream(struct work_link *link)
{
    if (link->state != LINK_GREETING && link->state != LINK_WORKING)
        return;
    rpc_client_stream_cancel(link->stream.rpc);
    link_move(link, LINK_CLOSING);
}

void link_sent(struct work_link *link, enum status status)
{
    // Over already: its end is on the way to us.
    if (status == STATUS_OK || status == STATUS_CANCELED)
        return;
    report_line(link->with.report, XQUEUE_LOG_WARN, "the connection is given up, a message cannot be sent: %s",
                status_name(status));
    link_drop_stream(link);
}

/* ---- failures ---- */

/* Would the same again be refused again, if nothing changes at the service? */
static bool is_refusal(enum status status)
{
    switch (status) {
    case STATUS_INVALID:
    case STATUS_UNAUTHENTICATED:
    case STATUS_DENIED:
    case STATUS_NOT_FOUND:
    case STATUS_UNIMPLEMENTED:
        return true;
    default:
        return false;
    }
}

void link_end(struct work_link *link, enum xqueue_status outcome, const struct error *error)
{
    if (link->over)
        return;
    link->over = true;
    struct xqueue_error told;
    const char *text = error ? error->text : xqueue_status_name(outcome);
    (void)report_error(&told, outcome, true, error ? error->reason : NULL, "%s", text);
    bool is_ordered = outcome == XQUEUE_STATUS_OK || outcome == XQUEUE_STATUS_CANCELED;
    report_line(link->with.report, is_ordered ? XQUEUE_LOG_INFO : XQUEUE_LOG_ERROR, "stopped: %s (%s)",
                error ? error->text : "everything is finished", xqueue_status_name(outcome));
    link_leases_give_up(link);
    handout_end(link->with.handout, &told);
    link_drop_stream(link);
    if (link->state == LINK_LOGIN)
        rpc_channel_cancel_all(link->with.channel);
}

static void log_away(struct work_link *link, enum status status, const struct error *error)
{
    if (link->is_away && link->away_status == status)
        return;
    report_line(link->with.report, is_refusal(status) ? XQUEUE_LOG_ERROR : XQUEUE_LOG_WARN,
                "no connection to %s: %s (%s); trying again", link->with.settings->address,
                error->text[0] ? error->text : "ended by the service", status_name(status));
    link->is_away = true;
    link->away_status = status;
}

void link_attempt_failed(struct work_link *link, enum status status, const struct error *error)
{
    if (link->state != LINK_AWAY)
        link_move(link, LINK_AWAY);
    if (link->over)
        return;
    int64_t now_ms = link_now_ms(link);
    bool token_expired = status == STATUS_UNAUTHENTICATED && link->token[0] && !link->token_is_fresh;
    if (status == STATUS_UNAUTHENTICATED)
        link->token[0] = '\0';
    link->token_is_fresh = false; // the service may have been another one meanwhile
    if (strcmp(error->reason, REASON_REPLACED) == 0) {
        link_end(link, XQUEUE_STATUS_REPLACED, error);
    } else if (token_expired) {
        link->retry_at_ms = now_ms; // sessions end; a new login is all it takes
    } else if (is_refusal(status) && !link->ever_welcome) {
        link_end(link, report_status(status), error);
    } else {
        log_away(link, status, error);
        int64_t pause_ms = backoff_next_ms(&link->backoff);
        if (error->retry_after_ms > pause_ms)
            pause_ms = error->retry_after_ms;
        link->retry_at_ms = clock_add_ms(now_ms, pause_ms);
    }
}

/* Stopping, and nothing is left that the service must hear of. */
static bool has_drained(const struct work_link *link)
{
    return link->stop != INBOX_STOP_NOT && !link_leases_matter(link);
}

static void on_closed(struct work_link *link, const struct inbox_outcome *closed)
{
    rpc_client_stream_release(link->stream.rpc);
    link->stream.rpc = NULL;
    link_leases_unsend(link);
    if (has_drained(link))
        link_move(link, LINK_AWAY); // as it should be; the tick ends it
    else
        link_attempt_failed(link, closed->status, &closed->error);
}

/* ---- ticks: each does what is due in its state and returns when it wants to be called again ---- */

static int64_t earlier(int64_t a_ms, int64_t b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

static void end_stopped(struct work_link *link)
{
    if (link->stop == INBOX_STOP_CANCEL) {
        struct error error;
        (void)error_set(&error, STATUS_CANCELED, NULL, "canceled before everything was finished");
        link_end(link, XQUEUE_STATUS_CANCELED, &error);
    } else {
        link_end(link, XQUEUE_STATUS_OK, NULL);
    }
}

static int64_t tick_away(struct work_link *link, int64_t now_ms)
{
    if (!link->over && has_drained(link))
        end_stopped(link);
    if (link->over) {
        if (list_is_empty(&link->leases))
            link_move(link, LINK_FINISHED);
        return CLOCK_NEVER; // until everything has returned
    }
    if (now_ms < link->retry_at_ms)
        return link->retry_at_ms;
    if (settings_have_token(link->with.settings))
        link_token_open(link);
    else if (link->with.settings->user && !link->token[0])
        link_login_start(link);
    else
        link_open_stream(link);
    return now_ms; // the state may have changed in any way
}

static int64_t tick_login(struct work_link *link, int64_t now_ms)
{
    (void)now_ms;
    if (has_drained(link))
        end_stopped(link);
    return CLOCK_NEVER;
}

static int64_t tick_greeting(struct work_link *link, int64_t now_ms)
{
    if (has_drained(link)) {
        end_stopped(link);
    } else if (now_ms >= link->stream.welcome_by_ms) {
        link_drop_stream(link);
        return CLOCK_NEVER;
    }
    return link->stream.welcome_by_ms;
}

static void give_credit(struct work_link *link, int64_t now_ms)
{
    struct link_stream *stream = &link->stream;
    unsigned credit = link_free_slots(link);
    if (link->stop != INBOX_STOP_NOT || stream->going_away || now_ms < stream->credit_at_ms || credit == stream->credit)
        return;
    stream->credit = credit;
    link_sent(link, wire_send_credit(stream->rpc, credit));
}

/* Drain, then wait for the service to end the stream, but not for ever. Returns the next due time. */
static int64_t drain(struct work_link *link, int64_t now_ms)
{
    struct link_stream *stream = &link->stream;
    if (link->stop == INBOX_STOP_NOT)
        return CLOCK_NEVER;
    if (!stream->drain_sent) {
        stream->drain_sent = true;
        link_sent(link, wire_send_drain(stream->rpc));
    }
    if (link_leases_matter(link)) {
        stream->drained_at_ms = CLOCK_NEVER;
        return CLOCK_NEVER;
    }
    if (stream->drained_at_ms == CLOCK_NEVER)
        stream->drained_at_ms = now_ms;
    int64_t end_ms = stream->drained_at_ms + link->with.timing->farewell_ms;
    if (now_ms >= end_ms)
        end_stopped(link);
    return end_ms;
}

/* When the service is silent for too long the stream is given up. Returns the next due time. */
static int64_t watch_silence(struct work_link *link, int64_t now_ms)
{
    struct link_stream *stream = &link->stream;
    if (stream->ping_period_ms == 0)
        return CLOCK_NEVER;
    int64_t silent_ms =
        stream->ping_period_ms > INT64_MAX / LINK_SILENT_PINGS ? INT64_MAX : LINK_SILENT_PINGS * stream->ping_period_ms;
    int64_t until_ms = clock_add_ms(stream->heard_at_ms, silent_ms);
    if (now_ms < until_ms)
        return until_ms;
    report_line(link->with.report, XQUEUE_LOG_WARN, "the service has been silent for %" PRId64 " ms",
                now_ms - stream->heard_at_ms);
    link_drop_stream(link);
    return CLOCK_NEVER;
}

static int64_t tick_working(struct work_link *link, int64_t now_ms)
{
    static int64_t (*const duties[])(struct work_link *, int64_t) = {watch_silence, link_leases_tick, drain};
    int64_t due_ms = CLOCK_NEVER;
    for (size_t i = 0; i < sizeof(duties) / sizeof(duties[0]) && link->state == LINK_WORKING; i++)
        due_ms = earlier(due_ms, duties[i](link, now_ms));
    if (link->state != LINK_WORKING)
        return CLOCK_NEVER;
    give_credit(link, now_ms);
    // A pause after a reject ends with a new credit.
    return now_ms < link->stream.credit_at_ms ? earlier(due_ms, link->stream.credit_at_ms) : due_ms;
}

static int64_t tick_closing(struct work_link *link, int64_t now_ms)
{
    (void)link;
    (void)now_ms;
    return CLOCK_NEVER; // on_close comes
}

/* ---- the loop ---- */

static void on_stop(struct work_link *link, enum inbox_stop stop)
{
    if (stop <= link->stop || link->over)
        return;
    int64_t now_ms = link_now_ms(link);
    if (link->stop == INBOX_STOP_NOT && link->with.settings->drain_timeout_ms > 0)
        link->drain_by_ms = clock_add_ms(now_ms, link->with.settings->drain_timeout_ms);
    link->stop = stop;
    report_line(link->with.report, XQUEUE_LOG_INFO, "%s: %zu submissions are held",
                stop == INBOX_STOP_DRAIN ? "draining" : "canceling", link->leases.count);
    link_leases_take_back(link);
    if (stop == INBOX_STOP_CANCEL) {
        link->cancel_by_ms = clock_add_ms(now_ms, link->with.timing->farewell_ms);
        link_leases_hand_back(link);
    }
}

/* Deadlines of stopping. Returns the next one. */
static int64_t watch_stop(struct work_link *link, int64_t now_ms)
{
    if (link->over || link->stop == INBOX_STOP_NOT)
        return CLOCK_NEVER;
    if (link->stop == INBOX_STOP_DRAIN && now_ms >= link->drain_by_ms)
        on_stop(link, INBOX_STOP_CANCEL);
    if (link->stop == INBOX_STOP_DRAIN)
        return link->drain_by_ms;
    if (now_ms >= link->cancel_by_ms)
        end_stopped(link);
    return link->cancel_by_ms;
}

/* New notes go out with the next heartbeat, or before it, but not too often. */
static void on_progress(struct work_link *link)
{
    struct link_stream *stream = &link->stream;
    if (link->state == LINK_WORKING)
        stream->note_at_ms = earlier(stream->note_at_ms, stream->beaten_at_ms + link->with.timing->progress_pause_ms);
}

/* In the order in which things can have happened: who grades answers, then returns; a stream says something, then ends. */
static void digest(struct work_link *link, struct inbox_batch *batch)
{
    struct list_node *node;
    while ((node = list_take_first(&batch->answered)) != NULL)
        link_lease_answered(link, LIST_OWNER(node, struct xqueue_submission, answered_node));
    while ((node = list_take_first(&batch->returned)) != NULL)
        link_lease_returned(link, LIST_OWNER(node, struct xqueue_submission, returned_node));
    on_stop(link, batch->stop);
    while ((node = list_take_first(&batch->messages)) != NULL) {
        struct inbox_message *entry = LIST_OWNER(node, struct inbox_message, node);
        link_message(link, entry->message);
        entry->message = NULL;
        inbox_message_free(entry);
    }
    if (batch->has_progress)
        on_progress(link);
    if (batch->overflowed)
        link_sent(link, STATUS_FULL);
    if (batch->login.is_here)
        link_login_done(link, &batch->login);
    if (batch->closed.is_here)
        on_closed(link, &batch->closed);
}

static int64_t tick(struct work_link *link)
{
    static int64_t (*const ticks[])(struct work_link *, int64_t) = {
        [LINK_AWAY] = tick_away,       [LINK_LOGIN] = tick_login,     [LINK_GREETING] = tick_greeting,
        [LINK_WORKING] = tick_working, [LINK_CLOSING] = tick_closing,
    };
    int64_t now_ms = link_now_ms(link);
    int64_t due_ms = watch_stop(link, now_ms);
    return earlier(due_ms, ticks[link->state](link, now_ms));
}

void work_link_run(struct work_link *link)
{
    int64_t due_ms = link_now_ms(link);
    while (link->state != LINK_FINISHED) {
        struct inbox_batch batch;
        inbox_wait(link->with.inbox, link->with.clock, due_ms, &batch);
        digest(link, &batch);
        due_ms = tick(link);
    }
}
