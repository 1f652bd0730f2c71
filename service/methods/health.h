/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The standard health protocol, grpc.health.v1 (https://github.com/grpc/grpc/blob/master/doc/health-checking.md): SERVING while
 * the service takes calls, NOT_SERVING from the moment it drains, when nothing else is answered any more. Known names: "" and
 * each service that is served.
 *
 * Threading: any thread (locks itself).
 */
#ifndef SERVICE_METHODS_HEALTH_H
#define SERVICE_METHODS_HEALTH_H

#include <stdbool.h>

struct health;

enum { HEALTH_WATCHERS_MAX = 1000 };

struct health *health_create(void);
void health_destroy(struct health *health); /* no watcher may be left; NULL is fine */

/* Tells all watchers. Once not serving, watchers' streams are ended after they have been told. */
void health_set_serving(struct health *health, bool serving);

#endif
