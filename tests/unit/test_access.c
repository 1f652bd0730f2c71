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
#include <time.h>

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

static bool matches(struct fixture *fixture, const char *user, const char *password)
{
    uint8_t credential[SECRET_DIGEST_BYTES];
    return access_password_matches(fixture->access, user, password, credential);
}

/* Of a user whose password is "secret". */
static void make_session(struct fixture *fixture, const char *user, struct store_session *session,
                         char token[SECRET_KEY_TEXT_MAX])
{
    uint8_t credential[SECRET_DIGEST_BYTES];
    assert_true(access_password_matches(fixture->access, user, "secret", credential));
    assert_int_equal(access_make_session(fixture->access, user, credential, session, token), STATUS_OK);
}

static void open_session(struct fixture *fixture, const char *user, char token[SECRET_KEY_TEXT_MAX])
{
    struct store_session session;
    make_session(fixture, user, &session, token);
    assert_int_equal(access_open_session(fixture->access, &session), STATUS_OK);
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

    assert_true(matches(fixture, "lms", "secret"));
    assert_false(matches(fixture, "lms", "secret2"));
    assert_false(matches(fixture, "lms", ""));
    assert_false(matches(fixture, "nobody", "secret"));
    assert_false(matches(fixture, "nobody", ""));
}

static void a_password_given_as_such_matches_too(void **state)
{
    struct fixture *fixture = *state;
    struct config_user *user = &fixture->config->users[0];
    memory_free(user->password_hash);
    memory_free(user->password);
    user->password_hash = memory_copy_text("");
    user->password = memory_copy_text("plain");
    access_destroy(fixture->access);
    fixture->access = access_create(fixture->config, fake_clock_base(fixture->clock), identity_of_store);

    assert_true(matches(fixture, "lms", "plain"));
    assert_false(matches(fixture, "lms", "secret"));
    assert_false(matches(fixture, "lms", ""));
}

static void a_session_is_in_force_only_after_it_has_been_opened(void **state)
{
    struct fixture *fixture = *state;
    struct store_session session;
    char token[SECRET_KEY_TEXT_MAX];
    make_session(fixture, "lms", &session, token);
    assert_int_equal(strlen(token), 32);
    assert_int_equal(session.expires_at_ms, START_MS + 60000);

    assert_int_equal(authorise(fixture, token, CONFIG_ROLE_SUBMIT), STATUS_UNAUTHENTICATED);
    assert_int_equal(access_open_session(fixture->access, &session), STATUS_OK);
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
    make_session(fixture, "lms", &session, token);
    snprintf(session.user, sizeof session.user, "nobody");

    assert_int_equal(access_open_session(fixture->access, &session), STATUS_UNAUTHENTICATED);
    assert_int_equal(authorise(fixture, token, CONFIG_ROLE_SUBMIT), STATUS_UNAUTHENTICATED);
}

/* As many sessions as there may be. */
static void fill(struct fixture *fixture)
{
    struct store_session session;
    char token[SECRET_KEY_TEXT_MAX];
    make_session(fixture, "lms", &session, token);
    for (uint32_t at = 0; at < ACCESS_SESSIONS_MAX; at++) {
        memset(session.token_digest, 0, sizeof session.token_digest);
        memcpy(session.token_digest, &at, sizeof at);
        assert_int_equal(access_open_session(fixture->access, &session), STATUS_OK);
    }
}

