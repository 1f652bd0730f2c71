/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The legacy interface byte by byte, over real sockets against the real programs: rows of tables say what is sent and what must
 * come back, forms are sent in both encodings by themselves. Every mismatch fails the running test (cmocka) and names the row.
 *
 * Queues, in the order of the configuration: calm, hasty, small (see running_service.h), then the others of LEGACY_QUEUES;
 * leases of "turn" end after two seconds, and any number of attempts is fine there.
 *
 * Threading: the test's main thread, but for legacy_send, which any thread may call with a port of its own.
 */
#ifndef TESTS_SUPPORT_LEGACY_TALK_H
#define TESTS_SUPPORT_LEGACY_TALK_H

#include "tests/support/conversation.h"

/* As get_queuelen lists them. */
#define LEGACY_QUEUES \
    "calm, hasty, small, zeta, alpha, b queue's, 5, None, [1, 'a'], \\u00fcn\\u00efcode, a/b&c=d+e, pool, turn"
#define LEGACY_HTML "text/html; charset=utf-8"

#define LEGACY_SAYS(code_, text_) "{\"return_code\": " #code_ ", \"content\": \"" text_ "\"}"
#define LEGACY_GOOD(text_)        LEGACY_SAYS(0, text_)
#define LEGACY_BAD(text_)         LEGACY_SAYS(1, text_)

enum { LEGACY_COOKIES_MAX = 512, LEGACY_KEY_BYTES = 32, LEGACY_BODY_BYTES_MAX = 32 * 1024 * 1024 };

struct legacy_world {
    struct conversation *talk;
    struct rest_client client;        /* user everybody, logged in */
    char cookies[LEGACY_COOKIES_MAX]; /* its header line */
    struct http_answer answer;        /* of the last request */
};

/* For cmocka. */
int legacy_set_up(void **state);
int legacy_tear_down(void **state);

/* ---- rows ---- */

struct legacy_row {
    const char *name;   /* for the message; NULL: the target */
    const char *method; /* NULL: GET */
    const char *target;
    const char *extra; /* header lines, each with CRLF; NULL: none. "Host: ..." replaces the usual one */
    const char *body;  /* NULL: none, and no Content-Length */
    bool stranger;     /* without the cookies */

    int status;           /* 0: 200 */
    const char *location; /* NULL: there must be none */
    bool no_vary;         /* there must be no Vary; else it must be Cookie */
    const char *reply;    /* the exact body; NULL: an HTML page. Nothing is expected behind HEAD */
};

/* Sends each row on a connection of its own and checks status, Content-Type, Vary, Location, Set-Cookie (none) and body. */
void legacy_check_rows(struct legacy_world *world, const struct legacy_row *rows, size_t count);
#define LEGACY_CHECK(world_, rows_) legacy_check_rows((world_), (rows_), sizeof(rows_) / sizeof((rows_)[0]))

/* Exact bytes, and the answer to them in world->answer; returns its status. */
int legacy_send(struct legacy_world *world, const char *bytes, size_t length);

/* ---- forms ---- */

struct legacy_field {
    const char *name;
    const char *value;
    size_t length;        /* 0: the value's strlen */
    const char *filename; /* multipart only: makes it a file; "" too */
};

enum legacy_encoding { LEGACY_URLENCODED, LEGACY_MULTIPART, LEGACY_ENCODINGS };

/* The body of a form, appended to out. */
void legacy_encode(enum legacy_encoding encoding, const struct legacy_field *fields, size_t count, struct text *out);
/* POST with the cookies; returns the status, the rest is in world->answer. */
int legacy_post(struct legacy_world *world, enum legacy_encoding encoding, const char *target,
                const struct legacy_field *fields, size_t count);
/* POST of these bytes as this type. */
int legacy_post_bytes(struct legacy_world *world, const char *target, const char *type, const char *bytes, size_t length);

/* Fails unless the last answer has this status and exactly this body. */
void legacy_expect(struct legacy_world *world, const char *what, int status, const char *reply);
/* Fails unless the last answer is a refusal in the legacy form: status, return_code 1 and some text. */
void legacy_expect_refusal(struct legacy_world *world, const char *what, int status);

/* Posts the form in both encodings and expects 200 and the reply of both. */
void legacy_post_both(struct legacy_world *world, const char *target, const struct legacy_field *fields, size_t count,
                      const char *reply);

/* ---- submissions ---- */

/* The header of an LMS for a callback path of the fake LMS; queue is JSON ("\"calm\"", "5"). Returns out. */
const char *legacy_header(struct legacy_world *world, const char *queue, const char *path, struct text *out);
/* Submits by an urlencoded form and expects the count as reply. */
void legacy_submit(struct legacy_world *world, const char *queue, const char *path, const char *body, unsigned count);

struct legacy_pulled {
    unsigned long long id;
    char key[LEGACY_KEY_BYTES + 1];
    char *content; /* of the reply, one level of JSON undone: {"xqueue_header": ... }; owned */
};
/* Pulls from a queue (percent-encoded). false: the queue is empty. */
bool legacy_pull(struct legacy_world *world, const char *queue, struct legacy_pulled *out_pulled);
void legacy_pulled_finish(struct legacy_pulled *pulled);
/* put_result with this text as header; the answer is in world->answer. */
void legacy_put(struct legacy_world *world, const char *header, const char *body);
/* With the header that was pulled. */
void legacy_put_pulled(struct legacy_world *world, const struct legacy_pulled *pulled, const char *body);
long legacy_length(struct legacy_world *world, const char *queue);

#endif
