/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/cookie.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MS_PER_S = 1000 };
#define LAST_WALL_MS INT64_C(253402300799999) // the last one of the year 9999

static bool is_octal(const char *at, size_t length)
{
    return length >= 3 && at[0] >= '0' && at[0] <= '3' && at[1] >= '0' && at[1] <= '7' && at[2] >= '0' && at[2] <= '7';
}

// Inside quotes a backslash stands before three octal digits or any character, as Python's http.cookies has it.
static void unquote(struct text *out, struct span value)
{
    bool quoted = value.length >= 2 && value.bytes[0] == '"' && value.bytes[value.length - 1] == '"';
    if (!quoted) {
        text_append(out, value.bytes, value.length);
        return;
    }
    struct span inner = {value.bytes + 1, value.length - 2};
    for (size_t at = 0; at < inner.length; at++) {
        char byte = inner.bytes[at];
        if (byte == '\\' && is_octal(inner.bytes + at + 1, inner.length - at - 1)) {
            const char *digits = inner.bytes + at + 1;
            byte = (char)((digits[0] - '0') << 6 | (digits[1] - '0') << 3 | (digits[2] - '0'));
            at += 3;
        } else if (byte == '\\' && at + 1 < inner.length) {
            byte = inner.bytes[++at];
        }
        text_append_char(out, byte);
    }
}

static enum cookie_search take_value(struct span value, char out[COOKIE_VALUE_BYTES_MAX + 1])
{
    struct text text;
    text_init(&text, COOKIE_VALUE_BYTES_MAX);
    unquote(&text, value);
    bool usable = !text.failed && strlen(text.bytes) == text.length;
    memcpy(out, usable ? text.bytes : "", usable ? text.length + 1 : 1);
    text_finish(&text);
    return usable ? COOKIE_FOUND : COOKIE_UNUSABLE;
}

enum cookie_search cookie_find(struct span header, const char *name, char out[COOKIE_VALUE_BYTES_MAX + 1])
{
    struct span wanted = span_of(name);
    enum cookie_search found = COOKIE_ABSENT;
    out[0] = '\0';
    while (header.length > 0) {
        const char *end = memchr(header.bytes, ';', header.length);
        size_t length = end ? (size_t)(end - header.bytes) : header.length;
        const char *equals = memchr(header.bytes, '=', length);
        if (equals) {
            size_t name_length = (size_t)(equals - header.bytes);
            struct span value = {equals + 1, length - name_length - 1};
            if (span_equal(span_trim((struct span){header.bytes, name_length}), wanted))
                found = take_value(span_trim(value), out);
        }
        size_t cut = end ? length + 1 : length;
        header.bytes += cut;
        header.length -= cut;
    }
    return found;
}

const char *cookie_date(int64_t wall_ms, char out[COOKIE_DATE_MAX])
{
    // Not strftime: its names are those of the locale.
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t bounded = wall_ms < 0 ? 0 : wall_ms > LAST_WALL_MS ? LAST_WALL_MS : wall_ms;
    time_t seconds = (time_t)(bounded / MS_PER_S);
    struct tm date = {0};
    (void)gmtime_r(&seconds, &date); // cannot fail before the year 10000
    (void)snprintf(out, COOKIE_DATE_MAX, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[date.tm_wday],
                   (unsigned)date.tm_mday % 100, months[date.tm_mon], (unsigned)(date.tm_year + 1900) % 10000,
                   (unsigned)date.tm_hour % 100, (unsigned)date.tm_min % 100, (unsigned)date.tm_sec % 100);
    return out;
}

static const char *expiry(int64_t wall_ms, int64_t age_s, char out[COOKIE_DATE_MAX])
{
    int64_t bounded_s = age_s < 0 ? 0 : age_s > LAST_WALL_MS / MS_PER_S ? LAST_WALL_MS / MS_PER_S : age_s;
    int64_t bounded_ms = wall_ms < 0 ? 0 : wall_ms > LAST_WALL_MS ? LAST_WALL_MS : wall_ms;
    return cookie_date(bounded_ms + bounded_s * MS_PER_S, out);
}

void cookie_append_session(struct text *out, const char *token, int64_t wall_ms, int64_t age_s)
{
    char date[COOKIE_DATE_MAX];
    text_append_format(out, COOKIE_SESSION "=%s; expires=%s; HttpOnly; Max-Age=%" PRId64 "; Path=/; SameSite=Lax", token,
                       expiry(wall_ms, age_s, date), age_s);
}

void cookie_append_csrf(struct text *out, const char *token, int64_t wall_ms)
{
    char date[COOKIE_DATE_MAX];
    text_append_format(out, COOKIE_CSRF "=%s; expires=%s; Max-Age=%d; Path=/; SameSite=Lax", token,
                       expiry(wall_ms, COOKIE_CSRF_AGE_S, date), COOKIE_CSRF_AGE_S);
}

void cookie_append_session_deletion(struct text *out)
{
    char date[COOKIE_DATE_MAX];
    text_append_format(out, COOKIE_SESSION "=\"\"; expires=%s; Max-Age=0; Path=/; SameSite=Lax", cookie_date(0, date));
}
