/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_store_test_support PkgConfig::SQLITE */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/memory.h"
#include "service/store/store_internal.h"
#include "tests/support/store_fixture.h"

/* Runs sql on the fixture's file as another program would. */
static void run_outside(const struct store_fixture *fixture, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int64_t read_outside(const struct store_fixture *fixture, const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return value;
}

/* Overwrites bytes of the closed file from offset. */
static void scribble(const struct store_fixture *fixture, long offset, size_t length)
{
    FILE *file = fopen(fixture->path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    for (size_t at = 0; at < length; at++)
        assert_int_equal(fputc(0xa5, file), 0xa5);
    assert_int_equal(fclose(file), 0);
}

static enum status try_open(const struct store_fixture *fixture, struct error *out_error)
{
    struct store *store = NULL;
    *out_error = (struct error){0};
    enum status status = store_open(fixture->path, &store, out_error);
    store_close(store);
    return status;
}

static int64_t file_bytes(const struct store_fixture *fixture, const char *suffix)
{
    char path[128];
    struct stat file;
    snprintf(path, sizeof path, "%s%s", fixture->path, suffix);
    return stat(path, &file) == 0 ? file.st_size : -1;
}

static void a_database_is_used_by_one_at_a_time(void **state)
{
    struct store_fixture *fixture = *state;
    struct error error;

    enum status while_open = try_open(fixture, &error);

    assert_int_equal(while_open, STATUS_UNAVAILABLE);
    assert_non_null(strstr(error.text, "another process"));
    store_fixture_close(fixture);
    assert_int_equal(try_open(fixture, &error), STATUS_OK);
}

static void a_link_to_a_database_that_is_in_use_is_refused(void **state)
{
    const struct store_fixture *fixture = *state;
    struct store_fixture linked = *fixture;
    struct error error;
    snprintf(linked.path, sizeof linked.path, "%s/link", fixture->folder);
    assert_int_equal(symlink(fixture->path, linked.path), 0);

    enum status status = try_open(&linked, &error);

    assert_int_equal(status, STATUS_UNAVAILABLE);
    assert_int_equal(remove(linked.path), 0);
}

static void nothing_is_committed_to_a_file_that_was_deleted(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_submission row = store_fixture_row(fixture);
    assert_int_equal(remove(fixture->path), 0);
    store_fixture_begin(fixture);
    (void)store_fixture_insert(fixture, &row);

    enum status status = store_commit(fixture->store);

    assert_int_equal(status, STATUS_DATA_LOSS);
    assert_non_null(strstr(store_error_text(fixture->store), "deleted"));
    assert_int_equal(store_begin(fixture->store), STATUS_DATA_LOSS);
}

static void what_root_makes_belongs_to_the_owner_of_the_folder(void **state)
{
    enum { SOMEBODY = 12345 };
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    struct store_fixture *fixture = *state;
    if (geteuid() != 0)
        skip();
    store_fixture_close(fixture);
    for (size_t at = 0; at < sizeof suffixes / sizeof suffixes[0]; at++) {
        char path[sizeof fixture->path + 16];
        snprintf(path, sizeof path, "%s%s", fixture->path, suffixes[at]);
        unlink(path);
    }
    assert_int_equal(chown(fixture->folder, SOMEBODY, SOMEBODY), 0);

    store_fixture_reopen(fixture);
    store_fixture_begin(fixture);
    assert_int_equal(store_queue_id(fixture->store, "demo", &fixture->queue_id), STATUS_OK);
    store_fixture_commit(fixture);

    for (size_t at = 0; at < sizeof suffixes / sizeof suffixes[0]; at++) {
        char path[sizeof fixture->path + 16];
        struct stat file;
        snprintf(path, sizeof path, "%s%s", fixture->path, suffixes[at]);
        assert_int_equal(stat(path, &file), 0);
        assert_int_equal(file.st_uid, SOMEBODY);
        assert_int_equal(file.st_gid, SOMEBODY);
    }
    assert_int_equal(chown(fixture->folder, 0, 0), 0);
}

static void an_empty_file_becomes_the_newest_version(void **state)
{
    struct store_fixture *fixture = *state;

    assert_int_equal(read_outside(fixture, "PRAGMA user_version"), STORE_SCHEMA_VERSION);
    assert_int_equal(read_outside(fixture, "PRAGMA application_id"), STORE_APPLICATION_ID);

    store_fixture_reopen(fixture);
    assert_int_equal(read_outside(fixture, "PRAGMA user_version"), STORE_SCHEMA_VERSION);
}

static void nobody_else_can_read_the_files(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    struct store_fixture *fixture = *state;
    store_fixture_close(fixture);
    assert_int_equal(remove(fixture->path), 0);
    mode_t mask = umask(0);

    store_fixture_reopen(fixture);

    umask(mask);
    for (size_t at = 0; at < sizeof suffixes / sizeof suffixes[0]; at++) {
        char path[128];
        struct stat file;
        snprintf(path, sizeof path, "%s%s", fixture->path, suffixes[at]);
        assert_int_equal(stat(path, &file), 0);
        assert_int_equal(file.st_mode & 0777, 0600);
    }
}

static void the_identity_stays(void **state)
{
    struct store_fixture *fixture = *state;
    uint8_t first[STORE_IDENTITY_BYTES];
    uint8_t again[STORE_IDENTITY_BYTES];
    uint8_t another[STORE_IDENTITY_BYTES];
    store_identity(fixture->store, first);
    store_fixture_reopen(fixture);
    store_identity(fixture->store, again);
    store_fixture_close(fixture);
    assert_int_equal(remove(fixture->path), 0);
    store_fixture_reopen(fixture);

    store_identity(fixture->store, another);

    assert_memory_equal(first, again, sizeof first);
    assert_memory_not_equal(first, another, sizeof first);
}

static void a_newer_schema_is_refused(void **state)
{
    struct store_fixture *fixture = *state;
    struct error error;
    store_fixture_close(fixture);
    run_outside(fixture, "PRAGMA user_version = 1000");

    enum status status = try_open(fixture, &error);

    assert_int_equal(status, STATUS_INVALID);
    assert_string_equal(error.reason, "SCHEMA_TOO_NEW");
}

static void the_database_of_another_program_is_refused_and_left_alone(void **state)
{
    struct store_fixture *fixture = *state;
    struct error error;
    store_fixture_close(fixture);
    assert_int_equal(remove(fixture->path), 0);
    run_outside(fixture, "CREATE TABLE theirs (a)");

    enum status status = try_open(fixture, &error);

    assert_int_equal(status, STATUS_INVALID);
    assert_string_equal(error.reason, "NOT_OUR_DATABASE");
    assert_int_equal(read_outside(fixture, "SELECT count(*) FROM sqlite_schema"), 1);
    assert_int_equal(read_outside(fixture, "SELECT journal_mode = 'delete' FROM pragma_journal_mode"), 1);
}

static void what_is_not_a_database_is_refused(void **state)
{
    struct store_fixture *fixture = *state;
    struct error error;
    store_fixture_close(fixture);
    scribble(fixture, 0, 2000);

    enum status status = try_open(fixture, &error);

    assert_int_equal(status, STATUS_INVALID);
    assert_string_equal(error.reason, "NOT_A_DATABASE");
}

static void a_damaged_file_is_found_at_open(void **state)
{
    struct store_fixture *fixture = *state;
    struct error error;
    store_fixture_begin(fixture);
    for (int at = 0; at < 200; at++) {
        struct store_submission row = store_fixture_row(fixture);
        store_fixture_insert(fixture, &row);
    }
    store_fixture_commit(fixture);
    store_fixture_close(fixture);
    scribble(fixture, (long)(file_bytes(fixture, "") / 4096 - 3) * 4096, 3L * 4096);

    enum status status = try_open(fixture, &error);

    assert_int_equal(status, STATUS_DATA_LOSS);
    assert_string_equal(error.reason, "STORAGE_FAILED");
}

static void a_folder_that_is_not_there_is_told(void **state)
{
    (void)state;
    struct store *store = NULL;
    struct error error = {0};

    enum status status = store_open("/nowhere/at/all/xqueue.db", &store, &error);

    assert_int_equal(status, STATUS_DATA_LOSS);
    assert_null(store);
    assert_non_null(strstr(error.text, "/nowhere/at/all"));
}

static void a_path_that_is_too_long_is_refused(void **state)
{
    (void)state;
    struct store *store = NULL;
    struct error error = {0};
    char path[STORE_PATH_MAX + 1];
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';

    assert_int_equal(store_open(path, &store, &error), STATUS_INVALID);
}

/* A row that our own checks would never let in, written by somebody who turned them off. */
static void check_nonsense(struct store_fixture *fixture, const char *sql)
{
    struct store_submission row = store_fixture_row(fixture);
    struct store_submission read;
    store_fixture_begin(fixture);
    store_fixture_insert(fixture, &row);
    store_fixture_commit(fixture);
    store_fixture_close(fixture);
    run_outside(fixture, sql);
    store_fixture_reopen(fixture);

    store_fixture_begin(fixture);
    enum status status = store_find_submission(fixture->store, row.id, &read);

    assert_int_equal(status, STATUS_DATA_LOSS);
    assert_non_null(strstr(store_error_text(fixture->store), "damaged"));
    assert_int_equal(store_commit(fixture->store), STATUS_DATA_LOSS);
    assert_int_equal(store_begin(fixture->store), STATUS_DATA_LOSS);
    assert_int_equal(store_checkpoint(fixture->store, 0), STATUS_DATA_LOSS);
}

static void a_text_that_is_too_long_is_damage(void **state)
{
    check_nonsense(*state, "UPDATE submission SET grader = printf('%0200d', 1)");
}

static void a_replace_key_that_is_too_long_is_damage(void **state)
{
    check_nonsense(*state, "UPDATE submission SET replace_key = zeroblob(65)");
}

static void a_missing_file_row_is_damage(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_submission row = store_fixture_row(fixture);
    struct store_content content;
    store_fixture_begin(fixture);
    store_fixture_insert(fixture, &row);
    store_fixture_commit(fixture);
    run_outside(fixture, "UPDATE content SET file_count = 1");

    store_fixture_begin(fixture);
    enum status status = store_read_content(fixture->store, row.id, &content);
    store_rollback(fixture->store);

    assert_int_equal(status, STATUS_DATA_LOSS);
}

static void the_schema_checks_states(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_submission row = store_fixture_row(fixture);
    store_fixture_begin(fixture);
    store_fixture_insert(fixture, &row);
    store_fixture_commit(fixture);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);

    int nonsense = sqlite3_exec(db, "UPDATE submission SET state = 'NONSENSE'", NULL, NULL, NULL);
    int keyless = sqlite3_exec(db, "UPDATE submission SET state = 'LEASED'", NULL, NULL, NULL);

    assert_int_equal(nonsense, SQLITE_CONSTRAINT);
    assert_int_equal(keyless, SQLITE_CONSTRAINT);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void an_id_is_never_given_twice(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_submission first = store_fixture_row(fixture);
    struct store_submission second = store_fixture_row(fixture);
    store_fixture_begin(fixture);
    store_fixture_insert(fixture, &first);
    store_fixture_commit(fixture);
    store_fixture_close(fixture);
    run_outside(fixture, "PRAGMA foreign_keys = ON; DELETE FROM submission");
    store_fixture_reopen(fixture);

    store_fixture_begin(fixture);
    store_fixture_insert(fixture, &second);
    store_fixture_commit(fixture);

    assert_true(second.id > first.id);
    assert_int_equal(read_outside(fixture, "SELECT count(*) FROM content"), 1);
}

/* What a killed process leaves behind: one submission committed, one not. Never returns. */
static void die_at_work(struct store_fixture *fixture)
{
    struct error error;
    struct store_submission kept = store_fixture_row(fixture);
    struct store_submission lost = store_fixture_row(fixture);
    if (store_open(fixture->path, &fixture->store, &error) != STATUS_OK)
        _exit(1);
    store_fixture_begin(fixture);
    store_fixture_insert(fixture, &kept);
    store_fixture_commit(fixture);
    store_fixture_begin(fixture);
    store_fixture_insert(fixture, &lost);
    kill(getpid(), SIGKILL);
    _exit(1);
}

static void a_process_that_is_killed_loses_nothing_that_was_committed(void **state)
{
    struct store_fixture *fixture = *state;
    int end = 0;
    store_fixture_close(fixture);
    pid_t child = fork();
    if (child == 0)
        die_at_work(fixture);
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &end, 0), child);

    store_fixture_reopen(fixture);

    assert_true(WIFSIGNALED(end) && WTERMSIG(end) == SIGKILL);
    assert_int_equal(read_outside(fixture, "SELECT count(*) FROM submission"), 1);
}

