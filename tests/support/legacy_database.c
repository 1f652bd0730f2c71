/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/legacy_database.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/memory.h"

enum { HEADER_BYTES_MAX = 70000, CUT_BYTES = 128, MS_PER_SECOND = 1000, US_PER_SECOND = 1000000 };

void legacy_database_schema(struct text *sql, enum legacy_dialect dialect)
{
    bool is_mariadb = dialect == LEGACY_MARIADB;
    const char *key = is_mariadb ? "int(11) NOT NULL AUTO_INCREMENT PRIMARY KEY" : "integer NOT NULL PRIMARY KEY AUTOINCREMENT";
    const char *flag = is_mariadb ? "tinyint(1)" : "bool";
    const char *body = is_mariadb ? "longtext" : "text";
    const char *time = is_mariadb ? "datetime(6)" : "datetime";
    text_append_format(
        sql,
        "CREATE TABLE queue_submission (id %s, requester_id varchar(128) NOT NULL, lms_callback_url varchar(128) "
        "NOT NULL, queue_name varchar(128) NOT NULL, xqueue_header varchar(1024) NOT NULL, xqueue_body %s NOT "
        "NULL, s3_keys varchar(1024) NOT NULL, s3_urls varchar(1024) NOT NULL, arrival_time %s NOT NULL, "
        "pull_time %s NULL, push_time %s NULL, return_time %s NULL, grader_id varchar(128) NOT NULL, pullkey "
        "varchar(128) NOT NULL, grader_reply %s NOT NULL, num_failures integer NOT NULL, lms_ack %s NOT NULL, "
        "retired %s NOT NULL);\n",
        key, body, time, time, time, time, body, flag, flag);
    text_append_string(sql,
                       "CREATE INDEX queue_submission_a ON queue_submission (queue_name, retired, pull_time, arrival_time);\n");
    text_append_format(sql,
                       "CREATE TABLE auth_user (id %s, password varchar(128) NOT NULL, last_login %s NULL, is_superuser %s NOT "
                       "NULL, username varchar(150) NOT NULL UNIQUE, first_name varchar(150) NOT NULL, last_name varchar(150) "
                       "NOT NULL, email varchar(254) NOT NULL, is_staff %s NOT NULL, is_active %s NOT NULL, date_joined %s NOT "
                       "NULL);\n",
                       key, time, flag, flag, flag, time);
}

/* Any bytes as a text of the database. */
static void append_bytes(struct text *sql, enum legacy_dialect dialect, const char *bytes, size_t length)
{
    char *hex = memory_allocate(2 * length + 1);
    text_hex(hex, bytes, length);
    text_append_format(sql, dialect == LEGACY_MARIADB ? "CONVERT(X'%s' USING utf8mb4)" : "CAST(X'%s' AS TEXT)", hex);
    memory_free(hex);
}

static void append_text(struct text *sql, enum legacy_dialect dialect, const char *text)
{
    append_bytes(sql, dialect, text ? text : "", text ? strlen(text) : 0);
}

static void append_time(struct text *sql, const char *time)
{
    text_append_format(sql, time ? "'%s'" : "NULL", time);
}

char *legacy_database_header(const char *callback_url)
{
    struct text header;
    text_init(&header, HEADER_BYTES_MAX);
    text_append_format(&header, "{\"lms_callback_url\": \"%s\", \"lms_key\": \"k\", \"queue_name\": \"q\"}", callback_url);
    char *bytes = text_take(&header, NULL);
    text_finish(&header);
    return bytes;
}

void legacy_database_add(struct text *sql, enum legacy_dialect dialect, const struct legacy_database_row *row)
{
    const char *url = row->callback_url ? row->callback_url : "";
    char *header = row->header ? memory_copy_text(row->header) : legacy_database_header(url);
    size_t url_length = strlen(url) < CUT_BYTES ? strlen(url) : CUT_BYTES;
    size_t body_length = row->body_length > 0 || !row->body ? row->body_length : strlen(row->body);
    text_append_format(sql, "INSERT INTO queue_submission VALUES (%lld, '10.0.0.1', ", (long long)row->id);
    append_bytes(sql, dialect, url, url_length);
    text_append_string(sql, ", ");
    append_text(sql, dialect, row->queue);
    text_append_string(sql, ", ");
    append_text(sql, dialect, header);
    text_append_string(sql, ", ");
    append_bytes(sql, dialect, row->body ? row->body : "", body_length);
    text_append_string(sql, ", '', ");
    append_text(sql, dialect, row->file_urls);
    if (row->arrived)
        text_append_format(sql, ", '%s', ", row->arrived);
    else
        text_append_format(sql, ", '2026-01-01 00:00:%02lld.%06lld', ", (long long)row->id / US_PER_SECOND,
                           (long long)row->id % US_PER_SECOND);
    append_time(sql, row->pulled);
    text_append_string(sql, ", NULL, ");
    append_time(sql, row->returned);
    text_append_string(sql, ", ");
    append_text(sql, dialect, row->grader);
    text_append_string(sql, ", ");
    append_text(sql, dialect, row->key);
    text_append_string(sql, ", ");
    append_text(sql, dialect, row->result);
    text_append_format(sql, ", %d, %d, %d);\n", row->failures, row->is_acknowledged, row->is_retired);
    memory_free(header);
}

void legacy_database_add_user(struct text *sql, enum legacy_dialect dialect, const struct legacy_database_user *user)
{
    text_append_string(sql, "INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, "
                            "is_active, date_joined) VALUES (");
    append_text(sql, dialect, user->password_hash);
    text_append_string(sql, ", 0, ");
    append_text(sql, dialect, user->name);
    text_append_format(sql, ", '', '', '', 0, %d, '2025-01-01 00:00:00.000000');\n", !user->is_inactive);
}

const char *legacy_database_time(int64_t wall_ms, char out[LEGACY_TIME_MAX])
{
    struct tm parts;
    time_t seconds = (time_t)(wall_ms / MS_PER_SECOND);
    char day[LEGACY_TIME_MAX];
    assert_non_null(gmtime_r(&seconds, &parts));
    assert_true(strftime(day, sizeof day, "%Y-%m-%d %H:%M:%S", &parts) > 0);
    (void)snprintf(out, LEGACY_TIME_MAX, "%.19s.%03d000", day, (int)(wall_ms % MS_PER_SECOND));
    return out;
}

static void read_query(sqlite3 *db, const char *query, struct text *all)
{
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, query, -1, &statement, NULL), SQLITE_OK);
    text_append_format(all, "\n%s:", query);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        for (int column = 0; column < sqlite3_column_count(statement); column++) {
            text_append_char(all, '|');
            text_append(all, sqlite3_column_blob(statement, column), (size_t)sqlite3_column_bytes(statement, column));
        }
    }
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
}

char *legacy_database_read(const char *path, const char *const *queries)
{
    struct text all;
    sqlite3 *db = NULL;
    text_init(&all, LEGACY_DATABASE_SQL_MAX);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    for (; *queries; queries++)
        read_query(db, *queries, &all);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_false(all.failed);
    for (size_t at = 0; at < all.length; at++)
        all.bytes[at] = all.bytes[at] == '\0' ? '0' : all.bytes[at];
    char *text = text_take(&all, NULL);
    text_finish(&all);
    return text;
}

void legacy_database_make(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    char *text = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &text) != SQLITE_OK)
        fail_msg("%s", text);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}
