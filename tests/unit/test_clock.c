/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support xqueue_base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/support/fake_clock.h"

static void the_service_time_starts_near_the_wall_clock_and_never_goes_back(void **state)
{
    (void)state;
    struct clock *clock = clock_system();

    int64_t first_ms = clock_now_ms(clock);
    int64_t second_ms = clock_now_ms(clock);

    int64_t off_ms = first_ms - clock_wall_ms();
    assert_true(off_ms > -5000 && off_ms < 5000);
    assert_true(second_ms >= first_ms);
    assert_true(clock_monotonic_us() > 0);
}

static void a_wait_ends_at_its_deadline(void **state)
{
    (void)state;
    struct clock *clock = clock_system();
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t condition;
    clock_condition_init(&condition);
    int64_t deadline_ms = clock_now_ms(clock) + 20;

    pthread_mutex_lock(&mutex);
    while (clock_wait_until(clock, &condition, &mutex, deadline_ms)) {
        assert_true(clock_now_ms(clock) < deadline_ms + 5000);
    }
    int64_t ended_ms = clock_now_ms(clock);
    bool again = clock_wait_until(clock, &condition, &mutex, INT64_MIN);
    pthread_mutex_unlock(&mutex);

    assert_true(ended_ms >= deadline_ms);
    assert_false(again);
    pthread_cond_destroy(&condition);
}

static void stamps_are_utc_with_milliseconds_and_stay_in_range(void **state)
{
    (void)state;
    char stamp[CLOCK_STAMP_MAX];

    assert_string_equal(clock_stamp(0, stamp), "1970-01-01T00:00:00.000Z");
    assert_string_equal(clock_stamp(-1, stamp), "1970-01-01T00:00:00.000Z");
    assert_string_equal(clock_stamp(INT64_C(1769860800123), stamp), "2026-01-31T12:00:00.123Z");
    assert_string_equal(clock_stamp(INT64_C(951782399999), stamp), "2000-02-28T23:59:59.999Z");
    assert_string_equal(clock_stamp(INT64_MAX, stamp), "9999-12-31T23:59:59.999Z");
}

static void adding_saturates(void **state)
{
    (void)state;

    assert_int_equal(clock_add_ms(40, 2), 42);
    assert_true(clock_add_ms(INT64_MAX - 1, 2) == INT64_MAX);
    assert_true(clock_add_ms(CLOCK_NEVER, CLOCK_NEVER) == CLOCK_NEVER);
    assert_true(clock_add_ms(INT64_MIN + 1, -2) == INT64_MIN);
    assert_true(clock_add_ms(INT64_MAX, -1) == INT64_MAX - 1);
}

/* A thread that waits for its deadline, or until it is told to stop. */
struct sleeper {
    struct clock *clock;
    int64_t deadline_ms;
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    pthread_t thread;

    /* guarded by mutex */
    bool stop;
    bool expired;
};

static void *sleep_until_deadline(void *context)
{
    struct sleeper *sleeper = context;
    pthread_mutex_lock(&sleeper->mutex);
    while (!sleeper->stop && !sleeper->expired)
        sleeper->expired = !clock_wait_until(sleeper->clock, &sleeper->condition, &sleeper->mutex, sleeper->deadline_ms);
    pthread_mutex_unlock(&sleeper->mutex);
    return NULL;
}

static void sleeper_start(struct sleeper *sleeper, struct clock *clock, int64_t deadline_ms)
{
    *sleeper = (struct sleeper){.clock = clock, .deadline_ms = deadline_ms};
    pthread_mutex_init(&sleeper->mutex, NULL);
    clock_condition_init(&sleeper->condition);
    assert_int_equal(pthread_create(&sleeper->thread, NULL, sleep_until_deadline, sleeper), 0);
}

static void sleeper_signal(struct sleeper *sleeper, bool stop)
{
    pthread_mutex_lock(&sleeper->mutex);
    sleeper->stop = stop;
    pthread_cond_signal(&sleeper->condition);
    pthread_mutex_unlock(&sleeper->mutex);
}

static bool sleeper_join(struct sleeper *sleeper)
{
    pthread_join(sleeper->thread, NULL);
    pthread_cond_destroy(&sleeper->condition);
    pthread_mutex_destroy(&sleeper->mutex);
    return sleeper->expired;
}

static void a_signal_ends_a_wait_without_a_deadline(void **state)
{
    (void)state;
    struct sleeper never;
    struct sleeper far;
    sleeper_start(&never, clock_system(), CLOCK_NEVER);
    sleeper_start(&far, clock_system(), INT64_MAX - 1);

    sleeper_signal(&never, true);
    sleeper_signal(&far, true);

    assert_false(sleeper_join(&never));
    assert_false(sleeper_join(&far));
}

static void the_fake_clock_wakes_those_whose_time_has_come(void **state)
{
    (void)state;
    struct fake_clock *clock = fake_clock_create(1000);
    struct sleeper early;
    struct sleeper late;
    sleeper_start(&early, fake_clock_base(clock), 2000);
    sleeper_start(&late, fake_clock_base(clock), 3000);

    assert_int_equal(fake_clock_await_waiter(clock, 2), 2000);
    fake_clock_advance(clock, 999);
    assert_int_equal(fake_clock_await_waiter(clock, 2), 2000);
    fake_clock_advance(clock, 1);
    assert_true(sleeper_join(&early));
    assert_int_equal(fake_clock_await_waiter(clock, 1), 3000);
    fake_clock_await_deadline(clock, 3000);
    sleeper_signal(&late, true);

    assert_false(sleeper_join(&late));
    assert_int_equal(fake_clock_now_ms(clock), 2000);
    fake_clock_destroy(clock);
}

/* Something for the thread sanitizer: waiters that come, are signalled and time out while the clock moves. */
static void no_wakeup_of_the_fake_clock_is_lost(void **state)
{
    (void)state;
    enum { ROUNDS = 300, SLEEPERS = 4 };
    struct fake_clock *clock = fake_clock_create(0);

    for (int round = 0; round < ROUNDS; round++) {
        struct sleeper sleepers[SLEEPERS];
        int64_t now_ms = fake_clock_now_ms(clock);
        for (int at = 0; at < SLEEPERS; at++)
            sleeper_start(&sleepers[at], fake_clock_base(clock), now_ms + 1 + at);
        for (int at = 0; at < SLEEPERS; at++) {
            sleeper_signal(&sleepers[(at + 1) % SLEEPERS], false);
            fake_clock_advance(clock, 1);
        }
        for (int at = 0; at < SLEEPERS; at++)
            assert_true(sleeper_join(&sleepers[at]));
    }
    fake_clock_destroy(clock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_service_time_starts_near_the_wall_clock_and_never_goes_back),
        cmocka_unit_test(a_wait_ends_at_its_deadline),
        cmocka_unit_test(stamps_are_utc_with_milliseconds_and_stay_in_range),
        cmocka_unit_test(adding_saturates),
        cmocka_unit_test(a_signal_ends_a_wait_without_a_deadline),
        cmocka_unit_test(the_fake_clock_wakes_those_whose_time_has_come),
        cmocka_unit_test(no_wakeup_of_the_fake_clock_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
