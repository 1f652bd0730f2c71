/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request of http_client as libcurl sees it: what it is told beforehand, what it brings meanwhile, and what came of it.
 * When it runs, and beside which others, is http_client's business.
 *
 * Threading: one thread at a time; once it runs, the client's.
 */
#ifndef REST_ADAPTER_HTTP_TRANSFER_H
#define REST_ADAPTER_HTTP_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>

#include "base/config.h"
#include "base/status.h"
#include "base/text.h"
#include "rest-adapter/http_client.h"

struct http_transfer {
    CURL *easy;                 /* owned */
    struct curl_slist *headers; /* owned */
    char *body;                 /* owned or NULL */
    int descriptor;             /* owned, or -1 */
    int64_t body_offset;
    size_t body_length;
    size_t body_read; /* from the descriptor */
    struct http_client_limits limits;
    bool keep_reply;
    bool any_2xx;
    bool check_addresses; /* set by the owner */
    bool address_refused;
    bool reply_too_long;
    bool body_too_short;
    size_t reply_bytes;
    struct text reply;
    char curl_text[CURL_ERROR_SIZE];
};

/*
 * Tells libcurl everything; private will be its CURLINFO_PRIVATE, origin is the URL's. transfer was zeroed (but for
 * check_addresses) and must stay where it is. Neither body nor descriptor is taken yet. After a failure (STATUS_INVALID: URL or
 * header line; STATUS_NO_MEMORY, STATUS_INTERNAL) only http_transfer_finish is allowed.
 */
enum status http_transfer_prepare(struct http_transfer *transfer, const struct config_callbacks *callbacks,
                                  const struct http_client_request *request, const char *origin, void *private,
                                  struct error *error) STATUS_CHECKED;

/* From now on http_transfer_finish frees the request's body and closes its descriptor. */
void http_transfer_take_body(struct http_transfer *transfer, const struct http_client_request *request);

/* Fills status, http_status, retry_after_ms, text, reply and transfer. The reply stays the transfer's. */
void http_transfer_judge(struct http_transfer *transfer, CURLcode code, struct http_client_result *out_result);

void http_transfer_finish(struct http_transfer *transfer);

#endif
