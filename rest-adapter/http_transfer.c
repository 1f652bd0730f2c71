/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/http_transfer.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "rest-adapter/callback_rules.h"

enum {
    CONTENT_TYPE_LINE_MAX = 512,
    SIGV4_PROVIDER_MAX = 256,
};

/* ---- while it runs ---- */

static curl_socket_t on_open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct http_transfer *transfer = context;
    (void)purpose;
    if (transfer->check_addresses && !callback_rules_address_is_allowed(&address->addr)) {
        transfer->address_refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* Returning less than was given ends the transfer: enough has been read. */
static size_t on_reply_bytes(char *bytes, size_t size, size_t count, void *context)
{
    struct http_transfer *transfer = context;
    size_t length = size * count;
    if (length > (size_t)transfer->limits.reply_bytes_max - transfer->reply_bytes) {
        transfer->reply_too_long = true;
        return 0;
    }
    transfer->reply_bytes += length;
    if (transfer->keep_reply)
        text_append(&transfer->reply, bytes, length);
    return length;
}

static size_t on_body_wanted(char *out, size_t size, size_t count, void *context)
{
    struct http_transfer *transfer = context;
    size_t room = size * count;
    size_t left = transfer->body_length - transfer->body_read;
    ssize_t got = 0;
    if (left == 0)
        return 0;
    do {
        got = pread(transfer->descriptor, out, room < left ? room : left, transfer->body_offset + (off_t)transfer->body_read);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) {
        transfer->body_too_short = true;
        return CURL_READFUNC_ABORT;
    }
    transfer->body_read += (size_t)got;
    return (size_t)got;
}

/* A kept connection turned out to be closed, and libcurl begins again on another. */
static int on_body_rewound(void *context, curl_off_t offset, int origin)
{
    struct http_transfer *transfer = context;
    if (origin != SEEK_SET || offset < 0 || (size_t)offset > transfer->body_length)
        return CURL_SEEKFUNC_FAIL;
    transfer->body_read = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* ---- what libcurl is told ---- */

/* libcurl answers CURLE_OK for all of these or is out of memory; either is kept in *code. */
#define SET(option_, value_)                                \
    do {                                                    \
        if (code == CURLE_OK)                               \
            code = curl_easy_setopt(easy, option_, value_); \
    } while (0)

static CURLcode set_limits(CURL *easy, const struct http_client_limits *limits)
{
    CURLcode code = CURLE_OK;
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)limits->connect_timeout_ms);
    SET(CURLOPT_TIMEOUT_MS, (long)limits->timeout_ms);
    SET(CURLOPT_USERAGENT, "xqueue/" XQUEUE_VERSION);
    return code;
}

static CURLcode set_connection(CURL *easy, bool once)
{
    CURLcode code = CURLE_OK;
    SET(CURLOPT_FRESH_CONNECT, once ? 1L : 0L);
    SET(CURLOPT_FORBID_REUSE, once ? 1L : 0L);
    return code;
}

static CURLcode set_sigv4(CURL *easy, const struct http_client_sigv4 *sigv4)
{
    CURLcode code = CURLE_OK;
    char provider[SIGV4_PROVIDER_MAX];
    int length = snprintf(provider, sizeof(provider), "aws:amz:%s:%s", sigv4->region, sigv4->service);
    if (length < 0 || (size_t)length >= sizeof(provider))
        return CURLE_BAD_FUNCTION_ARGUMENT;
    SET(CURLOPT_AWS_SIGV4, provider);
    SET(CURLOPT_USERNAME, sigv4->key_id);
    SET(CURLOPT_PASSWORD, sigv4->secret);
    return code;
}

static CURLcode set_basic_auth(CURL *easy, const struct config_basic_auth *auth)
{
    CURLcode code = CURLE_OK;
    SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    if (auth) {
        SET(CURLOPT_USERNAME, auth->user);
        SET(CURLOPT_PASSWORD, auth->password);
    }
    return code;
}

