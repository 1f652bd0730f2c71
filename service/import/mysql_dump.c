/* SPDX-License-Identifier: Apache-2.0 */
#include "service/import/mysql_dump.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/ascii.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/import/mysql_settings.h"

/* Where a value stands in the row's buffer. */
struct place {
    size_t from;
    size_t length;
    bool is_null;
    bool is_cut;
};

struct dump {
    struct mysql_lexer lexer;
    struct mysql_settings settings;
    struct legacy_rows *rows;                    /* borrowed */
    const char *wanted;                          /* borrowed; the database to read, or NULL */
    char database[MYSQL_DATABASE_BYTES_MAX + 1]; /* the one that the statements are about; "" = none was named */
    char found[MYSQL_DATABASE_BYTES_MAX + 1];    /* where the first of our tables was */
    bool has_found;
    struct text row; /* the values of one row, one behind the other */
    struct place places[LEGACY_COLUMNS_MAX];
    char *names[LEGACY_COLUMNS_MAX]; /* owned; of the column list that is being read */
    size_t name_count;
    size_t count; /* of places */
};

/* ---- words ---- */

static enum status invalid(const struct dump *dump, struct error *error, const char *what)
{
    return mysql_lexer_invalid(&dump->lexer, error, what);
}

static enum status next(struct dump *dump, struct error *error)
{
    return mysql_lexer_next(&dump->lexer, error);
}

/* Where a name must stand, also one in double quotes is one, whatever SQL_MODE says. */
static bool is_name(const struct dump *dump)
{
    return dump->lexer.word == MYSQL_NAME || dump->lexer.word == MYSQL_KEYWORD || dump->lexer.word == MYSQL_STRING;
}

static bool is_end(const struct dump *dump)
{
    return mysql_lexer_is_end(&dump->lexer);
}

/* From the newest word to the end of the statement. */
static enum status skip_statement(struct dump *dump, struct error *error)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && !is_end(dump))
        status = next(dump, error);
    return status;
}

/* The newest word, and those behind it, while they are among the count keywords. */
static enum status skip_keywords(struct dump *dump, const char *const *keywords, size_t count, struct error *error)
{
    for (;;) {
        size_t at = 0;
        while (at < count && !mysql_lexer_is(&dump->lexer, keywords[at]))
            at++;
        if (at == count)
            return STATUS_OK;
        enum status status = next(dump, error);
        if (status != STATUS_OK)
            return status;
    }
}

static void copy_name(const struct dump *dump, char *out, size_t capacity)
{
    (void)text_copy(out, capacity, dump->lexer.text.bytes);
}

/* ---- databases and settings ---- */

static enum status use_database(struct dump *dump, struct error *error)
{
    enum status status = next(dump, error);
    if (status == STATUS_OK && is_name(dump))
        copy_name(dump, dump->database, sizeof dump->database);
    return status == STATUS_OK ? skip_statement(dump, error) : status;
}

static enum status read_set(struct dump *dump, struct error *error)
{
    return mysql_settings_read(&dump->settings, &dump->lexer, error);
}

/* ---- tables ---- */

/*
 * Reads the table's name, which is the newest word. *out_table: one of ours in the wanted database, or LEGACY_TABLE_COUNT; the
 * newest word is the one behind it.
 */
