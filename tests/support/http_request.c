/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/http_request.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/memory.h"

enum { READ_BYTES = 64 * 1024 };

static const char head_end[] = "\r\n\r\n";

void http_request_reader_init(struct http_request_reader *reader, int socket)
{
    reader->socket = socket;
    text_init(&reader->received, (size_t)FAKE_LMS_HEAD_BYTES_MAX + FAKE_LMS_BODY_BYTES_MAX);
}

void http_request_reader_finish(struct http_request_reader *reader)
{
    text_finish(&reader->received);
}

static bool receive_more(struct http_request_reader *reader)
{
    char bytes[READ_BYTES];
    ssize_t count = recv(reader->socket, bytes, sizeof(bytes), 0);
    if (count <= 0)
        return false;
    text_append(&reader->received, bytes, (size_t)count);
    return !reader->received.failed;
}

static void consume(struct http_request_reader *reader, size_t length)
{
    struct text *received = &reader->received;
    memmove(received->bytes, received->bytes + length, received->length - length);
    received->length -= length;
    received->bytes[received->length] = '\0';
}

/* Length of the head with its last CRLF but without the blank line; 0: none. */
static size_t receive_head(struct http_request_reader *reader)
{
    for (;;) {
        char *end = memmem(reader->received.bytes, reader->received.length, head_end, sizeof(head_end) - 1);
        if (end)
            return (size_t)(end - reader->received.bytes) + 2;
        if (reader->received.length > FAKE_LMS_HEAD_BYTES_MAX || !receive_more(reader))
            return 0;
    }
}

/* The value of a header, up to its CRLF; NULL: absent. */
static const char *find_header(const char *head, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line && line[2]; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, length) == 0 && line[2 + length] == ':')
            return line + 2 + length + 1 + strspn(line + 2 + length + 1, " ");
    }
    return NULL;
}

static char *copy_bytes(const char *bytes, size_t length)
{
    char *copy = memory_allocate(length + 1);
    memcpy(copy, bytes, length);
    return copy;
}

static int hex_value(char digit)
{
    static const char digits[] = "0123456789ABCDEF0123456789abcdef";
    const char *found = digit ? strchr(digits, digit) : NULL;
    return found ? (int)((found - digits) % 16) : -1;
}

static char *decode(const char *bytes, size_t length, size_t *out_length)
{
    char *decoded = memory_allocate(length + 1);
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        char character = bytes[i] == '+' ? ' ' : bytes[i];
        if (character == '%' && i + 2 < length && hex_value(bytes[i + 1]) >= 0 && hex_value(bytes[i + 2]) >= 0) {
            character = (char)(hex_value(bytes[i + 1]) * 16 + hex_value(bytes[i + 2]));
            i += 2;
        }
        decoded[used++] = character;
    }
    *out_length = used;
    return decoded;
}

/* The last field of that name, decoded; NULL: absent. */
static char *decode_field(const struct fake_lms_callback *request, const char *name, size_t *out_length)
{
    size_t name_length = strlen(name);
    const char *end = request->body + request->body_length;
    char *value = NULL;
    for (const char *field = request->body; field < end;) {
        const char *field_end = memchr(field, '&', (size_t)(end - field));
        if (!field_end)
            field_end = end;
        if ((size_t)(field_end - field) > name_length && memcmp(field, name, name_length) == 0 && field[name_length] == '=') {
            memory_free(value);
            value = decode(field + name_length + 1, (size_t)(field_end - field) - name_length - 1, out_length);
        }
        field = field_end + 1;
    }
    return value;
}

static bool parse_request_line(struct fake_lms_callback *request)
{
    const char *line_end = strstr(request->head, "\r\n");
    const char *method_end = strchr(request->head, ' ');
    if (!line_end || !method_end || method_end > line_end)
        return false;
    const char *path_end = strchr(method_end + 1, ' ');
    if (!path_end || path_end > line_end)
        return false;
    request->method = copy_bytes(request->head, (size_t)(method_end - request->head));
    request->path = copy_bytes(method_end + 1, (size_t)(path_end - method_end - 1));
    return true;
}

static bool receive_body(struct http_request_reader *reader, size_t head_length, struct fake_lms_callback *request)
{
    const char *stated = find_header(request->head, "Content-Length");
    size_t body_length = stated ? strtoul(stated, NULL, 10) : 0;
    size_t body_start = head_length + 2;
    if (body_length > FAKE_LMS_BODY_BYTES_MAX)
        return false;
    while (reader->received.length < body_start + body_length) {
        if (!receive_more(reader))
            return false;
    }
    request->body = copy_bytes(reader->received.bytes + body_start, body_length);
    request->body_length = body_length;
    consume(reader, body_start + body_length);
    return true;
}

struct fake_lms_callback *http_request_receive(struct http_request_reader *reader)
{
    size_t head_length = receive_head(reader);
    if (head_length == 0)
        return NULL;
    struct fake_lms_callback *request = MEMORY_NEW(struct fake_lms_callback);
    request->head = copy_bytes(reader->received.bytes, head_length);
    request->head_length = head_length;
    if (!parse_request_line(request) || !receive_body(reader, head_length, request)) {
        http_request_free(request);
        return NULL;
    }
    request->header = decode_field(request, "xqueue_header", &request->header_length);
    request->result = decode_field(request, "xqueue_body", &request->result_length);
    request->at_us = clock_monotonic_us();
    return request;
}

void http_request_free(struct fake_lms_callback *request)
{
    if (!request)
        return;
    memory_free(request->method);
    memory_free(request->path);
    memory_free(request->head);
    memory_free(request->body);
    memory_free(request->header);
    memory_free(request->result);
    memory_free(request);
}
