/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What S3 needs beside HTTP: URLs of objects, presigned ones (AWS Signature Version 4 in the query, as "Authenticating
 * Requests: Using Query Parameters" of the S3 API reference has it), and the code in its error replies. Requests of our own are
 * signed by http_client.
 *
 * Threading: pure.
 */
#ifndef REST_ADAPTER_S3_SIGN_H
#define REST_ADAPTER_S3_SIGN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "base/text.h"

enum {
    S3_ERROR_CODE_MAX = 64,          /* "SignatureDoesNotMatch" and a NUL; longer ones are cut */
    S3_PRESIGN_SECONDS_MAX = 604800, /* the protocol's bound */
};

/* Where objects are, and who we are there. All borrowed. */
struct s3_bucket {
    const char *origin; /* "https://s3.example.org[:port]", as url_origin writes it */
    const char *region;
    const char *bucket;
    const char *access_key;
    const char *secret_key;
    bool path_style; /* ORIGIN/BUCKET/OBJECT; else the bucket stands before the host */
};

/* Appends the object's URL. object: any bytes; they are percent-encoded but for '/'. */
void s3_append_url(struct text *out, const struct s3_bucket *bucket, struct span object);

/*
 * Appends a presigned URL. method: "GET", "HEAD". wall_ms: now. seconds: how long it is good, 1 to S3_PRESIGN_SECONDS_MAX.
 */
void s3_append_presigned(struct text *out, const struct s3_bucket *bucket, const char *method, struct span object,
                         int64_t wall_ms, int64_t seconds);

/* Writes what stands in <Code> of an error reply, if that is letters and digits; else "". */
void s3_error_code(struct span reply, char out[S3_ERROR_CODE_MAX]);

#endif