static CURLcode set_tls(CURL *easy, const struct config_callbacks *callbacks, const char *origin)
{
    CURLcode code = CURLE_OK;
    if (callback_rules_is_insecure(callbacks, origin)) {
        SET(CURLOPT_SSL_VERIFYPEER, 0L);
        SET(CURLOPT_SSL_VERIFYHOST, 0L);
    } else if (callbacks->ca_file[0] != '\0') {
        SET(CURLOPT_CAINFO, callbacks->ca_file);
    }
    return code;
}

static CURLcode set_callbacks(CURL *easy, struct http_transfer *transfer, void *private)
{
    CURLcode code = CURLE_OK;
    SET(CURLOPT_PRIVATE, private);
    SET(CURLOPT_ERRORBUFFER, transfer->curl_text);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    SET(CURLOPT_OPENSOCKETDATA, transfer);
    SET(CURLOPT_WRITEFUNCTION, on_reply_bytes);
    SET(CURLOPT_WRITEDATA, transfer);
    return code;
}

static CURLcode append_header(struct http_transfer *transfer, const char *line)
{
    struct curl_slist *longer = curl_slist_append(transfer->headers, line);
    if (!longer)
        return CURLE_OUT_OF_MEMORY;
    transfer->headers = longer;
    return CURLE_OK;
}

static bool is_header_line(const char *line)
{
    const char *colon = strchr(line, ':');
    return colon && colon != line && text_is_name(line, HTTP_CLIENT_HEADER_LINE_BYTES_MAX);
}

/*
 * libcurl adds Expect and Content-Type to bodies unless a line without value takes them away. It would sign such a line, though
 * it does not send it; so a signed request keeps its Expect, and must have a type.
 */
static CURLcode set_body_headers(struct http_transfer *transfer, const struct http_client_request *request)
{
    char line[CONTENT_TYPE_LINE_MAX];
    const char *type = request->content_type;
    int length = snprintf(line, sizeof(line), "Content-Type:%s%s", type ? " " : "", type ? type : "");
    if (length < 0 || (size_t)length >= sizeof(line) || !is_header_line(line) || (request->sigv4 && !type))
        return CURLE_BAD_FUNCTION_ARGUMENT;
    CURLcode code = append_header(transfer, line);
    if (code == CURLE_OK && !request->sigv4)
        code = append_header(transfer, "Expect:");
    return code;
}

static CURLcode set_headers(CURL *easy, struct http_transfer *transfer, const struct http_client_request *request)
{
    CURLcode code = CURLE_OK;
    if (request->header_count > HTTP_CLIENT_HEADER_LINES_MAX)
        return CURLE_BAD_FUNCTION_ARGUMENT;
    if (request->method == HTTP_CLIENT_PUT || request->method == HTTP_CLIENT_POST)
        code = set_body_headers(transfer, request);
    for (size_t i = 0; code == CURLE_OK && i < request->header_count; i++)
        code = is_header_line(request->headers[i]) ? append_header(transfer, request->headers[i]) : CURLE_BAD_FUNCTION_ARGUMENT;
    SET(CURLOPT_HTTPHEADER, transfer->headers);
    return code;
}

/* A PUT of memory is a POST by another name to libcurl: so the body is known to whoever signs it. */
static CURLcode set_body(CURL *easy, struct http_transfer *transfer, const struct http_client_request *request)
{
    CURLcode code = CURLE_OK;
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
    if (request->body_from_descriptor) {
        SET(CURLOPT_READFUNCTION, on_body_wanted);
        SET(CURLOPT_READDATA, transfer);
        SET(CURLOPT_SEEKFUNCTION, on_body_rewound);
        SET(CURLOPT_SEEKDATA, transfer);
    } else {
        SET(CURLOPT_POSTFIELDS, request->body ? request->body : "");
    }
    if (request->method == HTTP_CLIENT_PUT)
        SET(CURLOPT_CUSTOMREQUEST, "PUT");
    return code;
}

static CURLcode set_method(CURL *easy, struct http_transfer *transfer, const struct http_client_request *request)
{
    switch (request->method) {
    case HTTP_CLIENT_HEAD:
        return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    case HTTP_CLIENT_DELETE:
        return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "DELETE");
    case HTTP_CLIENT_PUT:
    case HTTP_CLIENT_POST:
        return set_body(easy, transfer, request);
    case HTTP_CLIENT_GET:
        break;
    }
    return curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
}

