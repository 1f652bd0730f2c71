/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests over HTTP(S), many at once: with http_transfer all that we use of libcurl. One thread of a client drives them all;
 * each origin has a limit of its own, so that one slow host does not take every place.
 *
 *     struct http_client_options options = {.callbacks = &config->callbacks, .trust = HTTP_CLIENT_TRUST_CONFIGURED,
 *                                           .parallel_max = 8, .per_origin_max = 8};
 *     status = http_client_create(&options, &client, &error);
 *     ...
 *     struct http_client_request request = {.method = HTTP_CLIENT_PUT, .url = url, .content_type = "text/plain",
 *                                    .body_from_descriptor = true, .descriptor = descriptor, .body_length = length,
 *                                    .limits = {.connect_timeout_ms = 5000, .timeout_ms = 30000, .reply_bytes_max = 65536},
 *                                    .keep_reply = true, .any_2xx = true, .sigv4 = &credentials};
 *     status = http_client_start(client, &request, on_done, context, &error);     // or http_client_call, which waits
 *
 * How a request looks on the wire: HTTP/1.1, connections kept and used again (but for once), no redirect followed, no proxy,
 * TLS verified, only http and https, User-Agent "xqueue/VERSION", no Expect unless signed. User information of the URL goes as
 * HTTP Basic unless the configuration (callbacks.basic_auth) has credentials for the origin; neither does with sigv4.
 *
 * Threading: any thread; on_done runs on the client's thread and must not block.
 */
#ifndef REST_ADAPTER_HTTP_CLIENT_H
#define REST_ADAPTER_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config.h"
#include "base/span.h"
#include "base/status.h"
#include "base/url.h"

enum {
    HTTP_CLIENT_WAITING_MAX = 1000, /* requests that were started and are not running yet, over all origins */
    HTTP_CLIENT_RETRY_AFTER_MS_MAX = 86400000,
    HTTP_CLIENT_HEADER_LINES_MAX = 32,              /* of a request, beside our own */
    HTTP_CLIENT_HEADER_LINE_BYTES_MAX = 8192,       /* each */
    HTTP_CLIENT_REPLY_BYTES_MAX = 64 * 1024 * 1024, /* the highest limits.reply_bytes_max */
};

struct http_client;

enum http_client_method {
    HTTP_CLIENT_GET,
    HTTP_CLIENT_HEAD,
    HTTP_CLIENT_PUT,
    HTTP_CLIENT_POST,
    HTTP_CLIENT_DELETE,
};

struct http_client_limits {
    int64_t connect_timeout_ms; /* > 0 */
    int64_t timeout_ms;         /* > 0: of the whole request once it runs */
    int64_t reply_bytes_max;    /* 0 to HTTP_CLIENT_REPLY_BYTES_MAX */
};

/*
 * AWS Signature Version 4 ("aws:amz"), made by libcurl. Signed are host, date and the extra header lines. The body's hash is
 * that of a body in memory; for one from a descriptor give the line "x-amz-content-sha256: HEX" (or "UNSIGNED-PAYLOAD"), which
 * S3 wants in any case. The query is signed as it stands in the URL: give its parameters sorted and percent-encoded. A
 * body needs a content type. (libcurl 7.88 signs neither a query in canonical order nor the absence of a line properly.)
 */
struct http_client_sigv4 {
    const char *key_id;
    const char *secret;
    const char *region;  /* "us-east-1" */
    const char *service; /* "s3" */
};

/* Everything is borrowed during the start, but for what is taken. Zeroed: a GET whose reply is dropped. */
struct http_client_request {
    enum http_client_method method;
    const char *url;
    const char *content_type;   /* of a body; NULL: no such line */
    const char *const *headers; /* more lines, "Name: value"; ASCII or UTF-8 without control characters */
    size_t header_count;        /* up to HTTP_CLIENT_HEADER_LINES_MAX */
    char *body;                 /* PUT and POST; taken when the start answers STATUS_OK, memory_free; NULL: empty */
    bool body_from_descriptor;  /* the body is read from descriptor instead */
    int descriptor;             /* a file; taken likewise, close; read with pread on the client's thread */
    int64_t body_offset;        /* of its first byte in the file */
    size_t body_length;         /* exactly so many bytes; a file that is shorter fails the request */
    struct http_client_limits limits;
    int64_t start_within_ms; /* how long it may wait for a place; >= 0 */
    /*
     * true: the reply's body is kept for on_done; longer than reply_bytes_max is a failure. false: it is read up to
     * reply_bytes_max and dropped, and once the reply's head has come, what happens to the rest does not matter.
     */
    bool keep_reply;
    bool any_2xx; /* which status is success: 200 to 299, or 200 alone */
    /* A connection of its own: sent once at most. On a kept one that breaks before the reply's first byte, libcurl sends a
     * request again, although the server may have had it. */
    bool once;
    const struct http_client_sigv4 *sigv4; /* or NULL */
};

