/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_store_test_support PkgConfig::SQLITE */
/*
 * Databases of earlier versions, with what they hold, become the newest one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/memory.h"
#include "base/text.h"
#include "service/store/store_internal.h"
#include "tests/support/faulty_vfs.h"
#include "tests/support/store_fixture.h"

enum { ROUNDS_MAX = 2000 };

/* One of each: waiting with a body, graded and delivered, dead, undeliverable, a session. */
static const char version_1_rows[] =
    "INSERT INTO queue (id, name) VALUES (7, 'old');"
    "INSERT INTO submission SELECT value, 7, CASE value WHEN 1 THEN 'READY' WHEN 2 THEN 'GRADED' ELSE 'DEAD' END, 1, 100, 100,"
    " 100, 0, 0, 1, 2, 'key', 'g', 0, 0, 0, 1, 0, 1, x'01', 'why' FROM json_each('[1, 2, 3]');"
    "INSERT INTO content SELECT id, 'lms', '', x'', '', 1, 0, 0, '', '', '', 'http://lms', x'68', x'626f6479' FROM submission;"
    "INSERT INTO result VALUES (2, 1, 1, 100, 'g', zeroblob(32), x'6772616465');"
    "INSERT INTO delivery SELECT value, 7, CASE value WHEN 2 THEN 'DELIVERED' ELSE 'UNDELIVERABLE' END, 'RESULT', 1, 1, 0, 100,"
    " 'key', 0, '', '', '', x'', '' FROM json_each('[2, 3]');"
    "INSERT INTO login_session VALUES (zeroblob(32), zeroblob(32), 'lms', 500);"
    /* Four that ask for labels, two of them for the same ones. */
    "INSERT INTO submission SELECT value, 7, 'READY', 1, 100, 100, 100, 0, 0, 0, 0, '', '', 0, 0, 0, 0, 0, 0, x'', ''"
    " FROM json_each('[4, 5, 6, 7]');"
    "INSERT INTO content SELECT value, 'lms', '', x'', '', 1, 0, 2, '', '', '', '', x'', x'' FROM json_each('[4, 5, 6, 7]');"
    "INSERT INTO label VALUES (4, 0, 'a', 'x'), (4, 1, 'b', 'y'), (5, 0, 'b', 'y'), (5, 1, 'a', 'x'),"
    " (6, 0, 'a', 'y'), (6, 1, 'b', 'x'), (7, 0, 'a', 'x\",\"b'), (7, 1, 'y', '');";

/* What made the versions from 2 on, all but the newest. */
static const char *const later_versions[STORE_SCHEMA_VERSION - 2] = {store_schema_2_sql, store_schema_3_sql, store_schema_4_sql,
                                                                     store_schema_5_sql, store_schema_6_sql, store_schema_7_sql,
                                                                     store_schema_8_sql, store_schema_9_sql};

static sqlite3 *open_outside(const struct store_fixture *fixture)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
    return db;
}

static void run(sqlite3 *db, const char *sql)
{
    char *text = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &text) != SQLITE_OK)
        fail_msg("%s", text);
}

/* The fixture's database becomes one that an earlier version of the program left behind. */
static void make_version(struct store_fixture *fixture, int number)
{
    char version[128];
    store_fixture_close(fixture);
    assert_int_equal(remove(fixture->path), 0);
    sqlite3 *db = open_outside(fixture);
    run(db, "PRAGMA journal_mode = WAL");
    run(db, store_schema_sql);
    run(db, version_1_rows);
    for (int at = 2; at <= number; at++) {
        run(db, later_versions[at - 2]);
        if (at == 2)
            run(db, "INSERT INTO user VALUES ('early', 'hash', 3, 77)");
    }
    snprintf(version, sizeof version, "PRAGMA application_id = %d; PRAGMA user_version = %d", STORE_APPLICATION_ID, number);
    run(db, version);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* The first column of all rows, one after the other. Free it with memory_free. */
static char *read_all(const struct store_fixture *fixture, const char *sql)
{
    sqlite3 *db = open_outside(fixture);
    sqlite3_stmt *statement = NULL;
    char *all = memory_copy_text("");
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        const char *one = (const char *)sqlite3_column_text(statement, 0);
        size_t length = strlen(all) + strlen(one) + 2;
        char *longer = memory_allocate(length);
        snprintf(longer, length, "%s%s ", all, one);
        memory_free(all);
        all = longer;
    }
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return all;
}

