/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole of xqueued in the test's process, on a port of its own and with a clock that only the test moves, and a client that
 * talks to it over real gRPC.
 *
 *     struct grader_stream *grader = grader_opens(server, "grader");
 *     grader_says_hello(grader, "g", "start-1", 5);
 *     const Xqueue__V1__ServerMessage *welcome = grader_awaits(grader, XQUEUE__V1__SERVER_MESSAGE__KIND_WELCOME);
 *
 * Users and roles: "lms" and "other" submit, "grader" grade, "courier" deliver, "admin" admin, "local" all
 * four for the queue "small" alone; everybody's password is "secret".
 *
 * Threading: the test's thread.
 */
#ifndef TESTS_SUPPORT_SERVER_FIXTURE_H
#define TESTS_SUPPORT_SERVER_FIXTURE_H

#include <xqueue/v1/deliveries.pb-c.h>
#include <xqueue/v1/graders.pb-c.h>
#include <xqueue/v1/sessions.pb-c.h>
#include <xqueue/v1/submissions.pb-c.h>

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config.h"
#include "base/rpc/rpc_client_call.h"
#include "service/server.h"
#include "tests/support/fake_clock.h"

#define SERVER_FIXTURE_START_MS INT64_C(1700000000000)

enum {
    SERVER_FIXTURE_PATIENCE_MS = 20000, /* longer than anything takes, also under sanitizers */
    SERVER_FIXTURE_MESSAGES_MAX = 64,
    SERVER_FIXTURE_LEASE_MS = 60000,
};

struct server_fixture {
    char folder[64];
    char password_hash[256];
    struct config *config;
    struct fake_clock *clock;
    struct server *server; /* NULL while stopped */
    struct rpc_loop *loop;
    struct rpc_channel *channel; /* NULL while stopped */
    char token[64];              /* of the last login */
    struct error error;          /* of the last call */
};

/* A stream of any method, whose messages the test takes one by one. */
struct grader_stream {
    struct rpc_client_stream *stream;
    struct rpc_message *current; /* the last one taken */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* guarded by mutex */
    struct rpc_message *messages[SERVER_FIXTURE_MESSAGES_MAX];
    size_t count;
    bool closed;
    enum status status;
    struct error error;
};

int server_fixture_setup(void **state);
int server_fixture_teardown(void **state);
/* Makes the configuration anew, for the next start. */
void server_fixture_configure(struct server_fixture *fixture);
void server_fixture_start(struct server_fixture *fixture);
void server_fixture_stop(struct server_fixture *fixture); /* drains and ends it, and the client's channel */

/* Waits until the engine sleeps until at_ms after SERVER_FIXTURE_START_MS, and moves the clock there. */
void server_clock_moves_to(struct server_fixture *fixture, int64_t at_ms);

/* ---- unary calls ---- */

/* user: logged in first (NULL: no token; "=TOKEN": that one). *out_reply is the caller's, if out_reply is not NULL. */
enum status server_calls(struct server_fixture *fixture, const char *user, const struct rpc_client_method *method,
                         const ProtobufCMessage *request, struct rpc_message **out_reply);
/* A new token of user, valid until the next call; NULL for NULL, TOKEN for "=TOKEN". */
const char *server_token(struct server_fixture *fixture, const char *user);
/* The id of a submission to the queue "demo". */
uint64_t lms_hands_in(struct server_fixture *fixture, const char *body);
Xqueue__V1__SubmissionState lms_sees(struct server_fixture *fixture, uint64_t id);

/* ---- streams ---- */

struct grader_stream *stream_opens(struct server_fixture *fixture, const char *user, const struct rpc_client_method *method);
void stream_sends(struct grader_stream *stream, const ProtobufCMessage *message);
/* The next message, valid until the one after it. NULL: the stream is over. */
const void *stream_awaits(struct grader_stream *stream);
/* Waits for the end; messages before it are dropped. */
enum status stream_awaits_end(struct grader_stream *stream);
/* Cancels it if it is not over, and frees it. */
void stream_closes(struct grader_stream *stream);

struct grader_stream *grader_opens(struct server_fixture *fixture, const char *user);
void grader_says(struct grader_stream *stream, const Xqueue__V1__GraderMessage *message);
/* For the queue "demo". held may be NULL. */
void grader_says_hello(struct grader_stream *stream, const char *grader, const char *instance,
                       const Xqueue__V1__LeaseRef *held);
void grader_says_credit(struct grader_stream *stream, uint32_t submissions);
void grader_says_complete(struct grader_stream *stream, const Xqueue__V1__LeaseRef *lease, const char *result);
/* The next message, which must be of that kind. */
const Xqueue__V1__ServerMessage *grader_awaits(struct grader_stream *stream, Xqueue__V1__ServerMessage__KindCase kind);
/* The next message must be this Ack. */
void grader_awaits_ack(struct grader_stream *stream, uint64_t id, Xqueue__V1__AckItem item, Xqueue__V1__AckOutcome outcome);

/* A LeaseRef that keeps its key. */
struct held_lease {
    Xqueue__V1__LeaseRef ref;
    char key[64];
};
/* The next message must be a grant; it is accepted. */
struct held_lease *grader_takes_grant(struct grader_stream *stream, struct held_lease *out_lease);

#endif
