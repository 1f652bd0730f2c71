/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many calls and streams of one user are running at the same time, over all connections; more are refused. So one program
 * that has gone wild, or one stolen token, does not take the service from the others.
 *
 * Threading: any thread (locks the counts), except create and destroy.
 */
#ifndef SERVICE_CALLER_LIMITS_H
#define SERVICE_CALLER_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct caller_limits;

/* Each at least 1; streams count as calls, too. */
struct caller_limits *caller_limits_create(int64_t calls_max, int64_t streams_max);
void caller_limits_destroy(struct caller_limits *limits); /* nobody may be in. NULL is fine */

/* One more of user. STATUS_FULL CALLS_FULL or STREAMS_FULL, with a delay for the next try: then it is not counted. */
enum status caller_limits_enter(struct caller_limits *limits, const char *user, bool is_stream,
                                struct error *error) STATUS_CHECKED;
void caller_limits_leave(struct caller_limits *limits, const char *user, bool is_stream);

#endif
