/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_service xqueue_test_support */
/*
 * Passwords are checked on threads of their own, addresses take turns, the same guess is checked once, everybody is answered.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/config.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/password_checker.h"

struct world {
    struct config *config;
    struct access *access;
    struct password_checker *checker;

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* guarded by mutex */
    int answered;
    bool held;       /* threads that have answered wait until this is false */
    int guesses;     /* made up so far */
    pthread_t tests; /* thread, which never waits */
};

struct asked {
    struct password_check check;
    struct world *world;
    /* guarded by the world's mutex */
    int order; /* 0: not answered */
    bool matches;
    enum login_outcome outcome;
    bool wiped;
};

static void on_checked(struct password_check *check, bool matches)
{
    static const char zeros[SECRET_PASSWORD_BYTES_MAX + 1];
    struct asked *asked = (struct asked *)check; /* its first member */
    struct world *world = asked->world;
    pthread_mutex_lock(&world->mutex);
    asked->order = ++world->answered;
    asked->matches = matches;
    asked->outcome = check->outcome;
    asked->wiped = memcmp(check->password, zeros, sizeof zeros) == 0;
    pthread_cond_broadcast(&world->changed);
    while (world->held && !pthread_equal(pthread_self(), world->tests))
        pthread_cond_wait(&world->changed, &world->mutex);
    pthread_mutex_unlock(&world->mutex);
}

static int set_up(void **state)
{
    struct world *world = MEMORY_NEW(struct world);
    static const uint8_t identity[16] = {0};
    char hash[SECRET_HASH_TEXT_MAX];
    char yaml[512];
    struct error error = {0};
    assert_int_equal(secret_password_hash("secret", 1, hash), STATUS_OK);
    int length = snprintf(yaml, sizeof yaml,
                          "queues: {demo: {}}\nusers:\n  lms: {password_hash: '%s', roles: [submit]}\n"
                          "  grader: {password_hash: '%s', roles: [grade]}\n",
                          hash, hash);
    if (config_parse("test.yml", "/tmp", yaml, (size_t)length, &world->config, &error) != STATUS_OK)
        fail_msg("%s", error.text);
    world->access = access_create(world->config, clock_system(), identity);
    pthread_mutex_init(&world->mutex, NULL);
    pthread_cond_init(&world->changed, NULL);
    world->tests = pthread_self();
    world->checker = password_checker_create(world->access);
    *state = world;
    return world->checker ? 0 : -1;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    pthread_mutex_lock(&world->mutex); /* a test that failed may hold them still */
    world->held = false;
    pthread_cond_broadcast(&world->changed);
    pthread_mutex_unlock(&world->mutex);
    password_checker_destroy(world->checker);
    access_destroy(world->access);
    config_destroy(world->config);
    pthread_cond_destroy(&world->changed);
    pthread_mutex_destroy(&world->mutex);
    memory_free(world);
    return 0;
}

static void prepare(struct world *world, struct asked *asked, const char *user, const char *password)
{
    memset(asked, 0, sizeof *asked);
    asked->world = world;
    asked->check.on_checked = on_checked;
    text_copy(asked->check.user, sizeof asked->check.user, user);
    text_copy(asked->check.password, sizeof asked->check.password, password);
    secret_digest(password, strlen(password), asked->check.who.digest);
}

/* address: a number for one. */
static enum status ask_from(struct world *world, struct asked *asked, uint8_t address, const char *user, const char *password)
{
    prepare(world, asked, user, password);
    asked->check.who.address[0] = address;
    asked->check.who.address_length = 1;
    return password_checker_submit(world->checker, &asked->check);
}

static enum status ask_hash(struct world *world, struct asked *asked, const char *user, const char *password)
{
    prepare(world, asked, user, password);
    asked->check.wants_hash = true;
    return password_checker_submit(world->checker, &asked->check);
}

/* A guess that nobody else made. */
static enum status ask_anything(struct world *world, struct asked *asked, uint8_t address)
{
    char password[32];
    (void)snprintf(password, sizeof password, "guess %d", world->guesses++);
    return ask_from(world, asked, address, "lms", password);
}

