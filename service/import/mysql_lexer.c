/* SPDX-License-Identifier: Apache-2.0 */
#include "service/import/mysql_lexer.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/ascii.h"
#include "base/memory.h"

enum { NO_BYTE = -1, DECIMAL = 10 };

void mysql_lexer_init(struct mysql_lexer *lexer, const struct mysql_input *input)
{
    *lexer = (struct mysql_lexer){.input = *input, .line = 1, .delimiter = ";", .delimiter_length = 1};
    lexer->piece = memory_allocate(MYSQL_PIECE_BYTES);
    text_init(&lexer->text, MYSQL_VALUE_BYTES_MAX);
}

void mysql_lexer_finish(struct mysql_lexer *lexer)
{
    memory_free(lexer->piece);
    text_finish(&lexer->text);
    *lexer = (struct mysql_lexer){0};
}

/* ---- bytes ---- */

/* Sees to it that count bytes are in the piece, or all that are left. */
static enum status fill(struct mysql_lexer *lexer, size_t count, struct error *error)
{
    if (lexer->end - lexer->at >= count || lexer->input_ended)
        return STATUS_OK;
    memmove(lexer->piece, lexer->piece + lexer->at, lexer->end - lexer->at);
    lexer->end -= lexer->at;
    lexer->at = 0;
    while (lexer->end < count && !lexer->input_ended) {
        int64_t got = lexer->input.read(lexer->input.context, lexer->piece + lexer->end, MYSQL_PIECE_BYTES - lexer->end);
        if (got < 0)
            return error_set(error, STATUS_DATA_LOSS, "UNREADABLE", "cannot read the dump: %s", strerror(errno));
        lexer->input_ended = got == 0;
        lexer->end += (size_t)got;
    }
    return STATUS_OK;
}

/* The byte that comes in ahead bytes, which fill has seen to; NO_BYTE behind the end. */
static int peek(const struct mysql_lexer *lexer, size_t ahead)
{
    return lexer->end - lexer->at > ahead ? (unsigned char)lexer->piece[lexer->at + ahead] : NO_BYTE;
}

static void skip(struct mysql_lexer *lexer, size_t count)
{
    for (; count > 0 && lexer->at < lexer->end; count--) {
        if (lexer->piece[lexer->at++] == '\n')
            lexer->line++;
    }
}

static bool starts_with(const struct mysql_lexer *lexer, const char *string, size_t length)
{
    return lexer->end - lexer->at >= length && memcmp(lexer->piece + lexer->at, string, length) == 0;
}

static enum status ends_early(const struct mysql_lexer *lexer, const char *what, struct error *error)
{
    return error_set(error, STATUS_INVALID, "DUMP_TRUNCATED", "line %lld: the dump ends in the middle of %s: it is not whole",
                     (long long)lexer->line, what);
}

/* ---- the word's text ---- */

static void append(struct mysql_lexer *lexer, const char *bytes, size_t length)
{
    size_t bytes_max = lexer->keep ? MYSQL_VALUE_BYTES_MAX : MYSQL_NAME_BYTES_MAX;
    size_t room = bytes_max - lexer->text.length;
    if (length > room) {
        lexer->cut = true;
        length = room;
    }
    text_append(&lexer->text, bytes, length);
}

static void append_byte(struct mysql_lexer *lexer, char byte)
{
    append(lexer, &byte, 1);
}

/* ---- comments ---- */

