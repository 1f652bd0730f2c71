/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/http_talk.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"

void http_talk_open(struct http_talk *talk, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    talk->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    text_init(&talk->input, HTTP_TALK_BYTES_MAX);
    if (talk->socket < 0 || connect(talk->socket, (struct sockaddr *)&address, sizeof(address)) != 0) {
        perror("http_talk_open");
        abort();
    }
}

void http_talk_close(struct http_talk *talk)
{
    close(talk->socket);
    text_finish(&talk->input);
}

bool http_talk_send(struct http_talk *talk, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t count = send(talk->socket, bytes, length, MSG_NOSIGNAL);

        if (count <= 0) {
            return false;
        }
        bytes += count;
        length -= (size_t)count;
    }
    return true;
}

bool http_talk_say(struct http_talk *talk, const char *format, ...)
{
    va_list arguments;
    char *bytes = NULL;
    int length = 0;
    bool is_sent = false;

    va_start(arguments, format);
    length = vasprintf(&bytes, format, arguments);
    va_end(arguments);
    assert(length >= 0);
    is_sent = http_talk_send(talk, bytes, (size_t)length);
    free(bytes);
    return is_sent;
}

/* Returns 1: more came, 0: closed, -1: nothing within patience. */
static int receive_more(struct http_talk *talk)
{
    struct pollfd poller = {.fd = talk->socket, .events = POLLIN};
    char buffer[16384];
    ssize_t count = 0;

    if (poll(&poller, 1, HTTP_TALK_PATIENCE_MS) <= 0) {
        return -1;
    }
    count = recv(talk->socket, buffer, sizeof(buffer), 0);
    if (count <= 0) {
        return 0;
    }
    text_append(&talk->input, buffer, (size_t)count);
    assert(!talk->input.failed);
    return 1;
}

static void drop_input(struct http_talk *talk, size_t length)
{
    talk->input.length -= length;
    memmove(talk->input.bytes, talk->input.bytes + length, talk->input.length);
    talk->input.bytes[talk->input.length] = '\0';
}

int http_talk_receive(struct http_talk *talk, bool without_body, struct http_answer *answer)
{
    const char *end = NULL;
    size_t head_length = 0;
    size_t body_length = 0;
    char length_text[32];

    http_answer_finish(answer);
    text_init(&answer->head, HTTP_TALK_BYTES_MAX);
    text_init(&answer->body, HTTP_TALK_BYTES_MAX);
    while ((end = strstr(talk->input.bytes, "\r\n\r\n")) == NULL) {
        if (receive_more(talk) != 1) {
            return 0;
        }
    }
    head_length = (size_t)(end - talk->input.bytes) + 4;
    text_append(&answer->head, talk->input.bytes, head_length - 2);
    drop_input(talk, head_length);
    if (!without_body && http_answer_header(answer, "Content-Length", 0, length_text, sizeof(length_text))) {
        body_length = strtoul(length_text, NULL, 10);
    }
    while (talk->input.length < body_length) {
        if (receive_more(talk) != 1) {
            return 0;
        }
    }
    text_append(&answer->body, talk->input.bytes, body_length);
    drop_input(talk, body_length);
    answer->status = atoi(answer->head.bytes + strcspn(answer->head.bytes, " "));
    return answer->status;
}

bool http_talk_is_closed(struct http_talk *talk)
{
    return talk->input.length == 0 && receive_more(talk) == 0;
}

bool http_answer_header(const struct http_answer *answer, const char *name, size_t index, char *out, size_t capacity)
{
    size_t name_length = strlen(name);

    for (const char *line = answer->head.bytes; *line != '\0';) {
        const char *end = strstr(line, "\r\n");

        if (end == NULL) {
            return false;
        }
        if (strncasecmp(line, name, name_length) == 0 && line[name_length] == ':' && index-- == 0) {
            (void)snprintf(out, capacity, "%.*s", (int)(end - line - (long)name_length - 2), line + name_length + 2);
            return true;
        }
        line = end + 2;
    }
    return false;
}

void http_answer_finish(struct http_answer *answer)
{
    text_finish(&answer->head);
    text_finish(&answer->body);
    answer->status = 0;
}

int http_talk_once(const struct http_ask *ask, struct http_answer *answer)
{
    struct http_talk talk;
    int status = 0;

    http_talk_open(&talk, ask->port);
    http_talk_say(&talk, "%s %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n%s", ask->method, ask->target, ask->extra);
    if (ask->body != NULL) {
        http_talk_say(&talk, "Content-Length: %zu\r\n", ask->body_length);
    }
    http_talk_say(&talk, "\r\n");
    http_talk_send(&talk, ask->body != NULL ? ask->body : "", ask->body != NULL ? ask->body_length : 0);
    status = http_talk_receive(&talk, strcmp(ask->method, "HEAD") == 0, answer);
    http_talk_close(&talk);
    return status;
}