static void await(struct world *world, int answered)
{
    pthread_mutex_lock(&world->mutex);
    while (world->answered < answered)
        pthread_cond_wait(&world->changed, &world->mutex);
    pthread_mutex_unlock(&world->mutex);
}

static void set_held(struct world *world, bool held)
{
    pthread_mutex_lock(&world->mutex);
    world->held = held;
    pthread_cond_broadcast(&world->changed);
    pthread_mutex_unlock(&world->mutex);
}

/* Takes all threads: their checks are answered and held there. Returns how many. */
static int hold(struct world *world, struct asked *first, uint8_t address)
{
    int threads = (int)password_checker_thread_count(sysconf(_SC_NPROCESSORS_ONLN));
    set_held(world, true);
    for (int at = 0; at < threads; at++)
        assert_int_equal(ask_anything(world, &first[at], address), STATUS_OK);
    await(world, threads);
    return threads;
}

static void each_check_is_answered_and_passwords_are_wiped(void **state)
{
    struct world *world = *state;
    struct asked asked[3];
    assert_int_equal(ask_from(world, &asked[0], 1, "lms", "secret"), STATUS_OK);
    assert_int_equal(ask_from(world, &asked[1], 1, "lms", "wrong"), STATUS_OK);
    assert_int_equal(ask_from(world, &asked[2], 1, "nobody", "secret"), STATUS_OK);

    await(world, 3);

    for (int at = 0; at < 3; at++) {
        assert_int_equal(asked[at].outcome, at == 0 ? LOGIN_SUCCEEDED : LOGIN_FAILED);
        assert_true(asked[at].wiped);
    }
}

static void no_more_than_the_bound_may_wait(void **state)
{
    struct world *world = *state;
    struct asked held[PASSWORD_CHECKER_THREADS_MAX];
    struct asked *asked = memory_allocate_array(PASSWORD_CHECKER_WAITING_MAX + 1, sizeof *asked);
    int threads = hold(world, held, 1);
    for (size_t at = 0; at < PASSWORD_CHECKER_WAITING_MAX; at++)
        assert_int_equal(ask_anything(world, &asked[at], 1), STATUS_OK);

    assert_int_equal(ask_anything(world, &asked[PASSWORD_CHECKER_WAITING_MAX], 1), STATUS_FULL);
    set_held(world, false);
    await(world, PASSWORD_CHECKER_WAITING_MAX + threads);

    assert_int_equal(asked[PASSWORD_CHECKER_WAITING_MAX].order, 0);
    memory_free(asked);
}

static void a_newcomer_takes_the_last_place_of_who_takes_them_all(void **state)
{
    struct world *world = *state;
    struct asked held[PASSWORD_CHECKER_THREADS_MAX];
    struct asked *asked = memory_allocate_array(PASSWORD_CHECKER_WAITING_MAX + 1, sizeof *asked);
    struct asked *newcomer = &asked[PASSWORD_CHECKER_WAITING_MAX];
    int threads = hold(world, held, 1);
    for (size_t at = 0; at < PASSWORD_CHECKER_WAITING_MAX; at++)
        assert_int_equal(ask_anything(world, &asked[at], 1), STATUS_OK);

    assert_int_equal(ask_from(world, newcomer, 2, "lms", "secret"), STATUS_OK);
    assert_int_equal(asked[PASSWORD_CHECKER_WAITING_MAX - 1].order, threads + 1); /* told at once */
    set_held(world, false);
    await(world, PASSWORD_CHECKER_WAITING_MAX + threads + 1);

    assert_int_equal(asked[PASSWORD_CHECKER_WAITING_MAX - 1].outcome, LOGIN_UNCHECKED);
    assert_int_equal(newcomer->outcome, LOGIN_SUCCEEDED);
    memory_free(asked);
}

static void addresses_take_turns(void **state)
{
    struct world *world = *state;
    struct asked held[PASSWORD_CHECKER_THREADS_MAX];
    struct asked flood[8];
    struct asked other[2];
    int threads = hold(world, held, 1);
    for (size_t at = 0; at < 8; at++)
        assert_int_equal(ask_anything(world, &flood[at], 1), STATUS_OK);
    for (size_t at = 0; at < 2; at++)
        assert_int_equal(ask_anything(world, &other[at], 2), STATUS_OK);

    set_held(world, false);
    await(world, threads + 10);

    /* Two turns, in each of which the other address has a check; threads may swap neighbours. */
    assert_in_range(other[0].order, 1, threads + 1 + threads);
    assert_in_range(other[1].order, 1, threads + 4 + threads);
}

