/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON as Python's json.loads reads it, and str() of what it read. Own code because every JSON library refuses what legacy
 * clients may send: NaN and Infinity, numbers of any size, lone surrogates, NUL. Strings are UTF-8; a lone surrogate is kept in
 * its three-byte form.
 *
 * Threading: pure; a value is immutable once parsed.
 */
#ifndef BASE_PYTHON_JSON_H
#define BASE_PYTHON_JSON_H

#include <stddef.h>

#include "base/span.h"
#include "base/status.h"
#include "base/text.h"

enum {
    PYTHON_JSON_BYTES_MAX = 1024 * 1024,
    PYTHON_JSON_DEPTH_MAX = 100,
    PYTHON_JSON_DIGITS_MAX = 4300, /* of an integer: Python's own limit */
};

enum python_json_kind {
    PYTHON_JSON_NULL,
    PYTHON_JSON_FALSE,
    PYTHON_JSON_TRUE,
    PYTHON_JSON_INTEGER, /* text: its digits, with '-' */
    PYTHON_JSON_FLOAT,   /* number: also infinite or not a number */
    PYTHON_JSON_STRING,  /* text */
    PYTHON_JSON_LIST,
    PYTHON_JSON_OBJECT,
};

struct python_json {
    enum python_json_kind kind;
    struct span key;  /* owned; of a member of an object, else absent */
    struct span text; /* owned */
    double number;
    struct python_json *items; /* owned; elements, or members in their order, duplicates too */
    size_t count;
    size_t capacity;
};

/*
 * Parses text, all of it. *out_value: the caller's, free with python_json_destroy. STATUS_INVALID: json.loads would refuse it,
 * or it is longer or deeper than the limits above; nothing is said about where.
 */
enum status python_json_parse(struct span text, struct python_json **out_value) STATUS_CHECKED;

void python_json_destroy(struct python_json *value); /* NULL is fine */

/* The value of the last member with this key; NULL when there is none or object is no object. Borrowed. */
const struct python_json *python_json_get(const struct python_json *object, const char *key);

/* Appends str(value): a string as it is, anything else as Python prints it. Cut when out is full: check out->failed. */
void python_json_append_str(struct text *out, const struct python_json *value);

#endif
