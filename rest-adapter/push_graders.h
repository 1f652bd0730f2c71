/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The push graders of all queues that have a push_url, with the one HTTP client that posts for them.
 *
 * Threading: the main thread.
 */
#ifndef REST_ADAPTER_PUSH_GRADERS_H
#define REST_ADAPTER_PUSH_GRADERS_H

#include <stdint.h>

#include "base/config.h"
#include "base/status.h"
#include "rest-adapter/files.h"

enum {
    PUSH_GRADERS_GIVE_BACK_MS = 3000, /* when stopping, for the service to take back what was not finished */
    PUSH_GRADERS_DESCRIPTORS = 16,    /* of one queue, beside those of its posts: the connection to the service */
};

struct push_graders;

/* How many file descriptors they need. */
int64_t push_graders_descriptors(const struct config *config);

/*
 * Starts one for each queue with a push_url; there may be none. config and files are borrowed for their life. STATUS_INVALID,
 * STATUS_NO_MEMORY; text in error. It leaves gRPC's own log silenced (see xqueue/grader.h): rpc_log_install afterwards.
 */
enum status push_graders_create(const struct config *config, struct files *files, struct push_graders **out_graders,
                                struct error *error) STATUS_CHECKED;

/* They take nothing more and finish what they have; returns at once. */
void push_graders_drain(struct push_graders *graders);

/*
 * Waits up to grace_ms for what runs; then the posts are ended and their submissions handed back, which takes
 * PUSH_GRADERS_GIVE_BACK_MS at most. The service then gives them to whoever comes next.
 */
void push_graders_stop(struct push_graders *graders, int64_t grace_ms);

/* Stops without grace if that has not been done. NULL is fine. */
void push_graders_destroy(struct push_graders *graders);

#endif
