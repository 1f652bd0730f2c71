/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/s3_sign.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/ascii.h"
#include "base/memory.h"
#include "base/secret.h"
#include "base/url.h"

#define ALGORITHM  "AWS4-HMAC-SHA256"
#define TERMINATOR "aws4_request"
#define SERVICE    "s3"

enum {
    STAMP_MAX = 17, /* "20130524T000000Z" and a NUL */
    DATE_LENGTH = 8,
    TEXT_MAX = 32 * 1024,
    HEX_MAX = 2 * SECRET_DIGEST_BYTES + 1,
};

/* The parts of an object's URL. */
struct location {
    struct text host; /* with the port */
    struct text path; /* percent-encoded */
    size_t scheme_length;
};

static void locate(struct location *location, const struct s3_bucket *bucket, struct span object)
{
    const char *host = strstr(bucket->origin, "://");

    assert(host != NULL);
    host += strlen("://");
    location->scheme_length = (size_t)(host - bucket->origin);
    text_init(&location->host, TEXT_MAX);
    text_init(&location->path, TEXT_MAX);
    if (bucket->path_style) {
        text_append_char(&location->path, '/');
        url_append_quoted(&location->path, span_of(bucket->bucket));
    } else {
        text_append_format(&location->host, "%s.", bucket->bucket);
    }
    text_append_string(&location->host, host);
    text_append_char(&location->path, '/');
    url_append_quoted(&location->path, object);
}

static void append_location(struct text *out, const struct s3_bucket *bucket, const struct location *location)
{
    text_append(out, bucket->origin, location->scheme_length);
    text_append_string(out, location->host.bytes);
    text_append_string(out, location->path.bytes);
}

static void location_finish(struct location *location)
{
    text_finish(&location->host);
    text_finish(&location->path);
}

void s3_append_url(struct text *out, const struct s3_bucket *bucket, struct span object)
{
    struct location location;

    locate(&location, bucket, object);
    append_location(out, bucket, &location);
    location_finish(&location);
}

static void write_stamp(int64_t wall_ms, char out[STAMP_MAX])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;

    gmtime_r(&seconds, &parts);
    (void)strftime(out, STAMP_MAX, "%Y%m%dT%H%M%SZ", &parts);
}

static void hex_of_digest(const struct text *text, char out[HEX_MAX])
{
    uint8_t digest[SECRET_DIGEST_BYTES];

    secret_digest(text->bytes, text->length, digest);
    text_hex(out, digest, sizeof(digest));
}

/* The signing key: each part of the scope signs the next. */
static void derive_key(const struct s3_bucket *bucket, const char *stamp, uint8_t out[SECRET_DIGEST_BYTES])
{
    uint8_t next[SECRET_DIGEST_BYTES];
    struct text first;

    text_init(&first, TEXT_MAX);
    text_append_format(&first, "AWS4%s", bucket->secret_key);
    secret_sign(first.bytes, first.length, stamp, DATE_LENGTH, next);
    memory_wipe(first.bytes, first.length);
    text_finish(&first);
    secret_sign(next, sizeof(next), bucket->region, strlen(bucket->region), out);
    secret_sign(out, SECRET_DIGEST_BYTES, SERVICE, strlen(SERVICE), next);
    secret_sign(next, sizeof(next), TERMINATOR, strlen(TERMINATOR), out);
    memory_wipe(next, sizeof(next));
}

/* Sorted by name, as they must be. */
static void append_query(struct text *out, const struct s3_bucket *bucket, const char *stamp, int64_t seconds)
{
    text_append_string(out, "X-Amz-Algorithm=" ALGORITHM "&X-Amz-Credential=");
    url_append_form_quoted(out, span_of(bucket->access_key));
    text_append_format(out, "%%2F%.*s%%2F", DATE_LENGTH, stamp);
    url_append_form_quoted(out, span_of(bucket->region));
    text_append_format(out, "%%2F" SERVICE "%%2F" TERMINATOR "&X-Amz-Date=%s&X-Amz-Expires=%lld&X-Amz-SignedHeaders=host",
                       stamp, (long long)seconds);
}

static void sign(const struct s3_bucket *bucket, const struct text *canonical, const char *stamp, char out[HEX_MAX])
{
    uint8_t key[SECRET_DIGEST_BYTES];
    uint8_t signature[SECRET_DIGEST_BYTES];
    char digest[HEX_MAX];
    struct text to_sign;

    hex_of_digest(canonical, digest);
    text_init(&to_sign, TEXT_MAX);
    text_append_format(&to_sign, ALGORITHM "\n%s\n%.*s/%s/" SERVICE "/" TERMINATOR "\n%s", stamp, DATE_LENGTH, stamp,
                       bucket->region, digest);
    derive_key(bucket, stamp, key);
    secret_sign(key, sizeof(key), to_sign.bytes, to_sign.length, signature);
    text_hex(out, signature, sizeof(signature));
    memory_wipe(key, sizeof(key));
    text_finish(&to_sign);
}

void s3_append_presigned(struct text *out, const struct s3_bucket *bucket, const char *method, struct span object,
                         int64_t wall_ms, int64_t seconds)
{
    char stamp[STAMP_MAX];
    char signature[HEX_MAX];
    struct location location;
    struct text query;
    struct text canonical;

    assert(seconds >= 1 && seconds <= S3_PRESIGN_SECONDS_MAX);
    write_stamp(wall_ms, stamp);
    locate(&location, bucket, object);
    text_init(&query, TEXT_MAX);
    append_query(&query, bucket, stamp, seconds);
    text_init(&canonical, (size_t)4 * TEXT_MAX);
    text_append_format(&canonical, "%s\n%s\n%s\nhost:%s\n\nhost\nUNSIGNED-PAYLOAD", method, location.path.bytes, query.bytes,
                       location.host.bytes);
    sign(bucket, &canonical, stamp, signature);
    append_location(out, bucket, &location);
    text_append_format(out, "?%s&X-Amz-Signature=%s", query.bytes, signature);
    text_finish(&canonical);
    text_finish(&query);
    location_finish(&location);
}

void s3_error_code(struct span reply, char out[S3_ERROR_CODE_MAX])
{
    static const char tag[] = "<Code>";
    const char *found = reply.length > 0 ? memmem(reply.bytes, reply.length, tag, sizeof(tag) - 1) : NULL;
    const char *end = reply.bytes + reply.length;
    size_t length = 0;

    out[0] = '\0';
    if (found == NULL) {
        return;
    }
    for (const char *at = found + sizeof(tag) - 1; at < end && ascii_is_alphanumeric(*at) && length < S3_ERROR_CODE_MAX - 1;
         at++) {
        out[length++] = *at;
    }
    out[length] = '\0';
}
