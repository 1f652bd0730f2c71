/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the gate among themselves: the loop (http_gate.c), the listeners, the clients, and the slots, which are the
 * connections to the server.
 *
 * Threading: the gate's thread only, but where a field says otherwise.
 */
#ifndef REST_ADAPTER_HTTP_GATE_INTERNAL_H
#define REST_ADAPTER_HTTP_GATE_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/list.h"
#include "base/log.h"
#include "rest-adapter/http_gate.h"

enum { GATE_SCRATCH_BYTES = 64 * 1024, GATE_ADDRESS_BYTES_MAX = 64 };

/* A socket that the loop watches. First member of its owner. */
struct gate_source {
    int socket;      /* owned; -1: none */
    uint32_t events; /* of epoll, that are looked for; errors always are */
    void (*on_ready)(struct http_gate *gate, struct gate_source *source, uint32_t events);
};

/* Something that is due some day. */
struct gate_timer {
    struct heap_node node;
    void (*on_due)(struct http_gate *gate, struct gate_timer *timer, int64_t now_ms);
};

/* ---- clients (http_gate_client.c) ---- */

/*
 *            ┌─────────────────────────────── kept ───────────────────────────────────┐
 *            ▼                                                                        │
 * accept ─▶ HEAD ─whole─▶ BODY ─whole─▶ QUEUED ─slot free─▶ HANDLED ─reply─▶ WRITING ─┴▶ DRAINING ─▶ HEAD
 *            │ │            │             ▲                                  ▲   │
 *            │ └─ no body ──┼─────────────┘                                  │   └─▶ LINGERING
 *            └── refused ───┴────────────────────────────────────────────────┘
 *
 * and from everywhere to CLOSED. DRAINING: what is left of a body that nobody wanted. LINGERING: the last reply is out, what
 * the client still sends is swallowed, because closing now could destroy the reply on its way.
 */
enum gate_client_state {
    GATE_CLIENT_HEAD,
    GATE_CLIENT_BODY,
    GATE_CLIENT_QUEUED,
    GATE_CLIENT_HANDLED,
    GATE_CLIENT_WRITING,
    GATE_CLIENT_DRAINING,
    GATE_CLIENT_LINGERING,
    GATE_CLIENT_CLOSED, /* freed after the loop's turn */
};

struct gate_client {
    struct gate_source source;
    struct gate_timer timer;
    struct list_node member; /* of gate.clients, or gate.closed */
    struct list_node quiet;  /* of gate.quiet */
    struct list_node queue;  /* of gate.requests */
    enum gate_client_state state;
    char peer[INET6_ADDRSTRLEN];
    int port; /* of ours */

    struct text input; /* received and not yet taken: the head, and what came behind it; no memory while it is empty */
    struct http_head_scan scan;
    int64_t since_ms; /* when this state, or this request's first byte, began */
    int64_t moved;    /* bytes of the body or the reply in this state */
    int64_t credited; /* of those, what the client has been given time for */

    /* the request */
    struct text head; /* as the server gets it, without the note */
    struct http_gate_note note;
    struct http_body body;
    int64_t body_left; /* still to come */
    bool is_kept;      /* it has had a reply before */
    bool is_last;      /* no further request is taken from this connection */
    bool is_at_end;    /* the client has closed its side */

    /* the reply */
    struct text output;
    size_t output_sent;
    struct http_gate_file file;
    struct gate_slot *slot; /* where it is being handled, or NULL */
};

void gate_client_create(struct http_gate *gate, int socket, const char *peer, int port);
void gate_client_close(struct http_gate *gate, struct gate_client *client);
void gate_client_free(struct gate_client *client); /* closed before */

/* The client's request is on its way to the server in this slot. */
void gate_client_handled(struct http_gate *gate, struct gate_client *client, struct gate_slot *slot);

/* The reply is here: head and body in output (taken), or the rest in file (taken). */
void gate_client_reply(struct http_gate *gate, struct gate_client *client, struct text *output,
                       const struct http_gate_file *file, bool is_keeping);

/* Answers with a page of this status, and ends the connection. */
void gate_client_refuse(struct http_gate *gate, struct gate_client *client, int status);

