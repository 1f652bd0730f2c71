/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Submissions.Watch: tells one watcher how a submission stands, and each change of it, on a standing call.
 *
 * Threading: on the loop's thread.
 */
#ifndef SERVICE_METHODS_WATCH_STREAM_H
#define SERVICE_METHODS_WATCH_STREAM_H

#include "service/methods/standing.h"

void watch_stream_on_request(struct rpc_server_call *call, struct rpc_message *message);

#endif
