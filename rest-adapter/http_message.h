/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP request as handlers see it, and the reply that they fill in. No I/O of its own: http_server.c brings the one in and
 * the other out, and only it knows the web server's library.
 *
 * Threading: a request and its reply belong to the thread that runs the handler.
 */
#ifndef REST_ADAPTER_HTTP_MESSAGE_H
#define REST_ADAPTER_HTTP_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/text.h"

enum {
    HTTP_REQUEST_HEAD_BYTES_MAX = 16 * 1024,      /* of a request: its lines, and empty ones around */
    HTTP_REPLY_HEAD_BYTES_MAX = 128 * 1024,       /* the same of a reply: a Location can be five times a long query */
    HTTP_REPLY_BODY_BYTES_MAX = 32 * 1024 * 1024, /* of a body in memory: the largest submission, escaped twice */
    HTTP_DATE_MAX = 32,                           /* "Sun, 06 Nov 1994 08:49:37 GMT" and a NUL */
};

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_DELETE, HTTP_PATCH, HTTP_OPTIONS, HTTP_TRACE, HTTP_OTHER };

/* Everything is borrowed for the length of the handler. */
struct http_request {
    enum http_method method;
    const char *raw_path; /* as sent, percent-encoded, without the query */
    const char *path;     /* decoded once; "" when it would hold a NUL byte, so that it matches nothing */
    const char *query;    /* as sent, without the '?'; NULL: there is no '?' */
    const char *peer;     /* the other end of the connection: "127.0.0.1" */
    int port;             /* of ours, that it came to */
    int64_t body_bytes;   /* length of the body; 0 for a chunked one, which is never read, like the original */
    /* Called by the functions below; connection is theirs. */
    const char *(*header)(void *connection, const char *name, size_t index);
    int64_t (*read)(void *connection, void *buffer, size_t capacity);
    void *connection;
};

/* The value of the first header line of that name (any case), or NULL. */
const char *http_request_header(const struct http_request *request, const char *name);
/* The value of the index-th of several header lines of that name, from 0. */
const char *http_request_header_at(const struct http_request *request, const char *name, size_t index);

/*
 * Reads the next bytes of the body, up to capacity (> 0) but possibly fewer. Returns how many; 0 at its end; -1 when the client
 * vanished, or was slower than the server allows: then the reply is not worth much, and the connection ends.
 */
int64_t http_request_read(const struct http_request *request, void *buffer, size_t capacity);

/*
 * Is this the value of a Host header: a name of letters, digits, '.' and '-' or an IPv6 address in brackets, with a port or
 * without? The original answers 400 to anything else, an empty one and one with '_' included.
 */
bool http_host_is_valid(const char *host);

/* A method's value by its name ("GET"); names are case-sensitive. HTTP_OTHER for unknown ones. */
enum http_method http_method_from_name(const char *name);

/*
 * Decodes %XX once into out (capacity >= strlen(raw) + 1); "+" stays, a malformed escape stays as it is. Returns the length,
 * which is more than strlen(out) when raw holds %00.
 */
size_t http_path_decode(const char *raw, char *out);

/* What is answered. Starts as 200 with an empty body. */
struct http_reply {
    int status;          /* 100 to 599 */
    struct text headers; /* whole lines; grown by http_reply_header */
    struct text body;
    int file;           /* sent instead of body: a descriptor, owned; -1: none */
    int64_t file_bytes; /* how much of it, from its current offset */
    bool close;         /* the connection ends after this reply */
};

void http_reply_init(struct http_reply *reply);
void http_reply_finish(struct http_reply *reply); /* frees, closes the file */

/*
 * Adds a header line. Not Content-Length, Connection and Date: http_reply_head writes those. Control characters in value become
 * '?', so that nobody can smuggle a line in.
 */
void http_reply_header(struct http_reply *reply, const char *name, const char *value);

/* Makes it a small HTML page of this status ("404 Not Found"), without headers collected before. */
void http_reply_page(struct http_reply *reply, int status);

/* "Not Found" for 404; "Unknown" for numbers that this program never sends. Static. */
const char *http_status_text(int status);

/* The length of what follows the head, for any method but HEAD. */
int64_t http_reply_body_bytes(const struct http_reply *reply);

/*
 * Appends the head of the reply, with the empty line, to out: status line, the collected headers, Date (from wall_ms),
 * Content-Length, Connection.
 */
void http_reply_head(const struct http_reply *reply, int64_t wall_ms, bool keep_alive, struct text *out);

#endif