static enum status read_table_name(struct dump *dump, enum legacy_table *out_table, struct error *error)
{
    char database[MYSQL_DATABASE_BYTES_MAX + 1];
    (void)text_copy(database, sizeof database, dump->database);
    *out_table = LEGACY_TABLE_COUNT;
    if (!is_name(dump))
        return STATUS_OK;
    enum legacy_table table = legacy_table_from_name(dump->lexer.text.bytes);
    char first[MYSQL_DATABASE_BYTES_MAX + 1];
    copy_name(dump, first, sizeof first);
    enum status status = next(dump, error);
    if (status == STATUS_OK && mysql_lexer_is_mark(&dump->lexer, '.')) {
        (void)text_copy(database, sizeof database, first);
        status = next(dump, error);
        table = status == STATUS_OK && is_name(dump) ? legacy_table_from_name(dump->lexer.text.bytes) : LEGACY_TABLE_COUNT;
        status = status == STATUS_OK ? next(dump, error) : status;
    }
    if (status != STATUS_OK || table == LEGACY_TABLE_COUNT)
        return status;
    if (dump->wanted && database[0] != '\0' && strcmp(dump->wanted, database) != 0)
        return STATUS_OK;
    // An LMS's database has a table of users, too.
    if (dump->has_found && strcmp(dump->found, database) != 0) {
        return error_set(error, STATUS_INVALID, "SEVERAL_DATABASES",
                         "the dump has an original's tables in several databases ('%.64s', '%.64s'): choose with --database",
                         dump->found, database);
    }
    (void)text_copy(dump->found, sizeof dump->found, database);
    dump->has_found = true;
    *out_table = table;
    return STATUS_OK;
}

static void forget_names(struct dump *dump)
{
    for (size_t at = 0; at < dump->name_count; at++)
        memory_free(dump->names[at]);
    dump->name_count = 0;
}

/* The newest word is a column's name. */
static enum status add_name(struct dump *dump, struct error *error)
{
    if (dump->name_count == LEGACY_COLUMNS_MAX)
        return invalid(dump, error, "a table has too many columns");
    dump->names[dump->name_count++] = memory_copy_text(dump->lexer.text.bytes);
    return STATUS_OK;
}

/* The names are all: they are those of the rows that follow. */
static enum status use_names(struct dump *dump, enum legacy_table table, struct error *error)
{
    return legacy_rows_set_columns(dump->rows, table, (const char *const *)dump->names, dump->name_count, error);
}

/* Does a key or a constraint begin here, instead of a column? In quotes everything is a name. */
static bool is_no_column(const struct dump *dump)
{
    static const char *const keywords[] = {"PRIMARY", "UNIQUE",     "KEY",     "INDEX", "FULLTEXT",
                                           "SPATIAL", "CONSTRAINT", "FOREIGN", "CHECK", "PERIOD"};
    for (size_t at = 0; at < sizeof keywords / sizeof keywords[0]; at++) {
        if (mysql_lexer_is(&dump->lexer, keywords[at]))
            return true;
    }
    return !is_name(dump);
}

/* To the comma behind a column, or the bracket behind the last. */
static enum status skip_definition(struct dump *dump, bool *out_last, struct error *error)
{
    enum status status = STATUS_OK;
    int depth = 0;
    while (status == STATUS_OK && !is_end(dump)) {
        bool closes = mysql_lexer_is_mark(&dump->lexer, ')');
        if (depth == 0 && (closes || mysql_lexer_is_mark(&dump->lexer, ','))) {
            *out_last = closes;
            return STATUS_OK;
        }
        depth += mysql_lexer_is_mark(&dump->lexer, '(') ? 1 : closes ? -1 : 0;
        status = next(dump, error);
    }
    return status == STATUS_OK ? invalid(dump, error, "a table's columns have no end") : status;
}

static enum status read_columns(struct dump *dump, struct error *error)
{
    bool last = false;
    if (!mysql_lexer_is_mark(&dump->lexer, '('))
        return invalid(dump, error, "a table has no columns");
    while (!last) {
        enum status status = next(dump, error);
        if (status == STATUS_OK && !is_no_column(dump))
            status = add_name(dump, error);
        if (status == STATUS_OK)
            status = skip_definition(dump, &last, error);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status read_auto_increment(struct dump *dump, struct error *error)
{
    int64_t number = 0;
    enum status status = next(dump, error);
    if (status == STATUS_OK && mysql_lexer_is_mark(&dump->lexer, '='))
        status = next(dump, error);
    if (status == STATUS_OK && dump->lexer.word == MYSQL_NUMBER &&
        text_to_int64(dump->lexer.text.bytes, 1, INT64_MAX, &number) == STATUS_OK)
        legacy_rows_note_id(dump->rows, number - 1);
    return status;
}

/* What stands behind the columns. */
static enum status read_table_options(struct dump *dump, enum legacy_table table, struct error *error)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && !is_end(dump)) {
        if (table == LEGACY_SUBMISSIONS && mysql_lexer_is(&dump->lexer, "AUTO_INCREMENT"))
            status = read_auto_increment(dump, error);
        else
            status = next(dump, error);
    }
    return status;
}

