/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/http_head.h"

#include <strings.h>

#include "base/ascii.h"

enum { LENGTH_DIGITS_MAX = 18 }; /* more may not fit an int64_t */

/* ---- where it ends ---- */

/* A LF that ends a line. true: the line was empty and behind others, so the head ends here. */
static bool end_line(struct http_head_scan *scan)
{
    bool is_end = scan->line_bytes == 0 && scan->has_lines;

    scan->has_lines = scan->has_lines || scan->line_bytes > 0;
    if (!scan->has_lines) {
        scan->begin = scan->at + 1; // empty lines before the request line mean nothing
    }
    scan->line_bytes = 0;
    scan->is_after_cr = false;
    return is_end;
}

/* Is byte allowed behind what came before it? */
static bool is_in_place(const struct http_head_scan *scan, char byte)
{
    bool is_blank = byte == ' ' || byte == '\t';

    if (byte == '\0' || scan->is_after_cr != (byte == '\n')) {
        return false;
    }
    return !(is_blank && scan->line_bytes == 0); // a folded line
}

int http_head_scan(struct http_head_scan *scan, const char *bytes, size_t length, size_t *out_length)
{
    size_t end = length < HTTP_REQUEST_HEAD_BYTES_MAX ? length : HTTP_REQUEST_HEAD_BYTES_MAX;

    *out_length = 0;
    for (; scan->at < end; scan->at++) {
        char byte = bytes[scan->at];

        if (!is_in_place(scan, byte)) {
            return 400;
        }
        if (byte == '\n') {
            if (end_line(scan)) {
                *out_length = ++scan->at;
                return 0;
            }
        } else if (byte == '\r') {
            scan->is_after_cr = true;
        } else {
            scan->line_bytes++;
        }
    }
    return end == HTTP_REQUEST_HEAD_BYTES_MAX ? 431 : 0;
}

/* ---- what it says ---- */

static bool is_token_byte(char byte)
{
    return byte != '\0' && (ascii_is_alphanumeric(byte) || strchr("!#$%&'*+-.^_`|~", byte) != NULL);
}

static size_t token_length(struct span text)
{
    size_t length = 0;

    while (length < text.length && is_token_byte(text.bytes[length])) {
        length++;
    }
    return length;
}

/* Takes the bytes before the first separator off text. false: there is none. */
static bool take_until(struct span *text, char separator, struct span *out_part)
{
    const char *end = memchr(text->bytes, separator, text->length);

    if (end == NULL) {
        return false;
    }
    *out_part = (struct span){text->bytes, (size_t)(end - text->bytes)};
    text->bytes += out_part->length + 1;
    text->length -= out_part->length + 1;
    return true;
}

/* Bytes beyond ASCII belong to no URL, but clients send them, and nothing is in doubt about them. */
static bool is_target(struct span text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.bytes[i];

        if (byte < 0x21 || byte == 0x7f) {
            return false;
        }
    }
    return text.length > 0 && text.bytes[0] == '/';
}

static bool begins_with(struct span text, const char *prefix)
{
    return text.length >= strlen(prefix) && strncasecmp(text.bytes, prefix, strlen(prefix)) == 0;
}

/* "http://host/path" becomes "/path". */
static bool parse_target(struct span target, struct span *out_target)
{
    static const char *const schemes[] = {"http://", "https://"};

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (begins_with(target, schemes[i])) {
            const char *host = target.bytes + strlen(schemes[i]);
            const char *end = target.bytes + target.length;
            const char *path = memchr(host, '/', (size_t)(end - host));

            if (path == NULL || path == host) {
                return false;
            }
            target = (struct span){path, (size_t)(end - path)};
        }
    }
    *out_target = target;
    return is_target(target);
}

/* *out_minor: of HTTP/1. Returns 0, 400 or 505. */
static int parse_version(struct span version, int *out_minor)
{
    static const char form[] = "HTTP/d.d";

    if (version.length != sizeof(form) - 1 || memcmp(version.bytes, form, 5) != 0 || version.bytes[6] != '.' ||
        !ascii_is_digit(version.bytes[5]) || !ascii_is_digit(version.bytes[7])) {
        return 400;
    }
    *out_minor = version.bytes[7] - '0';
    return version.bytes[5] == '1' && *out_minor <= 1 ? 0 : 505;
}

static int parse_request_line(struct span line, struct http_head *head, int *out_minor)
{
    struct span target = {0};

    if (!take_until(&line, ' ', &head->method) || !take_until(&line, ' ', &target)) {
        return 400;
    }
    if (head->method.length == 0 || head->method.length > HTTP_HEAD_METHOD_BYTES_MAX ||
        token_length(head->method) != head->method.length || !parse_target(target, &head->target)) {
        return 400;
    }
    return parse_version(line, out_minor);
}

