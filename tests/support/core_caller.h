/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that calls xqueued over gRPC as a user: login, and what submitters and pollers ask most, in one line each. Calls
 * wait until there is a connection, and 20 s for the answer.
 *
 *     struct core_caller *lms = core_caller_open(service.core, "lms");
 *     assert_int_equal(core_submit(lms, &(struct core_submission){.queue = "calm", .body = "x"}, &id, NULL), STATUS_OK);
 *     ...
 *     core_caller_close(lms);
 *
 * It is no part of the product; it fails the running test (cmocka) when a login that must succeed does not.
 *
 * Threading: one caller belongs to one thread at a time.
 */
#ifndef TESTS_SUPPORT_CORE_CALLER_H
#define TESTS_SUPPORT_CORE_CALLER_H

#include <xqueue/v1/graders.pb-c.h>
#include <xqueue/v1/submissions.pb-c.h>

#include <stdbool.h>
#include <stdint.h>

#include "base/rpc/rpc_client_call.h"
#include "base/status.h"

enum { CORE_CALLER_PATIENCE_MS = 20000, CORE_KEY_MAX = 33, CORE_TEXT_MAX = 1025, CORE_BODY_MAX = 256 };

struct core_caller;

/* Logged in as user, whose password is his name; NULL: as nobody. */
struct core_caller *core_caller_open(const char *address, const char *user);
void core_caller_close(struct core_caller *caller); /* NULL is fine */

enum status core_caller_login(struct core_caller *caller, const char *user, const char *password,
                              struct error *error) STATUS_CHECKED;
/* From now on calls carry this token; NULL: none. */
void core_caller_set_token(struct core_caller *caller, const char *token);
const char *core_caller_token(const struct core_caller *caller);
struct rpc_channel *core_caller_channel(struct core_caller *caller);

/* Any method. *out_reply is the caller's; may be NULL where only the status counts. error may be NULL. */
struct core_question {
    const char *path; /* "/xqueue.v1.Submissions/Submit" */
    const ProtobufCMessageDescriptor *reply;
    const ProtobufCMessage *request;
};
enum status core_caller_ask(struct core_caller *caller, const struct core_question *question, struct rpc_message **out_reply,
                            struct error *error) STATUS_CHECKED;

/* Name and value; name NULL: no label. */
struct core_label {
    const char *name;
    const char *value;
};

struct core_submission {
    const char *queue;
    const char *body;            /* NULL: "" */
    const char *header;          /* NULL: "" */
    const char *callback_url;    /* NULL: none */
    const char *results_channel; /* NULL: none */
    const char *replace_key;     /* NULL: none */
    const char *request_id;      /* NULL: none */
    const char *fairness_key;    /* NULL: none */
    uint32_t priority;
    int64_t not_before_ms;
    int64_t expire_after_ms;
    struct core_label label;
    struct core_label second_label;
};
/* out_id and error may be NULL. */
enum status core_submit(struct core_caller *caller, const struct core_submission *submission, uint64_t *out_id,
                        struct error *error) STATUS_CHECKED;

struct core_view {
    Xqueue__V1__SubmissionState state;
    Xqueue__V1__DeliveryState delivery_state;
    uint32_t attempt;
    uint32_t failures;
    uint32_t delivery_attempts;
    char grader[CORE_TEXT_MAX];
    char message[CORE_TEXT_MAX];
    char result[CORE_BODY_MAX]; /* its beginning */
};
enum status core_get(struct core_caller *caller, uint64_t id, struct core_view *out_view) STATUS_CHECKED;
/* Asks again and again until it is so; false: not within CORE_CALLER_PATIENCE_MS. */
bool core_await_state(struct core_caller *caller, uint64_t id, Xqueue__V1__SubmissionState state);
bool core_await_delivery(struct core_caller *caller, uint64_t id, Xqueue__V1__DeliveryState state);

/* A lease that somebody holds. */
struct core_lease {
    uint64_t id;
    char key[CORE_KEY_MAX];
    uint32_t attempt;
    char body[CORE_BODY_MAX]; /* its beginning */
};
struct core_lease_question {
    const char *queue;
    const char *grader;
    int64_t wait_ms;
    struct core_label label;
};
/* At most one; out_lease->id is 0 when there was none within wait_ms. */
enum status core_ask_lease(struct core_caller *caller, const struct core_lease_question *question,
                           struct core_lease *out_lease) STATUS_CHECKED;
/* The same without a label; likewise. */
enum status core_take_lease(struct core_caller *caller, const char *queue, const char *grader, int64_t wait_ms,
                            struct core_lease *out_lease) STATUS_CHECKED;
/* out_already and error may be NULL. */
enum status core_complete(struct core_caller *caller, const struct core_lease *lease, const char *result, bool *out_already,
                          struct error *error) STATUS_CHECKED;
enum status core_fail(struct core_caller *caller, const struct core_lease *lease, Xqueue__V1__FailKind kind,
                      const char *message, Xqueue__V1__SubmissionState *out_state) STATUS_CHECKED;
enum status core_release(struct core_caller *caller, const struct core_lease *lease) STATUS_CHECKED;
enum status core_extend(struct core_caller *caller, const struct core_lease *lease, int64_t *out_expires_in_ms) STATUS_CHECKED;

/* What a message shows of a lease. */
void core_lease_read(const Xqueue__V1__Grant *grant, struct core_lease *out_lease);

#endif
