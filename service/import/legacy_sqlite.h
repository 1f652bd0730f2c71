/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An original's SQLite file: read, never written, not even its lock. Nobody else may write to it meanwhile.
 *
 * Threading: pure; one call at a time for one file.
 */
#ifndef SERVICE_IMPORT_LEGACY_SQLITE_H
#define SERVICE_IMPORT_LEGACY_SQLITE_H

#include "base/status.h"
#include "service/import/legacy_row.h"

/*
 * Reads both tables of the file at path. STATUS_INVALID: it is no original's, or no SQLite file; STATUS_WRONG_STATE: a program
 * works on it, or ended in the middle of a write (a journal or a write-ahead log lies beside it); STATUS_NOT_FOUND: there is
 * none; STATUS_DATA_LOSS: damaged or unreadable; what legacy_rows_add and the visitor answer. Text in error.
 */
enum status legacy_sqlite_read(const char *path, struct legacy_rows *rows, struct error *error) STATUS_CHECKED;

#endif
