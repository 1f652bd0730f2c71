/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop of an RPC server or channel: one completion queue and the thread that polls it. An event is the tag of one
 * batch: a struct with a callback, embedded in the object that waits for it.
 *
 * Callbacks run on the loop's thread and must not block: they decode, hand over, and return.
 *
 * This header and the others of base/rpc/ hide the gRPC C core: nothing outside of base/rpc/ includes <grpc/...>.
 *
 * Threading: any thread, except where noted.
 */
#ifndef BASE_RPC_RPC_EVENT_H
#define BASE_RPC_RPC_EVENT_H

#include <stdbool.h>

struct rpc_event {
    void (*on_event)(struct rpc_event *event, bool ok); /* loop thread */
};

struct rpc_loop;

/* Initialises the C core for this process (counted) and starts the thread. NULL when out of memory or threads. */
struct rpc_loop *rpc_loop_create(const char *thread_name);

/*
 * Every call and server of the loop must be gone. Drains the events that are left, joins the thread. Not from the loop's own
 * thread. NULL is fine.
 */
void rpc_loop_destroy(struct rpc_loop *loop);

/* Is the caller the loop's thread? For assertions. */
bool rpc_loop_is_here(const struct rpc_loop *loop);

enum {
    RPC_LOG_LINES_MAX =
        10, /* errors of the C core that are logged in a period; the next line after it says how many were not */
    RPC_LOG_PERIOD_MS = 60000,
};

/* Redirects the C core's own log lines: each becomes a log_event at debug level (errors: warn). For programs; call once, first.
 */
void rpc_log_install(void);

/* Drops them instead, as a library must that lives in somebody's program: else errors go to standard error. Call once, first.
 */
void rpc_log_silence(void);

#endif