/*
 * The URL as it goes over the wire: without fragment, non-ASCII characters percent-encoded, and without user information when
 * something else authenticates (libcurl resolves dot segments and writes an empty path as "/").
 */
static CURLcode set_url(CURL *easy, const char *url, bool drop_user)
{
    struct text ascii;
    text_init(&ascii, (size_t)3 * URL_BYTES_MAX);
    url_append_ascii(&ascii, span_of(url));
    CURLU *parsed = curl_url();
    char *whole = NULL;
    CURLUcode code =
        parsed && !ascii.failed ? curl_url_set(parsed, CURLUPART_URL, ascii.bytes, CURLU_URLENCODE) : CURLUE_OUT_OF_MEMORY;
    if (code == CURLUE_OK)
        code = curl_url_set(parsed, CURLUPART_FRAGMENT, NULL, 0);
    if (code == CURLUE_OK && drop_user) {
        code = curl_url_set(parsed, CURLUPART_USER, NULL, 0);
        if (code == CURLUE_OK)
            code = curl_url_set(parsed, CURLUPART_PASSWORD, NULL, 0);
    }
    if (code == CURLUE_OK)
        code = curl_url_get(parsed, CURLUPART_URL, &whole, 0);
    CURLcode easy_code = code == CURLUE_OK ? curl_easy_setopt(easy, CURLOPT_URL, whole) : CURLE_URL_MALFORMAT;
    curl_free(whole);
    curl_url_cleanup(parsed);
    text_finish(&ascii);
    return easy_code;
}

static CURLcode set_all(struct http_transfer *transfer, const struct config_callbacks *callbacks,
                        const struct http_client_request *request, const char *origin, void *private)
{
    CURL *easy = transfer->easy;
    const struct config_basic_auth *auth = callback_rules_basic_auth(callbacks, origin);
    CURLcode code = set_url(easy, request->url, auth || request->sigv4);
    if (code == CURLE_OK)
        code = set_limits(easy, &request->limits);
    if (code == CURLE_OK)
        code = set_connection(easy, request->once);
    if (code == CURLE_OK)
        code = set_tls(easy, callbacks, origin);
    if (code == CURLE_OK)
        code = request->sigv4 ? set_sigv4(easy, request->sigv4) : set_basic_auth(easy, auth);
    if (code == CURLE_OK)
        code = set_callbacks(easy, transfer, private);
    if (code == CURLE_OK)
        code = set_headers(easy, transfer, request);
    if (code == CURLE_OK)
        code = set_method(easy, transfer, request);
    return code;
}

enum status http_transfer_prepare(struct http_transfer *transfer, const struct config_callbacks *callbacks,
                                  const struct http_client_request *request, const char *origin, void *private,
                                  struct error *error)
{
    const struct http_client_limits *limits = &request->limits;
    assert(limits->connect_timeout_ms > 0 && limits->timeout_ms > 0);
    assert(limits->reply_bytes_max >= 0 && limits->reply_bytes_max <= HTTP_CLIENT_REPLY_BYTES_MAX);
    transfer->descriptor = -1;
    transfer->limits = *limits;
    transfer->keep_reply = request->keep_reply;
    transfer->any_2xx = request->any_2xx;
    text_init(&transfer->reply, HTTP_CLIENT_REPLY_BYTES_MAX);
    transfer->easy = curl_easy_init();
    if (!transfer->easy)
        return error_set(error, STATUS_NO_MEMORY, NULL, "out of memory");
    CURLcode code = set_all(transfer, callbacks, request, origin, private);
    if (code == CURLE_URL_MALFORMAT)
        return error_set(error, STATUS_INVALID, "URL_INVALID", "the URL cannot be used");
    if (code == CURLE_BAD_FUNCTION_ARGUMENT)
        return error_set(error, STATUS_INVALID, NULL, "a header line cannot be used");
    if (code != CURLE_OK)
        return error_set(error, STATUS_INTERNAL, NULL, "%s", curl_easy_strerror(code));
    return STATUS_OK;
}

