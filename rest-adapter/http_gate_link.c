/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/http_gate_link.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/url.h"

static const char flag_body = 'b';
static const char flag_keep = 'k';
static const char flag_greeting = 'g';

/* Is this header between the client and the gate? */
static bool is_between(const struct http_header *header)
{
    static const char *const names[] = {"Connection", "Content-Length",   "Expect",  "Keep-Alive",        HTTP_GATE_HEADER,
                                        "TE",         "Proxy-Connection", "Trailer", "Transfer-Encoding", "Upgrade"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (http_header_is(header, names[i])) {
            return true;
        }
    }
    return false;
}

void http_gate_append_head(const struct http_head *head, int64_t body_bytes, struct text *out)
{
    text_append_string(out, "POST ");
    url_append_ascii(out, head->target);
    text_append_string(out, " HTTP/1.1\r\n");
    for (size_t i = 0; i < head->header_count; i++) {
        const struct http_header *header = &head->headers[i];

        if (!is_between(header)) {
            text_append(out, header->name.bytes, header->name.length);
            text_append_string(out, ":");
            text_append(out, header->value.bytes, header->value.length);
            text_append_string(out, "\r\n");
        }
    }
    text_append_format(out, "Content-Length:%lld\r\n", (long long)body_bytes);
}

void http_gate_append_note(const struct http_gate_note *note, const char *secret, struct text *out)
{
    text_append_format(out, HTTP_GATE_HEADER ":%s %u %" PRIu64 " %s %d %" PRId64 " -", secret, note->slot, note->exchange,
                       note->peer, note->port, note->body_bytes);
    if (note->has_body) {
        text_append_char(out, flag_body);
    }
    if (note->is_keeping) {
        text_append_char(out, flag_keep);
    }
    if (note->is_greeting) {
        text_append_char(out, flag_greeting);
    }
    text_append_format(out, " %s\r\n\r\n", note->method);
}

bool http_gate_parse_note(const char *value, const char *secret, struct http_gate_note *out_note)
{
    struct http_gate_note note = {0};
    size_t secret_length = strlen(secret);
    char flags[5] = "";

    if (value == NULL || strnlen(value, secret_length) < secret_length ||
        !text_equal_secret(value, secret_length, secret, secret_length) || value[secret_length] != ' ') {
        return false;
    }
    _Static_assert(HTTP_HEAD_METHOD_BYTES_MAX == 32 && INET6_ADDRSTRLEN == 46, "the widths below");
    // NOLINTNEXTLINE(cert-err34-c): numbers out of range are none that our gate writes
    if (sscanf(value + secret_length + 1, "%u %" SCNu64 " %45s %d %" SCNd64 " %4s %32s", &note.slot, &note.exchange, note.peer,
               &note.port, &note.body_bytes, flags, note.method) != 7) {
        return false; // not by our gate: only it knows the secret
    }
    note.has_body = strchr(flags, flag_body) != NULL;
    note.is_keeping = strchr(flags, flag_keep) != NULL;
    note.is_greeting = strchr(flags, flag_greeting) != NULL;
    *out_note = note;
    return true;
}
