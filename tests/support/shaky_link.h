/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A link between clients and a server on loopback that breaks: each connection passes on a random number of bytes in each
 * direction, then it is cut in both, wherever in a message that is. What was on its way is lost, as with a cable. After so many
 * cuts it holds.
 *
 * The same seed gives the same numbers of bytes; when they are reached depends on the traffic. It is no part of the product: it
 * aborts the process on its own failures.
 *
 * Threading: any thread; a thread of its own to accept, two for each connection.
 */
#ifndef TESTS_SUPPORT_SHAKY_LINK_H
#define TESTS_SUPPORT_SHAKY_LINK_H

#include <stdbool.h>
#include <stdint.h>

struct shaky_link;

struct shaky_link_options {
    int target_port; /* of 127.0.0.1 */
    uint64_t seed;
    int cuts;           /* so many, then none */
    uint32_t bytes_max; /* a connection is cut after 0 to so many bytes in one direction */
};

struct shaky_link *shaky_link_start(const struct shaky_link_options *options);
/* Where clients connect to, on 127.0.0.1. */
int shaky_link_port(const struct shaky_link *link);
/* How many connections have been cut. */
int shaky_link_cuts(struct shaky_link *link);
/* Cuts what is connected, ends all threads, frees. NULL is fine. */
void shaky_link_stop(struct shaky_link *link);

#endif
