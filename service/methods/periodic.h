/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server stream that looks at the queues again after each period, and tells what it saw. One for WatchStatistics and
 * WatchBulk: both tell numbers that may change with every batch, which nobody wants to be told a thousand times a second.
 *
 * A stream embeds it as the first member of a struct with what it saw. It ends by itself when the client goes, when a look or a
 * tell says so, when its reader is too slow (RESOURCE_EXHAUSTED SLOW_READER), and with the service.
 *
 * Threading: periodic_start and periodic_on_close on the loop's thread; the steps on the engine thread.
 */
#ifndef SERVICE_METHODS_PERIODIC_H
#define SERVICE_METHODS_PERIODIC_H

#include <stdatomic.h>

#include "service/methods/method.h"

enum { PERIODIC_STREAMS_MAX = 100 }; /* at the same time; more are refused: RESOURCE_EXHAUSTED WATCHES_FULL */

struct periodic;

struct periodic_steps {
    size_t size; /* of the struct that embeds it */
    /* In the transaction: reads. Anything but STATUS_OK ends the stream with periodic->error. */
    enum status (*look)(struct periodic *periodic, struct queues *queues);
    /* After the commit: sends what was seen with method_send. False: that was all, the stream ends well unless it is over. */
    bool (*tell)(struct periodic *periodic);
    void (*finish)(struct periodic *periodic); /* frees what the struct holds; may be NULL */
};

struct periodic {
    struct engine_command turn; /* again and again */
    struct engine_command end;  /* when the call is over */
    const struct periodic_steps *steps;
    struct rpc_server_call *call; /* counted */
    struct rpc_message *message;  /* owned */
    int64_t period_ms;
    atomic_int references; /* the turns', and the open call's */

    /* engine thread only */
    struct queues *queues; /* NULL before the first turn */
    bool is_counted;       /* in queues->periodic_count */
    bool is_gone;
    bool has_looked; /* in this turn */
    int64_t due_ms;
    enum status status; /* of the last look */
    struct error error;
};

/* The first look comes at once. message is taken; on_close of the method must be periodic_on_close. */
void periodic_start(struct rpc_server_call *call, struct rpc_message *message, const struct periodic_steps *steps,
                    int64_t period_ms);
void periodic_on_close(struct rpc_server_call *call);

#endif
