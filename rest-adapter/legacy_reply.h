/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The replies of the legacy interface: `{"return_code": N, "content": X}` byte for byte as Python's json.dumps writes it, all
 * the texts in it, and the one table that turns a status of the core into a legacy reply.
 *
 * Threading: pure.
 */
#ifndef REST_ADAPTER_LEGACY_REPLY_H
#define REST_ADAPTER_LEGACY_REPLY_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "base/status.h"
#include "base/text.h"

#define LEGACY_REPLY_CONTENT_TYPE "text/html; charset=utf-8"

enum {
    /* Three levels of JSON make up to 7 bytes out of one: enough for the largest body with its files. */
    LEGACY_REPLY_BYTES_MAX = 32 * 1024 * 1024,
    LEGACY_RETRY_AFTER_DEFAULT_S = 1,
};

/* Every text of the legacy interface; return code and wording stand in the table of legacy_reply.c. (name): takes a name. */
enum legacy_text {
    LEGACY_STATUS_OK,          /* status/ */
    LEGACY_LOGIN_REQUIRED,     /* login/ without POST; the LMS looks for exactly this text */
    LEGACY_LOGIN_INSUFFICIENT, /* login/ without user name or password */
    LEGACY_LOGIN_INCORRECT,
    LEGACY_LOGGED_IN,
    LEGACY_GOODBYE, /* logout/ */
    LEGACY_SUBMIT_NEEDS_POST,
    LEGACY_SUBMIT_INVALID,        /* submit/: a field or key is missing, or is not JSON */
    LEGACY_QUEUE_NOT_FOUND,       /* (name) */
    LEGACY_QUEUELEN_NEEDS_NAME,   /* get_queuelen/ without queue_name */
    LEGACY_QUEUE_NAMES,           /* (name: all names joined with ", ") get_queuelen/ of an unknown queue */
    LEGACY_SUBMISSION_NEEDS_NAME, /* get_submission/ without queue_name */
    LEGACY_QUEUE_EMPTY,           /* (name) */
    LEGACY_PUT_RESULT_NEEDS_POST,
    LEGACY_PUT_RESULT_INVALID, /* put_result/: a field or key is missing, or is not JSON */
    LEGACY_SUBMISSION_NOT_FOUND,
    LEGACY_KEY_INCORRECT,
    LEGACY_RESULT_ACCEPTED, /* put_result/: return code 0, empty content */
    LEGACY_RESULT_EXISTS,   /* ours: another result was handed in with the same key */
    LEGACY_LOGIN_SLOWED,    /* ours: too many failed logins */
    LEGACY_UNAVAILABLE,     /* ours: the core is away or busy */
    LEGACY_INTERNAL,        /* ours: a failure of the core */
    LEGACY_TEXT_COUNT
};

/* The wording, with one %s where a name belongs. Static storage. */
const char *legacy_text(enum legacy_text text);

/* Appends the complete reply with this text. name: for those with a name, else ignored; cut after LEGACY_NAME_BYTES_MAX. */
enum { LEGACY_NAME_BYTES_MAX = 1024 * 1024 };
void legacy_reply_say(struct text *out, enum legacy_text text, struct span name);

/* Appends `{"return_code": N, "content": "..."}`. */
void legacy_reply_string(struct text *out, int return_code, struct span content);

/* Appends `{"return_code": 0, "content": 7}`: get_queuelen. */
void legacy_reply_number(struct text *out, int64_t content);

struct legacy_file {
    struct span field;
    struct span url;
};

/* What get_submission hands out. All borrowed. */
struct legacy_submission {
    uint64_t id;
    const char *key; /* the lease key */
    struct span body;
    const struct legacy_file *files;
    size_t file_count;
};

/* Appends get_submission's reply: JSON in JSON in JSON. */
void legacy_reply_submission(struct text *out, const struct legacy_submission *submission);

/*
 * Appends `{"field": "url", "field": "url"}`: a str to str dictionary. Of several files with one field name the last has the
 * name itself, as in the original, which keeps only that one. The earlier ones follow after all of those as "field (1)",
 * "field (2)" and so on, in the order in which they were handed in; a number that would make another field's name is left out.
 */
void legacy_append_files(struct text *out, const struct legacy_file *files, size_t count);

/*
 * Appends a JSON string with its quotes as json.dumps does (ensure_ascii): pure ASCII, \uXXXX in lower-case hex with surrogate
 * pairs. What is not UTF-8 becomes \ufffd; a lone surrogate encoded in three bytes (from legacy_header.h) its \udXXX.
 */
void legacy_append_json(struct text *out, struct span bytes);

/* How a failure goes out over HTTP. */
struct legacy_failure {
    int http_status;       /* 200, 302, 413 ... */
    int64_t retry_after_s; /* > 0: send Retry-After */
};

/*
 * THE table from status to legacy reply; no other code decides this. Appends the body (nothing for 302) and says which HTTP
 * status goes with it. queue: the name for "Queue '...' not found"; may be absent. error: its reason chooses, its text is said
 * where no legacy text fits.
 *
 * - Business errors are HTTP 200 with return code 1, as in the original: both known clients read the text only with 200.
 * - STATUS_UNAUTHENTICATED is 302 without a body (the caller adds Location: the login page), but WRONG_CREDENTIALS is 200
 * and 1.
 * - The core away, busy, out of room or too slow is HTTP 503 with Retry-After, and with return code 1 in the body. Not 200: the
 * LMS takes any other status for a failed submission, which it is, and shows it as temporary; the poller logs it and asks again
 * later, and gives a result up no sooner than it does for a return code 1; and proxies and monitors see an outage that 200
 * would hide.
 * - A login that is slowed is HTTP 429 with Retry-After, and return code 1. The LMS and the poller take it for a failed login,
 * as they would a 200 with return code 1; whoever watches the traffic, and a client that knows Retry-After, sees what it is.
 * - A form over a limit is 413, a malformed one 400; the original crashes with 500 there.
 * - STALE with LEASE_SUPERSEDED is success: the student handed in again, the grader did its duty, and the original says 0 too.
 */
struct legacy_failure legacy_reply_failure(struct text *out, enum status status, const struct error *error, struct span queue);

#endif
