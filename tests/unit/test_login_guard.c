/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_service xqueue_test_support */
/*
 * Guessing gets slower, those who do not guess do not: in virtual time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/login_guard.h"
#include "tests/support/fake_clock.h"

enum { START_MS = 1000000, SECOND_MS = 1000 };

#define HOME  "192.0.2.1"
#define AWAY  "198.51.100.1"
#define TRIES 1000

struct fixture {
    struct fake_clock *clock;
    struct login_guard *guard;
    int guesses;
    int64_t wait_ms; /* of the last refusal */
};

static int set_up(void **state)
{
    struct fixture *fixture = MEMORY_NEW(struct fixture);
    log_configure("test", LOG_ERROR, LOG_LOGFMT);
    fixture->clock = fake_clock_create(START_MS);
    fixture->guard = login_guard_create(fake_clock_base(fixture->clock));
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    login_guard_destroy(fixture->guard);
    fake_clock_destroy(fixture->clock);
    memory_free(fixture);
    return 0;
}

/* Users beginning with "x" do not exist. */
static enum status enter_with(struct fixture *fixture, const char *user, const char *address, const char *password,
                              struct login_try *out_try)
{
    uint8_t digest[SECRET_DIGEST_BYTES];
    struct error error = {0};
    secret_digest(password, strlen(password), digest);
    struct login_question question = {.user = user, .is_known = user[0] != 'x', .address = address, .digest = digest};
    enum status status = login_guard_enter(fixture->guard, &question, out_try, &error);
    if (status != STATUS_OK) {
        assert_int_equal(status, STATUS_FULL);
        assert_string_equal(error.reason, "LOGIN_SLOWED");
        assert_in_range(error.retry_after_ms, 1, LOGIN_GUARD_DELAY_MS_MAX);
        fixture->wait_ms = error.retry_after_ms;
    }
    return status;
}

/* A guess that was not made before. */
static enum status enter(struct fixture *fixture, const char *user, const char *address, struct login_try *out_try)
{
    char password[32];
    (void)snprintf(password, sizeof password, "guess %d", fixture->guesses++);
    return enter_with(fixture, user, address, password, out_try);
}

/* false: was slowed. */
static bool fails(struct fixture *fixture, const char *user, const char *address)
{
    struct login_try login_try;
    if (enter(fixture, user, address, &login_try) != STATUS_OK)
        return false;
    login_guard_leave(fixture->guard, &login_try, LOGIN_FAILED);
    return true;
}

static bool succeeds(struct fixture *fixture, const char *user, const char *address)
{
    struct login_try login_try;
    if (enter(fixture, user, address, &login_try) != STATUS_OK)
        return false;
    login_guard_leave(fixture->guard, &login_try, LOGIN_SUCCEEDED);
    return true;
}

static void fail_times(struct fixture *fixture, const char *user, const char *address, int count)
{
    for (int at = 0; at < count; at++)
        assert_true(fails(fixture, user, address));
}

/* Fails as often as it may, from addresses of a block, at one user. Returns how often. */
static int attack_user(struct fixture *fixture, const char *user, int addresses)
{
    char address[32];
    int count = 0;
    for (int at = 0; at < addresses; at++) {
        (void)snprintf(address, sizeof address, "203.0.%d.%d", at / 250, at % 250);
        while (fails(fixture, user, address))
            count++;
    }
    return count;
}

