/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One Work stream of a mock: what a grader says, and what it is told.
 *
 * Threading: mock_session_on_* on the RPC loop, without the mock's mutex; everything else with it.
 */
#ifndef GRADER_SDK_MOCK_MOCK_SESSION_H
#define GRADER_SDK_MOCK_MOCK_SESSION_H

#include "grader-sdk/mock/mock.h"

/* Of the method table. */
void mock_session_on_open(struct rpc_server_call *call);
void mock_session_on_message(struct rpc_server_call *call, struct rpc_message *message);
void mock_session_on_half_close(struct rpc_server_call *call);
void mock_session_on_close(struct rpc_server_call *call);

/* Does the grader's connection stand, welcome and not ended? */
bool mock_session_is_live(const struct mock_session *session);
unsigned mock_session_live_count(const struct xqueue_mock *mock);
/* Ends the stream; error NULL: only the status. */
void mock_session_end(struct mock_session *session, enum status status, const struct error *error);
/* Says that the service stops, and ends the stream. */
void mock_session_go_away(struct mock_session *session);
/* Sends the confirmations that were held back. */
void mock_session_release_acks(struct mock_session *session);
/* Tells the grader that has submission, if it is there. A mock_on_lost. */
void mock_session_tell_lost(struct xqueue_mock *mock, const struct mock_submission *submission);

/* Grants what is ready, pings, ends what is drained or silent. Returns when it wants to be called again. */
int64_t mock_session_tick(struct xqueue_mock *mock, int64_t now_ms);

#endif
