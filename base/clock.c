/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>

enum {
    MS_PER_SECOND = 1000,
    NS_PER_MS = 1000000,
    US_PER_SECOND = 1000000,
    NS_PER_US = 1000,
};

/* The longest single wait; a deadline beyond it comes as a spurious wakeup in between. Keeps timespec far from overflow. */
#define WAIT_MAX_MS (INT64_C(86400000))

/* The last millisecond of the year 9999. */
#define STAMP_MS_MAX INT64_C(253402300799999)

static int64_t read_ms(clockid_t id)
{
    struct timespec now;
    int failed = clock_gettime(id, &now);
    assert(failed == 0);
    return (int64_t)now.tv_sec * MS_PER_SECOND + now.tv_nsec / NS_PER_MS;
}

/* Service time minus CLOCK_MONOTONIC; written once. */
static int64_t system_offset_ms;
static pthread_once_t system_once = PTHREAD_ONCE_INIT;

static void start_system_clock(void)
{
    system_offset_ms = read_ms(CLOCK_REALTIME) - read_ms(CLOCK_MONOTONIC);
}

static int64_t system_now_ms(struct clock *clock)
{
    (void)clock;
    return read_ms(CLOCK_MONOTONIC) + system_offset_ms;
}

static bool system_wait_until(struct clock *clock, pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t deadline_ms)
{
    if (deadline_ms == CLOCK_NEVER) {
        int failed = pthread_cond_wait(condition, mutex);
        assert(failed == 0);
        return true;
    }
    int64_t now_ms = system_now_ms(clock);
    if (now_ms >= deadline_ms)
        return false;
    int64_t wake_ms = deadline_ms - now_ms > WAIT_MAX_MS ? now_ms + WAIT_MAX_MS : deadline_ms;
    int64_t monotonic_ms = wake_ms - system_offset_ms;
    struct timespec until = {.tv_sec = (time_t)(monotonic_ms / MS_PER_SECOND),
                             .tv_nsec = (long)(monotonic_ms % MS_PER_SECOND) * NS_PER_MS};
    int outcome = pthread_cond_timedwait(condition, mutex, &until);
    assert(outcome == 0 || outcome == ETIMEDOUT);
    return outcome == 0 || system_now_ms(clock) < deadline_ms;
}

struct clock *clock_system(void)
{
    static struct clock system = {.now_ms = system_now_ms, .wait_until = system_wait_until};
    int failed = pthread_once(&system_once, start_system_clock);
    assert(failed == 0);
    return &system;
}

int64_t clock_now_ms(struct clock *clock)
{
    return clock->now_ms(clock);
}

bool clock_wait_until(struct clock *clock, pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t deadline_ms)
{
    return clock->wait_until(clock, condition, mutex, deadline_ms);
}

void clock_condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    int failed = pthread_condattr_init(&attributes);
    assert(failed == 0);
    failed = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    assert(failed == 0);
    failed = pthread_cond_init(condition, &attributes);
    assert(failed == 0);
    (void)pthread_condattr_destroy(&attributes);
}

int64_t clock_monotonic_us(void)
{
    struct timespec now;
    int failed = clock_gettime(CLOCK_MONOTONIC, &now);
    assert(failed == 0);
    return (int64_t)now.tv_sec * US_PER_SECOND + now.tv_nsec / NS_PER_US;
}

int64_t clock_wall_ms(void)
{
    return read_ms(CLOCK_REALTIME);
}

const char *clock_stamp(int64_t wall_ms, char out[CLOCK_STAMP_MAX])
{
    if (wall_ms < 0)
        wall_ms = 0;
    if (wall_ms > STAMP_MS_MAX)
        wall_ms = STAMP_MS_MAX;
    time_t seconds = (time_t)(wall_ms / MS_PER_SECOND);
    struct tm parts;
    struct tm *filled = gmtime_r(&seconds, &parts);
    assert(filled);
    size_t length = strftime(out, CLOCK_STAMP_MAX, "%Y-%m-%dT%H:%M:%S", &parts);
    assert(length > 0);
    (void)snprintf(out + length, CLOCK_STAMP_MAX - length, ".%03dZ", (int)(wall_ms % MS_PER_SECOND));
    return out;
}

int64_t clock_add_ms(int64_t a_ms, int64_t b_ms)
{
    int64_t sum_ms = 0;
    if (__builtin_add_overflow(a_ms, b_ms, &sum_ms))
        return a_ms > 0 ? INT64_MAX : INT64_MIN;
    return sum_ms;
}
