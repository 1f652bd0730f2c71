/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to base/rpc: credentials of the C core out of PEM files.
 *
 * Threading: as noted.
 */
#ifndef BASE_RPC_RPC_TLS_INTERNAL_H
#define BASE_RPC_RPC_TLS_INTERNAL_H

#include <grpc/grpc_security.h>

#include "base/rpc/rpc_tls.h"

/* The certificate of one listener, and the wish to have the newest. */
struct rpc_tls;

/* Reads the files. STATUS_INVALID, STATUS_NOT_FOUND: something is wrong with one of them. options: copied. */
enum status rpc_tls_create(const struct rpc_tls_listener *options, struct rpc_tls **out_tls,
                           struct error *error) STATUS_CHECKED;
void rpc_tls_destroy(struct rpc_tls *tls); /* after every server that has its credentials. NULL is fine */

/* For one port. Each handshake looks whether the files have changed (any thread of the C core). */
grpc_server_credentials *rpc_tls_server_credentials(struct rpc_tls *tls);

/* Reads the files now, changed or not. What is broken is logged, and what was there stays. Any thread. */
void rpc_tls_reload(struct rpc_tls *tls);

/* As rpc_tls_check_channel; *out_credentials is the caller's. */
enum status rpc_tls_channel_credentials(const struct rpc_tls_channel *tls, grpc_channel_credentials **out_credentials,
                                        struct error *error) STATUS_CHECKED;

#endif
