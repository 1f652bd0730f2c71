/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rpc/rpc_wire.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"

enum wire_type { WIRE_VARINT = 0, WIRE_64BIT = 1, WIRE_LENGTH = 2, WIRE_32BIT = 5 };

enum {
    VARINT_BYTES_MAX = 10, /* of a number */
    TAG_BYTES_MAX = 5,     /* of a tag or a length */
    WIRE_TYPE_BITS = 3,
};

struct cursor {
    const uint8_t *at;
    const uint8_t *end;
};

/* Reads a varint of at most bytes_max bytes. */
static bool take_varint(struct cursor *cursor, size_t bytes_max, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes_max && cursor->at < cursor->end; i++) {
        const uint8_t byte = *cursor->at++;
        value |= (uint64_t)(byte & 0x7fU) << (7U * i);
        if ((byte & 0x80U) == 0) {
            *out = value;
            return true;
        }
    }
    return false;
}

static bool skip(struct cursor *cursor, uint64_t length)
{
    if (length > (uint64_t)(cursor->end - cursor->at)) {
        return false;
    }
    cursor->at += length;
    return true;
}

static bool check_message(const ProtobufCMessageDescriptor *descriptor, struct cursor cursor, unsigned depth);

/* A length-delimited value; field is NULL when unknown. Anything but text and messages (bytes, packed numbers) is left to
 * protobuf-c. */
static bool check_value(const ProtobufCFieldDescriptor *field, const uint8_t *bytes, size_t length, unsigned depth)
{
    if (field == NULL) {
        return true;
    }
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        return memchr(bytes, 0, length) == NULL && text_is_utf8(bytes, length);
    }
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        const struct cursor inside = {bytes, bytes + length};
        return check_message(field->descriptor, inside, depth + 1);
    }
    return true;
}

static bool check_field(const ProtobufCMessageDescriptor *descriptor, struct cursor *cursor, unsigned depth)
{
    uint64_t tag;
    uint64_t number;
    if (!take_varint(cursor, TAG_BYTES_MAX, &tag) || tag > UINT32_MAX || tag >> WIRE_TYPE_BITS == 0) {
        return false;
    }
    switch (tag & ((1U << WIRE_TYPE_BITS) - 1)) {
    case WIRE_VARINT:
        return take_varint(cursor, VARINT_BYTES_MAX, &number);
    case WIRE_64BIT:
        return skip(cursor, sizeof(uint64_t));
    case WIRE_32BIT:
        return skip(cursor, sizeof(uint32_t));
    case WIRE_LENGTH:
        break;
    default:
        return false; /* groups are gone from proto3 */
    }
    if (!take_varint(cursor, TAG_BYTES_MAX, &number) || number > INT_MAX) {
        return false;
    }
    const uint8_t *value = cursor->at;
    if (!skip(cursor, number)) {
        return false;
    }
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(descriptor, (unsigned)(tag >> WIRE_TYPE_BITS));
    return check_value(field, value, (size_t)number, depth);
}

static bool check_message(const ProtobufCMessageDescriptor *descriptor, struct cursor cursor, unsigned depth)
{
    if (depth > RPC_WIRE_DEPTH_MAX) {
        return false;
    }
    while (cursor.at < cursor.end) {
        if (!check_field(descriptor, &cursor, depth)) {
            return false;
        }
    }
    return true;
}

bool rpc_wire_is_valid(const ProtobufCMessageDescriptor *descriptor, const void *bytes, size_t length)
{
    if (length == 0) {
        return true;
    }
    const struct cursor cursor = {bytes, (const uint8_t *)bytes + length};
    return check_message(descriptor, cursor, 1);
}
