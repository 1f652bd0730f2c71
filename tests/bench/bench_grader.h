/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two clients of the load: a grader on one Work stream, who accepts and completes everything at once, and the call that
 * hands a submission of 1 KiB in. Straight on base/rpc, without the SDK's threads: what is measured is the service.
 *
 * Threading: events come on the channel's loop thread; the rest any thread, a grader by one thread at a time.
 */
#ifndef TESTS_BENCH_BENCH_GRADER_H
#define TESTS_BENCH_BENCH_GRADER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rpc/rpc_client_call.h"
#include "base/status.h"

enum {
    BENCH_BODY_BYTES = 1024, /* as BENCH_SQLITE_BODY_BYTES */
    BENCH_SUBMIT_TIMEOUT_MS = 30000,
};

struct bench_grader;

struct bench_grader_events {
    void (*on_welcome)(void *context);
    void (*on_grant)(void *context);             /* it has come; accepted and completed after this */
    void (*on_ack)(void *context, bool is_done); /* of a Complete; is_done: the result is on disk. Else it was refused */
    void (*on_close)(void *context, enum status status, const struct error *error);
};

struct bench_grader {
    struct rpc_client_stream *stream;
    const struct bench_grader_events *events;
    void *context;
    uint32_t credit_max;
    uint32_t credit; /* loop thread, after the start */
};

struct bench_grader_options {
    struct rpc_channel *channel;
    const char *token;
    const char *queue; /* borrowed */
    unsigned number;   /* makes the grader's name, with the queue */
    uint32_t credit;   /* kept between this and half of it */
    const struct bench_grader_events *events;
    void *context;
};

/* Opens the stream and says Hello; grader must live until bench_grader_close. */
enum status bench_grader_open(struct bench_grader *grader, const struct bench_grader_options *options) STATUS_CHECKED;

/* Nothing more is taken; on_close comes when the service agrees. */
void bench_grader_drain(struct bench_grader *grader);

/* After on_close. */
void bench_grader_close(struct bench_grader *grader);

/* Hands one submission in. As rpc_channel_start. */
enum status bench_submit(struct rpc_channel *channel, const char *token, rpc_client_on_reply *on_reply,
                         void *context) STATUS_CHECKED;

#endif
