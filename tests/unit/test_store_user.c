/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_store_test_support */
/*
 * Users that administrators made, and the sessions of one user.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "tests/support/store_fixture.h"

enum { TEXT_MAX = 1000 };

static struct store_user make_user(const char *name)
{
    struct store_user user = {.rights.everywhere = 3, .created_at_ms = 500};
    snprintf(user.name, sizeof user.name, "%s", name);
    snprintf(user.password_hash, sizeof user.password_hash, "hash of %s", name);
    return user;
}

static void insert(struct store_fixture *fixture, const char *name)
{
    struct store_user user = make_user(name);
    assert_int_equal(store_insert_user(fixture->store, &user), STATUS_OK);
}

static void append_name(void *context, const struct store_user *user)
{
    struct text *names = context;
    text_append_format(names, "%s ", user->name);
}

static void a_user_survives_reopening(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_user found;
    store_fixture_begin(fixture);
    insert(fixture, "lms");
    store_fixture_commit(fixture);
    store_fixture_reopen(fixture);

    store_fixture_begin(fixture);
    assert_int_equal(store_find_user(fixture->store, "lms", &found), STATUS_OK);
    assert_int_equal(store_find_user(fixture->store, "LMS", &found), STATUS_NOT_FOUND);
    store_fixture_commit(fixture);

    struct store_user expected = make_user("lms");
    assert_string_equal(found.name, expected.name);
    assert_string_equal(found.password_hash, expected.password_hash);
    assert_int_equal(found.rights.everywhere, 3);
    assert_int_equal(found.created_at_ms, 500);
}

static void roles_for_queues_are_kept(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_user user = make_user("local");
    struct store_user found;
    user.rights.everywhere = 0;
    assert_int_equal(rights_add(&user.rights, "b", 2), STATUS_OK);
    assert_int_equal(rights_add(&user.rights, "a: 1", 9), STATUS_OK);
    store_fixture_begin(fixture);
    assert_int_equal(store_insert_user(fixture->store, &user), STATUS_OK);
    assert_int_equal(store_find_user(fixture->store, "local", &found), STATUS_OK);
    assert_int_equal(found.rights.everywhere, 0);
    assert_int_equal(found.rights.count, 2);
    assert_int_equal(rights_for(&found.rights, "a: 1"), 9);
    assert_int_equal(rights_for(&found.rights, "b"), 2);
    store_user_finish(&found);

    rights_finish(&user.rights);
    user.rights.everywhere = 1;
    assert_int_equal(store_update_user(fixture->store, &user), STATUS_OK);

    assert_int_equal(store_find_user(fixture->store, "local", &found), STATUS_OK);
    assert_int_equal(found.rights.everywhere, 1);
    assert_int_equal(found.rights.count, 0);
    store_fixture_commit(fixture);
}

static void a_name_is_given_once(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_user again = make_user("lms");
    struct store_user found;
    store_fixture_begin(fixture);
    insert(fixture, "lms");
    again.rights.everywhere = 1;

    assert_int_equal(store_insert_user(fixture->store, &again), STATUS_EXISTS);

    assert_int_equal(store_find_user(fixture->store, "lms", &found), STATUS_OK);
    assert_int_equal(found.rights.everywhere, 3);
    store_fixture_commit(fixture);
}

static void a_change_keeps_name_and_birth(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_user changed = make_user("lms");
    struct store_user found;
    store_fixture_begin(fixture);
    insert(fixture, "lms");
    insert(fixture, "other");
    snprintf(changed.password_hash, sizeof changed.password_hash, "new");
    changed.rights.everywhere = 8;
    changed.created_at_ms = 900;

    assert_int_equal(store_update_user(fixture->store, &changed), STATUS_OK);

    assert_int_equal(store_find_user(fixture->store, "lms", &found), STATUS_OK);
    assert_string_equal(found.password_hash, "new");
    assert_int_equal(found.rights.everywhere, 8);
    assert_int_equal(found.created_at_ms, 500);
    assert_int_equal(store_find_user(fixture->store, "other", &found), STATUS_OK);
    assert_string_equal(found.password_hash, "hash of other");
    changed = make_user("nobody");
    assert_int_equal(store_update_user(fixture->store, &changed), STATUS_NOT_FOUND);
    store_fixture_commit(fixture);
}

static void users_are_counted_visited_by_name_and_deleted(void **state)
{
    struct store_fixture *fixture = *state;
    struct text names;
    int64_t count = 0;
    text_init(&names, TEXT_MAX);
    store_fixture_begin(fixture);
    insert(fixture, "c");
    insert(fixture, "a");
    insert(fixture, "b");

    assert_int_equal(store_delete_user(fixture->store, "a"), STATUS_OK);
    assert_int_equal(store_delete_user(fixture->store, "a"), STATUS_NOT_FOUND);

    assert_int_equal(store_count_users(fixture->store, &count), STATUS_OK);
    assert_int_equal(count, 2);
    assert_int_equal(store_visit_users(fixture->store, append_name, &names), STATUS_OK);
    assert_string_equal(names.bytes, "b c ");
    text_finish(&names);
    store_fixture_commit(fixture);
}

static void the_schema_refuses_a_user_without_roles(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_user user = make_user("lms");
    store_fixture_begin(fixture);

    user.rights.everywhere = 0;
    assert_int_equal(store_insert_user(fixture->store, &user), STATUS_INTERNAL);
    user.rights.everywhere = 16;
    assert_int_equal(store_insert_user(fixture->store, &user), STATUS_INTERNAL);

    store_rollback(fixture->store);
}

/* ---- the sessions of one user ---- */

