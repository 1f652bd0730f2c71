/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_service xqueue_store_test_support xqueue_test_support */
/*
 * Users, roles and sessions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/config.h"
#include "base/log.h"
#include "base/memory.h"
#include "service/access.h"
#include "tests/support/fake_clock.h"
#include "tests/support/store_fixture.h"

enum { START_MS = 1000000 };

struct fixture {
    struct config *config;
    struct fake_clock *clock;
    struct access *access;
};

static const uint8_t identity_of_store[16] = {1, 2, 3};

static struct config *make_config(void)
{
    char hash[SECRET_HASH_TEXT_MAX];
    char yaml[1024];
    struct config *config = NULL;
    struct error error = {0};
    assert_int_equal(secret_password_hash("secret", 1, hash), STATUS_OK);
    int length = snprintf(yaml, sizeof yaml,
                          "service: {session_ms: 60000}\n"
                          "queues: {demo: {}}\n"
                          "users:\n"
                          "  lms: {password_hash: '%s', roles: [submit]}\n"
                          "  both: {password_hash: '%s', roles: [submit, admin]}\n",
                          hash, hash);
    if (config_parse("test.yml", "/tmp", yaml, (size_t)length, &config, &error) != STATUS_OK)
        fail_msg("%s", error.text);
    return config;
}

static int set_up(void **state)
{
    struct fixture *fixture = MEMORY_NEW(struct fixture);
    log_configure("test", LOG_ERROR, LOG_LOGFMT);
    fixture->config = make_config();
    fixture->clock = fake_clock_create(START_MS);
    fixture->access = access_create(fixture->config, fake_clock_base(fixture->clock), identity_of_store);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    access_destroy(fixture->access);
    fake_clock_destroy(fixture->clock);
    config_destroy(fixture->config);
    memory_free(fixture);
    return 0;
}

static void open_session(struct fixture *fixture, const char *user, char token[SECRET_KEY_TEXT_MAX])
{
    struct store_session session;
    assert_int_equal(access_make_session(fixture->access, user, &session, token), STATUS_OK);
    access_open_session(fixture->access, &session);
}

static enum status authorise(struct fixture *fixture, const char *token, unsigned roles)
{
    struct identity identity;
    struct error error;
    return access_authorise(fixture->access, token, roles, &identity, &error);
}

static void only_the_right_password_of_a_user_matches(void **state)
{
    struct fixture *fixture = *state;

    assert_true(access_password_matches(fixture->access, "lms", "secret"));
    assert_false(access_password_matches(fixture->access, "lms", "secret2"));
    assert_false(access_password_matches(fixture->access, "lms", ""));
    assert_false(access_password_matches(fixture->access, "nobody", "secret"));
    assert_false(access_password_matches(fixture->access, "nobody", ""));
}

static void a_password_given_as_such_matches_too(void **state)
{
    struct fixture *fixture = *state;
    struct config_user *user = &fixture->config->users[0];
    memory_free(user->password_hash);
    memory_free(user->password);
    user->password_hash = memory_copy_text("");
    user->password = memory_copy_text("plain");

    assert_true(access_password_matches(fixture->access, "lms", "plain"));
    assert_false(access_password_matches(fixture->access, "lms", "secret"));
    assert_false(access_password_matches(fixture->access, "lms", ""));
}

static void a_session_is_in_force_only_after_it_has_been_opened(void **state)
{
    struct fixture *fixture = *state;
    struct store_session session;
    char token[SECRET_KEY_TEXT_MAX];
    assert_int_equal(access_make_session(fixture->access, "lms", &session, token), STATUS_OK);
    assert_int_equal(strlen(token), 32);
    assert_int_equal(session.expires_at_ms, START_MS + 60000);

    assert_int_equal(authorise(fixture, token, CONFIG_ROLE_SUBMIT), STATUS_UNAUTHENTICATED);
    access_open_session(fixture->access, &session);
    assert_int_equal(authorise(fixture, token, CONFIG_ROLE_SUBMIT), STATUS_OK);
    access_close_session(fixture->access, session.token_digest);
    access_close_session(fixture->access, session.token_digest);

    assert_int_equal(authorise(fixture, token, CONFIG_ROLE_SUBMIT), STATUS_UNAUTHENTICATED);
}

static void any_of_the_roles_will_do(void **state)
{
    struct fixture *fixture = *state;
    struct identity identity;
    struct error error;
    char lms[SECRET_KEY_TEXT_MAX];
    char both[SECRET_KEY_TEXT_MAX];
    open_session(fixture, "lms", lms);
    open_session(fixture, "both", both);

    assert_int_equal(authorise(fixture, lms, CONFIG_ROLE_SUBMIT | CONFIG_ROLE_GRADE), STATUS_OK);
    assert_int_equal(authorise(fixture, lms, CONFIG_ROLE_ADMIN), STATUS_DENIED);
    assert_int_equal(authorise(fixture, NULL, CONFIG_ROLE_SUBMIT), STATUS_UNAUTHENTICATED);
    assert_int_equal(authorise(fixture, "", CONFIG_ROLE_SUBMIT), STATUS_UNAUTHENTICATED);
    assert_int_equal(access_authorise(fixture->access, both, CONFIG_ROLE_ADMIN, &identity, &error), STATUS_OK);
    assert_string_equal(identity.user, "both");
    assert_int_equal(identity.roles, CONFIG_ROLE_SUBMIT | CONFIG_ROLE_ADMIN);
    assert_int_equal(identity.expires_at_ms, START_MS + 60000);
}

static void a_session_ends_when_its_time_is_over(void **state)
{
    struct fixture *fixture = *state;
    char token[SECRET_KEY_TEXT_MAX];
    open_session(fixture, "lms", token);

    fake_clock_advance(fixture->clock, 59999);
    assert_int_equal(authorise(fixture, token, CONFIG_ROLE_SUBMIT), STATUS_OK);
    fake_clock_advance(fixture->clock, 1);

    assert_int_equal(authorise(fixture, token, CONFIG_ROLE_SUBMIT), STATUS_UNAUTHENTICATED);
}

static void nobody_gets_a_session_who_does_not_exist(void **state)
{
    struct fixture *fixture = *state;
    struct store_session session;
    char token[SECRET_KEY_TEXT_MAX];

    assert_int_equal(access_make_session(fixture->access, "nobody", &session, token), STATUS_NOT_FOUND);
}

/* As many sessions as there may be. */
static void fill(struct fixture *fixture)
{
    struct store_session session;
    char token[SECRET_KEY_TEXT_MAX];
    assert_int_equal(access_make_session(fixture->access, "lms", &session, token), STATUS_OK);
    for (uint32_t at = 0; at < ACCESS_SESSIONS_MAX; at++) {
        memset(session.token_digest, 0, sizeof session.token_digest);
        memcpy(session.token_digest, &at, sizeof at);
        access_open_session(fixture->access, &session);
    }
}

