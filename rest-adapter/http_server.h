/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP server: brings each request to one handler and its reply back. Clients talk to http_gate, which takes requests and
 * replies in whole; this module runs the handler on the threads of civetweb, which only the gate talks to. The only user of
 * civetweb, whose form, upload and file functions are never called (they hang or overflow on hostile input); see README.md for
 * the traps that this module avoids.
 *
 * Bounds: requests handled at the same time (threads), requests that wait, connections, what lies in temporary files, the time
 * that a client may take; heads and replies as in http_message.h.
 *
 * Threading: the handler runs on many threads at once. start, stop and destroy on one thread.
 */
#ifndef REST_ADAPTER_HTTP_SERVER_H
#define REST_ADAPTER_HTTP_SERVER_H

#include "base/config.h"
#include "base/status.h"
#include "rest-adapter/http_gate.h"
#include "rest-adapter/http_message.h"

struct http_server;

typedef void http_handler(void *context, const struct http_request *request, struct http_reply *reply);

struct http_server_options {
    const struct config_texts *listen; /* "127.0.0.1:8040", "[::1]:8040"; port 0: any free one; borrowed during the start */
    int64_t threads;                   /* config.rest.threads: requests handled at the same time */
    int64_t request_timeout_ms;        /* config.rest.request_timeout_ms */
    int64_t connections_max;           /* of clients; config.rest.connections_max */
    int64_t requests_waiting_max;      /* for a thread; more get 503; config.rest.requests_waiting_max */
    int64_t body_bytes_max;            /* a longer one that is wanted gets 413 */
    /*
     * How much of a body that nobody wants is read after the reply: most clients look for the reply only when they have sent
     * everything, and closing before that can destroy it. Beyond this the connection is closed.
     */
    int64_t drain_bytes_max;
    const char *spool_folder; /* for temporary files; borrowed during the start */
    int64_t spool_bytes_max;  /* of all of them together; config.rest.spool_bytes_max */
    http_handler *handler;    /* every path and method; the reply is 200 and empty when it starts */
    /*
     * Is the body of such a request read? Else it is not taken in, the handler runs without waiting for it, and reading it
     * fails. Called on the gate's thread, for requests with a body. NULL: every body is.
     */
    http_body_question *wants_body;
    void *context; /* for both; outlives the server */
};

/*
 * Binds and starts; logs one line per listener. STATUS_INVALID: an address is malformed or no IP address; STATUS_UNAVAILABLE:
 * it is taken or not ours to take, or no temporary file can be made. Text in error. Ignores SIGPIPE and SIGCHLD for the
 * process.
 */
enum status http_server_start(const struct http_server_options *options, struct http_server **out_server,
                              struct error *error) STATUS_CHECKED;

/*
 * How many of the wanted connections fit when the server may have so many file descriptors: one for each connection, one for
 * the file that it may be sending or getting, and some for each thread. Not less than HTTP_GATE_CONNECTIONS_MIN.
 */
int64_t http_server_connections_max(int64_t wanted, int64_t threads, int64_t descriptors);

/* The port that listener index got. */
int http_server_port(const struct http_server *server, size_t index);

/* The address of listener index with the port that it got: "127.0.0.1:8040". Valid while the server is. */
const char *http_server_address(const struct http_server *server, size_t index);

/*
 * Orderly stop: from now on requests get 503, idle connections are closed; waits up to grace_ms for requests that run and
 * replies that are being read, and ends every thread. Handlers that still run after grace_ms are waited for, but their replies
 * are lost. Idempotent.
 */
void http_server_stop(struct http_server *server, int64_t grace_ms);

void http_server_destroy(struct http_server *server); /* stops without grace if that was not done; NULL is fine */

#endif
