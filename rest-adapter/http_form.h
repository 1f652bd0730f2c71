/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the body of a request into a form: http_message brings the bytes, form_reader takes them.
 *
 * Threading: as the request.
 */
#ifndef REST_ADAPTER_HTTP_FORM_H
#define REST_ADAPTER_HTTP_FORM_H

#include "base/config.h"
#include "base/status.h"
#include "rest-adapter/form_reader.h"
#include "rest-adapter/http_message.h"

enum { HTTP_FORM_OVERHEAD_BYTES_MAX = 4 * 1024 * 1024 }; /* of boundaries, part headers, and parts that do not count */

/* The limits of config for a form. */
struct form_limits http_form_limits(const struct config_rest *config);

/* No larger body is read: all fields, all files, and HTTP_FORM_OVERHEAD_BYTES_MAX. */
int64_t http_form_bytes_max(const struct config_rest *config);

/* Is the body of a kind that is read at all, and multipart? Then reading it may fill the disk. */
bool http_form_is_multipart(const struct http_request *request);

/*
 * form: initialised; holds what came also on failure (its files are to be removed then). sink: as form_reader_create.
 * A body of another type, and a chunked one, give an empty form; they are not read. STATUS_CANCELED: the client vanished or was
 * too slow. Else the errors of form_reader; FORM_TOO_LARGE without reading for what cannot fit.
 */
enum status http_form_read(const struct http_request *request, const struct config_rest *config,
                           const struct form_file_sink *sink, struct form *form, struct error *error) STATUS_CHECKED;

#endif
