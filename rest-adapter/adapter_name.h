/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this adapter is called at the core, as courier and as grader of queues that are pushed: lasting, so that one that was
 * killed takes over what it held, and different for each adapter of a machine, so that none takes over another's.
 *
 * Threading: pure.
 */
#ifndef REST_ADAPTER_ADAPTER_NAME_H
#define REST_ADAPTER_ADAPTER_NAME_H

#include "base/config.h"

enum { ADAPTER_NAME_MAX = 129 }; /* the contract's bound of such a name, and a NUL */

/* "xqueue-rest@HOST LISTENER" in out. */
void adapter_name(const struct config_rest *config, char out[ADAPTER_NAME_MAX]);

/* "xqueue-rest@HOST LISTENER QUEUE"; where that is too long, its beginning and a digest of the whole. */
void adapter_name_for_queue(const struct config_rest *config, const char *queue, char out[ADAPTER_NAME_MAX]);

#endif
