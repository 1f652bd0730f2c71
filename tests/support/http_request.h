/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the fake LMS reads: one HTTP/1.1 request after the other from a socket, with its form decoded. Written apart from the
 * product's own parsers on purpose, so that one does not check the other with the same mistake.
 *
 * Threading: a reader belongs to one thread.
 */
#ifndef TESTS_SUPPORT_HTTP_REQUEST_H
#define TESTS_SUPPORT_HTTP_REQUEST_H

#include "base/text.h"
#include "tests/support/fake_lms.h"

struct http_request_reader {
    int socket;           /* borrowed */
    struct text received; /* not yet consumed */
};

void http_request_reader_init(struct http_request_reader *reader, int socket);
void http_request_reader_finish(struct http_request_reader *reader);

/* The next whole request, the caller's (http_request_free); NULL when the peer has closed, or sends what is no request. */
struct fake_lms_callback *http_request_receive(struct http_request_reader *reader);

void http_request_free(struct fake_lms_callback *request); /* NULL is fine */

#endif
