/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POSTs over HTTP(S), many at once: all that we use of libcurl. One thread drives them all; each origin has a limit of its own,
 * so that one slow LMS does not take every place.
 *
 * How a POST looks on the wire: HTTP/1.1, connections kept and used again, no redirect followed, no proxy, TLS verified, only
 * http and https, User-Agent "xqueue/VERSION". User information of the URL goes as HTTP Basic unless the configuration has
 * credentials for the origin. Every address is checked by callback_rules at the moment of connecting. The reply's body is
 * read up to reply_bytes_max and dropped. Success is status 200 and nothing else; once that has come, what happens to the
 * rest of the reply does not matter.
 *
 * Threading: any thread; on_done runs on the poster's thread and must not block.
 */
#ifndef REST_ADAPTER_HTTP_POST_H
#define REST_ADAPTER_HTTP_POST_H

#include <stddef.h>
#include <stdint.h>

#include "base/config.h"
#include "base/status.h"
#include "base/url.h"

enum {
    HTTP_POST_WAITING_MAX = 1000,            /* posts that were started and are not running yet, over all origins */
    HTTP_POST_RETRY_AFTER_MS_MAX = 86400000, /* of a reply's Retry-After */
};

struct http_poster;

struct http_post {
    const char *url;          /* borrowed during the start */
    const char *content_type; /* borrowed during the start; NULL: none */
    char *body;               /* taken when the start answers STATUS_OK; memory_free */
    size_t body_length;
    int64_t start_within_ms; /* how long it may wait for a place; >= 0 */
};

struct http_post_result {
    /*
     * STATUS_OK: answered with 200. STATUS_UNAVAILABLE: another status, or no connection, or it broke. STATUS_TIMEOUT: connect
     * or total timeout. STATUS_FULL: never tried, no place came free in time. STATUS_CANCELED: by http_poster_cancel_all.
     */
    enum status status;
    int http_status;             /* 0: none came */
    int64_t duration_ms;         /* from the start to the end */
    int64_t retry_after_ms;      /* what the reply asks for; 0: nothing */
    char origin[URL_ORIGIN_MAX]; /* of the URL */
    char text[ERROR_TEXT_MAX];   /* why it failed, for people; "" on success */
};

/* result: borrowed during the callback. */
typedef void http_post_on_done(void *context, const struct http_post_result *result);

/*
 * callbacks: borrowed for the poster's life; its limits, timeouts, credentials and rules count. Starts the thread.
 * STATUS_NO_MEMORY; STATUS_INVALID: ca_file cannot be read, text in error.
 */
enum status http_poster_create(const struct config_callbacks *callbacks, struct http_poster **out_poster,
                               struct error *error) STATUS_CHECKED;

/*
 * Starts one POST. STATUS_OK: on_done will be called exactly once. Otherwise it never is and the body stays the caller's:
 * STATUS_INVALID or STATUS_DENIED as callback_rules_check says, for good; STATUS_FULL: HTTP_POST_WAITING_MAX; STATUS_CANCELED:
 * after http_poster_cancel_all.
 */
enum status http_poster_start(struct http_poster *poster, const struct http_post *post, http_post_on_done *on_done,
                              void *context, struct error *error) STATUS_CHECKED;

/* Ends all posts with STATUS_CANCELED (their callbacks come on the poster's thread) and refuses later ones. */
void http_poster_cancel_all(struct http_poster *poster);

/* Cancels all, calls the last on_done, joins the thread. Not from on_done. NULL is fine. */
void http_poster_destroy(struct http_poster *poster);

#endif
