/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP server: brings each request to one handler and its reply back. The only user of civetweb, whose form, upload and
 * file functions are never called (they hang or overflow on hostile input); see README.md for the traps that this module
 * avoids.
 *
 * Bounds: each connection being served has one of `threads` threads. Heads, header lines, reply sizes (http_message.h) and the
 * time that a client may take are limited. When few threads are left, connections are closed after their reply instead of being
 * kept, so that idle clients never lock others out.
 *
 * Threading: the handler runs on many threads at once. start, stop and destroy on one thread.
 */
#ifndef REST_ADAPTER_HTTP_SERVER_H
#define REST_ADAPTER_HTTP_SERVER_H

#include "base/config.h"
#include "base/status.h"
#include "rest-adapter/http_message.h"

enum {
    HTTP_BODY_BYTES_PER_S_MIN = 1024, /* a client that sends its body slower than this is cut off after the request timeout */
};

struct http_server;

typedef void http_handler(void *context, const struct http_request *request, struct http_reply *reply);

struct http_server_options {
    const struct config_texts *listen; /* "127.0.0.1:8040"; port 0: any free one; borrowed during the start */
    int64_t threads;                   /* config.rest.threads */
    int64_t request_timeout_ms;        /* config.rest.request_timeout_ms */
    /*
     * How much is read after the reply of a body that the handler did not want: most clients look for the reply only when they
     * have sent everything, and closing before that can destroy it. Beyond this the connection is closed.
     */
    int64_t drain_bytes_max;
    http_handler *handler; /* every path and method; the reply is 200 and empty when it starts */
    void *context;         /* for the handler; outlives the server */
};

/*
 * Binds and starts; logs one line per listener. STATUS_INVALID: an address is malformed or of a kind that this civetweb cannot
 * do; STATUS_UNAVAILABLE: it is taken or not ours to take. Text in error. Ignores SIGPIPE and SIGCHLD for the process.
 */
enum status http_server_start(const struct http_server_options *options, struct http_server **out_server,
                              struct error *error) STATUS_CHECKED;

/* The port that listener index got. */
int http_server_port(const struct http_server *server, size_t index);

/* The address of listener index with the port that it got: "127.0.0.1:8040". Valid while the server is. */
const char *http_server_address(const struct http_server *server, size_t index);

/*
 * Orderly stop: from now on requests get 503; waits up to grace_ms for those that run, and ends every thread. Idle
 * connections take up to about two seconds to end. Handlers that still run after grace_ms are waited for, but their replies
 * are lost. Idempotent.
 */
void http_server_stop(struct http_server *server, int64_t grace_ms);

void http_server_destroy(struct http_server *server); /* stops without grace if that was not done; NULL is fine */

#endif
