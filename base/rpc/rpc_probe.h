/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watches over our own listeners. A listener of the C core that meets EMFILE once never accepts again, though the kernel goes
 * on completing connections into its backlog; nothing but a new start helps. So a probe does not only connect: it greets in
 * HTTP/2 (RFC 9113, 3.4) or TLS and waits for the first byte of the server's answer.
 *
 * Threading: any thread.
 */
#ifndef BASE_RPC_RPC_PROBE_H
#define BASE_RPC_RPC_PROBE_H

#include <stdbool.h>
#include <stddef.h>

enum {
    RPC_PROBE_PERIOD_MS = 5000,  /* between two looks */
    RPC_PROBE_TIMEOUT_MS = 5000, /* how long an answer may take */
    RPC_PROBE_FAILURES_MAX = 3,  /* in a row, then the listener is given up for dead */
};

struct rpc_probe;

/*
 * Does the server at address ("127.0.0.1:8041", "[::1]:8041", "unix:/path"; wildcard hosts are tried on loopback;
 * "tls://" before one with TLS) answer within
 * timeout_ms? True as well when this process cannot find out, for want of descriptors of its own.
 */
bool rpc_probe_answers(const char *address, int timeout_ms);

/*
 * Looks at each address every RPC_PROBE_PERIOD_MS, on a thread of its own, and calls on_dead (on that thread) when one failed
 * RPC_PROBE_FAILURES_MAX times in a row. At most RPC_LISTENERS_MAX addresses, copied. NULL: no thread to be had.
 */
struct rpc_probe *rpc_probe_start(const char *const *addresses, size_t count,
                                  void (*on_dead)(void *context, const char *address), void *context);
void rpc_probe_stop(struct rpc_probe *probe); /* NULL is fine */

#endif
