/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTPS server whose certificate, for 127.0.0.1, it signed itself when it started. It answers every request with 200 and
 * nothing, and counts those that came through a completed handshake.
 *
 * It is no part of the product; it fails the running test (cmocka) when it does not start.
 *
 * Threading: any thread; one thread of its own.
 */
#ifndef TESTS_SUPPORT_TLS_SERVER_H
#define TESTS_SUPPORT_TLS_SERVER_H

#include <stddef.h>

struct tls_server;

/* Listens on a free port of 127.0.0.1. */
struct tls_server *tls_server_start(void);
void tls_server_destroy(struct tls_server *server); /* NULL is fine */

int tls_server_port(const struct tls_server *server);

/* Path of a file with the certificate as PEM; removed at the end. */
char *tls_server_ca_file(struct tls_server *server);

size_t tls_server_requests(struct tls_server *server);

#endif