static void somebody_elses_transaction_makes_it_unavailable(void **state)
{
    struct store_fixture *fixture = *state;
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);

    enum status status = store_begin(fixture->store);

    assert_int_equal(status, STATUS_UNAVAILABLE);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    store_fixture_begin(fixture);
    store_fixture_commit(fixture);
}

static void a_checkpoint_starts_the_log_anew(void **state)
{
    struct store_fixture *fixture = *state;
    int64_t bytes_max = 0;
    for (int at = 0; at < 300; at++) {
        struct store_submission row = store_fixture_row(fixture);
        store_fixture_begin(fixture);
        store_fixture_insert(fixture, &row);
        store_fixture_commit(fixture);
        assert_int_equal(store_checkpoint(fixture->store, 50), STATUS_OK);
        bytes_max = file_bytes(fixture, "-wal") > bytes_max ? file_bytes(fixture, "-wal") : bytes_max;
    }

    assert_true(bytes_max > INT64_C(50) * 4096);
    assert_true(bytes_max < INT64_C(100) * 4200);
    assert_int_equal(read_outside(fixture, "SELECT count(*) FROM submission"), 300);
}

static void a_reader_from_outside_does_not_stop_a_checkpoint_from_answering(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_submission row = store_fixture_row(fixture);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN; SELECT count(*) FROM queue", NULL, NULL, NULL), SQLITE_OK);
    store_fixture_begin(fixture);
    store_fixture_insert(fixture, &row);
    store_fixture_commit(fixture);

    enum status held_back = store_checkpoint(fixture->store, 0);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    enum status afterwards = store_checkpoint(fixture->store, 0);

    assert_int_equal(held_back, STATUS_OK);
    assert_int_equal(afterwards, STATUS_OK);
    assert_int_equal(fixture->store->wal_pages, 0);
}

