/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/fake_clock.h"

#include <assert.h>
#include <stdbool.h>

#include "base/list.h"
#include "base/memory.h"

struct fake_clock {
    struct clock base;
    pthread_mutex_t mutex;

    /* guarded by mutex */
    pthread_cond_t changed; // a waiter came, or was unpinned
    int64_t now_ms;
    struct list waiters;
};

/* One call of wait_until, on its thread's stack; guarded by the clock's mutex. */
struct waiter {
    struct list_node node;
    pthread_cond_t *condition;
    pthread_mutex_t *mutex;
    int64_t deadline_ms;
    bool signalled; // by an advance; once is enough for one wait
    bool pinned;    // an advance is about to lock mutex: the waiter must not return before
};

/* A failing lock is a bug of the test. */
static void lock(pthread_mutex_t *mutex)
{
    int failed = pthread_mutex_lock(mutex);
    assert(failed == 0);
}

static void unlock(pthread_mutex_t *mutex)
{
    int failed = pthread_mutex_unlock(mutex);
    assert(failed == 0);
}

static int64_t fake_now_ms(struct clock *base)
{
    return fake_clock_now_ms((struct fake_clock *)base);
}

/*
 * Takes the waiter out of the list. Holds the clock's mutex and the waiter's. While it is pinned, the waiter's mutex must be
 * free for the advance that pinned it, which to our caller is a part of the wait.
 */
static void leave(struct fake_clock *clock, struct waiter *waiter)
{
    while (waiter->pinned) {
        unlock(waiter->mutex);
        while (waiter->pinned)
            pthread_cond_wait(&clock->changed, &clock->mutex);
        // Lock order: the waiter's mutex first. It may be pinned again in between.
        unlock(&clock->mutex);
        lock(waiter->mutex);
        lock(&clock->mutex);
    }
    list_remove(&clock->waiters, &waiter->node);
}

static bool fake_wait_until(struct clock *base, pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t deadline_ms)
{
    struct fake_clock *clock = (struct fake_clock *)base;
    struct waiter waiter = {.condition = condition, .mutex = mutex, .deadline_ms = deadline_ms};
    lock(&clock->mutex);
    if (clock->now_ms >= deadline_ms) {
        unlock(&clock->mutex);
        return false;
    }
    list_append(&clock->waiters, &waiter.node);
    pthread_cond_broadcast(&clock->changed);
    unlock(&clock->mutex);

    // An advance in between here finds us in the list, and cannot lock our mutex before we sleep: no wakeup is lost.
    pthread_cond_wait(condition, mutex);

    lock(&clock->mutex);
    leave(clock, &waiter);
    bool in_time = clock->now_ms < deadline_ms;
    unlock(&clock->mutex);
    return in_time;
}

struct fake_clock *fake_clock_create(int64_t start_ms)
{
    struct fake_clock *clock = MEMORY_NEW(struct fake_clock);
    clock->base = (struct clock){.now_ms = fake_now_ms, .wait_until = fake_wait_until};
    clock->now_ms = start_ms;
    list_init(&clock->waiters);
    int failed = pthread_mutex_init(&clock->mutex, NULL);
    assert(failed == 0);
    failed = pthread_cond_init(&clock->changed, NULL);
    assert(failed == 0);
    return clock;
}

void fake_clock_destroy(struct fake_clock *clock)
{
    if (!clock)
        return;
    lock(&clock->mutex);
    assert(list_is_empty(&clock->waiters));
    unlock(&clock->mutex);
    pthread_cond_destroy(&clock->changed);
    pthread_mutex_destroy(&clock->mutex);
    memory_free(clock);
}

struct clock *fake_clock_base(struct fake_clock *clock)
{
    return &clock->base;
}

int64_t fake_clock_now_ms(struct fake_clock *clock)
{
    lock(&clock->mutex);
    int64_t now_ms = clock->now_ms;
    unlock(&clock->mutex);
    return now_ms;
}

/* The next waiter to be woken, or NULL. */
static struct waiter *find_due(const struct fake_clock *clock)
{
    for (struct list_node *node = list_first(&clock->waiters); node; node = list_next(&clock->waiters, node)) {
        struct waiter *waiter = LIST_OWNER(node, struct waiter, node);
        if (waiter->deadline_ms <= clock->now_ms && !waiter->signalled)
            return waiter;
    }
    return NULL;
}

void fake_clock_advance(struct fake_clock *clock, int64_t ms)
{
    assert(ms >= 0);
    lock(&clock->mutex);
    clock->now_ms = clock_add_ms(clock->now_ms, ms);
    for (struct waiter *waiter = find_due(clock); waiter; waiter = find_due(clock)) {
        waiter->signalled = true;
        waiter->pinned = true;
        unlock(&clock->mutex);
        lock(waiter->mutex);
        pthread_cond_broadcast(waiter->condition);
        unlock(waiter->mutex);
        lock(&clock->mutex);
        waiter->pinned = false;
        pthread_cond_broadcast(&clock->changed);
    }
    unlock(&clock->mutex);
}

/* How many sleep with deadlines ahead, and the earliest of those. */
static int count_sleepers(const struct fake_clock *clock, int64_t *out_first_ms)
{
    int count = 0;
    *out_first_ms = CLOCK_NEVER;
    for (struct list_node *node = list_first(&clock->waiters); node; node = list_next(&clock->waiters, node)) {
        const struct waiter *waiter = LIST_OWNER(node, struct waiter, node);
        if (waiter->deadline_ms <= clock->now_ms)
            continue;
        count++;
        if (waiter->deadline_ms < *out_first_ms)
            *out_first_ms = waiter->deadline_ms;
    }
    return count;
}

int64_t fake_clock_await_waiter(struct fake_clock *clock, int count)
{
    int64_t first_ms = CLOCK_NEVER;
    lock(&clock->mutex);
    while (count_sleepers(clock, &first_ms) < count)
        pthread_cond_wait(&clock->changed, &clock->mutex);
    unlock(&clock->mutex);
    return first_ms;
}

static bool has_deadline(const struct fake_clock *clock, int64_t deadline_ms)
{
    for (struct list_node *node = list_first(&clock->waiters); node; node = list_next(&clock->waiters, node)) {
        if (LIST_OWNER(node, struct waiter, node)->deadline_ms == deadline_ms)
            return true;
    }
    return false;
}

void fake_clock_await_deadline(struct fake_clock *clock, int64_t deadline_ms)
{
    lock(&clock->mutex);
    while (!has_deadline(clock, deadline_ms))
        pthread_cond_wait(&clock->changed, &clock->mutex);
    unlock(&clock->mutex);
}
