/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the connection share: the connection itself, and the signal that ends everything.
 *
 * Threading: as noted.
 */
#ifndef BASE_CLIENT_CONNECTION_INTERNAL_H
#define BASE_CLIENT_CONNECTION_INTERNAL_H

#include <pthread.h>

#include "base/client/connection.h"
#include "base/list.h"

enum { CONNECTION_TOKEN_MAX = 513 }; /* bytes of a token including the final NUL: what the core takes as a bearer, and one */

/* Immutable after open. */
struct connection {
    char *address;              /* owned */
    bool has_session;           /* of a login, to be ended */
    struct rpc_tls_channel tls; /* borrowed */
    int64_t timeout_ms;
    struct rpc_loop *loop;            /* owned */
    struct rpc_channel *channel;      /* owned */
    char token[CONNECTION_TOKEN_MAX]; /* "" = a certificate does */
};

/* The signal may come at any time, also when there is nothing to cancel any more. */
struct connection_interrupt {
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* the signal came */
    /* guarded by mutex */
    struct rpc_channel *channel; /* NULL: none */
    struct list waits;           /* of connection_wait.node; initialised by the first open */
    bool canceled;
    bool is_prepared;
};
extern struct connection_interrupt connection_interrupt;

/* Somebody who waits for more than the signal; guarded by the interrupt's mutex. */
struct connection_wait {
    struct list_node node;
    pthread_cond_t changed; /* signalled when the signal comes, too */
};

/* "interrupted", "cannot be reached at ..." in place of a transport's words. */
void connection_explain(const struct connection *connection, enum status status, struct error *error);

#endif
