/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP connection of a test, byte by byte: what is sent is exactly what the test says, so that broken and slow clients can
 * be played. It is no part of the product: it aborts the process on its own failures.
 *
 * Threading: one connection belongs to one thread at a time.
 */
#ifndef TESTS_SUPPORT_HTTP_TALK_H
#define TESTS_SUPPORT_HTTP_TALK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

enum {
    HTTP_TALK_BYTES_MAX = 64 * 1024 * 1024, /* of one answer */
    HTTP_TALK_PATIENCE_MS = 20000,          /* an answer that takes longer is none */
};

struct http_talk {
    int socket;
    struct text input; /* received, not yet taken */
};

/* One answer. Zero it before the first use; each receive replaces what it held. */
struct http_answer {
    int status;       /* 0: none came; the connection was closed, or patience ended */
    struct text head; /* status line and headers, each with CRLF */
    struct text body;
};

void http_talk_open(struct http_talk *talk, int port); /* to 127.0.0.1 */
void http_talk_close(struct http_talk *talk);

/* Sends all of it. false: the other side closed. */
bool http_talk_send(struct http_talk *talk, const char *bytes, size_t length);
bool http_talk_say(struct http_talk *talk, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Receives the next answer, "100 Continue" too. without_body: it answers a HEAD. Returns its status, or 0. */
int http_talk_receive(struct http_talk *talk, bool without_body, struct http_answer *answer);

/* Waits until the other side closes; false when it says anything else, or patience ends. */
bool http_talk_is_closed(struct http_talk *talk);

/* The value of the index-th header of that name, copied into out (capacity bytes, with NUL); false: there is none. */
bool http_answer_header(const struct http_answer *answer, const char *name, size_t index, char *out, size_t capacity);

void http_answer_finish(struct http_answer *answer);

/* Open, one request with "Connection: close", receive, close. extra: more header lines, each with CRLF, or "". Returns the
 * status. */
struct http_ask {
    int port;
    const char *method;
    const char *target;
    const char *extra;
    const char *body; /* NULL: none, and no Content-Length */
    size_t body_length;
};
int http_talk_once(const struct http_ask *ask, struct http_answer *answer);

#endif
