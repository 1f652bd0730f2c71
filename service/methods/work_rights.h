/* SPDX-License-Identifier: Apache-2.0 */
/*
 * May the grader at a Work stream say what it says? Asked for every message: it needs the role for the queues that it named in
 * Hello, for as long as the stream lasts, and for the queue of each lease that a message is about.
 *
 * Threading: engine thread only.
 */
#ifndef SERVICE_METHODS_WORK_RIGHTS_H
#define SERVICE_METHODS_WORK_RIGHTS_H

#include "service/methods/method.h"
#include "service/work_session.h"
#include "xqueue/v1/graders.pb-c.h"

/* STATUS_DENIED ROLE_MISSING, which ends the stream. session: NULL before Hello. */
enum status work_rights_check(struct rpc_server_call *call, struct queues *queues, const struct work_session *session,
                              const Xqueue__V1__GraderMessage *message, struct error *error) STATUS_CHECKED;

#endif
