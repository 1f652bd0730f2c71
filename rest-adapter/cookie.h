/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cookies of the legacy interface: finding one in a request, and the Set-Cookie values that login and logout send.
 *
 * Threading: pure.
 */
#ifndef REST_ADAPTER_COOKIE_H
#define REST_ADAPTER_COOKIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "base/text.h"

#define COOKIE_SESSION "sessionid"
#define COOKIE_CSRF    "csrftoken"

enum {
    COOKIE_VALUE_BYTES_MAX = 256,   /* of a cookie that we look for */
    COOKIE_DATE_MAX = 32,           /* bytes of "Tue, 01 Dec 2026 10:00:00 GMT" and a NUL */
    COOKIE_SESSION_AGE_S = 1209600, /* 14 days, as the original */
    COOKIE_CSRF_AGE_S = 31449600,   /* 52 weeks, as the original */
};

enum cookie_search {
    COOKIE_ABSENT,
    COOKIE_FOUND,
    COOKIE_UNUSABLE, /* there, but longer than COOKIE_VALUE_BYTES_MAX or with a NUL byte: no cookie of ours */
};

/*
 * Finds the last cookie with this name in the value of a Cookie header (several headers: joined with "; " by the caller; absent
 * is fine). out: its value, unquoted, with a NUL; "" unless COOKIE_FOUND. A found value may be empty.
 */
enum cookie_search cookie_find(struct span header, const char *name, char out[COOKIE_VALUE_BYTES_MAX + 1]);

/*
 * Append the value of a Set-Cookie header. token: only letters and digits. wall_ms: now, milliseconds since 1970.
 * age_s: how long it lives; COOKIE_SESSION_AGE_S unless configured otherwise.
 */
void cookie_append_session(struct text *out, const char *token, int64_t wall_ms, int64_t age_s);
void cookie_append_csrf(struct text *out, const char *token, int64_t wall_ms);
void cookie_append_session_deletion(struct text *out);

/* Writes "Tue, 01 Dec 2026 10:00:00 GMT" (for Date and Expires, too) and returns out. wall_ms: as clock_stamp in base/clock.h.
 */
const char *cookie_date(int64_t wall_ms, char out[COOKIE_DATE_MAX]);

#endif
