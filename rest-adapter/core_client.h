/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The adapter's connection to xqueued: one channel, calls on behalf of legacy clients (with their session token) and calls as
 * the adapter's own user (config.rest.user), for which it logs in by itself whenever needed.
 *
 * While the core is away calls fail at once with STATUS_UNAVAILABLE; the channel reconnects by itself. One log line when the
 * core goes away and one when it is back.
 *
 * Threading: any thread. Blocking calls never from an on_reply callback.
 */
#ifndef REST_ADAPTER_CORE_CLIENT_H
#define REST_ADAPTER_CORE_CLIENT_H

#include "base/config.h"
#include "base/rpc/rpc_client_call.h"
#include "base/status.h"

struct core_client;

/*
 * config: borrowed for the client's life. Does not connect yet. Errors: STATUS_INVALID (address, or rest.user has no password),
 * STATUS_NO_MEMORY.
 */
enum status core_client_create(const struct config *config, struct core_client **out_core, struct error *error) STATUS_CHECKED;

/*
 * Cancels what runs, waits for its callbacks, ends the own session (in a second at most), closes. Nobody may call in any more.
 * NULL is fine.
 */
void core_client_destroy(struct core_client *core);

/*
 * One call on behalf of a client. token: its session as it sent it (what cannot be one is STATUS_UNAUTHENTICATED without asking
 * the core), or NULL for calls that need none (Login). Blocks up to config.rest.core_timeout_ms. *out_reply is the caller's
 * (rpc_message_free), set only on STATUS_OK. error: may be NULL.
 */
enum status core_client_call(struct core_client *core, const struct rpc_client_method *method, const ProtobufCMessage *request,
                             const char *token, struct rpc_message **out_reply, struct error *error) STATUS_CHECKED;

/*
 * One call as the adapter's own user. Logs in first when there is no session, and once more when the core says that it is over.
 * timeout_ms: for the call itself (long polls are longer than core_timeout_ms).
 */
enum status core_client_call_own(struct core_client *core, const struct rpc_client_method *method,
                                 const ProtobufCMessage *request, int64_t timeout_ms, struct rpc_message **out_reply,
                                 struct error *error) STATUS_CHECKED;

/*
 * The same without blocking, with the session that is there: STATUS_UNAUTHENTICATED at once, and no callback, when there is
 * none. on_reply runs on the channel's thread.
 */
enum status core_client_start_own(struct core_client *core, const struct rpc_client_method *method,
                                  const ProtobufCMessage *request, rpc_client_on_reply *on_reply, void *context) STATUS_CHECKED;

/* The same for calls that take longer than core_timeout_ms, such as long polls. */
enum status core_client_start_own_for(struct core_client *core, const struct rpc_client_method *method,
                                      const ProtobufCMessage *request, int64_t timeout_ms, rpc_client_on_reply *on_reply,
                                      void *context) STATUS_CHECKED;

/*
 * Sees to it that there is an own session for core_client_start_own: logs in when there is none, one login at a time. Blocks up
 * to config.rest.core_timeout_ms. Errors: those of Login, and STATUS_UNAVAILABLE.
 */
enum status core_client_login_own(struct core_client *core, struct error *error) STATUS_CHECKED;

/*
 * Makes calls end with STATUS_CANCELED now and later, blocking and other: for stopping, after everything that still has
 * something to say to the core (courier_stop).
 */
void core_client_cancel(struct core_client *core);

#endif