static void check_text(const struct store_fixture *fixture, const char *sql, const char *expected)
{
    char *text = read_all(fixture, sql);
    assert_string_equal(text, expected);
    memory_free(text);
}

/* What stood in version 1 stands in the open store, and what came with later versions works. */
static void check_contents(struct store_fixture *fixture)
{
    struct store_submission row;
    struct store_content content;
    struct store_result result;
    struct store_user user = {.name = "new", .password_hash = "hash", .rights.everywhere = 1};
    store_fixture_begin(fixture);
    assert_int_equal(store_find_submission(fixture->store, 1, &row), STATUS_OK);
    assert_int_equal(row.state, SUBMISSION_READY);
    assert_string_equal(row.message, "why");
    assert_int_equal(store_read_content(fixture->store, 1, &content), STATUS_OK);
    assert_int_equal(content.body_length, 4);
    store_content_finish(&content);
    assert_int_equal(store_read_result(fixture->store, 2, true, &result), STATUS_OK);
    assert_memory_equal(result.body, "grade", 5);
    memory_free(result.body);
    assert_int_equal(store_insert_user(fixture->store, &user), STATUS_OK);
    assert_int_equal(store_delete_sessions_of_user(fixture->store, "lms"), STATUS_OK);
    assert_int_equal(store_reserve_ids(fixture->store, 1000), STATUS_OK);
    assert_int_equal(store_id_is_reserved(fixture->store, 7), STATUS_NOT_FOUND);
    assert_int_equal(store_id_is_reserved(fixture->store, 8), STATUS_OK);
    assert_int_equal(store_file_is_named(fixture->store, "f"), STATUS_NOT_FOUND);
    int64_t lost = 0;
    assert_int_equal(store_note_lost_grader(fixture->store, 1, "g", &lost), STATUS_OK);
    assert_int_equal(lost, 1);
    const struct store_queue_settings settings = {.lease_ms = 1};
    int64_t regrade_id = 0;
    assert_int_equal(store_begin_regrade(fixture->store, 5, &regrade_id), STATUS_OK);
    assert_int_equal(store_insert_regraded(fixture->store, regrade_id, 2), STATUS_OK);
    assert_int_equal(store_end_regraded(fixture->store, 2, true), STATUS_OK);
    assert_int_equal(store_insert_queue_settings(fixture->store, 7, &settings), STATUS_OK);
    assert_int_equal(store_set_queue_gates(fixture->store, 7, true, false), STATUS_OK);
    store_fixture_commit(fixture);
    check_text(fixture, "SELECT name FROM queue", "old ");
    check_text(fixture, "SELECT state FROM delivery ORDER BY submission_id", "DELIVERED UNDELIVERABLE ");
    check_text(fixture, "SELECT count(*) FROM login_session", "0 ");
    check_text(fixture, "PRAGMA integrity_check", "ok ");
    check_text(fixture, "SELECT count(*) FROM pragma_foreign_key_check", "0 ");
}

static void check_users(struct store_fixture *fixture)
{
    struct store_user user;
    store_fixture_begin(fixture);
    assert_int_equal(store_find_user(fixture->store, "early", &user), STATUS_OK);
    assert_string_equal(user.password_hash, "hash");
    assert_int_equal(user.rights.everywhere, 3);
    assert_int_equal(user.rights.count, 0);
    assert_int_equal(user.created_at_ms, 77);
    store_user_finish(&user);
    store_fixture_commit(fixture);
}

