/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every method that the server answers, in one table per service of the contract; those that have no handler answer
 * UNIMPLEMENTED.
 *
 * Threading: handlers run on the loop's thread and hand over to the engine.
 */
#ifndef SERVICE_METHODS_METHODS_H
#define SERVICE_METHODS_METHODS_H

#include <stdbool.h>

#include "base/rpc/rpc_server_call.h"

/* Each ends with a row without path. */
extern const struct rpc_method submissions_methods[];
extern const struct rpc_method graders_methods[];
extern const struct rpc_method deliveries_methods[];
extern const struct rpc_method files_methods[];
extern const struct rpc_method admin_queues_methods[];
extern const struct rpc_method admin_queue_settings_methods[];
extern const struct rpc_method admin_statistics_methods[];
extern const struct rpc_method admin_regrade_methods[];
extern const struct rpc_method admin_backup_methods[];
extern const struct rpc_method admin_users_methods[];
extern const struct rpc_method admin_tokens_methods[];
extern const struct rpc_method admin_submissions_methods[];
extern const struct rpc_method sessions_methods[];
extern const struct rpc_method server_methods[];
extern const struct rpc_method health_methods[];
extern const struct rpc_method reflection_methods[];

/* All of them in one table for rpc_server_create; free with memory_free after the server. */
struct rpc_method *methods_join(void);

/* Has the service of this full name ("xqueue.v1.Graders") at least one method that is built? */
bool methods_serve(const struct rpc_method *methods, const char *service);

#endif