static void a_full_table_refuses_until_sessions_have_run_out(void **state)
{
    struct fixture *fixture = *state;
    struct store_session session;
    char token[SECRET_KEY_TEXT_MAX];
    uint8_t credential[SECRET_DIGEST_BYTES] = {0};
    fill(fixture);
    assert_int_equal(access_make_session(fixture->access, "lms", credential, &session, token), STATUS_FULL);

    fake_clock_advance(fixture->clock, 60000);

    assert_int_equal(access_make_session(fixture->access, "lms", credential, &session, token), STATUS_OK);
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
        make_session(fixture, "lms", &sessions[at], tokens[at]);
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

/* ---- users of the store ---- */

static struct store_user make_user(const char *name, const char *password, int rounds)
{
    struct store_user user = {.rights.everywhere = CONFIG_ROLE_SUBMIT, .created_at_ms = 77};
    snprintf(user.name, sizeof user.name, "%s", name);
    assert_int_equal(secret_password_hash(password, rounds, user.password_hash), STATUS_OK);
    return user;
}

static void a_stored_user_is_in_force_until_it_is_removed(void **state)
{
    struct fixture *fixture = *state;
    struct store_user user = make_user("new", "secret", 1);
    char token[SECRET_KEY_TEXT_MAX];
    assert_false(matches(fixture, "new", "secret"));
    assert_false(access_knows_user(fixture->access, "new"));

    access_put_user(fixture->access, &user, false);
    assert_true(access_knows_user(fixture->access, "new"));
    assert_false(matches(fixture, "new", "secret2"));
    open_session(fixture, "new", token);
    assert_int_equal(authorise(fixture, token, CONFIG_ROLE_SUBMIT), STATUS_OK);
    assert_int_equal(authorise(fixture, token, CONFIG_ROLE_ADMIN), STATUS_DENIED);
    access_remove_user(fixture->access, "new");
    access_remove_user(fixture->access, "new");

    assert_int_equal(authorise(fixture, token, CONFIG_ROLE_SUBMIT), STATUS_UNAUTHENTICATED);
    assert_false(matches(fixture, "new", "secret"));
    assert_false(access_knows_user(fixture->access, "new"));
}

static void other_roles_hold_from_the_next_call_on(void **state)
{
    struct fixture *fixture = *state;
    struct store_user user = make_user("new", "secret", 1);
    char token[SECRET_KEY_TEXT_MAX];
    access_put_user(fixture->access, &user, false);
    open_session(fixture, "new", token);

    user.rights.everywhere = CONFIG_ROLE_ADMIN;
    access_put_user(fixture->access, &user, false);

    assert_int_equal(authorise(fixture, token, CONFIG_ROLE_SUBMIT), STATUS_DENIED);
    assert_int_equal(authorise(fixture, token, CONFIG_ROLE_ADMIN), STATUS_OK);
}

static void another_password_ends_the_sessions_of_that_user(void **state)
{
    struct fixture *fixture = *state;
    struct store_user user = make_user("new", "secret", 1);
    struct store_user other = make_user("old", "secret", 1);
    char token[SECRET_KEY_TEXT_MAX];
    char others_token[SECRET_KEY_TEXT_MAX];
    access_put_user(fixture->access, &user, false);
    access_put_user(fixture->access, &other, false);
    open_session(fixture, "new", token);
    open_session(fixture, "old", others_token);

    access_put_user(fixture->access, &user, false);
    assert_int_equal(authorise(fixture, token, CONFIG_ROLE_SUBMIT), STATUS_OK);
    user = make_user("new", "secret2", 1);
    access_put_user(fixture->access, &user, true);
    assert_int_equal(authorise(fixture, token, CONFIG_ROLE_SUBMIT), STATUS_OK);
    assert_true(matches(fixture, "new", "secret2"));
    user = make_user("new", "secret3", 1);
    access_put_user(fixture->access, &user, false);

    assert_int_equal(authorise(fixture, token, CONFIG_ROLE_SUBMIT), STATUS_UNAUTHENTICATED);
    assert_int_equal(authorise(fixture, others_token, CONFIG_ROLE_SUBMIT), STATUS_OK);
}

static bool goes_on(struct fixture *fixture, const struct identity *identity)
{
    return access_goes_on(fixture->access, identity);
}

static void a_stream_goes_on_until_its_user_is_another(void **state)
{
    struct fixture *fixture = *state;
    struct store_user user = make_user("new", "secret", 1);
    struct identity first;
    struct identity second;
    struct error error;
    char token[SECRET_KEY_TEXT_MAX];
    access_put_user(fixture->access, &user, false);
    open_session(fixture, "new", token);
    assert_int_equal(access_authorise(fixture->access, token, CONFIG_ROLE_SUBMIT, &first, &error), STATUS_OK);

    access_close_session(fixture->access, first.token_digest);
    access_put_user(fixture->access, &user, false);
    assert_true(goes_on(fixture, &first));
    user.rights.everywhere = CONFIG_ROLE_GRADE;
    access_put_user(fixture->access, &user, false);
    assert_true(goes_on(fixture, &first));
    user = make_user("new", "secret", 2);
    access_put_user(fixture->access, &user, true);
    assert_true(goes_on(fixture, &first));
    user = make_user("new", "secret", 3);
    access_put_user(fixture->access, &user, false);
    assert_false(goes_on(fixture, &first));
    open_session(fixture, "new", token);
    assert_int_equal(access_authorise(fixture->access, token, CONFIG_ROLE_SUBMIT, &second, &error), STATUS_OK);
    assert_true(goes_on(fixture, &second));
    access_remove_user(fixture->access, "new");
    assert_false(goes_on(fixture, &second));
    access_put_user(fixture->access, &user, false);

    assert_false(goes_on(fixture, &second));
}

static void a_login_that_a_change_overtakes_opens_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct store_user user = make_user("new", "secret", 1);
    struct store_session session;
    char token[SECRET_KEY_TEXT_MAX];
    access_put_user(fixture->access, &user, false);
    make_session(fixture, "new", &session, token);

    user = make_user("new", "secret2", 1);
    access_put_user(fixture->access, &user, true);

    assert_int_equal(access_open_session(fixture->access, &session), STATUS_UNAUTHENTICATED);
    assert_int_equal(authorise(fixture, token, CONFIG_ROLE_SUBMIT), STATUS_UNAUTHENTICATED);
}

