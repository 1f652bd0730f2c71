/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS of listeners and channels: which files, and which names count. TLS 1.2 is the least.
 *
 * Threading: pure.
 */
#ifndef BASE_RPC_RPC_TLS_H
#define BASE_RPC_RPC_TLS_H

#include "base/status.h"

/* How an address of a channel says that it means TLS. */
#define RPC_TLS_SCHEME "tls://"

/* Whether clients must show a certificate that an authority of the listener has signed. A wrong one is refused by both. */
enum rpc_tls_clients { RPC_TLS_CLIENTS_OFF, RPC_TLS_CLIENTS_OPTIONAL, RPC_TLS_CLIENTS_REQUIRED };

/* Of a listener. Paths of PEM files, read again whenever they change. */
struct rpc_tls_listener {
    const char *certificate_file; /* the chain, own certificate first */
    const char *key_file;         /* for the eyes of owner and group only */
    const char *client_ca_file;   /* NULL or "": none, and clients is RPC_TLS_CLIENTS_OFF */
    enum rpc_tls_clients clients;
};

/* Of a channel. NULL or "": not given. Borrowed during create; read once. */
struct rpc_tls_channel {
    const char *ca_file;          /* the authorities to trust; else those of the system */
    const char *certificate_file; /* to show to the server; with key_file */
    const char *key_file;
    const char *server_name; /* that the server's certificate must have; else the address's host */
};

/*
 * Can a channel to address be opened with these (NULL: none)? Anything wrong with the files, and files for an address without
 * TLS: STATUS_INVALID, STATUS_NOT_FOUND, STATUS_NO_MEMORY with text in error.
 */
enum status rpc_tls_check_channel(const char *address, const struct rpc_tls_channel *tls, struct error *error) STATUS_CHECKED;

#endif
