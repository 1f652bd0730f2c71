/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The methods that a mock serves, and its server: login, files, and the Work stream of mock_session.
 *
 * Threading: mock->serving is held, mock->mutex is not.
 */
#ifndef GRADER_SDK_MOCK_MOCK_SERVER_H
#define GRADER_SDK_MOCK_MOCK_SERVER_H

#include "grader-sdk/mock/mock.h"

/* Sets mock->server. Statuses of rpc_server_create. */
enum status mock_server_start(struct xqueue_mock *mock, const char *listener, struct error *error) STATUS_CHECKED;

/* Cuts all connections, and waits until no call of them is left. Nothing happens without a server. */
void mock_server_stop(struct xqueue_mock *mock);

#endif
