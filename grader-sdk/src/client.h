/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grader behind the public functions: makes the parts (RPC loop, channel, slots, link), runs them, takes them down;
 * and what a host without a handler calls.
 *
 * Threading: any thread.
 */
#ifndef GRADER_SDK_SRC_CLIENT_H
#define GRADER_SDK_SRC_CLIENT_H

#include "grader-sdk/src/work_link.h"

/* xqueue_grader_create with another clock and other patience, both borrowed for the grader's life. */
enum xqueue_status client_create(const struct xqueue_grader_options *options, struct clock *clock,
                                 const struct work_link_timing *timing, struct xqueue_grader **out_grader,
                                 struct xqueue_error *error);

#endif
