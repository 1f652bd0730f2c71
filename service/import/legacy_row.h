/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a submission and a user of the original's database are, whatever the database was: rows of texts come in, with their
 * columns known by name, and typed ones go to a visitor. The two tables are queue_submission and auth_user; other columns than
 * those that are needed are ignored.
 *
 * Threading: pure; one reader belongs to one thread.
 */
#ifndef SERVICE_IMPORT_LEGACY_ROW_H
#define SERVICE_IMPORT_LEGACY_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "base/status.h"

enum legacy_table { LEGACY_SUBMISSIONS, LEGACY_USERS, LEGACY_TABLE_COUNT };

/* "queue_submission", "auth_user"; static. */
const char *legacy_table_name(enum legacy_table table);
/* The table of that name, in whatever case; LEGACY_TABLE_COUNT: none of ours. */
enum legacy_table legacy_table_from_name(const char *name);

enum {
    LEGACY_COLUMNS_MAX = 256, /* of a table; the original's have 17 and 11 */
    LEGACY_NEEDED_MAX = 16,   /* columns of one table that are read */
};

/* One value of a row, as text: a number in decimal digits, a time as the database prints it. Borrowed. */
struct legacy_value {
    const char *bytes; /* may hold NUL bytes */
    size_t length;
    bool is_null;
    bool is_cut; /* longer than its reader keeps */
};

/* Everything is borrowed during the visit. */
struct legacy_submission {
    int64_t id;      /* 1 to INT64_MAX */
    bool is_retired; /* then only id and queue are set */
    bool is_acknowledged;
    struct span queue;
    struct span header;
    struct span body;
    struct span file_urls; /* JSON: field name to URL; "" = no files */
    int64_t arrived_at_us; /* microseconds since 1970 */
    int64_t pulled_at_ms;  /* 0 = never */
    struct span key;       /* of the newest pull; "" = never pulled */
    struct span grader;
    int64_t returned_at_ms; /* 0 = no result */
    struct span result;
    int64_t failures; /* callbacks to the LMS that failed */
};

struct legacy_user {
    struct span name;
    struct span password_hash;
    bool is_active;
};

/* What answers something else than STATUS_OK ends the reading with that status; it fills error. */
struct legacy_visitor {
    enum status (*on_submission)(void *context, const struct legacy_submission *submission, struct error *error);
    enum status (*on_user)(void *context, const struct legacy_user *user, struct error *error);
    void *context; /* borrowed */
};

struct legacy_rows {
    struct legacy_visitor visitor;
    bool has_columns[LEGACY_TABLE_COUNT];                /* the table was seen */
    int position[LEGACY_TABLE_COUNT][LEGACY_NEEDED_MAX]; /* of each column that is read */
    size_t column_count[LEGACY_TABLE_COUNT];             /* of the rows that follow */
    int64_t id_max; /* the largest id that the original has given to a submission, as far as is known; 0 = none */
};

void legacy_rows_init(struct legacy_rows *rows, const struct legacy_visitor *visitor);

/*
 * The columns of the rows that follow, in their order. STATUS_INVALID: a needed one is missing; its name is in error.
 * names: borrowed during the call.
 */
enum status legacy_rows_set_columns(struct legacy_rows *rows, enum legacy_table table, const char *const *names, size_t count,
                                    struct error *error) STATUS_CHECKED;

/*
 * One row: checked, turned into its types, and handed to the visitor. Asserts that the columns of the table are known.
 * STATUS_INVALID: a value is not what its column can hold (texts are UTF-8), or too few or too many; STATUS_FULL: a value that
 * is needed is longer than its reader keeps. Text with the submission's id in error.
 */
enum status legacy_rows_add(struct legacy_rows *rows, enum legacy_table table, const struct legacy_value *values, size_t count,
                            struct error *error) STATUS_CHECKED;

/* The original has given this id to a submission, or would not give it again. */
void legacy_rows_note_id(struct legacy_rows *rows, int64_t id);

/*
 * "2026-01-31 12:00:00.000123" (also with 'T', fewer digits, "Z" or "+00:00"), in UTC. STATUS_INVALID: no time between 1970 and
 * 9999.
 */
enum status legacy_time_parse(struct span text, int64_t *out_us) STATUS_CHECKED;

#endif
