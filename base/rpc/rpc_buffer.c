/* SPDX-License-Identifier: Apache-2.0 */
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>
#include <string.h>

#include "base/memory.h"
#include "base/rpc/rpc_internal.h"

/* Takes bytes. */
static grpc_byte_buffer *wrap(void *bytes, size_t length)
{
    grpc_slice slice = grpc_slice_new(bytes, length, memory_free);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

grpc_byte_buffer *rpc_buffer_pack(const ProtobufCMessage *message)
{
    const size_t length = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = memory_try_allocate(length);
    if (bytes == NULL) {
        return NULL;
    }
    (void)protobuf_c_message_pack(message, bytes);
    return wrap(bytes, length);
}

grpc_byte_buffer *rpc_buffer_copy(const void *bytes, size_t length)
{
    void *copy = memory_try_copy(bytes, length);
    return copy == NULL ? NULL : wrap(copy, length);
}

/* Large messages come in several slices; they are joined in one copy. */
static enum status join(grpc_byte_buffer_reader *reader, size_t length, uint8_t **out_bytes)
{
    uint8_t *bytes = memory_try_allocate(length);
    if (bytes == NULL) {
        return STATUS_NO_MEMORY;
    }
    size_t used = 0;
    grpc_slice slice;
    while (grpc_byte_buffer_reader_next(reader, &slice)) {
        if (GRPC_SLICE_LENGTH(slice) <= length - used) {
            memcpy(bytes + used, GRPC_SLICE_START_PTR(slice), GRPC_SLICE_LENGTH(slice));
            used += GRPC_SLICE_LENGTH(slice);
        }
        grpc_slice_unref(slice);
    }
    if (used != length) {
        memory_free(bytes);
        return STATUS_INVALID;
    }
    *out_bytes = bytes;
    return STATUS_OK;
}

static enum status unpack_read(grpc_byte_buffer_reader *reader, const ProtobufCMessageDescriptor *descriptor, size_t bytes_max,
                               struct rpc_message **out_message)
{
    grpc_byte_buffer *buffer = reader->buffer_out;
    const size_t length = grpc_byte_buffer_length(buffer);
    if (length > bytes_max) {
        return STATUS_FULL;
    }
    grpc_slice *slice;
    if (buffer->data.raw.slice_buffer.count == 1 && grpc_byte_buffer_reader_peek(reader, &slice)) {
        return rpc_message_unpack(descriptor, GRPC_SLICE_START_PTR(*slice), length, bytes_max, out_message);
    }
    uint8_t *bytes = NULL;
    enum status status = join(reader, length, &bytes);
    if (status != STATUS_OK) {
        return status;
    }
    status = rpc_message_unpack(descriptor, bytes, length, bytes_max, out_message);
    memory_free(bytes);
    return status;
}

enum status rpc_buffer_unpack(grpc_byte_buffer *buffer, const ProtobufCMessageDescriptor *descriptor, size_t bytes_max,
                              struct rpc_message **out_message)
{
    grpc_byte_buffer_reader reader;
    /* Only identity is allowed; a compressed buffer would be read as the bytes of a message. */
    if (buffer->type != GRPC_BB_RAW || buffer->data.raw.compression != GRPC_COMPRESS_NONE ||
        !grpc_byte_buffer_reader_init(&reader, buffer)) {
        return STATUS_INVALID;
    }
    const enum status status = unpack_read(&reader, descriptor, bytes_max, out_message);
    grpc_byte_buffer_reader_destroy(&reader);
    return status;
}

struct outgoing {
    struct list_node node;
    grpc_byte_buffer *buffer; /* owned */
    size_t bytes;
};

void rpc_outbox_init(struct rpc_outbox *outbox, size_t bytes_max)
{
    list_init(&outbox->messages);
    outbox->bytes = 0;
    outbox->bytes_in_flight = 0;
    outbox->bytes_max = bytes_max;
}

void rpc_outbox_clear(struct rpc_outbox *outbox)
{
    struct list_node *node = list_take_first(&outbox->messages);
    while (node != NULL) {
        struct outgoing *outgoing = LIST_OWNER(node, struct outgoing, node);
        outbox->bytes -= outgoing->bytes;
        grpc_byte_buffer_destroy(outgoing->buffer);
        memory_free(outgoing);
        node = list_take_first(&outbox->messages);
    }
}

bool rpc_outbox_is_empty(const struct rpc_outbox *outbox)
{
    return list_is_empty(&outbox->messages);
}

uint32_t rpc_outbox_write_flags(const struct rpc_outbox *outbox)
{
    return rpc_outbox_is_empty(outbox) ? 0 : GRPC_WRITE_BUFFER_HINT;
}

enum status rpc_outbox_append(struct rpc_outbox *outbox, grpc_byte_buffer *buffer, bool forced)
{
    const size_t bytes = grpc_byte_buffer_length(buffer) + RPC_OUTBOX_OVERHEAD;
    if (!forced && (outbox->bytes > outbox->bytes_max || bytes > outbox->bytes_max - outbox->bytes)) {
        return STATUS_FULL;
    }
    struct outgoing *outgoing = MEMORY_TRY_NEW(struct outgoing);
    if (outgoing == NULL) {
        return STATUS_NO_MEMORY;
    }
    outgoing->buffer = buffer;
    outgoing->bytes = bytes;
    outbox->bytes += bytes;
    list_append(&outbox->messages, &outgoing->node);
    return STATUS_OK;
}

grpc_byte_buffer *rpc_outbox_take(struct rpc_outbox *outbox)
{
    struct list_node *node = list_take_first(&outbox->messages);
    if (node == NULL) {
        return NULL;
    }
    struct outgoing *outgoing = LIST_OWNER(node, struct outgoing, node);
    grpc_byte_buffer *buffer = outgoing->buffer;
    outbox->bytes_in_flight = outgoing->bytes;
    memory_free(outgoing);
    return buffer;
}

void rpc_outbox_sent(struct rpc_outbox *outbox)
{
    outbox->bytes -= outbox->bytes_in_flight;
    outbox->bytes_in_flight = 0;
}
