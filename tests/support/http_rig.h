/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP server inside a test, with the gate before it and a handler that does what the path says:
 *
 *     /hold    waits until http_rig_release, then answers "held"
 *     /body    answers the length of the body that came, and its first and last byte: "5 ae"
 *     /unread  is declared not to read its body; /sly too, but tries
 *     /large   HTTP_RIG_LARGE_BYTES from memory; /file the same bytes from a file
 *     /who     the client's address and the port that it came to
 *     others   "ok"
 *
 * It aborts the process on its own failures. One rig at a time.
 *
 * Threading: the test's thread.
 */
#ifndef TESTS_SUPPORT_HTTP_RIG_H
#define TESTS_SUPPORT_HTTP_RIG_H

#include "rest-adapter/http_server.h"
#include "tests/support/http_talk.h"

enum { HTTP_RIG_LARGE_BYTES = 16 * 1024 * 1024 }; /* more than the kernel keeps for a client that does not read */

struct http_rig {
    struct http_server_options options; /* http_rig_init's, to be changed before the start */
    struct http_server *server;
    int port; /* of the first listener */
};

/* Four threads, generous limits, one listener on a free port of 127.0.0.1. */
void http_rig_init(struct http_rig *rig);
void http_rig_start(struct http_rig *rig);
void http_rig_stop(struct http_rig *rig); /* releases, stops with a long grace and destroys */

/* Waits until so many requests are held. */
void http_rig_await_held(int count);
void http_rig_release(void);

/* How many requests the handler has had since the start. */
int http_rig_handled(void);

/* GET on a connection of its own. Returns the status. */
int http_rig_get(const struct http_rig *rig, const char *target);

/* Is it what /large and /file send? */
bool http_rig_is_large(const struct text *body);

/* The port of 127.0.0.1 that the server behind the gate listens on. */
int http_rig_inner_port(const struct http_rig *rig);

#endif
