/* SPDX-License-Identifier: Apache-2.0 */
#include "service/import/legacy_sqlite.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <sqlite3.h>

#include "base/ascii.h"
#include "base/memory.h"
#include "base/text.h"

enum {
    URI_BYTES_MAX = 3 * 4096 + 64, // each byte of a path as %XX, and what stands around
    BUSY_MS = 1000,
};

static enum status failed(sqlite3 *db, const char *path, struct error *error)
{
    int code = sqlite3_errcode(db) & 0xff;
    enum status status = code == SQLITE_NOTADB ? STATUS_INVALID : STATUS_DATA_LOSS;
    return error_set(error, status, "UNREADABLE", "cannot read %.100s: %s", path, sqlite3_errmsg(db));
}

/* With immutable=1 SQLite looks neither at locks nor at logs, so that we must. */
static enum status check_alone(const char *path, struct error *error)
{
    static const char *const suffixes[] = {"-wal", "-journal"};
    for (size_t at = 0; at < sizeof suffixes / sizeof suffixes[0]; at++) {
        struct stat file;
        struct text name;
        text_init(&name, URI_BYTES_MAX);
        text_append_format(&name, "%s%s", path, suffixes[at]);
        bool is_there = stat(name.bytes, &file) == 0 && file.st_size > 0;
        text_finish(&name);
        if (is_there) {
            return error_set(error, STATUS_WRONG_STATE, "SOURCE_IN_USE",
                             "%.100s%s is there: stop the original, then open and close the database once with "
                             "`sqlite3 FILE 'PRAGMA journal_mode = DELETE'`",
                             path, suffixes[at]);
        }
    }
    return STATUS_OK;
}

static enum status open_file(const char *path, sqlite3 **out_db, struct error *error)
{
    struct text uri;
    text_init(&uri, URI_BYTES_MAX);
    text_append_string(&uri, "file:");
    for (const char *at = path; *at; at++) {
        bool is_plain = ascii_is_alphanumeric(*at) || strchr("/._-", *at) != NULL;
        text_append_format(&uri, is_plain ? "%c" : "%%%02X", (unsigned char)*at);
    }
    text_append_string(&uri, "?immutable=1");
    if (text_status(&uri) != STATUS_OK) {
        text_finish(&uri);
        return error_set(error, STATUS_INVALID, "PATH_TOO_LONG", "the path of the source is too long");
    }
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX;
    int code = sqlite3_open_v2(uri.bytes, out_db, flags, NULL);
    text_finish(&uri);
    if (code != SQLITE_OK)
        return failed(*out_db, path, error);
    (void)sqlite3_busy_timeout(*out_db, BUSY_MS);                                     // cannot fail on an open connection
    (void)sqlite3_db_config(*out_db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)NULL); // only a second line of defence
    return STATUS_OK;
}

static enum status set_columns(sqlite3_stmt *statement, enum legacy_table table, struct legacy_rows *rows, struct error *error)
{
    const char *names[LEGACY_COLUMNS_MAX];
    int count = sqlite3_column_count(statement);
    if (count > LEGACY_COLUMNS_MAX)
        return error_set(error, STATUS_INVALID, "NOT_AN_ORIGINAL", "the table %s has too many columns",
                         legacy_table_name(table));
    for (int at = 0; at < count; at++)
        names[at] = sqlite3_column_name(statement, at);
    return legacy_rows_set_columns(rows, table, names, (size_t)count, error);
}

static enum status add_row(sqlite3_stmt *statement, enum legacy_table table, struct legacy_rows *rows, struct error *error)
{
    struct legacy_value values[LEGACY_COLUMNS_MAX];
    int count = sqlite3_column_count(statement);
    for (int at = 0; at < count; at++) {
        // Numbers become their digits; text and blobs are their bytes.
        bool is_blob = sqlite3_column_type(statement, at) == SQLITE_BLOB;
        const void *bytes = is_blob ? sqlite3_column_blob(statement, at) : (const void *)sqlite3_column_text(statement, at);
        values[at] = (struct legacy_value){.bytes = bytes ? bytes : "",
                                           .length = (size_t)sqlite3_column_bytes(statement, at),
                                           .is_null = sqlite3_column_type(statement, at) == SQLITE_NULL};
    }
    return legacy_rows_add(rows, table, values, (size_t)count, error);
}