static bool is_blank(int byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static enum status skip_line_comment(struct mysql_lexer *lexer, struct error *error)
{
    static const char completed[] = "-- Dump completed";
    enum status status = fill(lexer, MYSQL_COMMENT_BYTES_MAX, error);
    if (status != STATUS_OK)
        return status;
    bool ends_dump = starts_with(lexer, completed, sizeof completed - 1);
    while (status == STATUS_OK && peek(lexer, 0) != NO_BYTE) {
        const char *from = lexer->piece + lexer->at;
        const char *newline = memchr(from, '\n', lexer->end - lexer->at);
        lexer->at = newline ? (size_t)(newline - lexer->piece) : lexer->end;
        if (newline)
            break;
        status = fill(lexer, 1, error);
    }
    if (ends_dump)
        lexer->completed = true;
    return status;
}

static enum status skip_block_comment(struct mysql_lexer *lexer, struct error *error)
{
    skip(lexer, 2);
    for (;;) {
        enum status status = fill(lexer, 2, error);
        if (status != STATUS_OK)
            return status;
        if (peek(lexer, 0) == NO_BYTE)
            return ends_early(lexer, "a comment", error);
        if (starts_with(lexer, "*/", 2)) {
            skip(lexer, 2);
            return STATUS_OK;
        }
        skip(lexer, 1);
    }
}

/* At the start of a comment: the bytes that open a conditional one that counts, or 0. */
static size_t conditional_length(const struct mysql_lexer *lexer)
{
    size_t length = starts_with(lexer, "/*!", 3) ? 3 : starts_with(lexer, "/*M!", 4) ? 4 : 0;
    int version = 0;
    if (length == 0)
        return 0;
    for (int digits = 0; digits < 6 && ascii_is_digit((char)peek(lexer, length)); digits++, length++)
        version = version * DECIMAL + (peek(lexer, length) - '0');
    return version < MYSQL_VERSION_NEVER ? length : 0;
}

static bool is_line_comment(const struct mysql_lexer *lexer)
{
    int third = peek(lexer, 2);
    return peek(lexer, 0) == '#' || (starts_with(lexer, "--", 2) && (third == NO_BYTE || is_blank(third)));
}

/* Skips one comment, one bracket of a conditional one, or blanks. *out_skipped: there was something. */
static enum status skip_one(struct mysql_lexer *lexer, bool *out_skipped, struct error *error)
{
    enum status status = fill(lexer, MYSQL_DELIMITER_BYTES_MAX, error);
    *out_skipped = true;
    if (status != STATUS_OK)
        return status;
    if (is_blank(peek(lexer, 0))) {
        skip(lexer, 1);
        return STATUS_OK;
    }
    if (starts_with(lexer, lexer->delimiter, lexer->delimiter_length)) {
        *out_skipped = false;
        return STATUS_OK;
    }
    if (is_line_comment(lexer))
        return skip_line_comment(lexer, error);
    if (lexer->conditional && starts_with(lexer, "*/", 2)) {
        lexer->conditional = false;
        skip(lexer, 2);
        return STATUS_OK;
    }
    size_t conditional = conditional_length(lexer);
    if (conditional > 0) {
        lexer->conditional = true;
        skip(lexer, conditional);
        return STATUS_OK;
    }
    if (starts_with(lexer, "/*", 2))
        return skip_block_comment(lexer, error);
    *out_skipped = false;
    return STATUS_OK;
}

/* ---- words ---- */

static void take_escape(struct mysql_lexer *lexer)
{
    static const char letters[] = "0bnrtZ";
    static const char meanings[] = "\0\b\n\r\t\x1a";
    char letter = (char)peek(lexer, 1);
    const char *found = memchr(letters, letter, sizeof letters - 1);
    // Before the wildcards of LIKE the backslash stays.
    if (letter == '%' || letter == '_')
        append_byte(lexer, '\\');
    append_byte(lexer, found ? meanings[found - letters] : letter);
    skip(lexer, 2);
}

/* Appends bytes up to the next quote or backslash of the piece. */
static void take_run(struct mysql_lexer *lexer, char quote, bool escapes)
{
    size_t to = lexer->at;
    while (to < lexer->end && lexer->piece[to] != quote && !(escapes && lexer->piece[to] == '\\')) {
        if (lexer->piece[to++] == '\n')
            lexer->line++;
    }
    append(lexer, lexer->piece + lexer->at, to - lexer->at);
    lexer->at = to;
}

static enum status take_quoted(struct mysql_lexer *lexer, bool escapes, struct error *error)
{
    char quote = (char)peek(lexer, 0);
    skip(lexer, 1);
    for (;;) {
        enum status status = fill(lexer, 2, error);
        if (status != STATUS_OK)
            return status;
        bool at_quote = peek(lexer, 0) == quote;
        if (peek(lexer, 0) == NO_BYTE || (peek(lexer, 1) == NO_BYTE && !at_quote))
            return ends_early(lexer, quote == '`' ? "a name" : "a text", error);
        if (at_quote && peek(lexer, 1) == quote) {
            append_byte(lexer, quote);
            skip(lexer, 2);
        } else if (at_quote) {
            skip(lexer, 1);
            return STATUS_OK;
        } else if (escapes && peek(lexer, 0) == '\\') {
            take_escape(lexer);
        } else {
            take_run(lexer, quote, escapes);
        }
    }
}

static bool is_word_byte(int byte, bool number)
{
    return byte != NO_BYTE && (ascii_is_alphanumeric((char)byte) || byte == '_' || byte == '$' || byte == '@' || byte >= 0x80 ||
                               (number && byte == '.'));
}

static enum status take_bare(struct mysql_lexer *lexer, struct error *error)
{
    bool number = lexer->word == MYSQL_NUMBER;
    for (;;) {
        enum status status = fill(lexer, 1, error);
        if (status != STATUS_OK || !is_word_byte(peek(lexer, 0), number))
            return status;
        append_byte(lexer, (char)peek(lexer, 0));
        skip(lexer, 1);
    }
}

static enum status take_word(struct mysql_lexer *lexer, struct error *error)
{
    int byte = peek(lexer, 0);
    bool is_name = byte == '`' || (byte == '"' && lexer->ansi_quotes);
    if (is_name || byte == '\'' || byte == '"') {
        lexer->word = is_name ? MYSQL_NAME : MYSQL_STRING;
        return take_quoted(lexer, !is_name && !lexer->no_backslash_escapes, error);
    }
    if (is_word_byte(byte, false)) {
        lexer->word = ascii_is_digit((char)byte) ? MYSQL_NUMBER : MYSQL_KEYWORD;
        return take_bare(lexer, error);
    }
    lexer->word = MYSQL_MARK;
    lexer->mark = (char)byte;
    skip(lexer, 1);
    return STATUS_OK;
}

enum status mysql_lexer_next(struct mysql_lexer *lexer, struct error *error)
{
    bool skipped = true;
    while (skipped) {
        enum status status = skip_one(lexer, &skipped, error);
        if (status != STATUS_OK)
            return status;
    }
    text_clear(&lexer->text);
    lexer->cut = false;
    if (peek(lexer, 0) == NO_BYTE) {
        lexer->word = MYSQL_END;
        return STATUS_OK;
    }
    lexer->completed = false;
    if (starts_with(lexer, lexer->delimiter, lexer->delimiter_length)) {
        lexer->word = MYSQL_STATEMENT;
        skip(lexer, lexer->delimiter_length);
        return STATUS_OK;
    }
    return take_word(lexer, error);
}

enum status mysql_lexer_take_delimiter(struct mysql_lexer *lexer, struct error *error)
{
    char line[MYSQL_DELIMITER_BYTES_MAX * 2];
    size_t length = 0;
    enum status status = fill(lexer, sizeof line, error);
    if (status != STATUS_OK)
        return status;
    for (; length < sizeof line && peek(lexer, length) != NO_BYTE && peek(lexer, length) != '\n'; length++)
        line[length] = (char)peek(lexer, length);
    skip(lexer, length);
    const char *from = line;
    for (; length > 0 && is_blank(*from); length--)
        from++;
    while (length > 0 && is_blank(from[length - 1]))
        length--;
    if (length == 0 || length > MYSQL_DELIMITER_BYTES_MAX)
        return error_set(error, STATUS_INVALID, "DUMP_INVALID", "line %lld: DELIMITER without a usable delimiter",
                         (long long)lexer->line);
    memcpy(lexer->delimiter, from, length);
    lexer->delimiter[length] = '\0';
    lexer->delimiter_length = length;
    return STATUS_OK;
}

bool mysql_lexer_is(const struct mysql_lexer *lexer, const char *keyword)
{
    return lexer->word == MYSQL_KEYWORD && strcasecmp(lexer->text.bytes, keyword) == 0;
}

bool mysql_lexer_is_mark(const struct mysql_lexer *lexer, char mark)
{
    return lexer->word == MYSQL_MARK && lexer->mark == mark;
}

bool mysql_lexer_is_end(const struct mysql_lexer *lexer)
{
    return lexer->word == MYSQL_STATEMENT || lexer->word == MYSQL_END;
}

enum status mysql_lexer_invalid(const struct mysql_lexer *lexer, struct error *error, const char *what)
{
    if (lexer->word == MYSQL_END) {
        return error_set(error, STATUS_INVALID, "DUMP_TRUNCATED",
                         "line %lld: the dump ends in the middle of a statement: it is not whole", (long long)lexer->line);
    }
    return error_set(error, STATUS_INVALID, "DUMP_INVALID", "line %lld of the dump: %s", (long long)lexer->line, what);
}
