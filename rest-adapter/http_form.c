/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/http_form.h"

#include "base/memory.h"
#include "rest-adapter/header_value.h"

enum { PIECE_BYTES = 64 * 1024 };

struct form_limits http_form_limits(const struct config_rest *config)
{
    return (struct form_limits){.fields_max = (size_t)config->form_fields_max,
                                .bytes_max = (size_t)config->form_bytes_max,
                                .files_max = FORM_FILES_DEFAULT};
}

int64_t http_form_bytes_max(const struct config_rest *config)
{
    return config->form_bytes_max + config->file_bytes_max + HTTP_FORM_OVERHEAD_BYTES_MAX;
}

bool http_form_is_multipart(const struct http_request *request)
{
    return request->body_bytes > 0 &&
           header_value_is(span_of(http_request_header(request, "Content-Type")), "multipart/form-data");
}

static enum status feed_body(const struct http_request *request, struct form_reader *reader, struct error *error)
{
    char *piece = memory_allocate(PIECE_BYTES);
    enum status status = STATUS_OK;
    int64_t count = 0;

    do {
        count = http_request_read(request, piece, PIECE_BYTES);
        if (count > 0) {
            status = form_reader_feed(reader, piece, (size_t)count, error);
        } else if (count < 0) {
            status = error_set(error, STATUS_CANCELED, NULL, "the body did not come, or too slowly");
        }
    } while (count > 0 && status == STATUS_OK);
    memory_free(piece);
    return status;
}

enum status http_form_read(const struct http_request *request, const struct config_rest *config,
                           const struct form_file_sink *sink, struct form *form, struct error *error)
{
    int64_t bytes_max = http_form_bytes_max(config);
    struct form_reader *reader = NULL;
    enum status status = form_reader_create(span_of(http_request_header(request, "Content-Type")), form, sink, &reader, error);

    if (status != STATUS_OK) {
        return status;
    }
    if (form_reader_wants_body(reader)) {
        status = request->body_bytes > bytes_max ? error_set(error, STATUS_FULL, "FORM_TOO_LARGE",
                                                             "the form is larger than %lld bytes", (long long)bytes_max)
                                                 : feed_body(request, reader, error);
    }
    if (status == STATUS_OK) {
        status = form_reader_finish(reader, error);
    }
    form_reader_destroy(reader);
    return status;
}
