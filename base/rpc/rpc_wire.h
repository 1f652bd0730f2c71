/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to base/rpc. A look at the bytes of a protobuf message before anything is unpacked. protobuf-c checks neither text
 * nor depth: it cuts a string at its first NUL, takes any bytes for UTF-8, and follows nesting until the stack is gone.
 *
 * Threading: pure.
 */
#ifndef BASE_RPC_RPC_WIRE_H
#define BASE_RPC_RPC_WIRE_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

enum { RPC_WIRE_DEPTH_MAX = 16 };

/*
 * Are the bytes well-formed as descriptor says: each tag, length and number in bounds, no groups, nothing nested deeper than
 * RPC_WIRE_DEPTH_MAX, each known string field (also nested, repeated, in maps and oneofs) UTF-8 without NUL?
 * Reads tags and lengths as protobuf-c does or stricter, so that both see the same fields. Unknown fields are skipped.
 */
bool rpc_wire_is_valid(const ProtobufCMessageDescriptor *descriptor, const void *bytes, size_t length);

#endif
