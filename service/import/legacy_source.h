/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The original's database in whatever form it comes: a SQLite file, a dump in a file, or a dump on standard input, which is
 * kept in an unnamed file meanwhile. It can be read any number of times, and is the same each time.
 *
 * Threading: pure; one source belongs to one thread.
 */
#ifndef SERVICE_IMPORT_LEGACY_SOURCE_H
#define SERVICE_IMPORT_LEGACY_SOURCE_H

#include "base/status.h"
#include "service/import/legacy_row.h"

struct legacy_source;

struct legacy_source_options {
    const char *path;         /* "-" = standard input */
    const char *spool_folder; /* where standard input is kept: the data of students, so beside the database */
    const char *database;     /* of a dump with several; NULL = there is only one */
};

/*
 * What the source is, is seen from its first bytes. options' texts are borrowed until close. STATUS_NOT_FOUND: no such file, or
 * unreadable; STATUS_INVALID: neither (also: a compressed dump); STATUS_FULL: no space for standard input. Text in error.
 */
enum status legacy_source_open(const struct legacy_source_options *options, struct legacy_source **out_source,
                               struct error *error) STATUS_CHECKED;

/*
 * Reads all of it from its beginning. Errors of mysql_dump_read and legacy_sqlite_read; STATUS_WRONG_STATE: somebody has
 * changed it since it was opened.
 */
enum status legacy_source_read(struct legacy_source *source, struct legacy_rows *rows, struct error *error) STATUS_CHECKED;

void legacy_source_close(struct legacy_source *source); /* NULL is fine */

#endif
