/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/src/inbox.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/memory.h"
#include "grader-sdk/src/submission.h"

static void clear_batch(struct inbox_batch *batch)
{
    *batch = (struct inbox_batch){.stop = INBOX_STOP_NOT};
    list_init(&batch->messages);
    list_init(&batch->answered);
    list_init(&batch->returned);
}

enum status inbox_init(struct inbox *inbox)
{
    atomic_init(&inbox->result_bytes_max, SUBMISSION_RESULT_BYTES_DEFAULT);
    atomic_init(&inbox->stops, INBOX_STOP_NOT);
    pthread_mutex_init(&inbox->mutex, NULL);
    clear_batch(&inbox->waiting);
    inbox->is_changed = false;
    inbox->descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return inbox->descriptor < 0 ? STATUS_UNAVAILABLE : STATUS_OK;
}

void inbox_finish(struct inbox *inbox)
{
    struct list_node *node;
    while ((node = list_take_first(&inbox->waiting.messages)) != NULL)
        inbox_message_free(LIST_OWNER(node, struct inbox_message, node));
    rpc_message_free(inbox->waiting.login.reply);
    if (inbox->descriptor >= 0)
        (void)close(inbox->descriptor);
    pthread_mutex_destroy(&inbox->mutex);
}

static void begin(struct inbox *inbox)
{
    pthread_mutex_lock(&inbox->mutex);
}

/* Async-signal-safe. */
static void wake(struct inbox *inbox)
{
    int before = errno;
    uint64_t one = 1;
    // Fails only when the counter is full, and then the reader is awake.
    ssize_t written = write(inbox->descriptor, &one, sizeof(one));
    (void)written;
    errno = before;
}

/* The lock is held. Who comes first wakes the link for all that come until it looks. */
static void set_changed(struct inbox *inbox)
{
    if (!inbox->is_changed)
        wake(inbox);
    inbox->is_changed = true;
}

static void end(struct inbox *inbox)
{
    set_changed(inbox);
    pthread_mutex_unlock(&inbox->mutex);
}

void inbox_post_message(struct inbox *inbox, struct rpc_message *message)
{
    struct inbox_message *entry = MEMORY_TRY_NEW(struct inbox_message);
    begin(inbox);
    if (entry && inbox->waiting.messages.count < INBOX_MESSAGES_MAX) {
        entry->message = message;
        list_append(&inbox->waiting.messages, &entry->node);
        message = NULL;
        entry = NULL;
    } else {
        inbox->waiting.overflowed = true;
    }
    end(inbox);
    memory_free(entry);
    rpc_message_free(message);
}

static void set_outcome(struct inbox_outcome *outcome, enum status status, const struct error *error)
{
    assert(!outcome->is_here);
    *outcome = (struct inbox_outcome){.is_here = true, .status = status};
    if (error)
        outcome->error = *error;
}

void inbox_post_closed(struct inbox *inbox, enum status status, const struct error *error)
{
    begin(inbox);
    set_outcome(&inbox->waiting.closed, status, error);
    end(inbox);
}

void inbox_post_login(struct inbox *inbox, enum status status, struct rpc_message *reply, const struct error *error)
{
    begin(inbox);
    set_outcome(&inbox->waiting.login, status, error);
    inbox->waiting.login.reply = reply;
    end(inbox);
}

void inbox_stop(struct inbox *inbox)
{
    int stops = atomic_load(&inbox->stops);
    while (stops < INBOX_STOP_CANCEL && !atomic_compare_exchange_weak(&inbox->stops, &stops, stops + 1)) {
    }
    wake(inbox);
}

void inbox_post_returned(struct inbox *inbox, struct xqueue_submission *submission)
{
    begin(inbox);
    list_append(&inbox->waiting.returned, &submission->returned_node);
    end(inbox);
}

void inbox_add_answered(struct inbox *inbox, struct xqueue_submission *submission)
{
    list_append(&inbox->waiting.answered, &submission->answered_node);
    set_changed(inbox);
}

void inbox_add_progress(struct inbox *inbox)
{
    inbox->waiting.has_progress = true;
    set_changed(inbox);
}

/* Until the deadline, or INT_MAX milliseconds: the caller looks at the clock again. */
static void wait_for_wake(struct inbox *inbox, struct clock *clock, int64_t deadline_ms)
{
    struct pollfd wait = {.fd = inbox->descriptor, .events = POLLIN};
    int64_t left_ms = -1;
    if (deadline_ms != CLOCK_NEVER) {
        left_ms = deadline_ms - clock_now_ms(clock);
        left_ms = left_ms < 0 ? 0 : left_ms;
    }
    (void)poll(&wait, 1, left_ms > INT_MAX ? INT_MAX : (int)left_ms); // interrupted is as good as awake
    uint64_t count;
    ssize_t got = read(inbox->descriptor, &count, sizeof(count));
    (void)got; // the descriptor says only that there is something to look at
}

void inbox_wait(struct inbox *inbox, struct clock *clock, int64_t deadline_ms, struct inbox_batch *out_batch)
{
    clear_batch(out_batch);
    wait_for_wake(inbox, clock, deadline_ms);
    // Read the descriptor first, then look: what comes in between wakes us once more.
    out_batch->stop = (enum inbox_stop)atomic_load(&inbox->stops);
    pthread_mutex_lock(&inbox->mutex);
    struct inbox_batch *waiting = &inbox->waiting;
    list_move_all(&waiting->messages, &out_batch->messages);
    list_move_all(&waiting->answered, &out_batch->answered);
    list_move_all(&waiting->returned, &out_batch->returned);
    out_batch->login = waiting->login;
    out_batch->closed = waiting->closed;
    out_batch->overflowed = waiting->overflowed;
    out_batch->has_progress = waiting->has_progress;
    clear_batch(waiting);
    inbox->is_changed = false;
    pthread_mutex_unlock(&inbox->mutex);
}

void inbox_message_free(struct inbox_message *message)
{
    rpc_message_free(message->message);
    memory_free(message);
}
