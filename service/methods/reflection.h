/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Server reflection, grpc.reflection.v1 and its older name v1alpha
 * (https://github.com/grpc/grpc/blob/master/doc/server-reflection.md): public gRPC tools learn the contract from the server.
 * Needs no credentials, because the contract is public; service.reflection turns it off.
 *
 * Bounded: REFLECTION_STREAMS_MAX at one time, names of REFLECTION_TEXT_BYTES_MAX, and the next request of a stream is read
 * only when the answer to the last one has left.
 *
 * Threading: any thread (locks itself).
 */
#ifndef SERVICE_METHODS_REFLECTION_H
#define SERVICE_METHODS_REFLECTION_H

struct reflection;

enum {
    REFLECTION_STREAMS_MAX = 100,
    REFLECTION_TEXT_BYTES_MAX = 1024, /* of a name or a host that is asked for */
};

struct reflection *reflection_create(void);
void reflection_destroy(struct reflection *reflection); /* no stream may be left; NULL is fine */

/* Ends all streams, UNAVAILABLE DRAINING, and those that are still to come. NULL is fine. */
void reflection_stop(struct reflection *reflection);

#endif