static void insert_session(struct store_fixture *fixture, int number, const char *user)
{
    struct store_session session = {.expires_at_ms = number};
    memset(session.token_digest, number, sizeof session.token_digest);
    memset(session.credential_digest, 1, sizeof session.credential_digest);
    snprintf(session.user, sizeof session.user, "%s", user);
    assert_int_equal(store_insert_session(fixture->store, &session), STATUS_OK);
}

/* As "USER:FIRST BYTE OF THE CREDENTIAL ". */
static void append_session(void *context, const struct store_session *session)
{
    struct text *text = context;
    text_append_format(text, "%s:%d ", session->user, session->credential_digest[0]);
}

static void sessions_of_one_user_end_or_are_renewed_together(void **state)
{
    struct store_fixture *fixture = *state;
    struct text text;
    uint8_t digest[SECRET_DIGEST_BYTES];
    text_init(&text, TEXT_MAX);
    memset(digest, 7, sizeof digest);
    store_fixture_begin(fixture);
    insert_session(fixture, 1, "lms");
    insert_session(fixture, 2, "grader");
    insert_session(fixture, 3, "lms");
    insert_session(fixture, 4, "admin");

    assert_int_equal(store_delete_sessions_of_user(fixture->store, "grader"), STATUS_OK);
    assert_int_equal(store_delete_sessions_of_user(fixture->store, "nobody"), STATUS_OK);
    assert_int_equal(store_renew_sessions_of_user(fixture->store, "lms", digest), STATUS_OK);

    assert_int_equal(store_visit_sessions(fixture->store, append_session, &text), STATUS_OK);
    assert_string_equal(text.bytes, "lms:7 lms:7 admin:1 ");
    text_finish(&text);
    store_fixture_commit(fixture);
}

int main(void)
{
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_user_survives_reopening),
        STORE_TEST(roles_for_queues_are_kept),
        STORE_TEST(a_name_is_given_once),
        STORE_TEST(a_change_keeps_name_and_birth),
        STORE_TEST(users_are_counted_visited_by_name_and_deleted),
        STORE_TEST(the_schema_refuses_a_user_without_roles),
        STORE_TEST(sessions_of_one_user_end_or_are_renewed_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
