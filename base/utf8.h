/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One UTF-8 character after the other out of bytes that may be anything.
 *
 * Threading: pure.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

#define UTF8_BAD UINT32_MAX

enum {
    UTF8_REPLACEMENT = 0xFFFD,
    UTF8_SURROGATE_FIRST = 0xD800, /* high ones to 0xDBFF, low ones from 0xDC00 */
    UTF8_SURROGATE_LOW = 0xDC00,
    UTF8_SURROGATE_LAST = 0xDFFF,
};

/*
 * Reads one character. length >= 1. Returns the bytes that it takes; *out_code is the character, or UTF8_BAD when these bytes
 * are a maximal part of an ill-formed sequence (Unicode 15, section 3.9, as Python replaces them).
 */
size_t utf8_next(const char *bytes, size_t length, uint32_t *out_code);

/* The same, but a surrogate in its three-byte form is a character too. */
size_t utf8_next_or_surrogate(const char *bytes, size_t length, uint32_t *out_code);

/* Appends code in 1 to 4 bytes; a surrogate in its three-byte form. code <= 0x10FFFF. */
void utf8_append(struct text *out, uint32_t code);

/* Python's str.isprintable for one character, but for code points without a character, which count as printable here. */
bool utf8_is_printable(uint32_t code);

#endif
