/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A grader whose every word a test chooses: one Work stream to the real xqueued. Only pings are answered by itself, unless it
 * is told to be silent.
 *
 *     struct scripted_grader *grader = scripted_grader_open(service.core, "grader");
 *     scripted_grader_hello(grader, &(struct scripted_hello){.grader = "g1", .queue = "calm"});
 *     scripted_grader_credit(grader, 1);
 *     assert_true(scripted_grader_await_grant(grader, &lease));
 *     scripted_grader_accept(grader, &lease);
 *     assert_int_equal(scripted_grader_complete(grader, &lease, "{}"), XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_OK);
 *
 * Messages that come are kept until they are awaited. Everything that is awaited is awaited for SCRIPTED_GRADER_PATIENCE_MS.
 *
 * Threading: one grader belongs to one thread at a time.
 */
#ifndef TESTS_SUPPORT_SCRIPTED_GRADER_H
#define TESTS_SUPPORT_SCRIPTED_GRADER_H

#include <xqueue/v1/graders.pb-c.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/support/core_caller.h"

enum { SCRIPTED_GRADER_PATIENCE_MS = 20000, SCRIPTED_GRADER_HELD_MAX = 64 };

struct scripted_grader;

/* Logs in and opens the stream; says nothing yet. Fails the running test (cmocka) when the login is refused. */
struct scripted_grader *scripted_grader_open(const char *address, const char *user);
/* The same with the token of a login that was made before: no call but the stream. */
struct scripted_grader *scripted_grader_open_with_token(const char *address, const char *token);
/* Drops the stream as a connection that breaks does. NULL is fine. */
void scripted_grader_close(struct scripted_grader *grader);

/* ---- saying ---- */

struct scripted_hello {
    const char *grader;
    const char *instance; /* NULL: "1" */
    const char *queue;
    const char *second_queue; /* or NULL */
    uint32_t slots;           /* 0: 100 */
    const struct core_lease *held;
    size_t held_count;
    struct core_label label;
};
/* False: the stream is over. */
bool scripted_grader_say(struct scripted_grader *grader, const Xqueue__V1__GraderMessage *message);
bool scripted_grader_hello(struct scripted_grader *grader, const struct scripted_hello *hello);
/* Hello, awaits Welcome, then Credit. False: no Welcome came. */
bool scripted_grader_start(struct scripted_grader *grader, const struct scripted_hello *hello, uint32_t credit);
bool scripted_grader_credit(struct scripted_grader *grader, uint32_t submissions);
bool scripted_grader_accept(struct scripted_grader *grader, const struct core_lease *lease);
bool scripted_grader_heartbeat(struct scripted_grader *grader, const struct core_lease *leases, size_t count);
bool scripted_grader_say_complete(struct scripted_grader *grader, const struct core_lease *lease, const char *result);
bool scripted_grader_say_fail(struct scripted_grader *grader, const struct core_lease *lease, Xqueue__V1__FailKind kind,
                              const char *message);
bool scripted_grader_say_release(struct scripted_grader *grader, const struct core_lease *lease);
bool scripted_grader_say_reject(struct scripted_grader *grader, const struct core_lease *lease);
bool scripted_grader_drain(struct scripted_grader *grader);
/* Ping, and awaits the Pong: then the service has taken all that was said before. */
bool scripted_grader_ping(struct scripted_grader *grader);
/* From now on pings are not answered. */
void scripted_grader_be_silent(struct scripted_grader *grader);

/* ---- hearing ---- */

/* The next message, pings too, or the next of a kind (others are kept); the caller's (rpc_message_free). NULL: the stream is
 * over, or none came. */
struct rpc_message *scripted_grader_next(struct scripted_grader *grader);
struct rpc_message *scripted_grader_await(struct scripted_grader *grader, Xqueue__V1__ServerMessage__KindCase kind);
/* Has a message of this kind come that nobody awaited? */
bool scripted_grader_has(struct scripted_grader *grader, Xqueue__V1__ServerMessage__KindCase kind);
const Xqueue__V1__ServerMessage *scripted_grader_read(const struct rpc_message *message);

bool scripted_grader_await_grant(struct scripted_grader *grader, struct core_lease *out_lease);
/* The next Ack of this lease; 0: none came. */
Xqueue__V1__AckOutcome scripted_grader_await_ack(struct scripted_grader *grader, const struct core_lease *lease,
                                                 Xqueue__V1__AckItem item);
/* Say, and await the Ack. */
Xqueue__V1__AckOutcome scripted_grader_complete(struct scripted_grader *grader, const struct core_lease *lease,
                                                const char *result);
Xqueue__V1__AckOutcome scripted_grader_fail(struct scripted_grader *grader, const struct core_lease *lease,
                                            Xqueue__V1__FailKind kind, const char *message);
Xqueue__V1__AckOutcome scripted_grader_release(struct scripted_grader *grader, const struct core_lease *lease);
Xqueue__V1__AckOutcome scripted_grader_reject(struct scripted_grader *grader, const struct core_lease *lease);
/* The next LeaseLost, which must be of this lease; 0: none came, or another. */
Xqueue__V1__LostReason scripted_grader_await_lost(struct scripted_grader *grader, const struct core_lease *lease);
/* Awaits the end of the stream; false: it goes on. error may be NULL. */
bool scripted_grader_await_end(struct scripted_grader *grader, enum status *out_status, struct error *error);
bool scripted_grader_is_over(struct scripted_grader *grader);

#endif