static void the_same_guess_at_the_same_time_is_checked_once(void **state)
{
    enum { COUNT = 3 * PASSWORD_CHECKER_WAITING_MAX };
    struct world *world = *state;
    struct asked held[PASSWORD_CHECKER_THREADS_MAX];
    struct asked *asked = memory_allocate_array(COUNT, sizeof *asked);
    int threads = hold(world, held, 1);
    for (int at = 0; at < COUNT; at++)
        assert_int_equal(ask_from(world, &asked[at], (uint8_t)(at % 5), "lms", "secret"), STATUS_OK); /* one place */

    set_held(world, false);
    await(world, threads + COUNT);

    for (int at = 0; at < COUNT; at++) {
        assert_int_equal(asked[at].outcome, LOGIN_SUCCEEDED);
        assert_true(asked[at].matches);
        assert_memory_equal(asked[at].check.credential, asked[0].check.credential, SECRET_DIGEST_BYTES);
        assert_true(asked[at].wiped);
    }
    memory_free(asked);
}

static void who_waits_at_the_end_is_never_told_that_his_password_is_wrong(void **state)
{
    struct world *world = *state;
    struct asked held[PASSWORD_CHECKER_THREADS_MAX];
    struct asked asked[5];
    int threads = hold(world, held, 1);
    for (size_t at = 0; at < 5; at++)
        assert_int_equal(ask_from(world, &asked[at], 1, at < 3 ? "lms" : "grader", "secret"), STATUS_OK);

    set_held(world, false);
    password_checker_destroy(world->checker);
    world->checker = NULL;

    assert_int_equal(world->answered, threads + 5);
    for (size_t at = 0; at < 5; at++) {
        assert_int_not_equal(asked[at].outcome, LOGIN_FAILED); /* it may have been checked, or not */
        assert_true(asked[at].wiped);
    }
}

static void one_processor_is_left_to_the_others(void **state)
{
    (void)state;
    assert_int_equal(password_checker_thread_count(-1), 1);
    assert_int_equal(password_checker_thread_count(1), 1);
    assert_int_equal(password_checker_thread_count(2), 1);
    assert_int_equal(password_checker_thread_count(3), 2);
    assert_int_equal(password_checker_thread_count(64), PASSWORD_CHECKER_THREADS_MAX);
}

static void whoever_wants_a_hash_gets_one_unless_the_password_is_the_users_already(void **state)
{
    struct world *world = *state;
    struct asked asked[3];
    static const char *const users[] = {"lms", "lms", ""};
    static const char *const passwords[] = {"secret", "new", "new"};
    char beginning[64];
    snprintf(beginning, sizeof beginning, "pbkdf2_sha256$%d$", SECRET_ROUNDS_DEFAULT);
    for (size_t at = 0; at < 3; at++)
        assert_int_equal(ask_hash(world, &asked[at], users[at], passwords[at]), STATUS_OK);
    await(world, 3);

    assert_true(asked[0].matches);
    assert_string_equal(asked[0].check.hash, "");
    for (size_t at = 1; at < 3; at++) {
        assert_false(asked[at].matches);
        assert_true(asked[at].wiped);
        assert_memory_equal(asked[at].check.hash, beginning, strlen(beginning));
        assert_true(secret_password_matches("new", asked[at].check.hash));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
        TEST(each_check_is_answered_and_passwords_are_wiped),
        TEST(no_more_than_the_bound_may_wait),
        TEST(a_newcomer_takes_the_last_place_of_who_takes_them_all),
        TEST(addresses_take_turns),
        TEST(the_same_guess_at_the_same_time_is_checked_once),
        TEST(who_waits_at_the_end_is_never_told_that_his_password_is_wrong),
        TEST(whoever_wants_a_hash_gets_one_unless_the_password_is_the_users_already),
        cmocka_unit_test(one_processor_is_left_to_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
