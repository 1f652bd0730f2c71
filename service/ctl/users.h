/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls about users, for the commands `users ...`.
 *
 * Threading: main thread only.
 */
#ifndef SERVICE_CTL_USERS_H
#define SERVICE_CTL_USERS_H

#include "service/ctl/command.h"
#include "xqueue/v1/admin.pb-c.h"

struct rpc_message;

/* All users. *out_reply is the caller's (rpc_message_free), its body a ListUsersResponse. */
enum status users_list(struct command_call *call, struct rpc_message **out_reply, struct error *error) STATUS_CHECKED;

/* The user of that name in a ListUsersResponse, or NULL. */
const Xqueue__V1__User *users_find(const struct rpc_message *list, const char *name);

/* One change; waits and tries again while xqueued is busy with passwords, for a minute at most. */
enum status users_create(struct command_call *call, Xqueue__V1__CreateUserRequest *request, struct error *error) STATUS_CHECKED;
enum status users_update(struct command_call *call, Xqueue__V1__UpdateUserRequest *request, struct error *error) STATUS_CHECKED;

#endif