static enum status read_create(struct dump *dump, struct error *error)
{
    static const char *const between[] = {"IF", "NOT", "EXISTS"};
    enum legacy_table table = LEGACY_TABLE_COUNT;
    enum status status = next(dump, error);
    if (status != STATUS_OK || !mysql_lexer_is(&dump->lexer, "TABLE"))
        return status == STATUS_OK ? skip_statement(dump, error) : status;
    status = next(dump, error);
    if (status == STATUS_OK)
        status = skip_keywords(dump, between, sizeof between / sizeof between[0], error);
    if (status == STATUS_OK)
        status = read_table_name(dump, &table, error);
    if (status != STATUS_OK || table == LEGACY_TABLE_COUNT)
        return status == STATUS_OK ? skip_statement(dump, error) : status;
    status = read_columns(dump, error);
    if (status == STATUS_OK)
        status = use_names(dump, table, error);
    forget_names(dump);
    return status == STATUS_OK ? read_table_options(dump, table, error) : status;
}

/* ---- rows ---- */

static bool is_hex_number(const struct mysql_lexer *lexer)
{
    return lexer->word == MYSQL_NUMBER && lexer->text.length > 2 && lexer->text.bytes[0] == '0' &&
           (lexer->text.bytes[1] == 'x' || lexer->text.bytes[1] == 'X');
}

/* The newest word is the text of a value. */
static void add_text(struct dump *dump, struct place *place)
{
    const struct text *text = &dump->lexer.text;
    place->is_cut = dump->lexer.cut || text->length > MYSQL_ROW_BYTES_MAX - dump->row.length;
    place->length = place->is_cut ? 0 : text->length;
    text_append(&dump->row, text->bytes, place->length);
}

/* The newest word is bytes in hexadecimal digits, from digit from on. */
static enum status add_hex(struct dump *dump, size_t from, struct place *place, struct error *error)
{
    const struct text *text = &dump->lexer.text;
    if (dump->lexer.cut || text->length / 2 > MYSQL_ROW_BYTES_MAX - dump->row.length) {
        place->is_cut = true;
        return STATUS_OK;
    }
    if ((text->length - from) % 2 != 0)
        return invalid(dump, error, "half a byte in hexadecimal digits");
    for (size_t at = from; at < text->length; at += 2) {
        int high = ascii_hex_value(text->bytes[at]);
        int low = ascii_hex_value(text->bytes[at + 1]);
        if (high < 0 || low < 0)
            return invalid(dump, error, "not hexadecimal digits");
        text_append_char(&dump->row, (char)(high << 4 | low));
        place->length++;
    }
    return STATUS_OK;
}

/* Reads x'4142', _binary 'text' or a bare word, whose first word is the newest. */
static enum status read_introduced(struct dump *dump, struct place *place, struct error *error)
{
    bool is_hex = mysql_lexer_is(&dump->lexer, "x");
    bool is_charset = dump->lexer.text.bytes[0] == '_';
    if (mysql_lexer_is(&dump->lexer, "NULL")) {
        place->is_null = true;
        return STATUS_OK;
    }
    if (!is_hex && !is_charset)
        return invalid(dump, error, "a value that is neither text nor number nor NULL");
    enum status status = next(dump, error);
    if (status != STATUS_OK)
        return status;
    if (is_charset && is_hex_number(&dump->lexer))
        return add_hex(dump, 2, place, error);
    if (dump->lexer.word != MYSQL_STRING)
        return invalid(dump, error, "a value without its text");
    if (is_hex)
        return add_hex(dump, 0, place, error);
    add_text(dump, place);
    return STATUS_OK;
}

