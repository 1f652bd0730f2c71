/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls with bytes that no honest client would pack, for tests of what a server does with them. Not for programs.
 *
 * Threading: as rpc_client_call.h.
 */
#ifndef BASE_RPC_RPC_CLIENT_RAW_H
#define BASE_RPC_RPC_CLIENT_RAW_H

#include "base/rpc/rpc_client_call.h"

struct rpc_raw {
    const void *bytes; /* borrowed */
    size_t length;
};

/* As rpc_channel_call, with raw as the request. */
enum status rpc_channel_call_raw(struct rpc_channel *channel, const struct rpc_client_method *method, struct rpc_raw raw,
                                 const struct rpc_call_options *options, struct rpc_message **out_reply,
                                 struct error *error) STATUS_CHECKED;

/* As rpc_client_stream_send, with raw as the message. */
enum status rpc_client_stream_send_raw(struct rpc_client_stream *stream, struct rpc_raw raw) STATUS_CHECKED;

#endif
