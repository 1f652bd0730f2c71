/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_service xqueue_test_support */
/*
 * Passwords are checked one after the other, on a thread of their own, and everybody is answered.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

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
    bool held; /* the first answer waits until this is false */
};

struct asked {
    struct password_check check;
    struct world *world;
    /* guarded by the world's mutex */
    int order; /* 0: not answered */
    bool matches;
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
    asked->wiped = memcmp(check->password, zeros, sizeof zeros) == 0;
    pthread_cond_broadcast(&world->changed);
    while (world->held)
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
    int length =
        snprintf(yaml, sizeof yaml, "queues: {demo: {}}\nusers:\n  lms: {password_hash: '%s', roles: [submit]}\n", hash);
    if (config_parse("test.yml", "/tmp", yaml, (size_t)length, &world->config, &error) != STATUS_OK)
        fail_msg("%s", error.text);
    world->access = access_create(world->config, clock_system(), identity);
    pthread_mutex_init(&world->mutex, NULL);
    pthread_cond_init(&world->changed, NULL);
    world->checker = password_checker_create(world->access);
    *state = world;
    return world->checker ? 0 : -1;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    password_checker_destroy(world->checker);
    access_destroy(world->access);
    config_destroy(world->config);
    pthread_cond_destroy(&world->changed);
    pthread_mutex_destroy(&world->mutex);
    memory_free(world);
    return 0;
}

struct question {
    const char *user;
    const char *password;
    bool wants_hash;
};

static enum status ask_for(struct world *world, struct asked *asked, struct question question)
{
    memset(asked, 0, sizeof *asked);
    asked->world = world;
    asked->check.on_checked = on_checked;
    asked->check.wants_hash = question.wants_hash;
    text_copy(asked->check.user, sizeof asked->check.user, question.user);
    text_copy(asked->check.password, sizeof asked->check.password, question.password);
    return password_checker_submit(world->checker, &asked->check);
}

static enum status ask(struct world *world, struct asked *asked, const char *user, const char *password)
{
    return ask_for(world, asked, (struct question){user, password, false});
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

static void checks_are_answered_in_order_and_passwords_are_wiped(void **state)
{
    struct world *world = *state;
    struct asked asked[3];
    assert_int_equal(ask(world, &asked[0], "lms", "secret"), STATUS_OK);
    assert_int_equal(ask(world, &asked[1], "lms", "wrong"), STATUS_OK);
    assert_int_equal(ask(world, &asked[2], "nobody", "secret"), STATUS_OK);

    await(world, 3);

    for (int at = 0; at < 3; at++) {
        assert_int_equal(asked[at].order, at + 1);
        assert_int_equal(asked[at].matches, at == 0);
        assert_true(asked[at].wiped);
    }
}

static void no_more_than_the_bound_may_wait(void **state)
{
    struct world *world = *state;
    struct asked *asked = memory_allocate_array(PASSWORD_CHECKER_WAITING_MAX + 2, sizeof *asked);
    set_held(world, true);
    assert_int_equal(ask(world, &asked[0], "lms", "secret"), STATUS_OK);
    await(world, 1);
    for (size_t at = 1; at <= PASSWORD_CHECKER_WAITING_MAX; at++)
        assert_int_equal(ask(world, &asked[at], "lms", "secret"), STATUS_OK);

    assert_int_equal(ask(world, &asked[PASSWORD_CHECKER_WAITING_MAX + 1], "lms", "secret"), STATUS_FULL);
    set_held(world, false);
    await(world, PASSWORD_CHECKER_WAITING_MAX + 1);

    assert_int_equal(asked[PASSWORD_CHECKER_WAITING_MAX + 1].order, 0);
    memory_free(asked);
}

static void who_waits_at_the_end_is_answered_no(void **state)
{
    struct world *world = *state;
    struct asked asked[5];
    set_held(world, true);
    for (size_t at = 0; at < 5; at++)
        assert_int_equal(ask(world, &asked[at], "lms", "secret"), STATUS_OK);
    await(world, 1);

    set_held(world, false);
    password_checker_destroy(world->checker);
    world->checker = NULL;

    assert_int_equal(world->answered, 5);
    assert_true(asked[0].matches);
    for (size_t at = 0; at < 5; at++)
        assert_true(asked[at].wiped);
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
        assert_int_equal(ask_for(world, &asked[at], (struct question){users[at], passwords[at], true}), STATUS_OK);
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
        TEST(checks_are_answered_in_order_and_passwords_are_wiped),
        TEST(no_more_than_the_bound_may_wait),
        TEST(who_waits_at_the_end_is_answered_no),
        TEST(whoever_wants_a_hash_gets_one_unless_the_password_is_the_users_already),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
