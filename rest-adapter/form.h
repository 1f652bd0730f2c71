/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A form as it came over HTTP: its fields (small, in memory) and its files (only described here; whoever receives them keeps
 * the bytes). Filled from a query string, an urlencoded body (both here) or a multipart body (form_reader.h).
 *
 * Decoding is that of the original: '+' and %20 are a blank, a bad %zz stays as it is, bytes that are not UTF-8 become U+FFFD
 * (one per maximal part, as Python's decode('utf-8', 'replace')), ';' separates nothing, NUL bytes are kept, and of several
 * fields with one name the last counts. An urlencoded text whose raw bytes (those without '%') are not UTF-8 has them read as
 * Latin-1, all of them. Another character set than UTF-8, named by the request's Content-Type, goes for names and values.
 *
 * Threading: pure; one form belongs to one thread at a time.
 */
#ifndef REST_ADAPTER_FORM_H
#define REST_ADAPTER_FORM_H

#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "base/span.h"
#include "base/status.h"
#include "base/text.h"
#include "rest-adapter/charset.h"

enum {
    FORM_NAME_BYTES_MAX =
        255, /* of a file's field name, file name or content type; longer ones are refused or cut, see there */
    FORM_FIELDS_DEFAULT = 1000,
    FORM_BYTES_DEFAULT = 2621440,
    FORM_FILES_DEFAULT = 100,
};

/* bytes_max: of all fields together: an urlencoded text as it came; in multipart each name, its value and 2 bytes more. */
struct form_limits {
    size_t fields_max;
    size_t bytes_max;
    size_t files_max;
};

/* A file that came with a form. The first three are owned by the form, UTF-8, and end with a NUL. */
struct form_file {
    struct span field;        /* 1 to FORM_NAME_BYTES_MAX bytes */
    struct span filename;     /* last path component, without control characters; 1 to FORM_NAME_BYTES_MAX bytes */
    struct span content_type; /* as sent, without check; up to FORM_NAME_BYTES_MAX bytes; empty when absent */

    /* The rest is the receiver's (form_file_sink in form_reader.h), zero until it sets them. */
    char *stored;        /* where the bytes are, in the receiver's words; from base/memory.h, freed by form_finish; or NULL */
    uint64_t size_bytes; /* counted by the form reader */
    uint8_t sha256[SECRET_DIGEST_BYTES];
    void *receiver; /* what the receiver needs while it takes the bytes; never touched here */
};

struct form_field;

struct form {
    struct form_limits limits;
    const struct charset *charset; /* of what comes in; NULL: UTF-8; may be set after form_init */
    struct form_field *fields;     /* owned */
    size_t field_count;
    size_t field_capacity;
    size_t bytes;             /* used of limits.bytes_max */
    struct form_file **files; /* owned, each owned: their addresses stay valid while the form lives */
    size_t file_count;
};

/* An empty form. limits: copied. */
void form_init(struct form *form, const struct form_limits *limits);

/* Frees all. A zeroed or finished form is fine. Does not delete what form_file.stored names. */
void form_finish(struct form *form);

/*
 * Adds the fields of an urlencoded text (a body, or a query string without its '?'). Empty pieces ("a=1&&b=2") are no fields
 * but count against fields_max, as in the original; "a" alone is a field with an empty value. STATUS_FULL with reason
 * FORM_TOO_LARGE (more than bytes_max together with what is in the form already) or FORM_TOO_MANY_FIELDS; the form is as before
 * then.
 */
enum status form_parse_urlencoded(struct form *form, struct span text, struct error *error) STATUS_CHECKED;

/* Adds one field, copied, both made UTF-8. Errors as above. */
enum status form_add_field(struct form *form, struct span name, struct span value, struct error *error) STATUS_CHECKED;

/*
 * Adds a file. All are copied and made UTF-8; filename is reduced to its last component as form_file says.
 * *out_file: owned by the form; NULL with STATUS_OK when nothing is left of filename (such a part is dropped, as in the
 * original). STATUS_FULL: FORM_TOO_MANY_FILES (files_max). STATUS_INVALID: FORM_NAME_TOO_LONG (field or filename; content_type
 * is cut).
 */
enum status form_add_file(struct form *form, struct span field, struct span filename, struct span content_type,
                          struct form_file **out_file, struct error *error) STATUS_CHECKED;

/* The value of the last field with this name; absent (bytes NULL) when there is none. Borrowed from the form; a NUL follows it.
 */
struct span form_get(const struct form *form, const char *name);

/* The files in the order in which they came; NULL when index >= form.file_count. Several may have one field name. */
struct form_file *form_file_at(const struct form *form, size_t index);

#endif
