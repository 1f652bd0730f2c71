/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rpc/rpc_message.h"

#include <stdalign.h>
#include <string.h>

#include "base/memory.h"
#include "base/rpc/rpc_wire.h"

enum {
    BLOCK_BYTES_MIN = 1024, /* of the arena's first block */
    BLOCK_BYTES_MAX = 1024 * 1024,
    ALIGNMENT = alignof(max_align_t),
};

/* The arena is a chain of blocks; nothing is given back before all of it. */
struct block {
    struct block *next;
    size_t used;
    size_t capacity;
    alignas(ALIGNMENT) uint8_t bytes[];
};

struct rpc_message {
    ProtobufCMessage *body; /* in the arena */
    struct block *blocks;   /* owned; the newest first */
    size_t bytes_used;      /* of all blocks */
    size_t bytes_max;       /* of all blocks */
    size_t block_bytes;     /* of the next block */
    bool full;              /* an allocation was refused by bytes_max */
    bool no_memory;
};

static struct block *add_block(struct rpc_message *message, size_t size)
{
    const size_t capacity = size > message->block_bytes ? size : message->block_bytes;
    struct block *block = memory_try_allocate(sizeof(*block) + capacity);
    if (block == NULL) {
        message->no_memory = true;
        return NULL;
    }
    block->capacity = capacity;
    block->next = message->blocks;
    message->blocks = block;
    if (message->block_bytes < BLOCK_BYTES_MAX) {
        message->block_bytes *= 2;
    }
    return block;
}

static void *arena_allocate(void *context, size_t size)
{
    struct rpc_message *message = context;
    if (size > message->bytes_max - message->bytes_used) {
        message->full = true;
        return NULL;
    }
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (size > message->bytes_max - message->bytes_used) {
        message->full = true;
        return NULL;
    }
    struct block *block = message->blocks;
    if (block == NULL || size > block->capacity - block->used) {
        block = add_block(message, size);
        if (block == NULL) {
            return NULL;
        }
    }
    void *pointer = block->bytes + block->used;
    block->used += size;
    message->bytes_used += size;
    return pointer;
}

static void arena_free(void *context, void *pointer)
{
    (void)context;
    (void)pointer;
}

static struct rpc_message *message_create(size_t length, size_t bytes_max)
{
    struct rpc_message *message = MEMORY_TRY_NEW(struct rpc_message);
    if (message == NULL) {
        return NULL;
    }
    message->bytes_max = bytes_max * RPC_MESSAGE_ARENA_FACTOR + RPC_MESSAGE_ARENA_SLACK;
    message->block_bytes = length < BLOCK_BYTES_MAX - BLOCK_BYTES_MIN ? length + BLOCK_BYTES_MIN : BLOCK_BYTES_MAX;
    return message;
}

static enum status unpack_failure(const struct rpc_message *message)
{
    if (message->no_memory) {
        return STATUS_NO_MEMORY;
    }
    return message->full ? STATUS_FULL : STATUS_INVALID;
}

enum status rpc_message_unpack(const ProtobufCMessageDescriptor *descriptor, const void *bytes, size_t length, size_t bytes_max,
                               struct rpc_message **out_message)
{
    if (bytes_max > RPC_MESSAGE_BYTES_MAX) {
        bytes_max = RPC_MESSAGE_BYTES_MAX;
    }
    if (length > bytes_max) {
        return STATUS_FULL;
    }
    if (!rpc_wire_is_valid(descriptor, bytes, length)) {
        return STATUS_INVALID;
    }
    struct rpc_message *message = message_create(length, bytes_max);
    if (message == NULL) {
        return STATUS_NO_MEMORY;
    }
    ProtobufCAllocator allocator = {.alloc = arena_allocate, .free = arena_free, .allocator_data = message};
    message->body = protobuf_c_message_unpack(descriptor, &allocator, length, bytes);
    if (message->body == NULL) {
        const enum status status = unpack_failure(message);
        rpc_message_free(message);
        return status;
    }
    *out_message = message;
    return STATUS_OK;
}

const ProtobufCMessage *rpc_message_body(const struct rpc_message *message)
{
    return message->body;
}

void rpc_message_free(struct rpc_message *message)
{
    if (message == NULL) {
        return;
    }
    struct block *block = message->blocks;
    while (block != NULL) {
        struct block *next = block->next;
        memory_free(block);
        block = next;
    }
    memory_free(message);
}
