/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of a Work stream that its three files share: work_stream.c has the stream and the way of its messages through the
 * engine, work_run.c what they do in the transaction, work_answer.c what is said of them after it.
 *
 * Threading: see each field.
 */
#ifndef SERVICE_METHODS_WORK_STREAM_INTERNAL_H
#define SERVICE_METHODS_WORK_STREAM_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "service/methods/method.h"
#include "service/methods/work_stream.h"

struct work_stream {
    struct grader_link link;      /* immutable after open */
    struct rpc_server_call *call; /* counted */
    struct service *service;
    atomic_int references; /* the open call's, and one per command under way */

    /* guarded by mutex */
    pthread_mutex_t mutex;
    int pending;      /* commands under way */
    bool read_paused; /* the next message is asked for when one of them is done */

    /* engine thread only */
    struct work_session *session; /* NULL before Hello and after the end */
    bool greeted;
    bool gone;                      /* the call is over */
    struct engine_command greeting; /* parked until Hello; counted */
};

/* One message on its way through the engine. */
struct work_command {
    struct engine_command command;
    struct work_stream *stream;  /* counted */
    struct rpc_message *message; /* owned; NULL: the stream is over */
    enum status status;
    struct error error;
    bool ignored;             /* came after the end of the session */
    bool breach;              /* ends the stream */
    struct held_answer *held; /* Hello: owned */
    struct lease_name *held_names;
    struct label *labels;   /* Hello: owned, of LABELS_OFFERED_MAX; the texts are the message's */
    int64_t *expires_in_ms; /* Heartbeat: owned; of each lease, or < 0 - its lost_reason */
    bool already;
};

/* What the grader said; of a command that has a message. */
const Xqueue__V1__GraderMessage *work_message(const struct work_command *work);

/* Does what the message asks for, in the transaction. Engine thread. Sets everything of work that the answer needs. */
enum status work_run_message(struct work_command *work, struct queues *queues);

/* Says how it came out, after the commit. Engine thread. */
void work_answer(struct work_command *work);

#endif
