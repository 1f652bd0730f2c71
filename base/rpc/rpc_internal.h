/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to base/rpc, the only header here that shows the C core: batches, timers of the loop, byte buffers, the queue of
 * messages that wait to be sent, and errors as trailers.
 *
 * Threading: as noted; the outbox belongs to whoever guards its owner.
 */
#ifndef BASE_RPC_RPC_INTERNAL_H
#define BASE_RPC_RPC_INTERNAL_H

#include <grpc/grpc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/list.h"
#include "base/rpc/rpc_event.h"
#include "base/rpc/rpc_message.h"
#include "base/status.h"

/*
 * Objects go through the C core's completion queue from one thread to another. ThreadSanitizer does not see into the C core, so
 * it is told: release before the tag goes in, acquire when it has come out.
 */
#if defined(__SANITIZE_THREAD__)
#define RPC_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RPC_THREAD_SANITIZER 1
#endif
#endif
#ifdef RPC_THREAD_SANITIZER
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define RPC_HAND_OVER(event_) __tsan_release(event_)
#define RPC_TAKE_OVER(event_) __tsan_acquire(event_)
#else
#define RPC_HAND_OVER(event_) ((void)(event_))
#define RPC_TAKE_OVER(event_) ((void)(event_))
#endif

/* ---- arguments of channels and servers ---- */

enum {
    RPC_ALGORITHMS_IDENTITY = 1
}; /* bit set of GRPC_COMPRESS_NONE only: a gzip bomb is inflated before its size is checked */

static inline int rpc_or_default(int value, int otherwise)
{
    return value > 0 ? value : otherwise;
}

static inline grpc_arg rpc_number_arg(const char *key, int value)
{
    /* The C core copies the key and does not write to it; its type just lacks the const. */
    return (grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)key, .value.integer = value};
}

/* ---- loop ---- */

grpc_completion_queue *rpc_loop_queue(struct rpc_loop *loop);

/* Starts a batch whose event calls event->on_event. False: the C core refused it and there will be no event. */
bool rpc_start_batch(grpc_call *call, const grpc_op *ops, size_t count, struct rpc_event *event) STATUS_CHECKED;

/* Fires once, within RPC_TICK_MS after its time. Lies inside its owner; a zeroed timer with on_due set is ready for use. */
struct rpc_timer {
    struct heap_node node;                   /* guarded by the loop's lock */
    void (*on_due)(struct rpc_timer *timer); /* loop thread, no lock held */
};

enum { RPC_TICK_MS = 1000 };

/* (Re)starts a timer. Any thread. Aborts when out of memory: for the server side only. */
void rpc_loop_schedule(struct rpc_loop *loop, struct rpc_timer *timer, int64_t after_ms);
/* Stops it, running or not. On the loop's thread: then on_due is never called again. */
void rpc_loop_unschedule(struct rpc_loop *loop, struct rpc_timer *timer);

/* ---- byte buffers; destroy with grpc_byte_buffer_destroy, which takes NULL ---- */

grpc_byte_buffer *rpc_buffer_pack(const ProtobufCMessage *message);  /* NULL when out of memory */
grpc_byte_buffer *rpc_buffer_copy(const void *bytes, size_t length); /* NULL when out of memory */
/* As rpc_message_unpack. The buffer stays the caller's. */
enum status rpc_buffer_unpack(grpc_byte_buffer *buffer, const ProtobufCMessageDescriptor *descriptor, size_t bytes_max,
                              struct rpc_message **out_message) STATUS_CHECKED;

/* ---- outbox: messages of one stream that wait to be sent, bounded in bytes ---- */

struct rpc_outbox {
    struct list messages;
    size_t bytes; /* waiting and in flight, with RPC_OUTBOX_OVERHEAD each */
    size_t bytes_max;
    size_t bytes_in_flight;
};

enum { RPC_OUTBOX_OVERHEAD = 128 }; /* counted for each message, so that empty ones are bounded too */

void rpc_outbox_init(struct rpc_outbox *outbox, size_t bytes_max);
void rpc_outbox_clear(struct rpc_outbox *outbox); /* drops what waits */
bool rpc_outbox_is_empty(const struct rpc_outbox *outbox);
/* Takes buffer if STATUS_OK. STATUS_FULL, STATUS_NO_MEMORY. A forced one is appended whatever the bound says. */
enum status rpc_outbox_append(struct rpc_outbox *outbox, grpc_byte_buffer *buffer, bool forced) STATUS_CHECKED;
/* The next one, now in flight until rpc_outbox_sent; the caller's. NULL when empty. */
grpc_byte_buffer *rpc_outbox_take(struct rpc_outbox *outbox);
/* For the one just taken: need not leave by itself when more wait behind it, so that a burst shares its system calls. */
uint32_t rpc_outbox_write_flags(const struct rpc_outbox *outbox);
void rpc_outbox_sent(struct rpc_outbox *outbox);

/* ---- errors as trailers ---- */

enum { RPC_TRAILERS_MAX = 3, RPC_TRAILER_NUMBER_MAX = 24 };

struct rpc_trailers {
    grpc_metadata entries[RPC_TRAILERS_MAX];
    size_t count;
    grpc_slice details;
    char retry_after[RPC_TRAILER_NUMBER_MAX];
};

/* STATUS_OK has none. A reason that may not travel in metadata (anything but visible ASCII) is left out. method: the call's
 * path, or NULL when nobody knows it. */
void rpc_trailers_init(struct rpc_trailers *trailers, enum status status, const struct error *error, const char *method);
void rpc_trailers_finish(struct rpc_trailers *trailers);
/* The serialized google.rpc.Status of an error; at most RPC_DETAILS_BYTES_MAX. Unref it. */
grpc_slice rpc_details_pack(enum status status, const struct error *error, const char *method);
/* The other way round, from what came. */
void rpc_trailers_read(const grpc_metadata_array *metadata, grpc_slice details, struct error *out_error);

#endif