/* At a stop: closes the kept ones that are idle. */
void gate_client_stop_all(struct http_gate *gate);

/* Closes the client that has waited longest without progress and has no request being handled. false: there is none. */
bool gate_client_evict(struct http_gate *gate);

/* ---- what a head asks for (http_gate_request.c) ---- */

/* Returns the status of a refusal, or 0. */
int gate_request_check(const struct http_gate *gate, const struct http_head *head);

/* Fills in what the server is told of the request, and whether the connection can go on after it. */
void gate_request_describe(struct http_gate *gate, struct gate_client *client, const struct http_head *head);

/* ---- slots (http_gate_slot.c) ---- */

struct gate_slot {
    struct gate_source source;
    struct gate_timer timer; /* to open it again */
    struct list_node idle;   /* of gate.idle */
    unsigned index;
    struct gate_client *client; /* who waits for the reply; NULL: nobody (any more) */

    /* on its way to the server */
    struct text head;
    size_t head_sent;
    struct http_body body;
    int64_t body_sent;
    /* on its way back */
    struct http_gate_frame frame;
    size_t frame_bytes; /* received of it */
    struct text reply;
    bool is_replied;

    /* guarded by gate.mutex */
    uint64_t exchange;            /* that may hand over; 0: none */
    struct http_gate_file handed; /* by the handler, just before the frame */
};

void gate_slot_init(struct http_gate *gate, struct gate_slot *slot, unsigned index);
void gate_slot_open(struct http_gate *gate, struct gate_slot *slot);
void gate_slot_finish(struct http_gate *gate, struct gate_slot *slot);          /* nobody hands over any more */
void gate_file_drop(struct http_gate *gate, const struct http_gate_file *file); /* any thread; -1 is fine */
void gate_slot_dispatch(struct http_gate *gate);                                /* gives waiting requests to idle slots */

/* ---- listeners (http_gate_listener.c) ---- */

struct gate_listener {
    struct gate_source source;
    int port;
    char address[GATE_ADDRESS_BYTES_MAX];
};

enum status gate_listener_open(struct gate_listener *listener, const char *address, struct error *error) STATUS_CHECKED;
void gate_listener_pause_due(struct http_gate *gate, struct gate_timer *timer, int64_t now_ms);

/* ---- the gate (http_gate.c) ---- */

struct http_gate {
    struct http_gate_options options; /* but for listen and secret */
    char secret[SECRET_KEY_TEXT_MAX];
    pthread_t thread;
    bool is_running; /* the thread; of those who start and stop */
    int epoll;
    struct gate_source wake;
    struct gate_listener listeners[CONFIG_LISTENERS_MAX];
    size_t listener_count;
    struct gate_slot *slots; /* options.slots */

    struct list clients;       /* of gate_client.member: all that are not closed */
    struct list quiet;         /* of gate_client.quiet: all without a request being handled, longest without progress first */
    struct list requests;      /* of gate_client.queue: QUEUED, first come first */
    struct list idle;          /* of gate_slot.idle */
    struct list closed;        /* of gate_client.member: closed in this turn of the loop */
    struct heap timers;        /* of gate_timer.node */
    struct gate_timer pause;   /* scheduled while the listeners are not listened to */
    struct log_once full;      /* clients are being closed in favour of new ones */
    struct log_once exhausted; /* of descriptors */
    size_t busy;               /* clients QUEUED, HANDLED or WRITING */
    char *scratch;             /* GATE_SCRATCH_BYTES */

    _Atomic bool is_stopping;
    _Atomic int64_t stop_due_ms;

    uint64_t exchanges;    /* begun so far */
    pthread_mutex_t mutex; /* of gate_slot.handed */
};

int64_t gate_now_ms(void);
void gate_watch(struct http_gate *gate, struct gate_source *source, uint32_t events);
void gate_unwatch(struct http_gate *gate, struct gate_source *source); /* and closes; -1 is fine */
void gate_schedule(struct http_gate *gate, struct gate_timer *timer, int64_t due_ms);

/* Did a call on a socket only fail because it would have had to wait? */
bool gate_would_block(void);

#endif
