/* SPDX-License-Identifier: Apache-2.0 */
#include "service/methods/delivery_stream.h"

#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/delivery_session.h"
#include "service/methods/contract.h"
#include "xqueue/v1/deliveries.pb-c.h"

struct delivery_stream {
    struct standing standing;
    atomic_int pending; /* messages on their way through the engine */

    /* engine thread only */
    struct delivery_session session;
    bool opened;
    bool finished; /* the courier has half-closed, and all that it said has been done */
    bool over;     /* a breach: nothing that comes counts any more */
    int64_t begun_at_ms;
    int64_t pause_until_ms;        /* nothing is leased before */
    struct delivery_lease *leases; /* owned: what the last look found */
    size_t lease_count;
    bool ping; /* likewise */
};

/* One message on its way through the engine. */
struct delivery_message {
    struct engine_command command;
    struct delivery_stream *stream; /* counted */
    struct rpc_message *message;    /* owned; NULL: half-closed */
    enum status status;             /* not STATUS_OK: ends the stream */
    struct error error;
};

static enum status stream_breach(struct error *error, const char *text)
{
    return error_set(error, STATUS_INVALID, "DELIVERIES_INVALID", "%s", text);
}

/* ---- looking: what is to be sent ---- */

static void stream_drop_leases(struct delivery_stream *stream)
{
    for (size_t i = 0; i < stream->lease_count; i++) {
        delivery_lease_finish(&stream->leases[i]);
    }
    memory_free(stream->leases);
    stream->leases = NULL;
    stream->lease_count = 0;
}

static enum engine_step stream_await_open(struct delivery_stream *stream, struct queues *queues)
{
    stream->begun_at_ms = stream->begun_at_ms > 0 ? stream->begun_at_ms : queues->now_ms;
    int64_t deadline_ms = clock_add_ms(stream->begun_at_ms, DELIVERY_STREAM_OPEN_MS);
    if (queues->now_ms >= deadline_ms) {
        return ENGINE_DONE;
    }
    return standing_park(&stream->standing, queues, &queues->greetings, deadline_ms);
}

/* A failure of the store spoils the batch: then nothing is said, and a later look tries again. */
static void stream_find(struct delivery_stream *stream, struct queues *queues)
{
    stream->ping = delivery_session_pings(queues, &stream->session);
    if (queues->now_ms >= stream->pause_until_ms && !delivery_session_is_silent(&stream->session)) {
        stream->leases = memory_allocate_array(DELIVERY_SESSION_LEASES_MAX, sizeof *stream->leases);
        struct rights rights; /* as they are now */
        access_read_rights(method_service(stream->standing.call)->access, method_identity(stream->standing.call), &rights);
        stream->session.rights = &rights;
        enum status status = delivery_session_lease(queues, &stream->session, stream->leases, &stream->lease_count);
        stream->session.rights = NULL;
        rights_finish(&rights);
        if (status != STATUS_OK || stream->lease_count == 0) {
            stream_drop_leases(stream);
        }
    }
}

static enum engine_step stream_look(struct standing *standing, struct queues *queues)
{
    struct delivery_stream *stream = (struct delivery_stream *)standing;
    if (stream->over || stream->finished || !method_goes_on(standing->call)) {
        return ENGINE_DONE;
    }
    if (!stream->opened) {
        return stream_await_open(stream, queues);
    }
    if (standing_may_say(standing) && !stream->session.replaced) {
        stream_find(stream, queues);
    }
    if (stream->lease_count > 0 || stream->ping || stream->session.replaced || queues->failure != STATUS_OK) {
        return ENGINE_DONE;
    }
    int64_t deadline_ms = standing_may_say(standing) ? stream->session.ping_at_ms : CLOCK_NEVER;
    if (stream->pause_until_ms > queues->now_ms && stream->pause_until_ms < deadline_ms) {
        deadline_ms = stream->pause_until_ms;
    }
    return standing_park(standing, queues, &queues->delivery_polls, deadline_ms);
}

/* ---- saying it, after the commit ---- */

