/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to mock_session*.c: mock_session.c has the stream and what is due, mock_session_hello.c the greeting,
 * mock_session_message.c what comes after it.
 *
 * Threading: the mock's mutex is held.
 */
#ifndef GRADER_SDK_MOCK_MOCK_SESSION_INTERNAL_H
#define GRADER_SDK_MOCK_MOCK_SESSION_INTERNAL_H

#include <xqueue/v1/graders.pb-c.h>

#include "grader-sdk/mock/mock_session.h"
#include "grader-sdk/mock/mock_wire.h"

/* A confirmation that is held back; reason is static. */
struct mock_ack {
    struct list_node node;
    struct mock_wire_ack ack;
    char key[SECRET_KEY_TEXT_MAX];
};

/* Takes the outcome of a send: who does not read is ended. */
void mock_session_sent(struct mock_session *session, enum status status);
/* Ends the stream for a breach of the contract. */
void mock_session_breach(struct mock_session *session, const char *reason, const char *text);
void mock_session_hello(struct xqueue_mock *mock, struct mock_session *session, const Xqueue__V1__Hello *hello);
/* Any other message of a welcomed grader. */
void mock_session_message(struct xqueue_mock *mock, struct mock_session *session, const Xqueue__V1__GraderMessage *body);

#endif
