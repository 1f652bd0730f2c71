/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_store_test_support PkgConfig::SQLITE */
/*
 * The disk fails at the n-th write, sync or read, for n = 1, 2, ... until everything succeeds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service/store/store_internal.h"
#include "tests/support/faulty_vfs.h"
#include "tests/support/store_fixture.h"

enum { ROUNDS_MAX = 2000, BODY_BYTES = 60000 };

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

/* One transaction with writes of many pages. Answers the first failure. */
static enum status work(struct store_fixture *fixture)
{
    static char body[BODY_BYTES];
    static char nothing[] = "";
    const struct store_content content = {
        .body = body,
        .body_length = sizeof body,
        .callback_url = nothing,
        .results_channel = nothing,
        .trace_parent = nothing,
        .trace_state = nothing,
    };
    const struct store_request request = {.submitter = "lms", .request_id = "", .fairness_key = ""};
    struct store_submission row = store_fixture_row(fixture);
    enum status status = store_begin(fixture->store);
    if (status != STATUS_OK)
        return status;
    status = store_insert_submission(fixture->store, &row, &content, &request);
    if (status == STATUS_OK) {
        snprintf(row.lease_key, sizeof row.lease_key, "key");
        status = store_move_submission(fixture->store, &row, SUBMISSION_LEASED);
    }
    if (status == STATUS_OK)
        return store_commit(fixture->store);
    store_rollback(fixture->store);
    return status;
}

static int64_t count_leased(struct store_fixture *fixture)
{
    struct store_queue_counts counts;
    store_fixture_begin(fixture);
    assert_int_equal(store_count_queue(fixture->store, fixture->queue_id, &counts), STATUS_OK);
    store_fixture_commit(fixture);
    assert_int_equal(counts.ready, 0);
    return counts.leased;
}

/* A full disk at every write of a transaction: told as such, nothing of it is kept, and it works again afterwards. */
static void check_full(struct store_fixture *fixture, enum faulty_fault fault)
{
    int failures = 0;
    for (int nth = 1; nth < ROUNDS_MAX; nth++) {
        int64_t before = count_leased(fixture);
        faulty_vfs_fail(fault, nth);
        enum status status = work(fixture);
        faulty_vfs_heal();
        if (!faulty_vfs_has_failed()) {
            assert_int_equal(status, STATUS_OK);
            assert_int_equal(count_leased(fixture), before + 1);
            assert_true(failures > BODY_BYTES / 4096);
            return;
        }
        failures++;
        assert_int_equal(status, STATUS_FULL);
        assert_true(strlen(store_error_text(fixture->store)) > 0);
        assert_int_equal(count_leased(fixture), before);
    }
    fail_msg("the transaction never succeeded");
}

static void a_full_disk_at_any_write_keeps_nothing_and_loses_nothing(void **state)
{
    struct store_fixture *fixture = *state;
    assert_int_equal(work(fixture), STATUS_OK);

    check_full(fixture, FAULTY_WRITE_FULL);
    check_full(fixture, FAULTY_WRITE_QUOTA);

    store_fixture_reopen(fixture);
    assert_int_equal(count_leased(fixture), 3);
}

/* A failed disk at every write or sync of a transaction: the store says so for ever, and what was committed before is there. */
static void check_failed(struct store_fixture *fixture, enum faulty_fault fault)
{
    for (int nth = 1; nth < ROUNDS_MAX; nth++) {
        int64_t before = count_leased(fixture);
        faulty_vfs_fail(fault, nth);
        enum status status = work(fixture);
        bool failed = faulty_vfs_has_failed();
        faulty_vfs_heal();
        if (!failed) {
            assert_int_equal(status, STATUS_OK);
            assert_true(nth > 1);
            return;
        }
        assert_int_equal(status, STATUS_DATA_LOSS);
        assert_non_null(strstr(store_error_text(fixture->store), "Input/output error"));
        assert_int_equal(store_begin(fixture->store), STATUS_DATA_LOSS);
        store_fixture_reopen(fixture);
        // Whether it got through is unknown, but not half of it.
        int64_t after = count_leased(fixture);
        assert_true(after == before || (fault == FAULTY_SYNC_ERROR && after == before + 1));
    }
    fail_msg("the transaction never succeeded");
}

static void a_failed_write_is_data_loss(void **state)
{
    struct store_fixture *fixture = *state;

    check_failed(fixture, FAULTY_WRITE_ERROR);
}

static void a_failed_sync_is_data_loss(void **state)
{
    struct store_fixture *fixture = *state;

    check_failed(fixture, FAULTY_SYNC_ERROR);
}

/* A transaction of few pages. */
static void work_a_little(struct store_fixture *fixture)
{
    struct store_submission row = store_fixture_row(fixture);
    store_fixture_begin(fixture);
    store_fixture_insert(fixture, &row);
    store_fixture_lease(fixture, &row);
    store_fixture_commit(fixture);
}