/* Why the stream ends now, if it does: STATUS_OK in *out_status when the courier has had enough. */
static bool stream_is_to_end(const struct delivery_stream *stream, enum status *out_status, struct error *error)
{
    if (stream->finished) {
        *out_status = STATUS_OK;
    } else if (!stream->opened) {
        *out_status =
            error_set(error, STATUS_TIMEOUT, "OPEN_MISSING", "no OpenDeliveries came within %d ms", DELIVERY_STREAM_OPEN_MS);
    } else if (stream->session.replaced) {
        *out_status = error_set(error, STATUS_STALE, "SESSION_REPLACED", "the courier has come again on another stream");
    } else if (delivery_session_is_silent(&stream->session)) {
        *out_status = error_set(error, STATUS_TIMEOUT, "PING_LOST", "%d pings in a row were not answered",
                                DELIVERY_SESSION_PINGS_LOST_MAX);
    } else {
        return false;
    }
    return true;
}

static bool stream_send_all(struct delivery_stream *stream)
{
    int64_t lease_ms = method_service(stream->standing.call)->config->delivery.lease_ms;
    bool goes_on = true;
    if (stream->ping) {
        Xqueue__V1__Delivery ping = XQUEUE__V1__DELIVERY__INIT;
        ping.ping_number = stream->session.ping_number;
        goes_on = method_send(stream->standing.call, &ping.base);
    }
    for (size_t i = 0; i < stream->lease_count && goes_on; i++) {
        Xqueue__V1__Delivery delivery;
        contract_fill_delivery(&delivery, &stream->leases[i], lease_ms);
        delivery_session_sent(&stream->session, &stream->leases[i].row);
        goes_on = method_send(stream->standing.call, &delivery.base);
    }
    return goes_on;
}

static bool stream_say(struct standing *standing, enum status committed, const struct error *why)
{
    (void)why;
    struct delivery_stream *stream = (struct delivery_stream *)standing;
    struct error error = {0};
    enum status status = STATUS_OK;
    bool goes_on = true;
    if (stream->over) {
        goes_on = false; /* the message that ended it says why */
    } else if (stream_is_to_end(stream, &status, &error)) {
        rpc_server_call_finish(standing->call, status, &error);
        goes_on = false;
    } else if (committed == STATUS_OK) {
        goes_on = stream_send_all(stream);
    } else {
        int64_t now_ms = clock_now_ms(method_service(standing->call)->clock);
        stream->pause_until_ms = clock_add_ms(now_ms, DELIVERY_STREAM_STORAGE_PAUSE_MS);
    }
    stream_drop_leases(stream);
    stream->ping = false;
    return goes_on;
}

static void stream_leave(struct standing *standing, struct queues *queues)
{
    struct delivery_stream *stream = (struct delivery_stream *)standing;
    if (stream->opened) {
        log_event(LOG_INFO, "courier_disconnected", LOG_TEXT("courier", stream->session.courier),
                  LOG_TEXT("channel", stream->session.channel), LOG_INT("unanswered", (int64_t)stream->session.held_count));
        delivery_session_close(queues, &stream->session);
    }
    stream->over = true;
}

static void stream_finish(struct standing *standing)
{
    struct delivery_stream *stream = (struct delivery_stream *)standing;
    stream_drop_leases(stream);
    memory_free(stream);
}

static const struct standing_steps stream_steps = {
    .look = stream_look, .say = stream_say, .leave = stream_leave, .finish = stream_finish};

/* ---- what the courier says ---- */

static bool stream_take_held(const Xqueue__V1__OpenDeliveries *open, struct delivery_name *held)
{
    for (size_t i = 0; i < open->n_held; i++) {
        int64_t id = contract_id(open->held[i]->submission_id);
        if (id == 0 || strlen(open->held[i]->delivery_key) != LEASE_KEY_LENGTH) {
            return false;
        }
        held[i].submission_id = id;
        text_copy(held[i].key, sizeof held[i].key, open->held[i]->delivery_key);
    }
    return true;
}

