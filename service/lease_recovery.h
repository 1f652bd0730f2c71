/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The live leases in memory, made true to the store: all of them after a start, and after a batch that was rolled back what it
 * had changed. What graders said of their leases (accepts, renewals) is kept.
 *
 * Threading: engine thread only, inside a transaction.
 */
#ifndef SERVICE_LEASE_RECOVERY_H
#define SERVICE_LEASE_RECOVERY_H

#include "service/queue.h"

/* Adds those that memory does not know. After a start each gets grace. Errors: those of the store. */
enum status lease_recovery_load(struct queues *queues) STATUS_CHECKED;
/* Drops those that are not stored, takes back what the lost batch ended or handed over, then as above. */
enum status lease_recovery_reload(struct queues *queues) STATUS_CHECKED;

#endif
