/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/bench_grader.h"

#include <assert.h>
#include <stdio.h>

#include "tests/bench/bench_core.h"
#include "xqueue/v1/graders.pb-c.h"
#include "xqueue/v1/submissions.pb-c.h"

enum { NAME_MAX_BYTES = 64, SLOTS = 1000 };

static char queue[] = BENCH_CORE_QUEUE;
static char header[] = "{\"lms_callback_url\": \"...\", \"lms_key\": \"0123456789abcdef\"}";
static char callback_url[] = "https://lms.example.org/courses/course-v1:Demo+X+2026/xqueue/123/problem/score_update";
static char result[] = "{\"correct\": true, \"score\": 1, \"msg\": \"<p>Well done: 5 of 5 tests passed.</p>\"}";

static ProtobufCBinaryData bytes_of(char *text, size_t size)
{
    return (ProtobufCBinaryData){.data = (uint8_t *)text, .len = size - 1};
}

/* ---- submitting ---- */

enum status bench_submit(struct rpc_channel *channel, const char *token, rpc_client_on_reply *on_reply, void *context)
{
    static const struct rpc_client_method method = {"/xqueue.v1.Submissions/Submit", &xqueue__v1__submit_response__descriptor};
    static uint8_t body[BENCH_BODY_BYTES]; // constant after the start
    const struct rpc_call_options options = {.bearer = token, .timeout_ms = BENCH_SUBMIT_TIMEOUT_MS, .wait_for_ready = 1};
    Xqueue__V1__SubmitRequest request = XQUEUE__V1__SUBMIT_REQUEST__INIT;
    request.queue = queue;
    request.header = bytes_of(header, sizeof header);
    request.body = (ProtobufCBinaryData){.data = body, .len = sizeof body};
    request.callback_url = callback_url;
    return rpc_channel_start(channel, &method, &request.base, &options, on_reply, context);
}

/* ---- grading ---- */

/* The queue of a stream holds far more than a grader has credit for. */
static void grader_send(struct bench_grader *grader, const Xqueue__V1__GraderMessage *message)
{
    enum status status = rpc_client_stream_send(grader->stream, &message->base);
    assert(status == STATUS_OK || status == STATUS_CANCELED);
    (void)status;
}

static void grader_send_credit(struct bench_grader *grader)
{
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    Xqueue__V1__Credit credit = XQUEUE__V1__CREDIT__INIT;
    credit.submissions = grader->credit_max;
    grader->credit = grader->credit_max;
    message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_CREDIT;
    message.credit = &credit;
    grader_send(grader, &message);
}

static void grader_take_grant(struct bench_grader *grader, const Xqueue__V1__Grant *grant)
{
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    Xqueue__V1__Accept accept = XQUEUE__V1__ACCEPT__INIT;
    Xqueue__V1__CompleteRequest complete = XQUEUE__V1__COMPLETE_REQUEST__INIT;
    accept.lease = grant->lease;
    message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_ACCEPT;
    message.accept = &accept;
    grader_send(grader, &message);
    complete.lease = grant->lease;
    complete.result = bytes_of(result, sizeof result);
    message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_COMPLETE;
    message.complete = &complete;
    grader_send(grader, &message);
    if (--grader->credit <= grader->credit_max / 2) {
        grader_send_credit(grader);
    }
}

static void grader_answer_ping(struct bench_grader *grader, uint64_t number)
{
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    Xqueue__V1__Pong pong = XQUEUE__V1__PONG__INIT;
    pong.number = number;
    message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_PONG;
    message.pong = &pong;
    grader_send(grader, &message);
}

static void on_message(void *context, struct rpc_message *received)
{
    struct bench_grader *grader = context;
    const Xqueue__V1__ServerMessage *message = (const void *)rpc_message_body(received);
    switch (message->kind_case) {
    case XQUEUE__V1__SERVER_MESSAGE__KIND_WELCOME:
        grader->events->on_welcome(grader->context);
        break;
    case XQUEUE__V1__SERVER_MESSAGE__KIND_GRANT:
        grader->events->on_grant(grader->context);
        grader_take_grant(grader, message->grant);
        break;
    case XQUEUE__V1__SERVER_MESSAGE__KIND_ACK:
        grader->events->on_ack(grader->context, message->ack->item == XQUEUE__V1__ACK_ITEM__ACK_ITEM_COMPLETE &&
                                                    message->ack->outcome == XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_OK);
        break;
    case XQUEUE__V1__SERVER_MESSAGE__KIND_PING:
        grader_answer_ping(grader, message->ping->number);
        break;
    default:
        break;
    }
    rpc_message_free(received);
}

static void on_close(void *context, enum status status, const struct error *error)
{
    struct bench_grader *grader = context;
    grader->events->on_close(grader->context, status, error);
}

enum status bench_grader_open(struct bench_grader *grader, const struct bench_grader_options *options)
{
    static const struct rpc_client_method method = {"/xqueue.v1.Graders/Work", &xqueue__v1__server_message__descriptor};
    static const struct rpc_client_stream_events events = {.on_message = on_message, .on_close = on_close};
    const struct rpc_call_options call = {.bearer = options->token, .wait_for_ready = 1};
    *grader = (struct bench_grader){
        .events = options->events, .context = options->context, .credit_max = options->credit, .credit = options->credit};
    enum status status = rpc_client_stream_open(options->channel, &method, &call, &events, grader, &grader->stream);
    if (status != STATUS_OK) {
        return status;
    }
    char name[NAME_MAX_BYTES];
    char *queues[] = {(char *)(uintptr_t)options->queue};
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    Xqueue__V1__Hello hello = XQUEUE__V1__HELLO__INIT;
    (void)snprintf(name, sizeof name, "%s-%u", options->queue, options->number);
    hello.grader = name;
    hello.instance = name;
    hello.queues = queues;
    hello.n_queues = 1;
    hello.slots = SLOTS;
    message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_HELLO;
    message.hello = &hello;
    grader_send(grader, &message);
    grader_send_credit(grader);
    return STATUS_OK;
}

void bench_grader_drain(struct bench_grader *grader)
{
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    Xqueue__V1__Drain drain = XQUEUE__V1__DRAIN__INIT;
    message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_DRAIN;
    message.drain = &drain;
    grader_send(grader, &message);
}

void bench_grader_close(struct bench_grader *grader)
{
    rpc_client_stream_release(grader->stream);
    grader->stream = NULL;
}
