/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the link thread is told by others: messages and the end of its stream and the outcome of its login (from the RPC loop),
 * answers, notes and returns (from who grades), and the wish to stop (from anywhere, also a signal handler, which is why the
 * link waits for a descriptor). Posting never blocks for long and never fails: what cannot be kept is told as `overflowed`,
 * upon which the link gives the stream up and starts a new one.
 *
 * Threading: post functions from any thread (lock), inbox_stop also from a signal handler; inbox_wait on the link thread.
 */
#ifndef GRADER_SDK_SRC_INBOX_H
#define GRADER_SDK_SRC_INBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/rpc/rpc_message.h"
#include "base/status.h"

enum { INBOX_MESSAGES_MAX = 20000 }; /* of the service, unread by the link */

struct xqueue_submission;

enum inbox_stop { INBOX_STOP_NOT, INBOX_STOP_DRAIN, INBOX_STOP_CANCEL };

/* The end of a stream or of a login. */
struct inbox_outcome {
    bool is_here;
    enum status status;
    struct error error;
    struct rpc_message *reply; /* of a login that is OK; owned */
};

struct inbox_message {
    struct list_node node;
    struct rpc_message *message; /* owned */
};

/* What inbox_wait hands over. Messages come before the end of their stream. */
struct inbox_batch {
    struct list messages; /* struct inbox_message, to be freed with inbox_message_free */
    struct list answered; /* xqueue_submission.answered_node */
    struct list returned; /* xqueue_submission.returned_node */
    struct inbox_outcome login;
    struct inbox_outcome closed;
    enum inbox_stop stop; /* the strongest wish so far */
    bool overflowed;
    bool has_progress;
};

struct inbox {
    _Atomic size_t result_bytes_max; /* of the service; told to who grades here because they know only the inbox */
    _Atomic int stops;               /* enum inbox_stop */
    int descriptor;                  /* eventfd, immutable: counts up when something was posted */
    pthread_mutex_t mutex;
    /* guarded by mutex */
    struct inbox_batch waiting;
    bool is_changed;
};

/* STATUS_UNAVAILABLE: no descriptor is left; inbox_finish is needed all the same. */
enum status inbox_init(struct inbox *inbox) STATUS_CHECKED;
void inbox_finish(struct inbox *inbox); /* frees messages that nobody took */

void inbox_post_message(struct inbox *inbox, struct rpc_message *message); /* taken */
void inbox_post_closed(struct inbox *inbox, enum status status, const struct error *error);
void inbox_post_login(struct inbox *inbox, enum status status, struct rpc_message *reply,
                      const struct error *error); /* reply taken */
/* The next stronger wish; none after INBOX_STOP_CANCEL. Async-signal-safe. */
void inbox_stop(struct inbox *inbox);
void inbox_post_returned(struct inbox *inbox, struct xqueue_submission *submission);

/* For submission.c, which changes a submission under the inbox's lock. The lock must be held. */
void inbox_add_answered(struct inbox *inbox, struct xqueue_submission *submission);
void inbox_add_progress(struct inbox *inbox);

/* Waits until something was posted or the time has come (or returns for no reason, with nothing); *out_batch is overwritten. */
void inbox_wait(struct inbox *inbox, struct clock *clock, int64_t deadline_ms, struct inbox_batch *out_batch);

void inbox_message_free(struct inbox_message *message);

#endif
