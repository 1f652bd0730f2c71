/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An LMS for tests and the demo: a small HTTP/1.1 server on loopback that records every request as a callback and answers as
 * it was told to. By default it answers 200 at once and keeps connections alive, as an LMS behind a web server does.
 *
 *     struct fake_lms *lms = fake_lms_start(0);
 *     char url[FAKE_LMS_URL_MAX];
 *     fake_lms_url(lms, "/callback/1", url);
 *     fake_lms_script_next(lms, 2, &(struct fake_lms_script){.kind = FAKE_LMS_ANSWER, .http_status = 503});
 *     ...
 *     assert_true(fake_lms_wait_for(lms, 3, 5000));
 *     assert_string_equal(fake_lms_callback(lms, 2)->result, "{...}");
 *     fake_lms_destroy(lms);
 *
 * It is no part of the product: it aborts the process on its own failures (no port, no thread, no memory).
 *
 * Threading: any thread; one thread of its own to accept, one for each connection.
 */
#ifndef TESTS_SUPPORT_FAKE_LMS_H
#define TESTS_SUPPORT_FAKE_LMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FAKE_LMS_URL_MAX = 1024,                    /* bytes of an URL including the final NUL */
    FAKE_LMS_PATH_MAX = 512,                    /* bytes of a scripted path including the final NUL */
    FAKE_LMS_HEAD_BYTES_MAX = 128 * 1024,       /* of one request: request line and headers */
    FAKE_LMS_BODY_BYTES_MAX = 32 * 1024 * 1024, /* of one request */
    FAKE_LMS_PATHS_MAX = 64,                    /* scripted paths */
};

struct fake_lms;

/* What came in one request. All texts are NUL-terminated besides; owned by the fake LMS, unchanged until it is destroyed. */
struct fake_lms_callback {
    char *method; /* "POST" */
    char *path;   /* as on the request line, with the query */
    char *head;   /* request line and headers, each with its CRLF, without the blank line: the exact bytes */
    size_t head_length;
    char *body; /* the exact bytes */
    size_t body_length;
    char *header; /* xqueue_header, decoded; NULL when there is none */
    size_t header_length;
    char *result; /* xqueue_body, decoded; NULL when there is none */
    size_t result_length;
    int64_t at_us; /* when the request was complete: clock_monotonic_us() */
};

enum fake_lms_kind {
    FAKE_LMS_ANSWER,    /* http_status with a body of reply_bytes bytes */
    FAKE_LMS_REDIRECT,  /* http_status (302 when 0) with Location: location */
    FAKE_LMS_HANG,      /* says nothing until fake_lms_release, then answers http_status */
    FAKE_LMS_HANG_BODY, /* sends status and headers that promise a body, then says nothing until fake_lms_release */
    FAKE_LMS_CLOSE,     /* closes the connection without a word */
    FAKE_LMS_GARBAGE,   /* answers bytes that are not HTTP, and closes */
};

/* How to answer. Zeroed: 200 at once with a body of two bytes. */
struct fake_lms_script {
    enum fake_lms_kind kind;
    int http_status;          /* 0: 200 */
    int64_t delay_ms;         /* waits so long first; cut short by fake_lms_stop */
    size_t reply_bytes;       /* of the body; 0: "ok" */
    const char *reply;        /* reply_bytes bytes (0: none), or NULL: 'x' as often; borrowed until the fake LMS is destroyed */
    const char *content_type; /* NULL: text/plain; "": no such header; borrowed likewise */
    const char *location;     /* borrowed until the fake LMS is destroyed */
    const char *header_line;  /* one more header without CRLF ("Retry-After: 7"), or NULL; borrowed likewise */
    bool close_after;         /* "Connection: close" */
};

/* Listens on 127.0.0.1:port; 0 takes a free one. Never NULL. */
struct fake_lms *fake_lms_start(int port);

/* Ends everything and frees all records. NULL is fine. */
void fake_lms_destroy(struct fake_lms *lms);

/* The LMS goes down: connections are cut, new ones refused. Records, scripts and the port stay. */
void fake_lms_stop(struct fake_lms *lms);
/* ... and comes back on the same port. */
void fake_lms_resume(struct fake_lms *lms);

int fake_lms_port(const struct fake_lms *lms);

/* Writes "http://127.0.0.1:PORT" and path into out and returns out. */
const char *fake_lms_url(const struct fake_lms *lms, const char *path, char out[FAKE_LMS_URL_MAX]);

/* From now on requests for exactly this path (with its query) are answered so; NULL: as all others. */
void fake_lms_script_path(struct fake_lms *lms, const char *path, const struct fake_lms_script *script);

/* The next count requests that no path's script matches are answered so; then as by default. Replaces an earlier such order. */
void fake_lms_script_next(struct fake_lms *lms, size_t count, const struct fake_lms_script *script);

/* All requests that neither of the above matches. */
void fake_lms_script_default(struct fake_lms *lms, const struct fake_lms_script *script);

/* Those that hang now answer. Later ones hang again. */
void fake_lms_release(struct fake_lms *lms);

/* Waits until count requests have come since the start. false: not within timeout_ms. */
bool fake_lms_wait_for(struct fake_lms *lms, size_t count, int64_t timeout_ms);
/* The same for requests of one path. */
bool fake_lms_wait_for_path(struct fake_lms *lms, const char *path, size_t count, int64_t timeout_ms);

/* How many requests have come; of one path. */
size_t fake_lms_count(struct fake_lms *lms);
size_t fake_lms_count_path(struct fake_lms *lms, const char *path);

/* The index-th request from 0, in the order in which they were complete; NULL when there is none yet. */
const struct fake_lms_callback *fake_lms_callback(struct fake_lms *lms, size_t index);

/* The largest number of requests that were complete and not yet answered at one time. */
size_t fake_lms_parallel_peak(struct fake_lms *lms);

#endif