static enum status stream_take_open(struct delivery_stream *stream, struct queues *queues,
                                    const Xqueue__V1__OpenDeliveries *open, struct error *error)
{
    if (stream->opened) {
        return stream_breach(error, "OpenDeliveries comes once");
    }
    if (!text_is_name(open->courier, STORE_NAME_MAX - 1) || !text_is_name(open->instance, LEASE_INSTANCE_MAX - 1) ||
        !text_is_name(open->results_channel, STORE_NAME_MAX - 1) || open->credit < 1 ||
        open->credit > DELIVERY_SESSION_CREDIT_MAX || open->n_held > DELIVERY_SESSION_HELD_MAX) {
        return stream_breach(error, "courier and results_channel are 1 to 128 bytes, instance 1 to 64, credit 1 to 1,000, held "
                                    "at most 1,000");
    }
    struct delivery_name *held = memory_allocate_array(open->n_held, sizeof *held);
    enum status status = STATUS_OK;
    if (!stream_take_held(open, held)) {
        status = stream_breach(error, "held names something that is no delivery");
    } else {
        const struct delivery_greeting greeting = {
            .courier = open->courier,
            .instance = open->instance,
            .channel = open->results_channel,
            .credit = open->credit,
            .held = held,
            .held_count = open->n_held,
        };
        stream->session.command = &stream->standing.command;
        status = delivery_session_open(queues, &stream->session, &greeting, error);
    }
    memory_free(held);
    stream->opened = status == STATUS_OK;
    if (stream->opened) {
        log_event(LOG_INFO, "courier_connected", LOG_TEXT("courier", open->courier), LOG_TEXT("channel", open->results_channel),
                  LOG_INT("credit", open->credit), LOG_INT("held", (int64_t)open->n_held));
        standing_wake(&stream->standing, queues);
    }
    return status;
}

/* The courier needs the role for each queue that it answers for, as things stand now. */
static enum status stream_check(struct delivery_stream *stream, struct queues *queues, uint64_t submission_id,
                                struct error *error)
{
    return method_check_submission(stream->standing.call, queues, METHOD_DELIVER, contract_id(submission_id), error);
}

