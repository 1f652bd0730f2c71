/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_import_test_support xqueue_store_test_support PkgConfig::SQLITE */
/*
 * The move of an original's database into ours is made once, all of it or nothing, and only of what is an original's.
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
#include "tests/support/faulty_vfs.h"
#include "tests/support/import_fixture.h"

enum { ROUNDS_MAX = 2000 };

/* ---- again ---- */

static void fill_source(struct import_fixture *fixture)
{
    char pulled[LEGACY_TIME_MAX];
    legacy_database_time(IMPORT_NOW_MS - 1, pulled);
    IMPORT_ADD(fixture, .id = 1, .callback_url = IMPORT_GOOD "/1", .body = "waits");
    IMPORT_ADD(fixture, .id = 2, .callback_url = IMPORT_GOOD "/1", .body = "waits too");
    IMPORT_ADD(fixture, .id = 3, .callback_url = IMPORT_GOOD "/3", .pulled = pulled, .key = IMPORT_KEY,
               .file_urls = "{\"a\": \"b\"}");
    IMPORT_ADD(fixture, .id = 4, .callback_url = IMPORT_GOOD "/4", .returned = pulled, .result = "r");
    IMPORT_ADD(fixture, .id = 5, .callback_url = "");
    IMPORT_ADD(fixture, .id = 6, .is_retired = true);
    import_add_user(fixture, "grader", IMPORT_HASH, false);
}

static void the_same_again_changes_nothing(void **state)
{
    struct import_fixture *fixture = *state;
    fill_source(fixture);
    import_move(fixture);
    assert_true(fixture->report.has_changed);
    char *before = import_snapshot(fixture);

    assert_int_equal(import_try(fixture, false, false), STATUS_OK);

    assert_false(fixture->report.has_changed);
    assert_int_equal(fixture->report.totals[IMPORT_ALREADY], 5);
    assert_int_equal(fixture->report.users[IMPORT_USER_ALREADY], 1);
    char *after = import_snapshot(fixture);
    assert_string_equal(after, before);
    memory_free(before);
    memory_free(after);
}