static void count_set(void *context, const struct store_label_set *set)
{
    assert_true(set->ready == set->live && set->ready == (set->submission_id == 4 ? 2 : 1));
    *(int *)context += 1;
}

/* Those that asked for labels are grouped by them. */
static void check_label_sets(struct store_fixture *fixture)
{
    struct store_submission row;
    int sets = 0;
    store_fixture_begin(fixture);
    assert_int_equal(store_visit_label_sets(fixture->store, 7, count_set, &sets), STATUS_OK);
    assert_int_equal(sets, 3);
    assert_int_equal(store_find_submission(fixture->store, 5, &row), STATUS_OK);
    assert_int_equal(row.label_set_id, -4);
    assert_int_equal(store_next_ready(fixture->store, 7, row.label_set_id, &row), STATUS_OK);
    assert_int_equal(row.id, 4);
    assert_int_equal(store_next_ready(fixture->store, 7, 0, &row), STATUS_OK);
    assert_int_equal(row.id, 1);
    assert_int_equal(store_save_fairness(fixture->store, 7, "student", 5, 1), STATUS_OK);
    store_fixture_commit(fixture);
}

static void check_version(struct store_fixture *fixture, int number)
{
    char current[32];
    make_version(fixture, number);
    char *before = read_all(fixture, "SELECT hex(bytes) FROM identity");

    store_fixture_reopen(fixture);

    check_contents(fixture);
    if (number >= 2)
        check_users(fixture);
    check_label_sets(fixture);
    check_text(fixture, "SELECT hex(bytes) FROM identity", before);
    snprintf(current, sizeof current, "%d ", STORE_SCHEMA_VERSION);
    check_text(fixture, "PRAGMA user_version", current);
    memory_free(before);
}

static void every_earlier_version_keeps_all_that_it_holds(void **state)
{
    for (int number = 1; number < STORE_SCHEMA_VERSION; number++)
        check_version(*state, number);
}

/* Databases in the field were made by it, word for word: what is to change goes into a new version. */
static void version_1_is_what_it_was(void **state)
{
    (void)state;
    uint8_t digest[SECRET_DIGEST_BYTES];
    char hex[2 * SECRET_DIGEST_BYTES + 1];

    secret_digest(store_schema_sql, strlen(store_schema_sql), digest);

    text_hex(hex, digest, sizeof digest);
    assert_string_equal(hex, "42181360527eec6affa929ed4f25d501470a023620f0630f46ab6f06af2d69e9");
}

/* The disk is full, or fails, at any write of the migration: the old version stays whole, and the next start migrates it. */
static void check_faults(struct store_fixture *fixture, enum faulty_fault fault, enum status expected)
{
    for (int nth = 1; nth < ROUNDS_MAX; nth++) {
        struct error error = {0};
        make_version(fixture, 1);
        faulty_vfs_fail(fault, nth);
        enum status status = store_open(fixture->path, &fixture->store, &error);
        bool failed = faulty_vfs_has_failed();
        faulty_vfs_heal();
        assert_int_equal(status, failed ? expected : STATUS_OK);
        store_fixture_reopen(fixture);
        check_contents(fixture);
        if (!failed) {
            assert_true(nth > 1);
            return;
        }
    }
    fail_msg("the migration never succeeded");
}

static void a_migration_that_fails_anywhere_is_done_by_the_next_start(void **state)
{
    struct store_fixture *fixture = *state;

    check_faults(fixture, FAULTY_WRITE_FULL, STATUS_FULL);
    check_faults(fixture, FAULTY_WRITE_ERROR, STATUS_DATA_LOSS);
    check_faults(fixture, FAULTY_SYNC_ERROR, STATUS_DATA_LOSS);
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
        STORE_TEST(every_earlier_version_keeps_all_that_it_holds),
        cmocka_unit_test(version_1_is_what_it_was),
        STORE_TEST(a_migration_that_fails_anywhere_is_done_by_the_next_start),
    };
    return cmocka_run_group_tests(tests, install, uninstall);
}