/* Faults while the log is moved into the database. */
static void check_checkpoint(struct store_fixture *fixture, enum faulty_fault fault, enum status expected)
{
    for (int nth = 1; nth < ROUNDS_MAX; nth++) {
        work_a_little(fixture);
        int64_t before = count_leased(fixture);
        faulty_vfs_fail(fault, nth);
        enum status status = store_checkpoint(fixture->store, 0);
        bool failed = faulty_vfs_has_failed();
        faulty_vfs_heal();
        assert_int_equal(status, failed ? expected : STATUS_OK);
        if (status == STATUS_DATA_LOSS)
            store_fixture_reopen(fixture);
        assert_int_equal(count_leased(fixture), before);
        if (!failed) {
            assert_true(nth > 1);
            return;
        }
    }
    fail_msg("the checkpoint never succeeded");
}

static void a_checkpoint_that_fails_loses_nothing(void **state)
{
    struct store_fixture *fixture = *state;

    check_checkpoint(fixture, FAULTY_WRITE_FULL, STATUS_FULL);
    check_checkpoint(fixture, FAULTY_WRITE_ERROR, STATUS_DATA_LOSS);
    check_checkpoint(fixture, FAULTY_SYNC_ERROR, STATUS_DATA_LOSS);
}

static void a_full_disk_does_not_keep_a_transaction_from_beginning(void **state)
{
    struct store_fixture *fixture = *state;
    work_a_little(fixture);
    fixture->store->wal_pages_bound = 0; // the log counts as too large: beginning checkpoints

    faulty_vfs_fail(FAULTY_WRITE_FULL, 1);
    int64_t leased = count_leased(fixture);
    faulty_vfs_heal();

    assert_true(faulty_vfs_has_failed());
    assert_int_equal(leased, 1);
    work_a_little(fixture);
}

/* Faults while a new database is made. */
static void check_open(struct store_fixture *fixture, enum faulty_fault fault, enum status expected)
{
    for (int nth = 1; nth < ROUNDS_MAX; nth++) {
        struct error error = {0};
        store_fixture_close(fixture);
        remove(fixture->path);
        faulty_vfs_fail(fault, nth);
        enum status status = store_open(fixture->path, &fixture->store, &error);
        bool failed = faulty_vfs_has_failed();
        faulty_vfs_heal();
        if (!failed) {
            assert_int_equal(status, STATUS_OK);
            assert_true(nth > 1);
            return;
        }
        assert_int_equal(status, expected);
        assert_true(strlen(error.text) > 0);
        assert_null(fixture->store);
        // What is left on disk is no obstacle.
        store_fixture_reopen(fixture);
    }
    fail_msg("the database was never made");
}

static void a_database_that_could_not_be_made_is_made_by_the_next_start(void **state)
{
    struct store_fixture *fixture = *state;

    check_open(fixture, FAULTY_WRITE_FULL, STATUS_FULL);
    check_open(fixture, FAULTY_WRITE_ERROR, STATUS_DATA_LOSS);
    check_open(fixture, FAULTY_SYNC_ERROR, STATUS_DATA_LOSS);
}

/* Every transaction reads the rows that it works on, so a start and one transaction go through all kinds of reads. */
static void a_failed_read_is_data_loss(void **state)
{
    struct store_fixture *fixture = *state;
    struct error error = {0};
    assert_int_equal(work(fixture), STATUS_OK);

    for (int nth = 1; nth < ROUNDS_MAX; nth++) {
        store_fixture_reopen(fixture);
        int64_t before = count_leased(fixture);
        store_fixture_close(fixture);
        faulty_vfs_fail(FAULTY_READ_ERROR, nth);
        enum status status = store_open(fixture->path, &fixture->store, &error);
        if (status == STATUS_OK)
            status = work(fixture);
        bool failed = faulty_vfs_has_failed();
        faulty_vfs_heal();
        if (!failed) {
            assert_int_equal(status, STATUS_OK);
            assert_true(nth > 3);
            return;
        }
        assert_int_equal(status, STATUS_DATA_LOSS);
        store_fixture_reopen(fixture);
        assert_int_equal(count_leased(fixture), before);
    }
    fail_msg("the transaction never succeeded");
}

int main(void)
{
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_full_disk_at_any_write_keeps_nothing_and_loses_nothing),
        STORE_TEST(a_failed_write_is_data_loss),
        STORE_TEST(a_failed_sync_is_data_loss),
        STORE_TEST(a_failed_read_is_data_loss),
        STORE_TEST(a_checkpoint_that_fails_loses_nothing),
        STORE_TEST(a_full_disk_does_not_keep_a_transaction_from_beginning),
        STORE_TEST(a_database_that_could_not_be_made_is_made_by_the_next_start),
    };
    return cmocka_run_group_tests(tests, install, uninstall);
}