static void the_first_failures_are_free_then_each_doubles_the_wait(void **state)
{
    struct fixture *fixture = *state;
    static const int64_t waits_s[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
    fail_times(fixture, "lms", HOME, LOGIN_GUARD_PAIR_FREE);

    for (size_t at = 0; at < sizeof waits_s / sizeof *waits_s; at++) {
        assert_false(fails(fixture, "lms", HOME));
        assert_int_equal(fixture->wait_ms, waits_s[at] * SECOND_MS);
        fake_clock_advance(fixture->clock, fixture->wait_ms - 1);
        assert_false(fails(fixture, "lms", HOME));
        assert_int_equal(fixture->wait_ms, 1);
        fake_clock_advance(fixture->clock, 1);
        assert_true(fails(fixture, "lms", HOME));
    }
}

static void refused_tries_do_not_lengthen_the_wait(void **state)
{
    struct fixture *fixture = *state;
    fail_times(fixture, "lms", HOME, LOGIN_GUARD_PAIR_FREE);

    for (int at = 0; at < TRIES; at++)
        assert_false(fails(fixture, "lms", HOME));

    assert_int_equal(fixture->wait_ms, SECOND_MS);
}

static void a_quiet_time_forgets(void **state)
{
    struct fixture *fixture = *state;
    fail_times(fixture, "lms", HOME, LOGIN_GUARD_PAIR_FREE);
    fake_clock_advance(fixture->clock, LOGIN_GUARD_QUIET_MS - 1);
    assert_true(fails(fixture, "lms", HOME));
    assert_false(fails(fixture, "lms", HOME));

    fake_clock_advance(fixture->clock, LOGIN_GUARD_QUIET_MS);
    fail_times(fixture, "lms", HOME, LOGIN_GUARD_PAIR_FREE);

    assert_false(fails(fixture, "lms", HOME));
    assert_int_equal(fixture->wait_ms, SECOND_MS);
    fake_clock_advance(fixture->clock, LOGIN_GUARD_QUIET_MS);
    assert_true(fails(fixture, "x", ""));
    assert_int_equal(login_guard_count(fixture->guard), 2); /* the pair and the name of just now */
}

static void a_success_takes_back_the_failures_of_its_pair(void **state)
{
    struct fixture *fixture = *state;
    for (int at = 0; at < 20; at++) {
        fail_times(fixture, "lms", HOME, LOGIN_GUARD_PAIR_FREE - 1);
        assert_true(succeeds(fixture, "lms", HOME));
    }

    /* Nothing of it is left in the sums either. */
    assert_int_equal(attack_user(fixture, "lms", 4), LOGIN_GUARD_SUM_FREE);
    fail_times(fixture, "grader", HOME, LOGIN_GUARD_PAIR_FREE);
}

static void an_account_does_not_buy_guesses_at_others(void **state)
{
    struct fixture *fixture = *state;
    char user[32];
    int count = 0;
    for (int at = 0; at < TRIES; at++) {
        (void)snprintf(user, sizeof user, "victim%d", at);
        count += fails(fixture, user, AWAY);
        assert_true(succeeds(fixture, "mine", AWAY));
    }

    assert_int_equal(count, LOGIN_GUARD_SUM_FREE);
}

static void guesses_from_elsewhere_do_not_lock_a_user_out_of_a_familiar_address(void **state)
{
    struct fixture *fixture = *state;
    assert_true(succeeds(fixture, "lms", HOME));

    assert_int_equal(attack_user(fixture, "lms", 100), LOGIN_GUARD_SUM_FREE);

    assert_false(succeeds(fixture, "lms", "192.0.2.99")); /* an address that is not familiar has to wait */
    assert_true(succeeds(fixture, "lms", HOME));
    assert_true(succeeds(fixture, "grader", "192.0.2.99"));
}

static void guesses_at_others_from_a_familiar_address_do_not_lock_its_user_out(void **state)
{
    struct fixture *fixture = *state;
    char user[32];
    assert_true(succeeds(fixture, "lms", HOME));
    for (int at = 0; at < TRIES; at++) {
        (void)snprintf(user, sizeof user, "%s%d", at % 2 ? "x" : "victim", at);
        (void)fails(fixture, user, HOME);
    }

    assert_false(succeeds(fixture, "grader", HOME));
    assert_true(succeeds(fixture, "lms", HOME));
}

static void a_familiar_address_is_slowed_for_guesses_of_its_own(void **state)
{
    struct fixture *fixture = *state;
    assert_true(succeeds(fixture, "lms", HOME));
    fail_times(fixture, "lms", HOME, LOGIN_GUARD_PAIR_FREE);

    assert_false(fails(fixture, "lms", HOME));
    fake_clock_advance(fixture->clock, LOGIN_GUARD_QUIET_MS);
    fail_times(fixture, "lms", HOME, LOGIN_GUARD_PAIR_FREE);
    assert_false(fails(fixture, "lms", HOME));
    assert_int_equal(fixture->wait_ms, SECOND_MS);
}

static void an_address_is_familiar_for_a_month(void **state)
{
    struct fixture *fixture = *state;
    assert_true(succeeds(fixture, "lms", HOME));
    fake_clock_advance(fixture->clock, LOGIN_GUARD_FAMILIAR_MS - 1);
    assert_int_equal(attack_user(fixture, "lms", 100), LOGIN_GUARD_SUM_FREE);
    assert_true(succeeds(fixture, "lms", HOME));

    fake_clock_advance(fixture->clock, LOGIN_GUARD_FAMILIAR_MS);
    assert_int_equal(attack_user(fixture, "lms", 100), LOGIN_GUARD_SUM_FREE);

    assert_false(succeeds(fixture, "lms", HOME));
}

static void many_names_from_one_address_are_slowed_whether_they_exist_or_not(void **state)
{
    struct fixture *fixture = *state;
    char user[32];
    for (int round = 0; round < 2; round++) {
        int count = 0;
        const char *address = round == 0 ? HOME : AWAY;
        for (int at = 0; at < TRIES; at++) {
            (void)snprintf(user, sizeof user, "%s%d-%d", round == 0 ? "x" : "real", round, at);
            count += fails(fixture, user, address);
        }
        assert_int_equal(count, LOGIN_GUARD_SUM_FREE);
    }
}

static void being_slowed_does_not_tell_who_exists(void **state)
{
    struct fixture *fixture = *state;
    int64_t waits[2][20];
    for (int round = 0; round < 2; round++) {
        const char *user = round == 0 ? "lms" : "xlms";
        const char *address = round == 0 ? HOME : AWAY;
        for (int at = 0; at < 20; at++) {
            fixture->wait_ms = 0;
            (void)fails(fixture, user, address);
            waits[round][at] = fixture->wait_ms;
            fake_clock_advance(fixture->clock, 700);
        }
    }

    assert_memory_equal(waits[0], waits[1], sizeof waits[0]);
    assert_int_equal(attack_user(fixture, "xother", 100), LOGIN_GUARD_SUM_FREE);
}

static void a_program_with_an_old_password_slows_nobody_but_itself(void **state)
{
    struct fixture *fixture = *state;
    for (int at = 0; at < TRIES; at++) {
        (void)fails(fixture, "grader", HOME);
        fake_clock_advance(fixture->clock, SECOND_MS);
    }

    assert_false(fails(fixture, "grader", HOME));
    assert_true(succeeds(fixture, "lms", HOME));
    assert_true(succeeds(fixture, "grader", AWAY));
}

static void tries_that_run_count_too(void **state)
{
    struct fixture *fixture = *state;
    struct login_try running[LOGIN_GUARD_PAIR_FREE + 1];
    for (int at = 0; at < LOGIN_GUARD_PAIR_FREE; at++)
        assert_int_equal(enter(fixture, "lms", HOME, &running[at]), STATUS_OK);

    assert_int_equal(enter(fixture, "lms", HOME, &running[LOGIN_GUARD_PAIR_FREE]), STATUS_FULL);
    login_guard_leave(fixture->guard, &running[0], LOGIN_SUCCEEDED);
    for (int at = 1; at < LOGIN_GUARD_PAIR_FREE; at++)
        login_guard_leave(fixture->guard, &running[at], LOGIN_FAILED);
    fail_times(fixture, "lms", HOME, LOGIN_GUARD_PAIR_FREE);

    assert_false(fails(fixture, "lms", HOME));
}

static void the_same_guess_at_the_same_time_is_one(void **state)
{
    struct fixture *fixture = *state;
    struct login_try *running = memory_allocate_array(TRIES, sizeof *running);
    struct login_try other;
    for (int at = 0; at < TRIES; at++)
        assert_int_equal(enter_with(fixture, "lms", HOME, "old password", &running[at]), STATUS_OK);
    for (int at = 0; at < TRIES; at++)
        login_guard_leave(fixture->guard, &running[at], LOGIN_FAILED);

    /* One after the other they are many. */
    fail_times(fixture, "lms", HOME, LOGIN_GUARD_PAIR_FREE - 2);
    assert_int_equal(enter_with(fixture, "lms", HOME, "old password", &other), STATUS_OK);
    login_guard_leave(fixture->guard, &other, LOGIN_FAILED);
    assert_int_equal(enter_with(fixture, "lms", HOME, "old password", &other), STATUS_FULL);
    memory_free(running);
}

static void what_nobody_looked_at_counts_for_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct login_try login_try;
    for (int at = 0; at < TRIES; at++) {
        assert_int_equal(enter(fixture, "lms", HOME, &login_try), STATUS_OK);
        login_guard_leave(fixture->guard, &login_try, LOGIN_UNCHECKED);
    }

    fail_times(fixture, "lms", HOME, LOGIN_GUARD_PAIR_FREE);
    assert_false(fails(fixture, "lms", HOME));
    assert_int_equal(attack_user(fixture, "lms", 100), LOGIN_GUARD_SUM_FREE - LOGIN_GUARD_PAIR_FREE);
}

