/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/import_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"

const char import_config_text[] = "queues:\n  a:\n    lease_ms: 60000\n  b:\n    push_url: http://grader\nrest: {user: lms}\n"
                                  "users:\n  lms:\n    password_file: secret\n    roles: [submit, grade, deliver]\n";

struct config *import_parse_config(const struct import_fixture *fixture, const char *text)
{
    struct config *config = NULL;
    struct error error = {0};
    if (config_parse("xqueue.yml", fixture->folder, text, strlen(text), &config, &error) != STATUS_OK)
        fail_msg("%s", error.text);
    return config;
}

int import_set_up(void **state)
{
    struct import_fixture *fixture = MEMORY_NEW(struct import_fixture);
    char secret[IMPORT_PATH_MAX];
    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/xqueue-import-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->source, sizeof fixture->source, "%s/old.sqlite", fixture->folder);
    snprintf(fixture->database, sizeof fixture->database, "%s/xqueue.db", fixture->folder);
    snprintf(secret, sizeof secret, "%s/secret", fixture->folder);
    FILE *file = fopen(secret, "w");
    assert_non_null(file);
    fputs("secret\n", file);
    fclose(file);
    assert_int_equal(chmod(secret, 0600), 0);
    fixture->config = import_parse_config(fixture, import_config_text);
    text_init(&fixture->sql, LEGACY_DATABASE_SQL_MAX);
    legacy_database_schema(&fixture->sql, LEGACY_SQLITE);
    *state = fixture;
    return 0;
}

void import_forget_report(struct import_fixture *fixture)
{
    if (fixture->has_report)
        import_report_finish(&fixture->report);
    fixture->has_report = false;
}

void import_forget_database(struct import_fixture *fixture)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    for (size_t at = 0; at < sizeof suffixes / sizeof suffixes[0]; at++) {
        char path[IMPORT_PATH_MAX + 8];
        snprintf(path, sizeof path, "%s%s", fixture->database, suffixes[at]);
        unlink(path);
    }
}

int import_tear_down(void **state)
{
    struct import_fixture *fixture = *state;
    char command[IMPORT_PATH_MAX];
    import_forget_report(fixture);
    config_destroy(fixture->config);
    text_finish(&fixture->sql);
    import_forget_database(fixture);
    unlink(fixture->source);
    snprintf(command, sizeof command, "%s/secret", fixture->folder);
    unlink(command);
    assert_int_equal(rmdir(fixture->folder), 0);
    memory_free(fixture);
    return 0;
}

/* ---- the source ---- */

void import_add(struct import_fixture *fixture, struct legacy_database_row row)
{
    row.queue = row.queue ? row.queue : "a";
    row.callback_url = row.callback_url ? row.callback_url : IMPORT_GOOD;
    legacy_database_add(&fixture->sql, LEGACY_SQLITE, &row);
}

void import_add_user(struct import_fixture *fixture, const char *name, const char *hash, bool is_inactive)
{
    const struct legacy_database_user user = {.name = name, .password_hash = hash, .is_inactive = is_inactive};
    legacy_database_add_user(&fixture->sql, LEGACY_SQLITE, &user);
}

void import_make_source(struct import_fixture *fixture)
{
    unlink(fixture->source);
    legacy_database_make(fixture->source, fixture->sql.bytes);
}

/* ---- the move ---- */

enum status import_try(struct import_fixture *fixture, bool skip_unknown, bool dry_run)
{
    const struct import_options options = {.config = fixture->config,
                                           .source = fixture->source,
                                           .skip_unknown_queues = skip_unknown,
                                           .dry_run = dry_run,
                                           .now_ms = IMPORT_NOW_MS};
    import_forget_report(fixture);
    enum status status = import_run(&options, &fixture->report, &fixture->error);
    fixture->has_report = status == STATUS_OK;
    return status;
}

void import_move(struct import_fixture *fixture)
{
    import_make_source(fixture);
    if (import_try(fixture, false, false) != STATUS_OK)
        fail_msg("%s", fixture->error.text);
}

/* ---- what is there ---- */

void import_look(struct import_fixture *fixture)
{
    struct error error = {0};
    if (store_open(fixture->database, &fixture->store, &error) != STATUS_OK)
        fail_msg("%s", error.text);
    assert_int_equal(store_begin(fixture->store), STATUS_OK);
}

void import_look_away(struct import_fixture *fixture)
{
    assert_int_equal(store_commit(fixture->store), STATUS_OK);
    store_close(fixture->store);
    fixture->store = NULL;
}

struct store_submission import_find(struct import_fixture *fixture, int64_t id)
{
    struct store_submission row;
    assert_int_equal(store_find_submission(fixture->store, id, &row), STATUS_OK);
    return row;
}

char *import_snapshot(const struct import_fixture *fixture)
{
    static const char *const queries[] = {"SELECT * FROM queue",
                                          "SELECT * FROM submission",
                                          "SELECT * FROM content",
                                          "SELECT * FROM file",
                                          "SELECT * FROM label",
                                          "SELECT * FROM result",
                                          "SELECT * FROM delivery",
                                          "SELECT * FROM user",
                                          "SELECT * FROM imported_submission",
                                          "SELECT * FROM imported_user",
                                          "SELECT * FROM imported_range",
                                          "SELECT * FROM sqlite_sequence",
                                          NULL};
    return legacy_database_read(fixture->database, queries);
}
