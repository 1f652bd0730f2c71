/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole of xqueued but its command line: starts the parts in order, drains and stops them in order. A test can run one in
 * its own process, with a clock of its own.
 *
 * Start: database (its lock), queues, access, engine, password checker, listeners. Stop: health NOT_SERVING, no new calls,
 * graders told and sent away, polls answered, running calls finished, listeners closed, engine, database.
 *
 * Threading: create, stop and destroy from one thread; server_hurry from any.
 */
#ifndef SERVICE_SERVER_H
#define SERVICE_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/status.h"

struct server;

struct server_options {
    const struct config *config; /* borrowed for the server's life */
    struct clock *clock;         /* borrowed; clock_system() for the program */
    /* The store failed: called on the engine's thread, must not go on as if nothing had happened. The program ends itself. */
    void (*on_storage_failure)(void *context, const char *text);
    void *context;
};

/* STATUS_UNAVAILABLE: the database or an address is in use; others as store_open and rpc_server_create. Text in error. */
enum status server_create(const struct server_options *options, struct server **out_server, struct error *error) STATUS_CHECKED;

enum { SERVER_ADDRESS_MAX = 256 };

/*
 * The address of listener index with the port that it really has, "tls://" before it when it has TLS: those of service.listen,
 * then those of service.tls. False: there are not so many.
 */
bool server_listener(const struct server *server, size_t index, char out[SERVER_ADDRESS_MAX]);

/* Reads the certificates again, at once; a broken one is logged and changes nothing. */
void server_reload(struct server *server);

/* The port of listener index; see rpc_server_port. */
int server_port(const struct server *server, size_t index);

/* Drains and stops: waits up to config.service.drain_ms for running calls. */
void server_stop(struct server *server);

/* Ends the waiting of a server_stop that runs in another thread. */
void server_hurry(struct server *server);

/* Stops if that has not been done. NULL is fine. */
void server_destroy(struct server *server);

#endif
