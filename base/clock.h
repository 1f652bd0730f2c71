/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time. Everything in this project is int64_t milliseconds and comes from here.
 *
 * "now" is the service time: the wall clock when the clock was created, advanced by CLOCK_MONOTONIC. It can be stored and
 * shown like wall time and never jumps while the process lives, whatever is done to the wall clock.
 *
 * A struct clock can be replaced by a fake one (tests/support/fake_clock.h), also for waiting: the one thread that waits on
 * due work does so through clock_wait_until.
 *
 * Threading: any thread.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define CLOCK_NEVER INT64_MAX

struct clock {
    int64_t (*now_ms)(struct clock *clock);
    /*
     * Waits on condition (mutex held, released while waiting) until signalled or until now >= deadline_ms.
     * Returns false when the deadline has passed. CLOCK_NEVER waits for the signal alone. Spurious returns of true are allowed.
     */
    bool (*wait_until)(struct clock *clock, pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t deadline_ms);
};

/* The real clock. Static, never destroyed. */
struct clock *clock_system(void);

int64_t clock_now_ms(struct clock *clock);
bool clock_wait_until(struct clock *clock, pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t deadline_ms);

/* Prepares a condition variable for clock_wait_until (it must run on CLOCK_MONOTONIC). Destroy with pthread_cond_destroy. */
void clock_condition_init(pthread_cond_t *condition);

/* Monotonic microseconds, for measuring durations only. */
int64_t clock_monotonic_us(void);

/* The real wall clock, milliseconds since 1970-01-01 UTC; for cookies and log stamps, not for due work. */
int64_t clock_wall_ms(void);

enum { CLOCK_STAMP_MAX = 32 };
/* Writes "2026-01-31T12:00:00.123Z" into out and returns out. wall_ms: 0 to 253402300799999 (year 9999), else cut to that. */
const char *clock_stamp(int64_t wall_ms, char out[CLOCK_STAMP_MAX]);

/* a + b without overflow: saturates at INT64_MAX / INT64_MIN. For deadlines from outside numbers. */
int64_t clock_add_ms(int64_t a_ms, int64_t b_ms);

#endif
