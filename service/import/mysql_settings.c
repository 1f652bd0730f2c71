/* SPDX-License-Identifier: Apache-2.0 */
#include "service/import/mysql_settings.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

/* ---- charset ---- */

static bool is_readable_charset(const struct mysql_lexer *lexer)
{
    static const char *const names[] = {"utf8mb4", "utf8mb3", "utf8", "binary"};
    for (size_t at = 0; at < sizeof names / sizeof names[0]; at++) {
        if (strcasecmp(lexer->text.bytes, names[at]) == 0)
            return true;
    }
    return false;
}

static enum status read_names(struct mysql_settings *settings, struct mysql_lexer *lexer, struct error *error)
{
    enum status status = mysql_lexer_next(lexer, error);
    if (status != STATUS_OK)
        return status;
    if (!is_readable_charset(lexer))
        return mysql_lexer_invalid(lexer, error, "it is not in UTF-8: make it with --default-character-set=utf8mb4");
    settings->has_charset = true;
    return mysql_lexer_next(lexer, error);
}

/* ---- SQL_MODE ---- */

static struct mysql_saved_mode *find_saved(struct mysql_settings *settings, const char *name)
{
    for (size_t at = 0; at < settings->saved_count; at++) {
        if (strcasecmp(settings->saved[at].name, name) == 0)
            return &settings->saved[at];
    }
    return NULL;
}

/* The newest word is what SQL_MODE is set to: a list of modes, or a variable that it was kept in. */
static void set_mode(struct mysql_settings *settings, struct mysql_lexer *lexer)
{
    const struct mysql_saved_mode *saved = find_saved(settings, lexer->text.bytes);
    const char *modes = lexer->word == MYSQL_STRING ? lexer->text.bytes : "";
    lexer->no_backslash_escapes = saved ? saved->no_backslash_escapes : strcasestr(modes, "NO_BACKSLASH_ESCAPES") != NULL;
    lexer->ansi_quotes = saved ? saved->ansi_quotes : strcasestr(modes, "ANSI") != NULL; // also as part of ANSI_QUOTES
}

/* The variable name keeps the mode. More than there is room for: the newest take the last place. */
static void save_mode(struct mysql_settings *settings, const struct mysql_lexer *lexer, const char *name)
{
    struct mysql_saved_mode *saved = find_saved(settings, name);
    if (!saved) {
        settings->saved_count += settings->saved_count < MYSQL_SAVED_MODES_MAX;
        saved = &settings->saved[settings->saved_count - 1];
        (void)text_copy(saved->name, sizeof saved->name, name);
    }
    saved->no_backslash_escapes = lexer->no_backslash_escapes;
    saved->ansi_quotes = lexer->ansi_quotes;
}

/* ---- the statement ---- */

/* The newest word may be the name of what is set; then the one behind it is the newest, or the value behind '='. */
static enum status read_assignment(struct mysql_settings *settings, struct mysql_lexer *lexer, struct error *error)
{
    char name[MYSQL_NAME_BYTES_MAX + 1];
    (void)text_copy(name, sizeof name, lexer->text.bytes);
    enum status status = mysql_lexer_next(lexer, error);
    if (status != STATUS_OK || !mysql_lexer_is_mark(lexer, '='))
        return status;
    status = mysql_lexer_next(lexer, error);
    if (status != STATUS_OK)
        return status;
    if (strcasecmp(name, "SQL_MODE") == 0)
        set_mode(settings, lexer);
    else if (name[0] == '@' && mysql_lexer_is(lexer, "@@SQL_MODE"))
        save_mode(settings, lexer, name);
    return STATUS_OK;
}

enum status mysql_settings_read(struct mysql_settings *settings, struct mysql_lexer *lexer, struct error *error)
{
    enum status status = mysql_lexer_next(lexer, error);
    while (status == STATUS_OK && !mysql_lexer_is_end(lexer)) {
        if (mysql_lexer_is(lexer, "NAMES"))
            status = read_names(settings, lexer, error);
        else if (lexer->word == MYSQL_KEYWORD)
            status = read_assignment(settings, lexer, error);
        else
            status = mysql_lexer_next(lexer, error);
    }
    return status;
}
