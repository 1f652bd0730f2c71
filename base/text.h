/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounded text: a growing byte buffer that never exceeds the maximum it was born with, and checks of text from outside.
 *
 * Threading: pure; one buffer belongs to one thread at a time.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/*
 * A buffer. bytes is always followed by a NUL that length does not count (so text without NUL bytes is a C string).
 * After the first append that would pass bytes_max the buffer is failed: it stays as it was and every later append does
 * nothing, so a chain of appends needs one check at its end.
 */
struct text {
    char *bytes; /* owned; never NULL after text_init */
    size_t length;
    size_t capacity;
    size_t bytes_max;
    bool failed;
};

void text_init(struct text *text, size_t bytes_max);
void text_finish(struct text *text); /* frees; zeroed or finished text is fine */
void text_clear(struct text *text);  /* empties, keeps the memory, clears failed */
void text_append(struct text *text, const void *bytes, size_t length);
void text_append_string(struct text *text, const char *string);
void text_append_char(struct text *text, char character);
void text_append_format(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
enum status text_status(const struct text *text) STATUS_CHECKED; /* STATUS_OK, or STATUS_FULL when failed */
/* Ownership moves, free with memory_free; text is empty and no longer failed then. out_length may be NULL. */
char *text_take(struct text *text, size_t *out_length);

/* Is it well-formed UTF-8 (no surrogates, no overlong forms, <= U+10FFFF)? NUL counts as a character. */
bool text_is_utf8(const void *bytes, size_t length);

/*
 * The bytes (1 to 4) of the well-formed UTF-8 sequence that bytes start with; 0 when there is none (or length is 0).
 * For whoever walks over text from outside.
 */
size_t text_utf8_step(const void *bytes, size_t length);

/* The largest length up to bytes_max at which the string of length bytes can be cut without cutting a UTF-8 sequence. */
size_t text_utf8_cut(const char *string, size_t length, size_t bytes_max);

/* Control characters (also U+0080 to U+009F, which steer some terminals) and bytes that are not UTF-8 become '?', in place. */
void text_make_printable(char *text);

/* Is it a name: 1 to bytes_max bytes of well-formed UTF-8 without control characters (below 0x20, 0x7f)? */
bool text_is_name(const char *string, size_t bytes_max);

/* Copies at most capacity - 1 bytes and a NUL; cuts at a UTF-8 boundary. Returns false when it had to cut. */
bool text_copy(char *out, size_t capacity, const char *string);

/* Lower-case hex of bytes into out, which holds 2 * length + 1. */
void text_hex(char *out, const void *bytes, size_t length);

/*
 * Compares secrets in constant time for equal lengths (lengths may leak).
 */
bool text_equal_secret(const void *a, size_t a_length, const void *b, size_t b_length);

/* Parses a whole decimal string in [min, max]; no signs but '-', no blanks. STATUS_INVALID otherwise, *out untouched. */
enum status text_to_int64(const char *string, int64_t min, int64_t max, int64_t *out) STATUS_CHECKED;

/*
 * Parses a whole decimal number with or without a fraction or an exponent ("1", "-0.25", ".5", "1e3"), multiplies it by scale
 * (such as ms in a second) and rounds to the nearest. STATUS_INVALID: no such number, or not in [min, max]; *out untouched.
 */
enum status text_to_scaled(const char *string, int64_t scale, int64_t min, int64_t max, int64_t *out) STATUS_CHECKED;

#endif
