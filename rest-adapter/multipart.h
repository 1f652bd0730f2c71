/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Incremental parser of multipart/form-data (RFC 7578, RFC 2046): bytes are pushed in as they come, parts go out through
 * callbacks, so that no part is ever held in memory.
 *
 * Lenient where the original is: what stands before the first and after the closing boundary is ignored, a missing closing
 * boundary is accepted, a boundary that is never found is an empty form, a part without a name and one with filename="" are
 * skipped (no callbacks). Content-Transfer-Encoding is not decoded: the bytes are passed on as they came (no known client sends
 * one).
 *
 *     PREAMBLE --boundary--> HEADERS --blank line--> DATA --boundary--> HEADERS ...
 *         any of the three after a boundary with a final "--": EPILOGUE
 *
 * Threading: pure; one parser belongs to one thread at a time. Callbacks run inside multipart_feed and multipart_finish.
 */
#ifndef REST_ADAPTER_MULTIPART_H
#define REST_ADAPTER_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"
#include "base/status.h"

enum {
    MULTIPART_BOUNDARY_BYTES_MAX = 200,
    MULTIPART_HEADERS_BYTES_MAX = 8192, /* of one part */
    MULTIPART_PADDING_BYTES_MAX = 64,   /* blanks between a boundary and the end of its line */
    MULTIPART_PARTS_MAX = 20000,        /* of one body, the skipped ones too */
};

/* What the headers of a part say. Borrowed, valid during on_part only; raw bytes, not yet checked to be UTF-8. */
struct multipart_part {
    struct span name;
    struct span
        filename; /* absent (bytes NULL): a field, not a file. filename* (RFC 5987) is decoded and goes before filename */
    struct span content_type; /* the whole header value; absent when there is none */
};

/* A status other than STATUS_OK stops the parser: it is what multipart_feed or multipart_finish then returns. */
struct multipart_events {
    enum status (*on_part)(void *context, const struct multipart_part *part, struct error *error);
    enum status (*on_data)(void *context, const char *bytes, size_t length, struct error *error); /* any number of times */
    enum status (*on_part_end)(void *context, struct error *error);
    void *context;
};

struct multipart;

/*
 * content_type: value of the HTTP header, borrowed for the call only. events: copied. *out_parser: free with multipart_destroy.
 * STATUS_INVALID, reason FORM_MALFORMED: no boundary parameter, or one that is empty, too long or not printable ASCII.
 */
enum status multipart_create(struct span content_type, const struct multipart_events *events, struct multipart **out_parser,
                             struct error *error) STATUS_CHECKED;

void multipart_destroy(struct multipart *parser); /* NULL is fine; no callback */

/*
 * Takes the next bytes of the body. STATUS_INVALID (FORM_MALFORMED): the headers of a part are longer than
 * MULTIPART_HEADERS_BYTES_MAX. STATUS_FULL (FORM_TOO_MANY_FIELDS): more than MULTIPART_PARTS_MAX parts. After a failure every
 * later call fails the same way.
 */
enum status multipart_feed(struct multipart *parser, const void *bytes, size_t length, struct error *error) STATUS_CHECKED;

/* The body is over: ends the part that is open, if any. */
enum status multipart_finish(struct multipart *parser, struct error *error) STATUS_CHECKED;

#endif
