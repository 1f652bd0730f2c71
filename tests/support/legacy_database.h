/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Databases such as the original makes them, as SQL for SQLite or MariaDB: its two tables with their columns and types, and
 * rows with any bytes (they stand in the SQL as hexadecimal digits).
 *
 * Threading: pure.
 */
#ifndef TESTS_SUPPORT_LEGACY_DATABASE_H
#define TESTS_SUPPORT_LEGACY_DATABASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

enum { LEGACY_DATABASE_SQL_MAX = 64 * 1024 * 1024 };

enum legacy_dialect { LEGACY_SQLITE, LEGACY_MARIADB };

/* NULL and 0 are what the original's columns hold by default. */
struct legacy_database_row {
    int64_t id;
    const char *queue;
    const char *callback_url; /* the header is made of it, unless it is given */
    const char *header;
    const char *body;
    size_t body_length; /* 0: strlen(body) */
    const char *file_urls;
    const char *arrived; /* "2026-01-31 12:00:00.000001"; NULL = 2026-01-01 00:00:00 and id microseconds */
    const char *pulled;  /* NULL = SQL's NULL */
    const char *returned;
    const char *key;
    const char *grader;
    const char *result;
    int failures;
    bool is_acknowledged;
    bool is_retired;
};

struct legacy_database_user {
    const char *name;
    const char *password_hash;
    bool is_inactive;
};

/* Both tables, empty. */
void legacy_database_schema(struct text *sql, enum legacy_dialect dialect);
void legacy_database_add(struct text *sql, enum legacy_dialect dialect, const struct legacy_database_row *row);
void legacy_database_add_user(struct text *sql, enum legacy_dialect dialect, const struct legacy_database_user *user);

/* What a row of that callback URL has for a header: free with memory_free. */
char *legacy_database_header(const char *callback_url);

/* "2026-01-31 12:00:00.123000" of wall time in ms. Returns out. */
enum { LEGACY_TIME_MAX = 32 };
const char *legacy_database_time(int64_t wall_ms, char out[LEGACY_TIME_MAX]);

/* All rows that the queries (NULL last) give of the SQLite file at path, as one text without NULs. Free with memory_free. */
char *legacy_database_read(const char *path, const char *const *queries);

/* Makes the SQLite file at path out of sql; fails the running test (cmocka) when that does not go. */
void legacy_database_make(const char *path, const char *sql);

#endif
