/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/http_message.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "rest-adapter/cookie.h"

const char *http_request_header(const struct http_request *request, const char *name)
{
    return http_request_header_at(request, name, 0);
}

const char *http_request_header_at(const struct http_request *request, const char *name, size_t index)
{
    return request->header(request->connection, name, index);
}

int64_t http_request_read(const struct http_request *request, void *buffer, size_t capacity)
{
    assert(capacity > 0);
    return request->read(request->connection, buffer, capacity);
}

/* What stands between the brackets: hexadecimal digits, a colon, and something after it. */
static const char *skip_ipv6(const char *host)
{
    const char *colon = host + 1 + strspn(host + 1, "0123456789abcdefABCDEF");
    const char *end = *colon == ':' ? colon + 1 + strspn(colon + 1, "0123456789abcdefABCDEF:.") : host;

    return end > colon + 1 && *end == ']' ? end + 1 : host;
}

bool http_host_is_valid(const char *host)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
    const char *end = host[0] == '[' ? skip_ipv6(host) : host + strspn(host, letters);

    if (end == host || (end == host + 1 && host[0] == '.')) {
        return false;
    }
    if (*end == '\0') {
        return true;
    }
    return *end == ':' && end[1] != '\0' && end[1 + strspn(end + 1, "0123456789")] == '\0';
}

enum http_method http_method_from_name(const char *name)
{
    static const char *const names[] = {
        [HTTP_GET] = "GET",       [HTTP_HEAD] = "HEAD",   [HTTP_POST] = "POST",       [HTTP_PUT] = "PUT",
        [HTTP_DELETE] = "DELETE", [HTTP_PATCH] = "PATCH", [HTTP_OPTIONS] = "OPTIONS", [HTTP_TRACE] = "TRACE",
    };

    for (int i = 0; i < HTTP_OTHER; i++) {
        if (strcmp(name, names[i]) == 0) {
            return (enum http_method)i;
        }
    }
    return HTTP_OTHER;
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'a' && digit <= 'f') {
        return digit - 'a' + 10;
    }
    if (digit >= 'A' && digit <= 'F') {
        return digit - 'A' + 10;
    }
    return -1;
}

size_t http_path_decode(const char *raw, char *out)
{
    size_t length = 0;

    for (const char *at = raw; *at != '\0'; at++) {
        int high = *at == '%' ? hex_value(at[1]) : -1;
        int low = high >= 0 ? hex_value(at[2]) : -1;

        if (low >= 0) {
            out[length++] = (char)(high * 16 + low);
            at += 2;
        } else {
            out[length++] = *at;
        }
    }
    out[length] = '\0';
    return length;
}

void http_reply_init(struct http_reply *reply)
{
    *reply = (struct http_reply){.status = 200, .file = -1};
    text_init(&reply->headers, HTTP_REPLY_HEAD_BYTES_MAX);
    text_init(&reply->body, HTTP_REPLY_BODY_BYTES_MAX);
}

void http_reply_finish(struct http_reply *reply)
{
    text_finish(&reply->headers);
    text_finish(&reply->body);
    if (reply->file >= 0) {
        close(reply->file);
        reply->file = -1;
    }
}

void http_reply_header(struct http_reply *reply, const char *name, const char *value)
{
    text_append_string(&reply->headers, name);
    text_append_string(&reply->headers, ": ");
    for (const char *at = value; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        text_append_char(&reply->headers, byte < 0x20 || byte == 0x7f ? '?' : *at);
    }
    text_append_string(&reply->headers, "\r\n");
}

void http_reply_page(struct http_reply *reply, int status)
{
    const char *text = http_status_text(status);

    reply->status = status;
    text_clear(&reply->headers);
    text_clear(&reply->body);
    http_reply_header(reply, "Content-Type", "text/html; charset=utf-8");
    text_append_format(
        &reply->body,
        "<!doctype html>\n<html lang=\"en\">\n<head><title>%s</title></head>\n<body><h1>%s</h1></body>\n</html>\n", text, text);
}

const char *http_status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } texts[] = {
        {200, "OK"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {411, "Length Required"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {416, "Range Not Satisfiable"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].status == status) {
            return texts[i].text;
        }
    }
    return "Unknown";
}

int64_t http_reply_body_bytes(const struct http_reply *reply)
{
    return reply->file >= 0 ? reply->file_bytes : (int64_t)reply->body.length;
}

void http_reply_head(const struct http_reply *reply, int64_t wall_ms, bool keep_alive, struct text *out)
{
    char date[COOKIE_DATE_MAX];

    text_append_format(out, "HTTP/1.1 %d %s\r\n", reply->status, http_status_text(reply->status));
    text_append(out, reply->headers.bytes, reply->headers.length);
    text_append_format(out, "Date: %s\r\nContent-Length: %lld\r\nConnection: %s\r\n\r\n", cookie_date(wall_ms, date),
                       (long long)http_reply_body_bytes(reply), keep_alive ? "keep-alive" : "close");
}