static void users_of_the_configuration_win(void **state)
{
    struct fixture *fixture = *state;
    struct store_user user = make_user("lms", "other", 1);
    user.rights.everywhere = CONFIG_ROLE_ADMIN;
    char token[SECRET_KEY_TEXT_MAX];
    open_session(fixture, "lms", token);

    access_put_user(fixture->access, &user, false);
    access_remove_user(fixture->access, "lms");

    assert_true(access_is_configured(fixture->access, "lms"));
    assert_false(access_is_configured(fixture->access, "new"));
    assert_true(matches(fixture, "lms", "secret"));
    assert_false(matches(fixture, "lms", "other"));
    assert_int_equal(authorise(fixture, token, CONFIG_ROLE_SUBMIT), STATUS_OK);
}

static void users_are_listed_by_name(void **state)
{
    struct fixture *fixture = *state;
    struct store_user user = make_user("casual", "secret", 1);
    access_put_user(fixture->access, &user, false);
    struct access_user_view *users = NULL;

    size_t count = access_list_users(fixture->access, &users);

    assert_int_equal(count, 3);
    assert_string_equal(users[0].name, "both");
    assert_true(users[0].configured);
    assert_int_equal(users[0].rights.everywhere, CONFIG_ROLE_SUBMIT | CONFIG_ROLE_ADMIN);
    assert_string_equal(users[1].name, "casual");
    assert_false(users[1].configured);
    assert_int_equal(users[1].rights.everywhere, CONFIG_ROLE_SUBMIT);
    assert_int_equal(users[1].created_at_ms, 77);
    assert_string_equal(users[2].name, "lms");
    access_free_users(users, count);
}

enum { SAMPLES_MAX = 60 };