static bool is_header_value(struct span value)
{
    for (size_t i = 0; i < value.length; i++) {
        unsigned char byte = (unsigned char)value.bytes[i];

        if ((byte < 0x20 && byte != '\t') || byte == 0x7f) {
            return false;
        }
    }
    return true;
}

static int parse_header(struct span line, struct http_head *head)
{
    struct http_header *header = NULL;
    size_t name = token_length(line);

    if (head->header_count == HTTP_HEAD_HEADERS_MAX) {
        return 431;
    }
    if (name == 0 || name == line.length || line.bytes[name] != ':') {
        return 400;
    }
    header = &head->headers[head->header_count++];
    header->name = (struct span){line.bytes, name};
    header->value = span_trim((struct span){line.bytes + name + 1, line.length - name - 1});
    return is_header_value(header->value) ? 0 : 400;
}

static bool span_is(struct span text, const char *word)
{
    return text.length == strlen(word) && strncasecmp(text.bytes, word, text.length) == 0;
}

static size_t count_headers(const struct http_head *head, const char *name)
{
    size_t count = 0;

    for (size_t i = 0; i < head->header_count; i++) {
        count += http_header_is(&head->headers[i], name);
    }
    return count;
}

/* Do the Connection headers name this option? */
static bool has_connection_option(const struct http_head *head, const char *option)
{
    for (size_t i = 0; i < head->header_count; i++) {
        struct span rest = head->headers[i].value;
        struct span part = {0};
        bool is_last = false;

        while (http_header_is(&head->headers[i], "Connection") && !is_last) {
            is_last = !take_until(&rest, ',', &part);
            if (span_is(span_trim(is_last ? rest : part), option)) {
                return true;
            }
        }
    }
    return false;
}

static int parse_length(struct span text, int64_t *out_length)
{
    int64_t length = 0;

    for (size_t i = 0; i < text.length; i++) {
        if (!ascii_is_digit(text.bytes[i])) {
            return 400;
        }
    }
    if (text.length == 0 || text.length > LENGTH_DIGITS_MAX) {
        return text.length == 0 ? 400 : 413;
    }
    for (size_t i = 0; i < text.length; i++) {
        length = length * 10 + (text.bytes[i] - '0');
    }
    *out_length = length;
    return 0;
}

/* What the headers say about where the body ends, which must be beyond doubt. */
static int parse_framing(struct http_head *head)
{
    struct span length = http_head_value(head, "Content-Length");
    struct span encoding = http_head_value(head, "Transfer-Encoding");

    if (count_headers(head, "Content-Length") > 1 || count_headers(head, "Transfer-Encoding") > 1 ||
        count_headers(head, "Host") > 1) {
        return 400;
    }
    if (encoding.bytes != NULL) {
        head->is_chunked = span_is(encoding, "chunked");
        return head->is_chunked && length.bytes == NULL ? 0 : 400;
    }
    return length.bytes != NULL ? parse_length(length, &head->content_length) : 0;
}

/* Takes a line with its CRLF off text; the scan has seen to it that there is one. */
static bool take_line(struct span *text, struct span *out_line)
{
    if (!take_until(text, '\n', out_line) || out_line->length == 0 || out_line->bytes[out_line->length - 1] != '\r') {
        return false;
    }
    out_line->length--;
    return true;
}

int http_head_parse(const char *bytes, size_t length, struct http_head *out_head)
{
    struct span text = {bytes, length};
    struct span line = {0};
    int minor = 0;
    int refusal = 0;

    *out_head = (struct http_head){0};
    if (!take_line(&text, &line)) {
        return 400;
    }
    refusal = parse_request_line(line, out_head, &minor);
    while (refusal == 0) {
        if (!take_line(&text, &line)) {
            return 400;
        }
        if (line.length == 0) {
            break;
        }
        refusal = parse_header(line, out_head);
    }
    if (refusal != 0) {
        return refusal;
    }
    out_head->is_keeping =
        !has_connection_option(out_head, "close") && (minor >= 1 || has_connection_option(out_head, "keep-alive"));
    out_head->is_expecting = minor >= 1 && span_is(http_head_value(out_head, "Expect"), "100-continue");
    return parse_framing(out_head);
}

struct span http_head_value(const struct http_head *head, const char *name)
{
    for (size_t i = 0; i < head->header_count; i++) {
        if (http_header_is(&head->headers[i], name)) {
            return head->headers[i].value;
        }
    }
    return (struct span){0};
}

bool http_header_is(const struct http_header *header, const char *name)
{
    return span_is(header->name, name);
}
