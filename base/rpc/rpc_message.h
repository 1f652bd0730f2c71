/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A received protobuf message in an arena of its own, with bounds: bytes on the wire, and memory after unpacking (protobuf-c
 * makes up to 128 times more out of hostile bytes). Unknown fields are kept by protobuf-c inside the arena and ignored.
 *
 * Threading: a message belongs to one thread at a time.
 */
#ifndef BASE_RPC_RPC_MESSAGE_H
#define BASE_RPC_RPC_MESSAGE_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum {
    RPC_MESSAGE_BYTES_DEFAULT = 4 * 1024 * 1024, /* on the wire; also gRPC's own default for receivers */
    RPC_MESSAGE_BYTES_MAX = 64 * 1024 * 1024,
    RPC_MESSAGE_ARENA_FACTOR = 3, /* arena limit = factor * wire limit + RPC_MESSAGE_ARENA_SLACK */
    RPC_MESSAGE_ARENA_SLACK = 64 * 1024,
};

struct rpc_message;

/*
 * Unpacks bytes. STATUS_INVALID: not a message of that type, or a text field with a NUL byte or bad UTF-8;
 * STATUS_FULL: more than the arena limit for bytes_max, or length > bytes_max; STATUS_NO_MEMORY. The bytes are not kept.
 */
enum status rpc_message_unpack(const ProtobufCMessageDescriptor *descriptor, const void *bytes, size_t length, size_t bytes_max,
                               struct rpc_message **out_message) STATUS_CHECKED;

/* The unpacked message: valid until rpc_message_free. Cast to the generated type. Sub-message pointers may be NULL. */
const ProtobufCMessage *rpc_message_body(const struct rpc_message *message);

void rpc_message_free(struct rpc_message *message); /* NULL is fine; all parts of the body die with it */

#endif
