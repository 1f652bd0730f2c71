/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What http_gate and http_server say to each other on the connections between them, inside of one process: the gate adds a note
 * to the head of each request, and gets a frame with the bytes of the reply.
 *
 * Threading: pure.
 */
#ifndef REST_ADAPTER_HTTP_GATE_LINK_H
#define REST_ADAPTER_HTTP_GATE_LINK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/secret.h"
#include "base/text.h"
#include "rest-adapter/http_head.h"
#include "rest-adapter/http_message.h"
#include "rest-adapter/http_spool.h"

/* The header that carries the note. The gate refuses clients that send one. */
#define HTTP_GATE_HEADER "X-Xqueue-Gate"

enum {

    HTTP_GATE_NOTE_BYTES_MAX = 256,     /* the header with the note and the final empty line */
    HTTP_GATE_TARGET_GROWTH_MAX = 4096, /* by encoding what is not ASCII: 2 for each byte */
    HTTP_GATE_HEAD_BYTES_MAX = HTTP_REQUEST_HEAD_BYTES_MAX + HTTP_GATE_TARGET_GROWTH_MAX + HTTP_GATE_NOTE_BYTES_MAX + 64,
    HTTP_GATE_REPLY_BYTES_MAX = HTTP_REPLY_HEAD_BYTES_MAX + 1024 + HTTP_SPOOL_MEMORY_BYTES_MAX, /* longer bodies are files */
};

/* What the gate says about a request. */
struct http_gate_note {
    unsigned slot;                               /* of the connection between the two */
    uint64_t exchange;                           /* with slot the place for a file; never used twice */
    bool is_greeting;                            /* no request: only a new connection being tried */
    char method[HTTP_HEAD_METHOD_BYTES_MAX + 1]; /* the client's; the request line always says POST */
    char peer[INET6_ADDRSTRLEN];
    int port;           /* that the client came to */
    int64_t body_bytes; /* as the client announced it */
    bool has_body;      /* it comes along; false: it was not wanted, and is not taken in */
    bool is_keeping;    /* the client's connection may go on after the reply */
};

/*
 * Appends the request line and the client's header lines to out, but for those that are between the client and the gate, and a
 * Content-Length of body_bytes. A note, the last line of a head, is still to come.
 */
void http_gate_append_head(const struct http_head *head, int64_t body_bytes, struct text *out);

/* Appends the header with the note and the empty line behind the head. */
void http_gate_append_note(const struct http_gate_note *note, const char *secret, struct text *out);

/* value: of the header, or NULL. false: it is not from our gate. Compares the secret in constant time. */
bool http_gate_parse_note(const char *value, const char *secret, struct http_gate_note *out_note);

/* Before the bytes of each reply. Both ends are in one process: it travels as it lies in memory. */
struct http_gate_frame {
    char secret[SECRET_KEY_TEXT_MAX]; /* shows that it is one */
    bool is_keeping;
    bool has_file;  /* the rest of the reply is a file that lies in the connection's slot */
    uint32_t bytes; /* that follow: the head, and the body unless that is a file; up to HTTP_GATE_REPLY_BYTES_MAX */
};

/* The file of a reply, on its way from http_server through the slot to the client. */
struct http_gate_file {
    int file;              /* owned; -1: none */
    int64_t offset;        /* of what is sent */
    int64_t bytes;         /* of what is sent */
    int64_t spooled_bytes; /* to be released in the spool once the file is closed */
};

#endif