/* Notes the processor time of this thread for one check, in microseconds, if it is the least so far. */
static void sample_check(struct fixture *fixture, const char *user, int64_t *least_us)
{
    struct timespec from;
    struct timespec to;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    (void)matches(fixture, user, "wrong");
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    int64_t us = (to.tv_sec - from.tv_sec) * INT64_C(1000000) + (to.tv_nsec - from.tv_nsec) / 1000;
    *least_us = us < *least_us ? us : *least_us;
}

static bool is_close(int64_t a_us, int64_t b_us)
{
    return a_us > b_us / 4 * 3 && a_us < b_us / 3 * 4;
}

/*
 * Whoever shares the processor only ever makes a check slower, so the least of many tries comes near to what it costs. Taken in
 * turn, and as many as it needs: what really differs never comes close.
 */
static void the_time_of_a_check_tells_nothing_of_the_user(void **state)
{
    enum { ROUNDS = 50000 };
    struct fixture *fixture = *state;
    struct store_user expensive = make_user("expensive", "secret", ROUNDS);
    int64_t before_us = INT64_MAX;
    int64_t expensive_us = INT64_MAX;
    int64_t cheap_us = INT64_MAX;
    int64_t nobody_us = INT64_MAX;
    int64_t after_us = INT64_MAX;
    sample_check(fixture, "nobody", &before_us);

    access_put_user(fixture->access, &expensive, false);
    bool are_close = false;
    for (int i = 0; i < SAMPLES_MAX && !are_close; i++) {
        sample_check(fixture, "expensive", &expensive_us);
        sample_check(fixture, "lms", &cheap_us);
        sample_check(fixture, "nobody", &nobody_us);
        are_close = is_close(cheap_us, expensive_us) && is_close(nobody_us, expensive_us);
    }
    access_remove_user(fixture->access, "expensive");
    for (int i = 0; i < SAMPLES_MAX && (after_us >= expensive_us / 2 || before_us >= expensive_us / 2); i++) {
        sample_check(fixture, "nobody", &after_us);
        before_us = after_us < before_us ? after_us : before_us;
    }

    assert_true(are_close);
    assert_true(before_us < expensive_us / 2);
    assert_true(after_us < expensive_us / 2);
}

static void a_load_reads_users_and_their_sessions(void **state)
{
    struct fixture *fixture = *state;
    void *store_state = NULL;
    struct store_user user = make_user("new", "secret", 1);
    struct store_user hidden = make_user("lms", "hidden", 1);
    struct store_session session;
    char token[SECRET_KEY_TEXT_MAX];
    store_fixture_setup(&store_state);
    struct store_fixture *store = store_state;
    access_put_user(fixture->access, &user, false);
    make_session(fixture, "new", &session, token);
    access_remove_user(fixture->access, "new");
    store_fixture_begin(store);
    assert_int_equal(store_insert_user(store->store, &user), STATUS_OK);
    assert_int_equal(store_insert_user(store->store, &hidden), STATUS_OK);
    assert_int_equal(store_insert_session(store->store, &session), STATUS_OK);
    store_fixture_commit(store);

    assert_int_equal(access_load(fixture->access, store->store), STATUS_OK);

    assert_int_equal(authorise(fixture, token, CONFIG_ROLE_SUBMIT), STATUS_OK);
    assert_true(matches(fixture, "new", "secret"));
    assert_true(matches(fixture, "lms", "secret"));
    assert_false(matches(fixture, "lms", "hidden"));
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
        TEST(a_stored_user_is_in_force_until_it_is_removed),
        TEST(other_roles_hold_from_the_next_call_on),
        TEST(another_password_ends_the_sessions_of_that_user),
        TEST(a_stream_goes_on_until_its_user_is_another),
        TEST(a_login_that_a_change_overtakes_opens_nothing),
        TEST(users_of_the_configuration_win),
        TEST(users_are_listed_by_name),
        TEST(the_time_of_a_check_tells_nothing_of_the_user),
        TEST(a_load_reads_users_and_their_sessions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
