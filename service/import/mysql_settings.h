/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a dump sets (SET ...) as far as it says how its texts are written: their charset, and SQL_MODE, which decides over
 * backslashes and double quotes and is kept in variables in between.
 *
 * Threading: pure.
 */
#ifndef SERVICE_IMPORT_MYSQL_SETTINGS_H
#define SERVICE_IMPORT_MYSQL_SETTINGS_H

#include "base/status.h"
#include "service/import/mysql_lexer.h"

enum { MYSQL_SAVED_MODES_MAX = 8 }; /* variables that keep SQL_MODE; the original's dumps have two */

/* A variable that keeps what SQL_MODE meant for us. */
struct mysql_saved_mode {
    char name[MYSQL_NAME_BYTES_MAX + 1];
    bool no_backslash_escapes;
    bool ansi_quotes;
};

/* Zeroed at the start of a dump. */
struct mysql_settings {
    bool has_charset; /* SET NAMES was there, and the texts are in UTF-8 */
    struct mysql_saved_mode saved[MYSQL_SAVED_MODES_MAX];
    size_t saved_count;
};

/*
 * Reads a statement whose first word, SET, is the newest; then its end is. The lexer goes on as the dump says.
 * STATUS_INVALID: the charset is none that we read; what the lexer answers.
 */
enum status mysql_settings_read(struct mysql_settings *settings, struct mysql_lexer *lexer, struct error *error) STATUS_CHECKED;

#endif
