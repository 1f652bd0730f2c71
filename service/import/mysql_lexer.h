/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of a dump as mysqldump and mariadb-dump write it: names, strings with their escapes, numbers, punctuation, the end
 * of a statement. Comments are left out; what stands in a conditional comment (those that begin with an exclamation mark)
 * counts as written. Not a parser of SQL: what the words mean is mysql_dump's.
 *
 * Reads its input piece by piece and keeps one word at a time, so a dump of any size needs the same memory.
 *
 * Threading: pure; one lexer belongs to one thread.
 */
#ifndef SERVICE_IMPORT_MYSQL_LEXER_H
#define SERVICE_IMPORT_MYSQL_LEXER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/text.h"

enum {
    MYSQL_PIECE_BYTES = 64 * 1024,            /* read at a time */
    MYSQL_VALUE_BYTES_MAX = 16 * 1024 * 1024, /* of one word that is kept; what is beyond is dropped, and said */
    MYSQL_NAME_BYTES_MAX = 256,               /* of a word that is not: enough for every keyword and name */
    MYSQL_DELIMITER_BYTES_MAX = 16,           /* what ends a statement: ";" unless the dump says otherwise */
    MYSQL_COMMENT_BYTES_MAX = 64,             /* looked at of a line comment */
    MYSQL_VERSION_NEVER = 999999,             /* a conditional comment for servers from this version on is a comment */
};

/*
 * Where the dump comes from. read: at most capacity bytes into out; how many, 0 at the end, -1 on failure (errno says why).
 */
struct mysql_input {
    int64_t (*read)(void *context, char *out, size_t capacity);
    void *context; /* borrowed */
};

enum mysql_word {
    MYSQL_END,       /* of the input */
    MYSQL_STATEMENT, /* the end of a statement */
    MYSQL_NAME,      /* `name`, or "name" in ANSI mode */
    MYSQL_STRING,    /* 'text', or "text" */
    MYSQL_KEYWORD,   /* a word without quotes */
    MYSQL_NUMBER,    /* begins with a digit: also 0x4142 */
    MYSQL_MARK,      /* one character of anything else */
};

struct mysql_lexer {
    struct mysql_input input;
    char *piece; /* owned; MYSQL_PIECE_BYTES */
    size_t at;
    size_t end;
    bool input_ended;
    int64_t line;              /* from 1 */
    bool no_backslash_escapes; /* set by whoever reads the dump's SET statements */
    bool ansi_quotes;          /* likewise */
    bool keep;                 /* keep words up to MYSQL_VALUE_BYTES_MAX, not only MYSQL_NAME_BYTES_MAX */
    char delimiter[MYSQL_DELIMITER_BYTES_MAX + 1];
    size_t delimiter_length;
    bool conditional; /* inside of a conditional comment */
    bool completed;   /* the last thing but blanks was the comment "-- Dump completed" */

    /* the newest word */
    enum mysql_word word;
    char mark;        /* MYSQL_MARK: the character */
    bool cut;         /* text is not all of it */
    struct text text; /* without quotes, escapes resolved */
};

void mysql_lexer_init(struct mysql_lexer *lexer, const struct mysql_input *input);
void mysql_lexer_finish(struct mysql_lexer *lexer); /* frees; zeroed is fine */

/*
 * Reads the next word into lexer->word and what belongs to it. After MYSQL_END again MYSQL_END. STATUS_INVALID: the input ends
 * inside of a string, a name or a comment; STATUS_DATA_LOSS: it cannot be read. Text, with the line, in error.
 */
enum status mysql_lexer_next(struct mysql_lexer *lexer, struct error *error) STATUS_CHECKED;

/* The rest of the line is what ends a statement from now on. STATUS_INVALID: it is empty or too long. */
enum status mysql_lexer_take_delimiter(struct mysql_lexer *lexer, struct error *error) STATUS_CHECKED;

/* Is the newest word this keyword, in whatever case? */
bool mysql_lexer_is(const struct mysql_lexer *lexer, const char *keyword);
bool mysql_lexer_is_mark(const struct mysql_lexer *lexer, char mark);
/* Is it the end of a statement, or of all? */
bool mysql_lexer_is_end(const struct mysql_lexer *lexer);

/* Says what is wrong, and in which line; at the end of the input, that the dump is not whole. Returns STATUS_INVALID. */
enum status mysql_lexer_invalid(const struct mysql_lexer *lexer, struct error *error, const char *what);

#endif