static void a_full_table_refuses_until_sessions_have_run_out(void **state)
{
    struct fixture *fixture = *state;
    struct store_session session;
    char token[SECRET_KEY_TEXT_MAX];
    fill(fixture);
    assert_int_equal(access_make_session(fixture->access, "lms", &session, token), STATUS_FULL);

    fake_clock_advance(fixture->clock, 60000);

    assert_int_equal(access_make_session(fixture->access, "lms", &session, token), STATUS_OK);
}

static void a_load_keeps_sessions_and_deletes_those_that_mean_nothing_any_more(void **state)
{
    struct fixture *fixture = *state;
    void *store_state = NULL;
    struct store_session sessions[4];
    char tokens[4][SECRET_KEY_TEXT_MAX];
    store_fixture_setup(&store_state);
    struct store_fixture *store = store_state;
    for (size_t at = 0; at < 4; at++)
        assert_int_equal(access_make_session(fixture->access, "lms", &sessions[at], tokens[at]), STATUS_OK);
    sessions[1].credential_digest[0] ^= 1;
    snprintf(sessions[2].user, sizeof sessions[2].user, "gone");
    sessions[3].expires_at_ms = START_MS;
    store_fixture_begin(store);
    for (size_t at = 0; at < 4; at++)
        assert_int_equal(store_insert_session(store->store, &sessions[at]), STATUS_OK);
    store_fixture_commit(store);

    assert_int_equal(access_load(fixture->access, store->store), STATUS_OK);
    assert_int_equal(authorise(fixture, tokens[0], CONFIG_ROLE_SUBMIT), STATUS_OK);
    for (size_t at = 1; at < 4; at++)
        assert_int_equal(authorise(fixture, tokens[at], CONFIG_ROLE_SUBMIT), STATUS_UNAUTHENTICATED);

    /* They are not in the store any more: they may be inserted again. */
    store_fixture_begin(store);
    for (size_t at = 1; at < 4; at++)
        assert_int_equal(store_insert_session(store->store, &sessions[at]), STATUS_OK);
    assert_int_not_equal(store_insert_session(store->store, &sessions[0]), STATUS_OK);
    store_rollback(store->store);
    store_fixture_teardown(&store_state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
        TEST(only_the_right_password_of_a_user_matches),
        TEST(a_password_given_as_such_matches_too),
        TEST(a_session_is_in_force_only_after_it_has_been_opened),
        TEST(any_of_the_roles_will_do),
        TEST(a_session_ends_when_its_time_is_over),
        TEST(nobody_gets_a_session_who_does_not_exist),
        TEST(a_full_table_refuses_until_sessions_have_run_out),
        TEST(a_load_keeps_sessions_and_deletes_those_that_mean_nothing_any_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
