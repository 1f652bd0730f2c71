/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the body of a request into a form, bytes as they come: urlencoded or multipart by its Content-Type, and nothing at all
 * for any other type, as the original does. Fields are collected within the form's limits; files go to a sink piece by piece.
 *
 * Threading: pure but for the sink; one reader belongs to one thread at a time.
 */
#ifndef REST_ADAPTER_FORM_READER_H
#define REST_ADAPTER_FORM_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "rest-adapter/form.h"

/*
 * Where the bytes of files go. on_end is called after the last byte of a file; when reading fails or is given up before, it is
 * not: the caller then cleans up whatever form_file.stored and form_file.receiver name. A status other than STATUS_OK stops the
 * reader.
 */
struct form_file_sink {
    enum status (*on_begin)(void *context, struct form_file *file, struct error *error);
    enum status (*on_data)(void *context, struct form_file *file, const char *bytes, size_t length, struct error *error);
    enum status (*on_end)(void *context, struct form_file *file, struct error *error);
    void *context;
};

struct form_reader;

/*
 * content_type: the header's value or absent, borrowed for the call only. form: borrowed for the reader's life, initialised;
 * its charset becomes that of content_type.
 * sink: copied; NULL: files are read and dropped, only described in the form. STATUS_INVALID (FORM_MALFORMED): multipart
 * without a usable boundary.
 */
enum status form_reader_create(struct span content_type, struct form *form, const struct form_file_sink *sink,
                               struct form_reader **out_reader, struct error *error) STATUS_CHECKED;

void form_reader_destroy(struct form_reader *reader); /* NULL is fine */

/* Is a body of this Content-Type (absent: without one) a form? Another need not be read, and is ignored when fed. */
bool form_reader_takes(struct span content_type);

/* The same of this reader's. */
bool form_reader_wants_body(const struct form_reader *reader);

/*
 * STATUS_FULL: FORM_TOO_LARGE, FORM_TOO_MANY_FIELDS, FORM_TOO_MANY_FILES. STATUS_INVALID: FORM_MALFORMED, FORM_NAME_TOO_LONG.
 * Else what the sink returned. After a failure every later call fails.
 */
enum status form_reader_feed(struct form_reader *reader, const void *bytes, size_t length, struct error *error) STATUS_CHECKED;

/* The body is over. The form is complete on STATUS_OK. Errors as feed. */
enum status form_reader_finish(struct form_reader *reader, struct error *error) STATUS_CHECKED;

#endif
