/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest_formats */
/* Any bytes as requests of a connection, one behind the other. The first byte says in which steps they come. */
#include <stdint.h>
#include <stdlib.h>

#include "rest-adapter/http_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_so)
{
    if (!is_so)
        abort();
}

static void check_inside(struct span span, const char *bytes, size_t length)
{
    require(span.bytes == NULL || (span.bytes >= bytes && span.bytes + span.length <= bytes + length));
}

static void check_head(const char *bytes, size_t length)
{
    struct http_head head;

    if (http_head_parse(bytes, length, &head) != 0)
        return;
    require(head.method.length > 0 && head.target.length > 0 && head.target.bytes[0] == '/');
    require(head.header_count <= HTTP_HEAD_HEADERS_MAX && head.content_length >= 0);
    require(!head.is_chunked || head.content_length == 0);
    check_inside(head.method, bytes, length);
    check_inside(head.target, bytes, length);
    for (size_t i = 0; i < head.header_count; i++) {
        check_inside(head.headers[i].name, bytes, length);
        check_inside(head.headers[i].value, bytes, length);
    }
}

/* Returns the length of the head that bytes begin with, or 0. */
static size_t take_head(const char *bytes, size_t length, size_t step)
{
    struct http_head_scan scan = {0};
    struct http_head_scan whole = {0};
    size_t head_length = 0;
    size_t whole_length = 0;
    int refusal = 0;
    int whole_refusal = http_head_scan(&whole, bytes, length, &whole_length);

    for (size_t came = 0; came < length && refusal == 0 && head_length == 0;) {
        came = length - came > step ? came + step : length;
        refusal = http_head_scan(&scan, bytes, came, &head_length);
    }
    require(length == 0 || (refusal == whole_refusal && head_length == whole_length && scan.begin == whole.begin));
    if (head_length > 0) {
        require(head_length <= HTTP_REQUEST_HEAD_BYTES_MAX && scan.begin < head_length);
        check_head(bytes + scan.begin, head_length - scan.begin);
    }
    return head_length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    size_t step = size > 0 ? data[0] % 16 + 1U : 1;
    size_t length = 0;

    check_head(bytes, size); // whatever the scan would have said
    for (size_t at = size > 0; at < size; at += length) {
        length = take_head(bytes + at, size - at, step);
        if (length == 0)
            break;
    }
    return 0;
}