struct http_client_result {
    /*
     * STATUS_OK: answered with success. STATUS_UNAVAILABLE: another status (see http_status), or no connection, or it broke.
     * STATUS_TIMEOUT: connect or total timeout. STATUS_FULL: never tried, no place came free in time. STATUS_INVALID: a reply
     * to be kept was longer than reply_bytes_max, or the body's file was shorter than said. STATUS_CANCELED: by
     * http_client_cancel_all.
     */
    enum status status;
    int http_status;             /* of the reply; 0: none came. May stand beside any failure */
    int64_t duration_ms;         /* from the start to the end */
    int64_t retry_after_ms;      /* what a reply without success asks for; 0: nothing */
    char origin[URL_ORIGIN_MAX]; /* of the URL */
    char text[ERROR_TEXT_MAX];   /* why it failed, for people; "" on success */
    struct span reply;           /* with keep_reply; whole only with STATUS_OK, or when another status came */
    void *transfer;              /* for http_client_result_header */
};

/* result: borrowed during the callback, with all that it points to. */
typedef void http_client_on_done(void *context, const struct http_client_result *result);

/*
 * The value of a header of the reply, the last one if there are several; NULL: none, or no reply. During on_done only; borrowed
 * likewise, until the next call.
 */
const char *http_client_result_header(const struct http_client_result *result, const char *name);

/* Who names the URLs of a client; one client for each, because it keeps connections. In both cases TLS is verified with
 * callbacks.ca_file, but for callbacks.insecure_origins. */
enum http_client_trust {
    /* A stranger: it must pass callback_rules_check, and each address is checked at the moment of connecting. */
    HTTP_CLIENT_TRUST_CALLBACK,
    /* The operator, in the configuration: neither allow list nor addresses are checked. */
    HTTP_CLIENT_TRUST_CONFIGURED,
};

struct http_client_options {
    const struct config_callbacks
        *callbacks; /* borrowed for the client's life: its rules, credentials and TLS settings count */
    enum http_client_trust trust;
    int64_t parallel_max;   /* running at one time; > 0 */
    int64_t per_origin_max; /* of them to one origin; > 0 */
};

/* Starts the thread. STATUS_NO_MEMORY; STATUS_INVALID: callbacks.ca_file cannot be read, text in error. */
enum status http_client_create(const struct http_client_options *options, struct http_client **out_client,
                               struct error *error) STATUS_CHECKED;

/*
 * Starts one request. STATUS_OK: on_done will be called exactly once. Otherwise it never is, and body and descriptor stay the
 * caller's: STATUS_INVALID (the URL, or a header line) or STATUS_DENIED as callback_rules_check says, for good; STATUS_FULL:
 * HTTP_CLIENT_WAITING_MAX; STATUS_CANCELED: after http_client_cancel_all.
 */
enum status http_client_start(struct http_client *client, const struct http_client_request *request,
                              http_client_on_done *on_done, void *context, struct error *error) STATUS_CHECKED;

/* The same, and returns only after on_done. Not from an on_done. */
enum status http_client_call(struct http_client *client, const struct http_client_request *request,
                             http_client_on_done *on_done, void *context, struct error *error) STATUS_CHECKED;

/* Ends all requests with STATUS_CANCELED (their callbacks come on the client's thread) and refuses later ones. */
void http_client_cancel_all(struct http_client *client);

/* Cancels all, calls the last on_done, joins the thread. Not from on_done. NULL is fine. */
void http_client_destroy(struct http_client *client);

#endif
