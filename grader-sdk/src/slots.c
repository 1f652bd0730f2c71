/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/src/slots.h"

#include <pthread.h>

#include "base/memory.h"
#include "grader-sdk/src/thread.h"

struct slots {
    /* immutable after start */
    const struct settings *settings;
    struct handout *handout;
    struct clock *clock;
    unsigned count;      /* threads that run */
    pthread_t threads[]; /* of as many as there are slots */
};

static void *run_slot(void *context)
{
    struct slots *slots = context;
    struct xqueue_submission *submission;
    while (handout_take(slots->handout, slots->clock, CLOCK_NEVER, &submission) == HANDOUT_SUBMISSION) {
        slots->settings->handler(submission, slots->settings->context);
        handout_close(slots->handout, submission);
    }
    return NULL;
}

enum status slots_create(const struct settings *settings, struct handout *handout, struct clock *clock,
                         struct slots **out_slots)
{
    struct slots *slots = memory_try_allocate(sizeof(*slots) + settings->slots * sizeof(pthread_t));
    *out_slots = slots;
    if (!slots)
        return STATUS_NO_MEMORY;
    slots->settings = settings;
    slots->handout = handout;
    slots->clock = clock;
    while (slots->count < settings->slots && thread_start(&slots->threads[slots->count], run_slot, slots) == STATUS_OK)
        slots->count++;
    return slots->count == settings->slots ? STATUS_OK : STATUS_NO_MEMORY;
}

void slots_destroy(struct slots *slots)
{
    if (!slots)
        return;
    for (unsigned i = 0; i < slots->count; i++)
        pthread_join(slots->threads[i], NULL);
    memory_free(slots);
}
