/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_store_test_support */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/store_fixture.h"

struct seen {
    int count;
    struct store_session last;
};

static void see(void *context, const struct store_session *session)
{
    struct seen *seen = context;
    seen->count++;
    seen->last = *session;
}

static struct seen look(struct store_fixture *fixture)
{
    struct seen seen = {0};
    assert_int_equal(store_visit_sessions(fixture->store, see, &seen), STATUS_OK);
    return seen;
}

static struct store_session make_session(int number, int64_t expires_at_ms)
{
    struct store_session session = {.expires_at_ms = expires_at_ms};
    memset(session.token_digest, number, sizeof session.token_digest);
    memset(session.credential_digest, number + 1, sizeof session.credential_digest);
    snprintf(session.user, sizeof session.user, "user %d", number);
    return session;
}

static void sessions_survive_reopening(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_session session = make_session(1, 500);
    store_fixture_begin(fixture);
    assert_int_equal(store_insert_session(fixture->store, &session), STATUS_OK);
    assert_int_equal(store_insert_session(fixture->store, &session), STATUS_EXISTS);
    store_fixture_commit(fixture);
    store_fixture_reopen(fixture);

    store_fixture_begin(fixture);
    struct seen seen = look(fixture);
    store_fixture_commit(fixture);

    assert_int_equal(seen.count, 1);
    assert_memory_equal(seen.last.token_digest, session.token_digest, sizeof session.token_digest);
    assert_memory_equal(seen.last.credential_digest, session.credential_digest, sizeof session.credential_digest);
    assert_string_equal(seen.last.user, "user 1");
    assert_int_equal(seen.last.expires_at_ms, 500);
}

static void a_session_can_be_deleted_twice(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_session first = make_session(1, 500);
    struct store_session second = make_session(2, 500);
    store_fixture_begin(fixture);
    assert_int_equal(store_insert_session(fixture->store, &first), STATUS_OK);
    assert_int_equal(store_insert_session(fixture->store, &second), STATUS_OK);

    assert_int_equal(store_delete_session(fixture->store, first.token_digest), STATUS_OK);
    assert_int_equal(store_delete_session(fixture->store, first.token_digest), STATUS_OK);

    struct seen seen = look(fixture);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.last.user, "user 2");
    store_fixture_commit(fixture);
}

static void expired_sessions_go(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_session early = make_session(1, 500);
    struct store_session late = make_session(2, 501);
    store_fixture_begin(fixture);
    assert_int_equal(store_insert_session(fixture->store, &early), STATUS_OK);
    assert_int_equal(store_insert_session(fixture->store, &late), STATUS_OK);

    assert_int_equal(store_delete_expired_sessions(fixture->store, 499), STATUS_OK);
    assert_int_equal(look(fixture).count, 2);
    assert_int_equal(store_delete_expired_sessions(fixture->store, 500), STATUS_OK);

    struct seen seen = look(fixture);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.last.user, "user 2");
    store_fixture_commit(fixture);
}

int main(void)
{
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
    const struct CMUnitTest tests[] = {
        STORE_TEST(sessions_survive_reopening),
        STORE_TEST(a_session_can_be_deleted_twice),
        STORE_TEST(expired_sessions_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
