/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kinds of ASCII bytes, whatever the locale.
 *
 * Threading: pure.
 */
#ifndef BASE_ASCII_H
#define BASE_ASCII_H

#include <stdbool.h>

static inline bool ascii_is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static inline bool ascii_is_alphanumeric(char byte)
{
    return ascii_is_digit(byte) || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

/* The value of a hexadecimal digit, or -1. */
static inline int ascii_hex_value(char digit)
{
    if (ascii_is_digit(digit))
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

#endif
