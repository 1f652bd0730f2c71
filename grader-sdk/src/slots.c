/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/src/slots.h"

#include <assert.h>
#include <pthread.h>

#include "base/memory.h"
#include "grader-sdk/src/thread.h"

struct slots {
    /* immutable after start */
    xqueue_handler *handler;
    void *context;
    pthread_t *threads; /* owned array */
    unsigned count;     /* threads that run */

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* guarded by mutex */
    struct list waiting; /* xqueue_submission.slot_node */
    bool stopping;
};

/* NULL: stop. */
static struct xqueue_submission *next_submission(struct slots *slots)
{
    pthread_mutex_lock(&slots->mutex);
    while (list_is_empty(&slots->waiting) && !slots->stopping)
        pthread_cond_wait(&slots->changed, &slots->mutex);
    struct list_node *node = list_take_first(&slots->waiting);
    pthread_mutex_unlock(&slots->mutex);
    return node ? LIST_OWNER(node, struct xqueue_submission, slot_node) : NULL;
}

static void *run_slot(void *context)
{
    struct slots *slots = context;
    struct xqueue_submission *submission;
    while ((submission = next_submission(slots)) != NULL) {
        struct inbox *inbox = submission->inbox;
        slots->handler(submission, slots->context);
        submission_answer_missing(submission);
        inbox_post_returned(inbox, submission);
    }
    return NULL;
}

enum status slots_create(unsigned count, xqueue_handler *handler, void *context, struct slots **out_slots)
{
    struct slots *slots = MEMORY_TRY_NEW(struct slots);
    if (!slots)
        return STATUS_NO_MEMORY;
    slots->handler = handler;
    slots->context = context;
    pthread_mutex_init(&slots->mutex, NULL);
    pthread_cond_init(&slots->changed, NULL);
    list_init(&slots->waiting);
    slots->threads = memory_try_allocate(count * sizeof(pthread_t));
    while (slots->threads && slots->count < count && thread_start(&slots->threads[slots->count], run_slot, slots) == STATUS_OK)
        slots->count++;
    if (slots->count < count) {
        slots_destroy(slots);
        return STATUS_NO_MEMORY;
    }
    *out_slots = slots;
    return STATUS_OK;
}

void slots_give(struct slots *slots, struct xqueue_submission *submission)
{
    pthread_mutex_lock(&slots->mutex);
    assert(!slots->stopping);
    list_append(&slots->waiting, &submission->slot_node);
    pthread_cond_signal(&slots->changed);
    pthread_mutex_unlock(&slots->mutex);
}

void slots_destroy(struct slots *slots)
{
    if (!slots)
        return;
    pthread_mutex_lock(&slots->mutex);
    slots->stopping = true;
    pthread_cond_broadcast(&slots->changed);
    pthread_mutex_unlock(&slots->mutex);
    for (unsigned i = 0; i < slots->count; i++)
        pthread_join(slots->threads[i], NULL);
    pthread_cond_destroy(&slots->changed);
    pthread_mutex_destroy(&slots->mutex);
    memory_free(slots->threads);
    memory_free(slots);
}
