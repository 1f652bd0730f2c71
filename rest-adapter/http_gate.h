/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate before the HTTP server: one thread that owns the public listeners and every client's connection. It takes requests
 * in, whole, hands them to the server over a few kept connections on the loopback interface, takes the replies in, whole, and
 * brings them to the clients. So neither slow senders nor slow readers nor idle ones cost more than a descriptor and a little
 * memory, and the server's threads only see complete requests from this machine.
 *
 * Requests wait in one queue, first come, first served, while all connections to the server are busy.
 *
 * Threading: start, stop and destroy on one thread; http_gate_hand_over on any thread. wants_body is called on the gate's.
 */
#ifndef REST_ADAPTER_HTTP_GATE_H
#define REST_ADAPTER_HTTP_GATE_H

#include "base/config.h"
#include "base/status.h"
#include "rest-adapter/http_gate_link.h"
#include "rest-adapter/http_message.h"
#include "rest-adapter/http_spool.h"

enum {
    HTTP_GATE_BYTES_PER_S_MIN = 1024, /* a client that sends or reads slower is cut off after the request timeout */
    HTTP_GATE_PAUSE_TIMEOUTS = 3,     /* however much it has moved, a client may pause this many request timeouts */
    HTTP_GATE_LINGER_MS = 5000,       /* how long what a client still sends is swallowed after the last reply */
    HTTP_GATE_CONNECTIONS_MIN = 16,
};

struct http_gate;

/* Does anybody read the body of such a request? path: decoded. content_type: absent when there is none. Quick, no side effects.
 */
typedef bool http_body_question(void *context, enum http_method method, const char *path, struct span content_type);

/* Everything is borrowed during the start, but for spool and context, which outlive the gate. */
struct http_gate_options {
    const struct config_texts *listen;
    int server_port; /* where the server listens, on 127.0.0.1 */
    int slots;       /* connections to it, and so requests at the same time */
    const char *secret;
    int64_t connections_max;    /* of clients; at least HTTP_GATE_CONNECTIONS_MIN */
    int64_t waiting_max;        /* requests that wait for a connection to the server; more get 503 */
    int64_t request_timeout_ms; /* for a head; for a body and a reply, beyond HTTP_GATE_BYTES_PER_S_MIN; between requests */
    int64_t body_bytes_max;     /* a body that is wanted and longer gets 413 */
    int64_t drain_bytes_max;    /* of a body that is not wanted, so that the connection can go on */
    struct http_spool *spool;
    http_body_question *wants_body; /* NULL: every one is wanted */
    void *context;
};

/*
 * Binds; logs one line per listener. STATUS_INVALID: an address is malformed or no IP address; STATUS_UNAVAILABLE: it is taken
 * or not ours to take. Text in error.
 */
enum status http_gate_create(const struct http_gate_options *options, struct http_gate **out_gate,
                             struct error *error) STATUS_CHECKED;

/* Lets clients in: from now on there are requests, also before this returns. Once. STATUS_UNAVAILABLE: there is no thread. */
enum status http_gate_start(struct http_gate *gate, struct error *error) STATUS_CHECKED;

/* The port that listener index got, and its address with that port. Valid while the gate is. */
int http_gate_port(const struct http_gate *gate, size_t index);
const char *http_gate_address(const struct http_gate *gate, size_t index);
size_t http_gate_listeners(const struct http_gate *gate);

/*
 * Lays the file of the reply to the request of this note where the gate takes it once it has the reply's frame. file: taken.
 * Once for a note.
 */
void http_gate_hand_over(struct http_gate *gate, const struct http_gate_note *note, const struct http_gate_file *file);

/*
 * From now on requests get 503; waits up to grace_ms for replies that are under way, then closes everything and ends the
 * thread. Idempotent.
 */
void http_gate_stop(struct http_gate *gate, int64_t grace_ms);

/* The server has ended its threads. NULL is fine. */
void http_gate_destroy(struct http_gate *gate);

#endif
