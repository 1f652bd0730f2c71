/* SPDX-License-Identifier: Apache-2.0 */
#include "service/caller_limits.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "base/map.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/store/store.h"

enum { RETRY_MS = 1000 };

/* Who has something running. */
struct caller {
    char user[STORE_USER_MAX];
    int64_t calls;
    int64_t streams; /* of them */
    struct map_node by_user;
};

struct caller_limits {
    int64_t calls_max; /* immutable */
    int64_t streams_max;
    pthread_mutex_t mutex;
    struct map callers; /* guarded by mutex */
};

struct caller_limits *caller_limits_create(int64_t calls_max, int64_t streams_max)
{
    struct caller_limits *limits = MEMORY_NEW(struct caller_limits);
    limits->calls_max = calls_max;
    limits->streams_max = streams_max;
    pthread_mutex_init(&limits->mutex, NULL);
    map_init(&limits->callers);
    return limits;
}

void caller_limits_destroy(struct caller_limits *limits)
{
    if (!limits) {
        return;
    }
    assert(map_count(&limits->callers) == 0);
    map_finish(&limits->callers);
    pthread_mutex_destroy(&limits->mutex);
    memory_free(limits);
}

/* mutex held, as in the next. */
static struct caller *caller_limits_find(struct caller_limits *limits, const char *user)
{
    struct map_node *node = map_find(&limits->callers, user, strlen(user));
    return node ? MAP_OWNER(node, struct caller, by_user) : NULL;
}

static enum status caller_limits_count(struct caller_limits *limits, const char *user, bool is_stream, struct error *error)
{
    struct caller *caller = caller_limits_find(limits, user);
    if (caller && caller->calls >= limits->calls_max) {
        return error_set(error, STATUS_FULL, "CALLS_FULL", "user '%s' has %lld calls running already", user,
                         (long long)caller->calls);
    }
    if (caller && is_stream && caller->streams >= limits->streams_max) {
        return error_set(error, STATUS_FULL, "STREAMS_FULL", "user '%s' has %lld streams open already", user,
                         (long long)caller->streams);
    }
    if (!caller) {
        caller = MEMORY_NEW(struct caller);
        text_copy(caller->user, sizeof caller->user, user);
        map_put(&limits->callers, &caller->by_user, caller->user, strlen(caller->user));
    }
    caller->calls++;
    caller->streams += is_stream;
    return STATUS_OK;
}

enum status caller_limits_enter(struct caller_limits *limits, const char *user, bool is_stream, struct error *error)
{
    pthread_mutex_lock(&limits->mutex);
    enum status status = caller_limits_count(limits, user, is_stream, error);
    pthread_mutex_unlock(&limits->mutex);
    if (status != STATUS_OK && error) {
        error->retry_after_ms = RETRY_MS;
    }
    return status;
}

void caller_limits_leave(struct caller_limits *limits, const char *user, bool is_stream)
{
    pthread_mutex_lock(&limits->mutex);
    struct caller *caller = caller_limits_find(limits, user);
    assert(caller != NULL);
    caller->calls--;
    caller->streams -= is_stream;
    assert(caller->calls >= 0 && caller->streams >= 0);
    if (caller->calls == 0) {
        map_remove(&limits->callers, &caller->by_user);
        memory_free(caller);
    }
    pthread_mutex_unlock(&limits->mutex);
}
