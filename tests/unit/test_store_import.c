/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_store_test_support */
/*
 * Submissions and users that come from another service's database.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/faulty_vfs.h"
#include "tests/support/store_fixture.h"

enum { ROUNDS_MAX = 2000 };

static enum status import(struct store_fixture *fixture, int64_t id, uint8_t mark)
{
    static char nothing[] = "";
    static char body[] = "a body";
    const struct store_content content = {.body = body,
                                          .body_length = strlen(body),
                                          .callback_url = nothing,
                                          .results_channel = nothing,
                                          .trace_parent = nothing,
                                          .trace_state = nothing};
    const struct store_request request = {.submitter = "", .request_id = "", .fairness_key = "", .cost = 1};
    const uint8_t digest[SECRET_DIGEST_BYTES] = {mark};
    struct store_submission row = store_fixture_row(fixture);
    row.id = id;
    return store_import_submission(fixture->store, &row, &content, &request, digest);
}

static int64_t last_id(struct store_fixture *fixture)
{
    int64_t id = -1;
    assert_int_equal(store_last_id(fixture->store, &id), STATUS_OK);
    return id;
}

static void a_submission_keeps_the_id_that_it_had(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_submission row;
    struct store_content content;
    uint8_t digest[SECRET_DIGEST_BYTES];
    store_fixture_begin(fixture);

    assert_int_equal(import(fixture, 4711, 5), STATUS_OK);
    store_fixture_commit(fixture);
    store_fixture_reopen(fixture);

    store_fixture_begin(fixture);
    assert_int_equal(store_find_submission(fixture->store, 4711, &row), STATUS_OK);
    assert_int_equal(row.state, SUBMISSION_READY);
    assert_int_equal(store_read_content(fixture->store, 4711, &content), STATUS_OK);
    assert_memory_equal(content.body, "a body", content.body_length);
    store_content_finish(&content);
    assert_int_equal(store_find_imported(fixture->store, 4711, digest), STATUS_OK);
    assert_int_equal(digest[0], 5);
    assert_int_equal(store_find_imported(fixture->store, 4712, digest), STATUS_NOT_FOUND);
    store_fixture_commit(fixture);
}

static void a_taken_id_is_said(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_submission own = store_fixture_row(fixture);
    store_fixture_begin(fixture);
    int64_t id = store_fixture_insert(fixture, &own);

    assert_int_equal(import(fixture, id, 1), STATUS_EXISTS);

    store_rollback(fixture->store);
}

static void new_ids_come_after_the_reserved(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_submission own = store_fixture_row(fixture);
    store_fixture_begin(fixture);
    assert_int_equal(last_id(fixture), 0);

    assert_int_equal(store_reserve_ids(fixture->store, 500), STATUS_OK);
    assert_int_equal(last_id(fixture), 500);
    assert_int_equal(import(fixture, 7, 1), STATUS_OK);

    assert_int_equal(store_fixture_insert(fixture, &own), 501);
    store_fixture_commit(fixture);
}

static void ids_of_ours_are_never_among_the_reserved(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_submission own = store_fixture_row(fixture);
    store_fixture_begin(fixture);
    int64_t first = store_fixture_insert(fixture, &own);

    assert_int_equal(store_reserve_ids(fixture->store, first), STATUS_OK); // no effect
    assert_int_equal(store_reserve_ids(fixture->store, first + 10), STATUS_OK);
    int64_t second = store_fixture_insert(fixture, &own);
    assert_int_equal(store_reserve_ids(fixture->store, second + 10), STATUS_OK);

    assert_int_equal(second, first + 11);
    assert_int_equal(store_id_is_reserved(fixture->store, first), STATUS_NOT_FOUND);
    assert_int_equal(store_id_is_reserved(fixture->store, first + 1), STATUS_OK);
    assert_int_equal(store_id_is_reserved(fixture->store, first + 10), STATUS_OK);
    assert_int_equal(store_id_is_reserved(fixture->store, second), STATUS_NOT_FOUND);
    assert_int_equal(store_id_is_reserved(fixture->store, second + 10), STATUS_OK);
    assert_int_equal(store_id_is_reserved(fixture->store, second + 11), STATUS_NOT_FOUND);
    store_fixture_commit(fixture);
}

static void a_user_that_came_is_remembered(void **state)
{
    struct store_fixture *fixture = *state;
    store_fixture_begin(fixture);

    assert_int_equal(store_find_imported_user(fixture->store, "lms"), STATUS_NOT_FOUND);
    assert_int_equal(store_note_imported_user(fixture->store, "lms"), STATUS_OK);

    assert_int_equal(store_note_imported_user(fixture->store, "lms"), STATUS_EXISTS);
    assert_int_equal(store_find_imported_user(fixture->store, "lms"), STATUS_OK);
    assert_int_equal(store_find_imported_user(fixture->store, "LMS"), STATUS_NOT_FOUND);
    store_fixture_commit(fixture);
}

/* One transaction. Answers the first failure. */
static enum status work(struct store_fixture *fixture, int64_t id)
{
    enum status status = store_begin(fixture->store);
    if (status != STATUS_OK)
        return status;
    status = store_reserve_ids(fixture->store, id);
    if (status == STATUS_OK)
        status = import(fixture, id, 1);
    if (status == STATUS_OK)
        return store_commit(fixture->store);
    store_rollback(fixture->store);
    return status;
}

static void check_faults(struct store_fixture *fixture, enum faulty_fault fault, enum status expected, int64_t id)
{
    for (int nth = 1; nth < ROUNDS_MAX; nth++) {
        struct store_submission row;
        faulty_vfs_fail(fault, nth);
        enum status status = work(fixture, id);
        bool failed = faulty_vfs_has_failed();
        faulty_vfs_heal();
        if (!failed) {
            assert_int_equal(status, STATUS_OK);
            assert_true(nth > 1);
            return;
        }
        assert_int_equal(status, expected);
        store_fixture_reopen(fixture);
        store_fixture_begin(fixture);
        bool is_there = store_find_submission(fixture->store, id, &row) == STATUS_OK;
        assert_int_equal(store_id_is_reserved(fixture->store, id), is_there ? STATUS_OK : STATUS_NOT_FOUND);
        assert_true(!is_there || fault == FAULTY_SYNC_ERROR);
        store_fixture_commit(fixture);
        id += is_there;
    }
    fail_msg("it never succeeded");
}

static void a_failing_disk_leaves_all_of_it_or_nothing(void **state)
{
    struct store_fixture *fixture = *state;

    check_faults(fixture, FAULTY_WRITE_FULL, STATUS_FULL, 100);
    check_faults(fixture, FAULTY_WRITE_ERROR, STATUS_DATA_LOSS, 1000);
    check_faults(fixture, FAULTY_SYNC_ERROR, STATUS_DATA_LOSS, 10000);
}

static int install(void **state)
{
    (void)state;
    faulty_vfs_install();
    return 0;
}

static int uninstall(void **state)
{
    (void)state;
    faulty_vfs_remove();
    return 0;
}

int main(void)
{
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_submission_keeps_the_id_that_it_had), STORE_TEST(a_taken_id_is_said),
        STORE_TEST(new_ids_come_after_the_reserved),       STORE_TEST(ids_of_ours_are_never_among_the_reserved),
        STORE_TEST(a_user_that_came_is_remembered),        STORE_TEST(a_failing_disk_leaves_all_of_it_or_nothing),
    };
    return cmocka_run_group_tests(tests, install, uninstall);
}
