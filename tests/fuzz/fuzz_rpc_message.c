/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rpc xqueue_proto */
/*
 * Any bytes as a message of the contract, of the type that the first byte names: nothing is read out of bounds, memory is
 * bounded, all text that comes out is UTF-8, and what was taken can be packed and taken again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rpc/rpc_message.h"
#include "base/text.h"
#include "grpc/health/v1/health.pb-c.h"
#include "xqueue/v1/admin.pb-c.h"
#include "xqueue/v1/deliveries.pb-c.h"
#include "xqueue/v1/files.pb-c.h"
#include "xqueue/v1/graders.pb-c.h"
#include "xqueue/v1/sessions.pb-c.h"
#include "xqueue/v1/submissions.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BYTES_MAX = 64 * 1024 };

static const ProtobufCMessageDescriptor *const descriptors[] = {
    &xqueue__v1__grader_message__descriptor,      &xqueue__v1__server_message__descriptor,
    &xqueue__v1__submit_request__descriptor,      &xqueue__v1__delivery_answer__descriptor,
    &xqueue__v1__upload_request__descriptor,      &xqueue__v1__search_request__descriptor,
    &xqueue__v1__create_user_request__descriptor, &xqueue__v1__lease_response__descriptor,
    &xqueue__v1__login_request__descriptor,       &grpc__health__v1__health_check_request__descriptor,
};

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void check_message(const ProtobufCMessage *message);

/* One value of a text or message field. */
static void check_value(const ProtobufCFieldDescriptor *field, const void *value)
{
    const void *pointer = *(const void *const *)value;
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        require(pointer != NULL && text_is_utf8(pointer, strlen(pointer)));
    } else if (field->type == PROTOBUF_C_TYPE_MESSAGE && pointer != NULL) {
        check_message(pointer);
    }
}

static void check_field(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    const char *base = (const char *)message;
    const void *value = base + field->offset;
    if (field->type != PROTOBUF_C_TYPE_STRING && field->type != PROTOBUF_C_TYPE_MESSAGE) {
        return;
    }
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        const size_t count = *(const size_t *)(const void *)(base + field->quantifier_offset);
        const char *const *values = *(const char *const *const *)value;
        for (size_t i = 0; i < count; i++) {
            check_value(field, &values[i]);
        }
        return;
    }
    const bool is_oneof = (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
    if (!is_oneof || *(const uint32_t *)(const void *)(base + field->quantifier_offset) == field->id) {
        check_value(field, value);
    }
}

static void check_message(const ProtobufCMessage *message)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        check_field(message, &message->descriptor->fields[i]);
    }
}

static void check_again(const ProtobufCMessage *message)
{
    struct rpc_message *again = NULL;
    const size_t length = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = memory_allocate(length);
    require(protobuf_c_message_pack(message, packed) == length);
    const enum status status = rpc_message_unpack(message->descriptor, packed, length, RPC_MESSAGE_BYTES_DEFAULT, &again);
    require(status == STATUS_OK);
    require(protobuf_c_message_get_packed_size(rpc_message_body(again)) == length);
    rpc_message_free(again);
    memory_free(packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const ProtobufCMessageDescriptor *descriptor = descriptors[data[0] % (sizeof(descriptors) / sizeof(descriptors[0]))];
    struct rpc_message *message = NULL;
    const enum status status = rpc_message_unpack(descriptor, data + 1, size - 1, BYTES_MAX, &message);
    require(status == STATUS_OK || status == STATUS_INVALID || status == STATUS_FULL);
    if (status == STATUS_OK) {
        check_message(rpc_message_body(message));
        check_again(rpc_message_body(message));
    }
    rpc_message_free(message);
    return 0;
}