static void made_up_names_push_out_made_up_names_only(void **state)
{
    struct fixture *fixture = *state;
    char user[32];
    char address[32];
    assert_int_equal(attack_user(fixture, "lms", 4), LOGIN_GUARD_SUM_FREE);
    for (int at = 0; at < LOGIN_GUARD_SUM_FREE; at++) {
        (void)snprintf(user, sizeof user, "real%d", at);
        assert_true(fails(fixture, user, HOME));
    }
    fail_times(fixture, "other", "192.0.2.50", LOGIN_GUARD_PAIR_FREE);
    /* From addresses that have their free tries, so that none is refused. */
    for (int at = 0; at < 3 * LOGIN_GUARD_RECORDS_MAX; at++) {
        (void)snprintf(user, sizeof user, "x%d", at);
        (void)snprintf(address, sizeof address, "10.0.%d.%d", at / 15 / 250, at / 15 % 250);
        assert_true(fails(fixture, user, address));
    }

    assert_false(fails(fixture, "lms", AWAY));
    assert_false(fails(fixture, "grader", HOME));
    assert_false(fails(fixture, "other", "192.0.2.50"));
    assert_in_range(login_guard_count(fixture->guard), 2 * LOGIN_GUARD_RECORDS_MAX, 6 * LOGIN_GUARD_RECORDS_MAX);
}

