/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A clock that stands still until the test moves it, for everything that takes a struct clock.
 *
 * A thread that waits through it sleeps on its own condition, without any timeout; fake_clock_advance wakes those whose
 * deadline has come. fake_clock_await_waiter tells the test that a thread has done its due work and sleeps again. So tests of
 * hours take no time and need no sleeps:
 *
 *     int64_t deadline_ms = fake_clock_await_waiter(clock, 1);    // the engine is idle, and waits for this time
 *     fake_clock_advance(clock, deadline_ms - fake_clock_now_ms(clock));
 *
 * Threading: any thread. Lock order: a waiter's own mutex, then the fake clock's; therefore the caller of advance must not hold
 * a mutex with which some thread waits.
 */
#ifndef TESTS_SUPPORT_FAKE_CLOCK_H
#define TESTS_SUPPORT_FAKE_CLOCK_H

#include <stdint.h>

#include "base/clock.h"

struct fake_clock;

/* start_ms: what it shows first. Free with fake_clock_destroy, when no thread waits any more. */
struct fake_clock *fake_clock_create(int64_t start_ms);
void fake_clock_destroy(struct fake_clock *clock); /* NULL is fine */

/* To hand to the code under test; lives as long as the fake clock. */
struct clock *fake_clock_base(struct fake_clock *clock);

int64_t fake_clock_now_ms(struct fake_clock *clock);

/*
 * Moves the time on by ms (0 or more) and wakes every waiter whose deadline has passed then. Returns when they have been
 * signalled, not when they have run.
 */
void fake_clock_advance(struct fake_clock *clock, int64_t ms);

/*
 * Waits until at least count threads sleep in clock_wait_until with deadlines that have not passed, and returns the earliest of
 * those deadlines (CLOCK_NEVER when they wait for signals alone). A thread that has been woken by fake_clock_advance does not
 * count until it sleeps again. A thread that somebody else has signalled counts until it runs: let the test wait for the effect
 * of its signal.
 */
int64_t fake_clock_await_waiter(struct fake_clock *clock, int count);

/* Waits until some thread sleeps with exactly this deadline. */
void fake_clock_await_deadline(struct fake_clock *clock, int64_t deadline_ms);

#endif
