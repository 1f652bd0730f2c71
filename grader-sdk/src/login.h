/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions.Login with the user and password of the settings: how it is asked, and the token in its answer.
 *
 * Threading: any thread; login_call not on the RPC loop.
 */
#ifndef GRADER_SDK_SRC_LOGIN_H
#define GRADER_SDK_SRC_LOGIN_H

#include "grader-sdk/src/work_link.h"

/* on_reply and context as with rpc_channel_start, which answers, too; or what settings_password answers. */
enum status login_start(const struct work_link_options *with, rpc_client_on_reply *on_reply, void *context,
                        struct error *error) STATUS_CHECKED;

/* The blocking form. *out_reply is the caller's. */
enum status login_call(const struct work_link_options *with, struct rpc_message **out_reply,
                       struct error *error) STATUS_CHECKED;

/* The token of an answer; out: SETTINGS_TOKEN_MAX bytes, to be wiped after use. STATUS_INTERNAL: it has none that fits. */
enum status login_read(const struct rpc_message *reply, char *out, struct error *error) STATUS_CHECKED;

#endif
