/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/src/inbox.h"

#include <assert.h>
#include <stdatomic.h>

#include "base/memory.h"
#include "grader-sdk/src/submission.h"

static void clear_batch(struct inbox_batch *batch)
{
    *batch = (struct inbox_batch){.stop = INBOX_STOP_NOT};
    list_init(&batch->messages);
    list_init(&batch->answered);
    list_init(&batch->returned);
}

void inbox_init(struct inbox *inbox)
{
    atomic_init(&inbox->result_bytes_max, SUBMISSION_RESULT_BYTES_DEFAULT);
    pthread_mutex_init(&inbox->mutex, NULL);
    clock_condition_init(&inbox->changed);
    clear_batch(&inbox->waiting);
    inbox->is_changed = false;
}

void inbox_finish(struct inbox *inbox)
{
    struct list_node *node;
    while ((node = list_take_first(&inbox->waiting.messages)) != NULL)
        inbox_message_free(LIST_OWNER(node, struct inbox_message, node));
    rpc_message_free(inbox->waiting.login.reply);
    pthread_cond_destroy(&inbox->changed);
    pthread_mutex_destroy(&inbox->mutex);
}

static void begin(struct inbox *inbox)
{
    pthread_mutex_lock(&inbox->mutex);
}

static void end(struct inbox *inbox)
{
    inbox->is_changed = true;
    pthread_cond_signal(&inbox->changed);
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

void inbox_post_stop(struct inbox *inbox, enum inbox_stop stop)
{
    begin(inbox);
    if (stop > inbox->waiting.stop)
        inbox->waiting.stop = stop;
    end(inbox);
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
    inbox->is_changed = true;
    pthread_cond_signal(&inbox->changed);
}

void inbox_add_progress(struct inbox *inbox)
{
    inbox->waiting.has_progress = true;
    inbox->is_changed = true;
    pthread_cond_signal(&inbox->changed);
}

void inbox_wait(struct inbox *inbox, struct clock *clock, int64_t deadline_ms, struct inbox_batch *out_batch)
{
    clear_batch(out_batch);
    pthread_mutex_lock(&inbox->mutex);
    while (!inbox->is_changed && clock_wait_until(clock, &inbox->changed, &inbox->mutex, deadline_ms)) {
    }
    struct inbox_batch *waiting = &inbox->waiting;
    list_move_all(&waiting->messages, &out_batch->messages);
    list_move_all(&waiting->answered, &out_batch->answered);
    list_move_all(&waiting->returned, &out_batch->returned);
    out_batch->login = waiting->login;
    out_batch->closed = waiting->closed;
    out_batch->stop = waiting->stop;
    out_batch->overflowed = waiting->overflowed;
    out_batch->has_progress = waiting->has_progress;
    clear_batch(waiting);
    waiting->stop = out_batch->stop; // a wish to stop lasts
    inbox->is_changed = false;
    pthread_mutex_unlock(&inbox->mutex);
}

void inbox_message_free(struct inbox_message *message)
{
    rpc_message_free(message->message);
    memory_free(message);
}
