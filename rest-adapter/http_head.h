/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of an HTTP/1 request (RFC 9112): first where it ends, looked for while the bytes come in, then what it says. Strict
 * wherever leniency would leave in doubt where a request ends: then the rest of it could pass for the next request of somebody
 * else behind the same proxy.
 *
 * Threading: pure.
 */
#ifndef REST_ADAPTER_HTTP_HEAD_H
#define REST_ADAPTER_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "rest-adapter/http_message.h"

enum {
    HTTP_HEAD_HEADERS_MAX = 60, /* civetweb forgets more than 64, and the gate adds a few */
    HTTP_HEAD_METHOD_BYTES_MAX = 32,
};

/* How far the search for the end has come. Zero it before a request's first byte. */
struct http_head_scan {
    size_t at;         /* bytes looked at */
    size_t begin;      /* of the request line: empty lines may stand before it */
    size_t line_bytes; /* of the line that at lies in, without its CR */
    bool is_after_cr;
    bool has_lines; /* at least one that is not empty */
};

/*
 * Goes on in bytes, which hold all that came of the request so far (length bytes). Each byte is looked at once, however the
 * bytes are cut. Returns 0, or the status of the refusal: 400 for NUL bytes, line ends other than CRLF and folded lines, 431
 * when HTTP_REQUEST_HEAD_BYTES_MAX bytes hold no end. *out_length: the bytes of the head; 0: it has not come yet.
 */
int http_head_scan(struct http_head_scan *scan, const char *bytes, size_t length, size_t *out_length);

struct http_header {
    struct span name;
    struct span value; /* without the blanks around it */
};

/* All spans are borrowed from the bytes that were parsed. */
struct http_head {
    struct span method; /* a token, up to HTTP_HEAD_METHOD_BYTES_MAX bytes */
    struct span
        target; /* path and query as sent: begins with "/", no blanks and controls; of an absolute one from the path on */
    struct http_header headers[HTTP_HEAD_HEADERS_MAX];
    size_t header_count;
    int64_t content_length; /* 0 when there is none */
    bool is_chunked;        /* then content_length is 0: where the body ends is not looked for */
    bool is_keeping;        /* the client keeps the connection: HTTP/1.1 without "close", HTTP/1.0 with "keep-alive" */
    bool is_expecting;      /* it waits for "100 Continue" */
};

/*
 * Parses a whole head: bytes that http_head_scan found, from scan.begin to its end. Returns 0 with *out_head set, or the status
 * of the refusal: 400, 413 (a length beyond all numbers), 431 (too many headers), 505.
 */
int http_head_parse(const char *bytes, size_t length, struct http_head *out_head);

/* The value of the first header of that name, whatever its case; absent: none. */
struct span http_head_value(const struct http_head *head, const char *name);

bool http_header_is(const struct http_header *header, const char *name); /* whatever the case */

#endif