static void run_sql(const struct import_fixture *fixture, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(fixture->database, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void the_same_again_changes_nothing_whatever_became_of_it(void **state)
{
    struct import_fixture *fixture = *state;
    fill_source(fixture);
    import_move(fixture);
    run_sql(fixture, "PRAGMA foreign_keys = ON; UPDATE submission SET state = 'CANCELED' WHERE id = 2;"
                     "DELETE FROM submission WHERE id IN (1, 3, 4); UPDATE delivery SET state = 'DELIVERED'");
    char *before = import_snapshot(fixture);

    assert_int_equal(import_try(fixture, false, false), STATUS_OK);

    char *after = import_snapshot(fixture);
    assert_string_equal(after, before);
    memory_free(before);
    memory_free(after);
}

static void a_newer_state_of_the_same_source_brings_what_is_new(void **state)
{
    struct import_fixture *fixture = *state;
    fill_source(fixture);
    import_move(fixture);
    IMPORT_ADD(fixture, .id = 7, .callback_url = IMPORT_GOOD "/1", .body = "again");
    IMPORT_ADD(fixture, .id = 8, .callback_url = IMPORT_GOOD "/8");

    import_move(fixture);

    assert_int_equal(fixture->report.totals[IMPORT_ALREADY], 5);
    assert_int_equal(fixture->report.totals[IMPORT_WAITING], 2);
    import_look(fixture);
    assert_int_equal(import_find(fixture, 2).state, SUBMISSION_SUPERSEDED);
    assert_int_equal(import_find(fixture, 2).superseded_by_id, 7);
    assert_int_equal(import_find(fixture, 7).state, SUBMISSION_READY);
    import_look_away(fixture);
}

static void what_was_submitted_here_since_is_newer(void **state)
{
    struct import_fixture *fixture = *state;
    static char nothing[] = "";
    const struct store_content content = {
        .callback_url = nothing, .results_channel = nothing, .trace_parent = nothing, .trace_state = nothing};
    const struct store_request request = {.submitter = "lms", .request_id = "", .fairness_key = "", .cost = 1};
    IMPORT_ADD(fixture, .id = 1, .arrived = "2025-12-31 00:00:00");
    IMPORT_ADD(fixture, .id = 9, .is_retired = true);
    import_move(fixture);
    import_look(fixture);
    struct store_submission own = import_find(fixture, 1);
    struct store_submission old = own;
    own.submitted_at_ms = IMPORT_NOW_MS;
    assert_int_equal(store_insert_submission(fixture->store, &own, &content, &request), STATUS_OK);
    assert_int_equal(store_move_submission(fixture->store, &old, SUBMISSION_SUPERSEDED), STATUS_OK);
    import_look_away(fixture);
    IMPORT_ADD(fixture, .id = 2, .arrived = "2025-12-31 00:00:01");

    import_move(fixture);

    import_look(fixture);
    assert_int_equal(import_find(fixture, 2).state, SUBMISSION_SUPERSEDED);
    assert_int_equal(import_find(fixture, 2).superseded_by_id, own.id);
    assert_int_equal(import_find(fixture, own.id).state, SUBMISSION_READY);
    import_look_away(fixture);
}

static void another_source_with_the_same_ids_is_refused(void **state)
{
    struct import_fixture *fixture = *state;
    fill_source(fixture);
    import_move(fixture);
    char *before = import_snapshot(fixture);
    text_clear(&fixture->sql);
    legacy_database_schema(&fixture->sql, LEGACY_SQLITE);
    IMPORT_ADD(fixture, .id = 100, .callback_url = IMPORT_GOOD "/100");
    IMPORT_ADD(fixture, .id = 2, .callback_url = IMPORT_GOOD "/1", .body = "waits, too"); // all else is equal
    import_make_source(fixture);

    assert_int_equal(import_try(fixture, false, false), STATUS_EXISTS);

    assert_non_null(strstr(fixture->error.text, "submission 2 "));
    char *after = import_snapshot(fixture);
    assert_string_equal(after, before);
    memory_free(before);
    memory_free(after);
}

/* Also when the submission is gone: its grader may still ask for it. */
static void an_id_that_was_ours_is_refused(void **state)
{
    struct import_fixture *fixture = *state;
    struct store_submission own = {.state = SUBMISSION_READY, .rank = 1};
    static char nothing[] = "";
    const struct store_content content = {
        .callback_url = nothing, .results_channel = nothing, .trace_parent = nothing, .trace_state = nothing};
    const struct store_request request = {.submitter = "lms", .request_id = "", .fairness_key = "", .cost = 1};
    import_look(fixture);
    assert_int_equal(store_queue_id(fixture->store, "a", &own.queue_id), STATUS_OK);
    assert_int_equal(store_insert_submission(fixture->store, &own, &content, &request), STATUS_OK);
    import_look_away(fixture);
    IMPORT_ADD(fixture, .id = own.id);
    import_make_source(fixture);

    assert_int_equal(import_try(fixture, false, false), STATUS_EXISTS);
    run_sql(fixture, "DELETE FROM content; DELETE FROM submission");
    assert_int_equal(import_try(fixture, false, false), STATUS_EXISTS);
}

/* ---- nothing or all ---- */

static void a_dry_run_counts_and_writes_nothing(void **state)
{
    struct import_fixture *fixture = *state;
    fill_source(fixture);
    import_make_source(fixture);

    assert_int_equal(import_try(fixture, false, true), STATUS_OK);
    assert_int_equal(access(fixture->database, F_OK), -1);
    assert_int_equal(fixture->report.totals[IMPORT_WAITING], 1);
    assert_int_equal(fixture->report.totals[IMPORT_SUPERSEDED], 1);
    import_look(fixture);
    import_look_away(fixture);
    char *before = import_snapshot(fixture);
    assert_int_equal(import_try(fixture, false, true), STATUS_OK);

    assert_int_equal(fixture->report.totals[IMPORT_WAITING], 1);
    assert_int_equal(fixture->report.users[IMPORT_USER_TAKEN], 1);
    assert_true(fixture->report.is_dry_run && !fixture->report.has_changed);
    char *after = import_snapshot(fixture);
    assert_string_equal(after, before);
    memory_free(before);
    memory_free(after);
}

static void a_running_service_is_told_of(void **state)
{
    struct import_fixture *fixture = *state;
    fill_source(fixture);
    import_make_source(fixture);
    import_look(fixture);

    assert_int_equal(import_try(fixture, false, false), STATUS_UNAVAILABLE);

    assert_non_null(strstr(fixture->error.text, "stop it first"));
    import_look_away(fixture);
}

static void check_faults(struct import_fixture *fixture, enum faulty_fault fault, enum status expected)
{
    for (int nth = 1; nth < ROUNDS_MAX; nth++) {
        import_forget_database(fixture);
        import_look(fixture);
        import_look_away(fixture);
        char *before = import_snapshot(fixture);
        faulty_vfs_fail(fault, nth);
        enum status status = import_try(fixture, false, false);
        bool failed = faulty_vfs_has_failed();
        faulty_vfs_heal();
        if (!failed) {
            assert_int_equal(status, STATUS_OK);
            assert_true(nth > 3);
            memory_free(before);
            return;
        }
        // A failure after the commit, while closing, is no failure of the move.
        if (status != STATUS_OK) {
            assert_int_equal(status, expected);
            import_look(fixture);
            import_look_away(fixture);
            char *after = import_snapshot(fixture);
            if (fault != FAULTY_SYNC_ERROR)
                assert_string_equal(after, before);
            memory_free(after);
        }
        // And again: it comes.
        assert_int_equal(import_try(fixture, false, false), STATUS_OK);
        const int64_t *totals = fixture->report.totals;
        assert_int_equal(totals[IMPORT_WAITING] + totals[IMPORT_LEASED] + totals[IMPORT_GRADED] + totals[IMPORT_SUPERSEDED] +
                             totals[IMPORT_DEAD] + totals[IMPORT_ALREADY],
                         5);
        import_look(fixture);
        assert_int_equal(import_find(fixture, 4).state, SUBMISSION_GRADED);
        import_look_away(fixture);
        memory_free(before);
    }
    fail_msg("the move never succeeded");
}

static void a_failing_disk_leaves_all_of_it_or_nothing(void **state)
{
    struct import_fixture *fixture = *state;
    fill_source(fixture);
    import_make_source(fixture);

    faulty_vfs_install();
    check_faults(fixture, FAULTY_WRITE_FULL, STATUS_FULL);
    check_faults(fixture, FAULTY_WRITE_ERROR, STATUS_DATA_LOSS);
    check_faults(fixture, FAULTY_SYNC_ERROR, STATUS_DATA_LOSS);
    faulty_vfs_remove();
}

/* ---- sources that are none ---- */

static void write_file(const char *path, const char *bytes, size_t length)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void check_refused(struct import_fixture *fixture, enum status expected, const char *part)
{
    assert_int_equal(import_try(fixture, false, false), expected);
    if (!strstr(fixture->error.text, part))
        fail_msg("'%s' does not say '%s'", fixture->error.text, part);
}

static void what_is_no_original_is_refused(void **state)
{
    struct import_fixture *fixture = *state;
    char beside[IMPORT_PATH_MAX + 8];

    check_refused(fixture, STATUS_NOT_FOUND, "cannot open");
    write_file(fixture->source, "", 0);
    check_refused(fixture, STATUS_INVALID, "empty");
    write_file(fixture->source, "\x1f\x8b\x08", 3);
    check_refused(fixture, STATUS_INVALID, "compressed");
    write_file(fixture->source, "SQLite format 3\0 and nothing", 28);
    check_refused(fixture, STATUS_INVALID, "file is not a database");
    write_file(fixture->source, "hello\n", 6);
    check_refused(fixture, STATUS_INVALID, "-- Dump completed");
    unlink(fixture->source);
    legacy_database_make(fixture->source, "CREATE TABLE a (b); INSERT INTO a VALUES (1)");
    check_refused(fixture, STATUS_INVALID, "no table queue_submission");
    unlink(fixture->source);
    legacy_database_make(fixture->source, "CREATE TABLE queue_submission (id INTEGER PRIMARY KEY, queue_name)");
    check_refused(fixture, STATUS_INVALID, "no column retired");
    IMPORT_ADD(fixture, .id = 1, .arrived = "yesterday");
    import_make_source(fixture);
    check_refused(fixture, STATUS_INVALID, "arrival_time of 1 ");
    snprintf(beside, sizeof beside, "%s-wal", fixture->source);
    write_file(beside, "x", 1);
    check_refused(fixture, STATUS_WRONG_STATE, "stop the original");
    unlink(beside);
}

int main(void)
{
#define IMPORT_TEST(name) cmocka_unit_test_setup_teardown(name, import_set_up, import_tear_down)
    const struct CMUnitTest tests[] = {
        IMPORT_TEST(the_same_again_changes_nothing),
        IMPORT_TEST(the_same_again_changes_nothing_whatever_became_of_it),
        IMPORT_TEST(a_newer_state_of_the_same_source_brings_what_is_new),
        IMPORT_TEST(what_was_submitted_here_since_is_newer),
        IMPORT_TEST(another_source_with_the_same_ids_is_refused),
        IMPORT_TEST(an_id_that_was_ours_is_refused),
        IMPORT_TEST(a_dry_run_counts_and_writes_nothing),
        IMPORT_TEST(a_running_service_is_told_of),
        IMPORT_TEST(a_failing_disk_leaves_all_of_it_or_nothing),
        IMPORT_TEST(what_is_no_original_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