static void the_log_is_bounded_without_any_checkpoint_of_the_callers(void **state)
{
    struct store_fixture *fixture = *state;
    enum { BODY = 8 * 1024 * 1024, ROUNDS = 30 };
    char nothing[] = "";
    char *body = memory_allocate(BODY);
    const struct store_content content = {
        .body = body,
        .body_length = BODY,
        .callback_url = nothing,
        .results_channel = nothing,
        .trace_parent = nothing,
        .trace_state = nothing,
    };
    const struct store_request request = {.submitter = "lms", .request_id = "", .fairness_key = ""};

    for (int at = 0; at < ROUNDS; at++) {
        struct store_submission row = store_fixture_row(fixture);
        store_fixture_begin(fixture);
        assert_int_equal(store_insert_submission(fixture->store, &row, &content, &request), STATUS_OK);
        store_fixture_commit(fixture);
    }

    // The bound and the one transaction that passed it.
    int64_t bytes_max = (int64_t)(STORE_WAL_PAGES_MAX + BODY / 4096 + 100) * (4096 + 24);
    assert_true((int64_t)BODY * ROUNDS > bytes_max);
    assert_true(file_bytes(fixture, "-wal") <= bytes_max);
    memory_free(body);
}

int main(void)
{
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_database_is_used_by_one_at_a_time),
        STORE_TEST(a_link_to_a_database_that_is_in_use_is_refused),
        STORE_TEST(nothing_is_committed_to_a_file_that_was_deleted),
        STORE_TEST(an_empty_file_becomes_the_newest_version),
        STORE_TEST(what_root_makes_belongs_to_the_owner_of_the_folder),
        STORE_TEST(nobody_else_can_read_the_files),
        STORE_TEST(the_identity_stays),
        STORE_TEST(a_newer_schema_is_refused),
        STORE_TEST(the_database_of_another_program_is_refused_and_left_alone),
        STORE_TEST(what_is_not_a_database_is_refused),
        STORE_TEST(a_damaged_file_is_found_at_open),
        cmocka_unit_test(a_folder_that_is_not_there_is_told),
        cmocka_unit_test(a_path_that_is_too_long_is_refused),
        STORE_TEST(a_text_that_is_too_long_is_damage),
        STORE_TEST(a_replace_key_that_is_too_long_is_damage),
        STORE_TEST(a_missing_file_row_is_damage),
        STORE_TEST(the_schema_checks_states),
        STORE_TEST(an_id_is_never_given_twice),
        STORE_TEST(a_process_that_is_killed_loses_nothing_that_was_committed),
        STORE_TEST(somebody_elses_transaction_makes_it_unavailable),
        STORE_TEST(a_checkpoint_starts_the_log_anew),
        STORE_TEST(a_reader_from_outside_does_not_stop_a_checkpoint_from_answering),
        STORE_TEST(the_log_is_bounded_without_any_checkpoint_of_the_callers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