static enum status read_rows(sqlite3 *db, sqlite3_stmt *statement, const char *path, enum legacy_table table,
                             struct legacy_rows *rows, struct error *error)
{
    enum status status = set_columns(statement, table, rows, error);
    int code = SQLITE_ROW;
    while (status == STATUS_OK && (code = sqlite3_step(statement)) == SQLITE_ROW)
        status = add_row(statement, table, rows, error);
    return status == STATUS_OK && code != SQLITE_DONE ? failed(db, path, error) : status;
}

static enum status read_table(sqlite3 *db, const char *path, enum legacy_table table, struct legacy_rows *rows,
                              struct error *error)
{
    static const char *const queries[LEGACY_TABLE_COUNT] = {
        [LEGACY_SUBMISSIONS] = "SELECT * FROM main.queue_submission",
        [LEGACY_USERS] = "SELECT * FROM main.auth_user",
    };
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, queries[table], -1, &statement, NULL) != SQLITE_OK)
        return failed(db, path, error);
    enum status status = read_rows(db, statement, path, table, rows, error);
    (void)sqlite3_finalize(statement); // the code of the last step again
    return status;
}

/* The number that sql answers for the name in its one parameter; 0: no row. */
static enum status read_number(sqlite3 *db, const char *path, const char *sql, const char *name, int64_t *out_number,
                               struct error *error)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW || code == SQLITE_DONE)
        *out_number = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    enum status status = code == SQLITE_ROW || code == SQLITE_DONE ? STATUS_OK : failed(db, path, error);
    (void)sqlite3_finalize(statement); // the code of the step again
    return status;
}

static enum status has_table(sqlite3 *db, const char *path, const char *name, bool *out_has, struct error *error)
{
    int64_t count = 0;
    enum status status = read_number(db, path, "SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' AND name = ?1",
                                     name, &count, error);
    *out_has = count > 0;
    return status;
}

/* Ids of rows that were deleted were given, too. */
static enum status read_sequence(sqlite3 *db, const char *path, struct legacy_rows *rows, struct error *error)
{
    bool has_sequence = false;
    int64_t id = 0;
    enum status status = has_table(db, path, "sqlite_sequence", &has_sequence, error);
    if (status != STATUS_OK || !has_sequence)
        return status;
    status = read_number(db, path, "SELECT seq FROM main.sqlite_sequence WHERE name = ?1",
                         legacy_table_name(LEGACY_SUBMISSIONS), &id, error);
    if (status == STATUS_OK)
        legacy_rows_note_id(rows, id);
    return status;
}

static enum status read_tables(sqlite3 *db, const char *path, struct legacy_rows *rows, struct error *error)
{
    bool has[LEGACY_TABLE_COUNT] = {false};
    enum status status = STATUS_OK;
    for (unsigned table = 0; table < LEGACY_TABLE_COUNT && status == STATUS_OK; table++)
        status = has_table(db, path, legacy_table_name((enum legacy_table)table), &has[table], error);
    if (status == STATUS_OK && !has[LEGACY_SUBMISSIONS])
        status = error_set(error, STATUS_INVALID, "NOT_AN_ORIGINAL", "%.100s has no table %s: it is no original's", path,
                           legacy_table_name(LEGACY_SUBMISSIONS));
    for (unsigned table = 0; table < LEGACY_TABLE_COUNT && status == STATUS_OK; table++) {
        if (has[table])
            status = read_table(db, path, (enum legacy_table)table, rows, error);
    }
    return status == STATUS_OK ? read_sequence(db, path, rows, error) : status;
}

enum status legacy_sqlite_read(const char *path, struct legacy_rows *rows, struct error *error)
{
    struct stat file;
    sqlite3 *db = NULL;
    if (stat(path, &file) != 0)
        return error_set(error, STATUS_NOT_FOUND, "NO_SOURCE", "there is no file %.200s", path);
    enum status status = check_alone(path, error);
    if (status == STATUS_OK)
        status = open_file(path, &db, error);
    if (status == STATUS_OK)
        status = read_tables(db, path, rows, error);
    (void)sqlite3_close(db); // nothing was written
    return status;
}