/* Reads the value that begins with the newest word; then its last word is the newest. */
static enum status read_value(struct dump *dump, struct place *place, struct error *error)
{
    *place = (struct place){.from = dump->row.length};
    if (mysql_lexer_is_mark(&dump->lexer, '-')) {
        text_append_char(&dump->row, '-');
        enum status status = next(dump, error);
        if (status != STATUS_OK || dump->lexer.word != MYSQL_NUMBER)
            return status == STATUS_OK ? invalid(dump, error, "a minus without its number") : status;
        add_text(dump, place);
        place->length++;
        return STATUS_OK;
    }
    if (is_hex_number(&dump->lexer))
        return add_hex(dump, 2, place, error);
    if (dump->lexer.word == MYSQL_STRING || dump->lexer.word == MYSQL_NUMBER) {
        add_text(dump, place);
        return STATUS_OK;
    }
    if (dump->lexer.word == MYSQL_KEYWORD)
        return read_introduced(dump, place, error);
    return invalid(dump, error, "a value is missing");
}

static enum status hand_over_row(struct dump *dump, enum legacy_table table, struct error *error)
{
    struct legacy_value values[LEGACY_COLUMNS_MAX];
    for (size_t at = 0; at < dump->count; at++) {
        const struct place *place = &dump->places[at];
        values[at] = (struct legacy_value){.bytes = dump->row.bytes + place->from,
                                           .length = place->length,
                                           .is_null = place->is_null,
                                           .is_cut = place->is_cut};
    }
    return legacy_rows_add(dump->rows, table, values, dump->count, error);
}

/* The newest word is the bracket before the first value; then it is the one behind the last. */
static enum status read_row(struct dump *dump, enum legacy_table table, struct error *error)
{
    text_clear(&dump->row);
    dump->count = 0;
    do {
        if (dump->count == LEGACY_COLUMNS_MAX)
            return invalid(dump, error, "a row has too many values");
        enum status status = next(dump, error);
        if (status == STATUS_OK)
            status = read_value(dump, &dump->places[dump->count++], error);
        if (status == STATUS_OK)
            status = next(dump, error);
        if (status != STATUS_OK)
            return status;
    } while (mysql_lexer_is_mark(&dump->lexer, ','));
    if (!mysql_lexer_is_mark(&dump->lexer, ')'))
        return invalid(dump, error, "something else than a comma behind a value");
    return hand_over_row(dump, table, error);
}

static enum status read_rows(struct dump *dump, enum legacy_table table, struct error *error)
{
    enum status status = next(dump, error);
    while (status == STATUS_OK && mysql_lexer_is_mark(&dump->lexer, '(')) {
        status = read_row(dump, table, error);
        if (status == STATUS_OK)
            status = next(dump, error);
        if (status == STATUS_OK && dump->lexer.word == MYSQL_STATEMENT)
            return STATUS_OK;
        if (status == STATUS_OK && !mysql_lexer_is_mark(&dump->lexer, ','))
            break;
        if (status == STATUS_OK)
            status = next(dump, error);
    }
    return status == STATUS_OK ? invalid(dump, error, "something else than rows behind VALUES") : status;
}

/* The newest word is the bracket of a list of columns. */
static enum status read_column_list(struct dump *dump, enum legacy_table table, struct error *error)
{
    enum status status = STATUS_OK;
    do {
        status = next(dump, error);
        if (status == STATUS_OK && !is_name(dump))
            status = invalid(dump, error, "a column without its name");
        if (status == STATUS_OK)
            status = add_name(dump, error);
        if (status == STATUS_OK)
            status = next(dump, error);
    } while (status == STATUS_OK && mysql_lexer_is_mark(&dump->lexer, ','));
    if (status == STATUS_OK && !mysql_lexer_is_mark(&dump->lexer, ')'))
        status = invalid(dump, error, "a list of columns has no end");
    if (status == STATUS_OK)
        status = use_names(dump, table, error);
    forget_names(dump);
    return status == STATUS_OK ? next(dump, error) : status;
}

