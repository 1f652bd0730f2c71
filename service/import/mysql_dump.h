/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two tables that we need out of what mysqldump or mariadb-dump wrote: whole or extended INSERTs of any length, with and
 * without a list of columns, with any of its ways to quote. Everything else in the dump is skipped, whatever is in it: other
 * tables, triggers, views, locks.
 *
 * A dump must be whole: its last line is the comment "-- Dump completed". Rows go to the reader's visitor as they come, so a
 * caller that must not act on half a dump reads it twice.
 *
 * Threading: pure.
 */
#ifndef SERVICE_IMPORT_MYSQL_DUMP_H
#define SERVICE_IMPORT_MYSQL_DUMP_H

#include "base/status.h"
#include "service/import/legacy_row.h"
#include "service/import/mysql_lexer.h"

enum {
    MYSQL_ROW_BYTES_MAX = 64 * 1024 * 1024, /* of one row; values beyond count as too long */
    MYSQL_DATABASE_BYTES_MAX = 64 * 4,      /* of a database's name */
};

/*
 * Reads all of input. database: only the tables of that database, where the dump names databases; NULL: there may be only one
 * with the table of submissions. STATUS_INVALID: not a whole dump, or one that cannot be used (text says why, and which option
 * of mysqldump would help); what legacy_rows_add, the visitor and the input answer.
 */
enum status mysql_dump_read(const struct mysql_input *input, const char *database, struct legacy_rows *rows,
                            struct error *error) STATUS_CHECKED;

#endif