void http_transfer_take_body(struct http_transfer *transfer, const struct http_client_request *request)
{
    transfer->body_offset = request->body_offset;
    transfer->body_length = request->body_length;
    if (request->body_from_descriptor)
        transfer->descriptor = request->descriptor;
    else
        transfer->body = request->body;
}

/* ---- what came of it ---- */

static int64_t reply_retry_after_ms(CURL *easy)
{
    curl_off_t seconds = 0;
    if (curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &seconds) != CURLE_OK || seconds <= 0)
        return 0;
    if (seconds > HTTP_CLIENT_RETRY_AFTER_MS_MAX / 1000)
        return HTTP_CLIENT_RETRY_AFTER_MS_MAX;
    return (int64_t)seconds * 1000;
}

static bool is_success(const struct http_transfer *transfer, int http_status)
{
    return http_status == 200 || (transfer->any_2xx && http_status >= 200 && http_status <= 299);
}

static void fail(struct http_client_result *result, enum status status, const char *text)
{
    result->status = status;
    (void)text_copy(result->text, sizeof(result->text), text);
}

/* A reply has begun. Nobody waits for the end of one that is dropped, nor for the end of a failure's. */
static void judge_reply(struct http_transfer *transfer, CURLcode code, struct http_client_result *result)
{
    char text[ERROR_TEXT_MAX];
    bool success = is_success(transfer, result->http_status);
    if (!success && code == CURLE_OPERATION_TIMEDOUT) {
        fail(result, STATUS_TIMEOUT, transfer->curl_text);
    } else if (!success) {
        result->retry_after_ms = reply_retry_after_ms(transfer->easy);
        (void)snprintf(text, sizeof(text), "answered %d", result->http_status);
        fail(result, STATUS_UNAVAILABLE, text);
    } else if (!transfer->keep_reply || code == CURLE_OK) {
        result->status = STATUS_OK;
    } else if (transfer->reply_too_long) {
        (void)snprintf(text, sizeof(text), "answered more than %lld bytes", (long long)transfer->limits.reply_bytes_max);
        fail(result, STATUS_INVALID, text);
    } else {
        fail(result, code == CURLE_OPERATION_TIMEDOUT ? STATUS_TIMEOUT : STATUS_UNAVAILABLE,
             transfer->curl_text[0] ? transfer->curl_text : curl_easy_strerror(code));
    }
}

void http_transfer_judge(struct http_transfer *transfer, CURLcode code, struct http_client_result *out_result)
{
    long http_status = 0;
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &http_status);
    out_result->http_status = (int)http_status;
    out_result->transfer = transfer->easy;
    out_result->reply = (struct span){transfer->reply.bytes, transfer->reply.length};
    if (http_status != 0)
        judge_reply(transfer, code, out_result);
    else if (transfer->address_refused)
        fail(out_result, STATUS_UNAVAILABLE, "the host's address is one that callbacks never go to");
    else if (transfer->body_too_short)
        fail(out_result, STATUS_INVALID, "the file to be sent is shorter than it was");
    else
        fail(out_result, code == CURLE_OPERATION_TIMEDOUT ? STATUS_TIMEOUT : STATUS_UNAVAILABLE,
             transfer->curl_text[0] ? transfer->curl_text : curl_easy_strerror(code));
}

const char *http_client_result_header(const struct http_client_result *result, const char *name)
{
    struct curl_header *header = NULL;
    if (!result->transfer || curl_easy_header(result->transfer, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    size_t last = header->amount - 1;
    if (last > 0 && curl_easy_header(result->transfer, name, last, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    return header->value;
}

void http_transfer_finish(struct http_transfer *transfer)
{
    curl_easy_cleanup(transfer->easy);
    curl_slist_free_all(transfer->headers);
    memory_free(transfer->body);
    text_finish(&transfer->reply);
    if (transfer->descriptor >= 0)
        close(transfer->descriptor);
}