static enum status read_insert(struct dump *dump, struct error *error)
{
    static const char *const between[] = {"IGNORE", "DELAYED", "LOW_PRIORITY", "HIGH_PRIORITY", "INTO"};
    enum legacy_table table = LEGACY_TABLE_COUNT;
    enum status status = next(dump, error);
    if (status == STATUS_OK)
        status = skip_keywords(dump, between, sizeof between / sizeof between[0], error);
    if (status == STATUS_OK)
        status = read_table_name(dump, &table, error);
    if (status != STATUS_OK || table == LEGACY_TABLE_COUNT)
        return status == STATUS_OK ? skip_statement(dump, error) : status;
    if (mysql_lexer_is_mark(&dump->lexer, '('))
        status = read_column_list(dump, table, error);
    if (status != STATUS_OK)
        return status;
    if (!dump->rows->has_columns[table]) {
        return error_set(error, STATUS_INVALID, "DUMP_INVALID",
                         "line %lld of the dump: rows of %s, but nothing says what their columns are: make the dump without "
                         "--no-create-info, or with --complete-insert",
                         (long long)dump->lexer.line, legacy_table_name(table));
    }
    // Without it mysqldump writes latin1, and a question mark for everything else.
    if (!dump->settings.has_charset)
        return invalid(dump, error, "it does not say its charset: make it with --set-charset --default-character-set=utf8mb4");
    if (!mysql_lexer_is(&dump->lexer, "VALUES") && !mysql_lexer_is(&dump->lexer, "VALUE"))
        return invalid(dump, error, "an INSERT without VALUES");
    dump->lexer.keep = true;
    status = read_rows(dump, table, error);
    dump->lexer.keep = false;
    return status;
}

/* ---- all of it ---- */

/* The newest word is the first of a statement. */
static enum status read_statement(struct dump *dump, struct error *error)
{
    static const struct {
        const char *keyword;
        enum status (*read)(struct dump *dump, struct error *error);
    } readers[] = {
        {"USE", use_database}, {"SET", read_set}, {"CREATE", read_create}, {"INSERT", read_insert}, {"REPLACE", read_insert},
    };
    if (mysql_lexer_is(&dump->lexer, "DELIMITER"))
        return mysql_lexer_take_delimiter(&dump->lexer, error);
    for (size_t at = 0; at < sizeof readers / sizeof readers[0]; at++) {
        if (mysql_lexer_is(&dump->lexer, readers[at].keyword))
            return readers[at].read(dump, error);
    }
    return skip_statement(dump, error);
}

static enum status check_whole(const struct dump *dump, struct error *error)
{
    if (!dump->lexer.completed) {
        return error_set(error, STATUS_INVALID, "DUMP_TRUNCATED",
                         "the dump does not end with the line '-- Dump completed': it is not whole (or made with "
                         "--skip-comments or --compact: make it without)");
    }
    if (!dump->rows->has_columns[LEGACY_SUBMISSIONS]) {
        return error_set(error, STATUS_INVALID, "NOT_AN_ORIGINAL", "the dump has no table %s%s%.64s",
                         legacy_table_name(LEGACY_SUBMISSIONS), dump->wanted ? " in the database " : "",
                         dump->wanted ? dump->wanted : "");
    }
    return STATUS_OK;
}

enum status mysql_dump_read(const struct mysql_input *input, const char *database, struct legacy_rows *rows,
                            struct error *error)
{
    struct dump *dump = MEMORY_NEW(struct dump);
    dump->rows = rows;
    dump->wanted = database;
    mysql_lexer_init(&dump->lexer, input);
    text_init(&dump->row, MYSQL_ROW_BYTES_MAX);
    enum status status = next(dump, error);
    while (status == STATUS_OK && dump->lexer.word != MYSQL_END) {
        status = read_statement(dump, error);
        if (status == STATUS_OK && dump->lexer.word != MYSQL_END)
            status = next(dump, error);
    }
    if (status == STATUS_OK)
        status = check_whole(dump, error);
    mysql_lexer_finish(&dump->lexer);
    text_finish(&dump->row);
    memory_free(dump);
    return status;
}
