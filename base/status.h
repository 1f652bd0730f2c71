/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every fallible function of this project answers, and the text that goes with it at boundaries.
 *
 * A status says what the caller can do about it; two tables turn it into the outside world, and only they do:
 * base/rpc/rpc_status.c (gRPC codes) and rest-adapter/legacy_reply.c (legacy replies).
 *
 * Threading: pure.
 */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include <stdint.h>

enum status {
    STATUS_OK = 0,
    STATUS_INVALID,         /* the request or input is wrong and will stay wrong */
    STATUS_UNAUTHENTICATED, /* no, unknown or expired credentials */
    STATUS_DENIED,          /* known, but not allowed */
    STATUS_NOT_FOUND,       /* no such thing */
    STATUS_EXISTS,          /* there already, with other content */
    STATUS_WRONG_STATE,     /* the thing is not in a state where this is possible */
    STATUS_STALE,           /* the lease or key is no longer the newest */
    STATUS_FULL,            /* a named limit is reached */
    STATUS_UNAVAILABLE,     /* not now; the same call may succeed later */
    STATUS_UNIMPLEMENTED,   /* this version does not do that */
    STATUS_TIMEOUT,         /* the deadline passed; whether it took effect is unknown */
    STATUS_CANCELED,        /* the caller or the peer gave up */
    STATUS_DATA_LOSS,       /* stored data is damaged or storage failed */
    STATUS_NO_MEMORY,       /* only from code that must not abort its host */
    STATUS_INTERNAL,        /* our own bug */
    STATUS_COUNT
};

#define STATUS_CHECKED __attribute__((warn_unused_result))

enum {
    ERROR_TEXT_MAX = 256,  /* bytes of human text including the final NUL */
    ERROR_REASON_MAX = 32, /* bytes of a machine-readable reason including the final NUL */
};

/*
 * The text of a failure, for a person, at a boundary. Fixed size: never allocates, copied by assignment.
 * reason: a token such as "QUEUE_NOT_FOUND", or "". retry_after_ms: 0 = no advice.
 */
struct error {
    char reason[ERROR_REASON_MAX];
    char text[ERROR_TEXT_MAX];
    int64_t retry_after_ms;
};

/* The name of a status in lower case with underscores ("not_found"); "unknown" out of range. Static storage. */
const char *status_name(enum status status);

/*
 * Fills error (may be NULL: then nothing happens) and returns status, so that failing is one line:
 *     return error_set(error, STATUS_NOT_FOUND, "QUEUE_NOT_FOUND", "no queue named '%s'", name);
 * reason may be NULL. Text is cut at ERROR_TEXT_MAX, never inside a UTF-8 sequence; control characters become '?'.
 * retry_after_ms becomes 0.
 */
enum status error_set(struct error *error, enum status status, const char *reason, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