/* Whatever has become of the delivery: it is answered. Only what the store says counts. */
static enum status stream_answered(struct delivery_stream *stream, struct queues *queues, const Xqueue__V1__DeliveryRef *ref,
                                   enum status status)
{
    delivery_session_answered(queues, &stream->session, contract_id(ref->submission_id), ref->delivery_key);
    return status == STATUS_STALE || status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status stream_take_acknowledge(struct delivery_stream *stream, struct queues *queues,
                                           const Xqueue__V1__AcknowledgeDeliveryRequest *request, struct error *error)
{
    Xqueue__V1__DeliveryRef ref = XQUEUE__V1__DELIVERY_REF__INIT;
    bool already = false;
    enum status status = stream_check(stream, queues, request->submission_id, error);
    if (status != STATUS_OK) {
        return status;
    }
    ref.submission_id = request->submission_id;
    ref.delivery_key = request->delivery_key;
    status = delivering_acknowledge(queues, contract_id(request->submission_id), request->delivery_key, &already, error);
    return stream_answered(stream, queues, &ref, status);
}

static enum status stream_take_fail(struct delivery_stream *stream, struct queues *queues,
                                    const Xqueue__V1__FailDeliveryRequest *request, struct error *error)
{
    Xqueue__V1__DeliveryRef ref = XQUEUE__V1__DELIVERY_REF__INIT;
    struct delivery_failure failure;
    enum status status = stream_check(stream, queues, request->submission_id, error);
    if (status == STATUS_OK) {
        status = contract_read_delivery_failure(request, &failure, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    ref.submission_id = request->submission_id;
    ref.delivery_key = request->delivery_key;
    status = delivering_fail(queues, contract_id(request->submission_id), request->delivery_key, &failure, error);
    return stream_answered(stream, queues, &ref, status);
}

static enum status stream_take(struct delivery_stream *stream, struct queues *queues, const Xqueue__V1__DeliveryAnswer *answer,
                               struct error *error)
{
    if (answer->kind_case == XQUEUE__V1__DELIVERY_ANSWER__KIND_OPEN) {
        return stream_take_open(stream, queues, answer->open, error);
    }
    if (!stream->opened) {
        return stream_breach(error, "the first message is OpenDeliveries");
    }
    delivery_session_heard(queues, &stream->session);
    switch (answer->kind_case) {
    case XQUEUE__V1__DELIVERY_ANSWER__KIND_ACKNOWLEDGE:
        return stream_take_acknowledge(stream, queues, answer->acknowledge, error);
    case XQUEUE__V1__DELIVERY_ANSWER__KIND_FAIL:
        return stream_take_fail(stream, queues, answer->fail, error);
    case XQUEUE__V1__DELIVERY_ANSWER__KIND_PONG:
        return STATUS_OK;
    default:
        return stream_breach(error, "an empty or unknown message");
    }
}

static enum status stream_take_half_close(struct delivery_stream *stream, struct queues *queues)
{
    stream->finished = true;
    standing_wake(&stream->standing, queues);
    return delivery_session_give_back(queues, &stream->session);
}

static enum engine_step message_run(struct engine_command *command, struct queues *queues)
{
    struct delivery_message *message = (struct delivery_message *)command;
    struct delivery_stream *stream = message->stream;
    if (stream->over || stream->session.replaced) {
        return ENGINE_DONE; /* the courier has another stream to say it on */
    }
    if (message->message) {
        message->status = stream_take(stream, queues, (const Xqueue__V1__DeliveryAnswer *)rpc_message_body(message->message),
                                      &message->error);
    } else {
        message->status = stream_take_half_close(stream, queues);
    }
    stream->over = message->status != STATUS_OK;
    return ENGINE_DONE;
}

static void message_free(struct delivery_message *message)
{
    rpc_message_free(message->message);
    standing_release(&message->stream->standing);
    memory_free(message);
}

static void message_done(struct engine_command *command, enum status committed, const struct error *error)
{
    struct delivery_message *message = (struct delivery_message *)command;
    struct delivery_stream *stream = message->stream;
    if (committed != STATUS_OK || message->status != STATUS_OK) {
        /* An answer that was not stored is none: the courier comes again with it. */
        stream->over = true;
        rpc_server_call_finish(stream->standing.call, committed != STATUS_OK ? committed : message->status,
                               committed != STATUS_OK ? error : &message->error);
    }
    if (atomic_fetch_sub(&stream->pending, 1) == DELIVERY_STREAM_PENDING_MAX) {
        rpc_server_call_receive(stream->standing.call);
    }
    message_free(message);
}

static struct delivery_message *message_create(struct delivery_stream *stream, struct rpc_message *body)
{
    struct delivery_message *message = MEMORY_NEW(struct delivery_message);
    message->command.run = message_run;
    message->command.done = message_done;
    message->stream = stream;
    message->message = body;
    standing_keep(&stream->standing);
    return message;
}

/* ---- the stream ---- */

void delivery_stream_on_open(struct rpc_server_call *call)
{
    struct delivery_stream *stream = MEMORY_NEW(struct delivery_stream);
    atomic_init(&stream->pending, 0);
    standing_begin(&stream->standing, call, &stream_steps);
}

void delivery_stream_on_message(struct rpc_server_call *call, struct rpc_message *body)
{
    struct delivery_stream *stream = rpc_server_call_data(call);
    if (!method_goes_on(call)) {
        rpc_message_free(body);
        return;
    }
    struct delivery_message *message = message_create(stream, body);
    bool full = atomic_fetch_add(&stream->pending, 1) + 1 >= DELIVERY_STREAM_PENDING_MAX;
    if (engine_submit(method_service(call)->engine, &message->command) != STATUS_OK) {
        struct error error;
        enum status status = error_set(&error, STATUS_UNAVAILABLE, "ENGINE_BUSY", "too many calls are waiting; come again");
        error.retry_after_ms = 200;
        rpc_server_call_finish(call, status, &error);
        message_free(message);
    } else if (!full) {
        rpc_server_call_receive(call);
    }
}

/* A courier that closes its side will say nothing more: the end, once everything that it said has been done. */
void delivery_stream_on_half_close(struct rpc_server_call *call)
{
    struct delivery_stream *stream = rpc_server_call_data(call);
    struct delivery_message *message = message_create(stream, NULL);
    atomic_fetch_add(&stream->pending, 1);
    engine_submit_ending(method_service(call)->engine, &message->command);
}
