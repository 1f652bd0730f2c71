/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conversations with the real programs in which submissions are pushed: fake LMSs play the push graders.
 *
 * Queues beside those of running_service.h, with pauses of some 10 ms between tries: "pushed" goes to /grade of the grader with
 * three slots and three attempts; "hasty-push" to /hasty with two attempts, a timeout of 400 ms and a lease of a second;
 * "elsewhere" to /grade of the other grader; "secure" to the one with TLS, with one attempt. The grader gets HTTP Basic
 * credentials ("grader", "grader"), the others none.
 *
 * Threading: the test's main thread.
 */
#ifndef TESTS_SUPPORT_PUSH_TALK_H
#define TESTS_SUPPORT_PUSH_TALK_H

#include "tests/support/conversation.h"
#include "tests/support/tls_server.h"

enum { PUSH_SLOTS = 3, PUSH_ATTEMPTS_MAX = 3, PUSH_HASTY_ATTEMPTS_MAX = 2 };

/* What the LMS hears of a submission that nobody could grade. */
#define PUSH_FAILURE                                                                                                          \
    "{\"correct\": null, \"score\": 0, \"msg\": \"<div class=\\\"capa_alert\\\">Your submission could not be graded. Please " \
    "recheck your submission and try again. If the problem persists, please notify the course staff.</div>\"}"

struct push_talk {
    struct conversation *talk;
    struct fake_lms *grader;
    struct fake_lms *other;
    struct tls_server *secure;
};

/* Everything runs. queues: more of them, as in running_service_options; or NULL. */
struct push_talk *push_talk_start(const char *queues);
/* false: a program did not end well. NULL is fine. */
bool push_talk_finish(struct push_talk *push);

/* For cmocka. */
int push_talk_set_up(void **state);
int push_talk_tear_down(void **state);

#endif