static void memory_is_bounded(void **state)
{
    struct fixture *fixture = *state;
    char address[32];
    for (int at = 0; at < 2 * LOGIN_GUARD_RECORDS_MAX; at++) {
        (void)snprintf(address, sizeof address, "10.%d.%d.1", at / 250, at % 250);
        (void)fails(fixture, at % 2 ? "lms" : "x", address);
    }

    assert_in_range(login_guard_count(fixture->guard), 1, 4 * LOGIN_GUARD_RECORDS_MAX);
}

static void addresses_of_one_household_are_one(void **state)
{
    struct fixture *fixture = *state;
    char address[64];
    for (int at = 0; at < LOGIN_GUARD_PAIR_FREE; at++) {
        (void)snprintf(address, sizeof address, "2001:db8:0:1::%x", at);
        assert_true(fails(fixture, "lms", address));
    }

    assert_false(fails(fixture, "lms", "[2001:db8:0:1:ffff::1%eth0]"));
    assert_true(fails(fixture, "lms", "2001:db8:0:2::1"));
    fail_times(fixture, "grader", "192.0.2.1", LOGIN_GUARD_PAIR_FREE);
    assert_false(fails(fixture, "grader", "::ffff:192.0.2.1"));
    assert_true(fails(fixture, "grader", "192.0.2.2"));
}

static void without_an_address_users_are_slowed_one_by_one(void **state)
{
    struct fixture *fixture = *state;
    char user[32];
    for (int at = 0; at < TRIES; at++) {
        (void)snprintf(user, sizeof user, "user%d", at);
        fail_times(fixture, user, at % 2 ? "" : "no address", LOGIN_GUARD_PAIR_FREE);
        assert_false(fails(fixture, user, ""));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
        TEST(the_first_failures_are_free_then_each_doubles_the_wait),
        TEST(refused_tries_do_not_lengthen_the_wait),
        TEST(a_quiet_time_forgets),
        TEST(a_success_takes_back_the_failures_of_its_pair),
        TEST(an_account_does_not_buy_guesses_at_others),
        TEST(guesses_from_elsewhere_do_not_lock_a_user_out_of_a_familiar_address),
        TEST(guesses_at_others_from_a_familiar_address_do_not_lock_its_user_out),
        TEST(a_familiar_address_is_slowed_for_guesses_of_its_own),
        TEST(an_address_is_familiar_for_a_month),
        TEST(many_names_from_one_address_are_slowed_whether_they_exist_or_not),
        TEST(being_slowed_does_not_tell_who_exists),
        TEST(a_program_with_an_old_password_slows_nobody_but_itself),
        TEST(tries_that_run_count_too),
        TEST(the_same_guess_at_the_same_time_is_one),
        TEST(what_nobody_looked_at_counts_for_nothing),
        TEST(made_up_names_push_out_made_up_names_only),
        TEST(memory_is_bounded),
        TEST(addresses_of_one_household_are_one),
        TEST(without_an_address_users_are_slowed_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
