/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The threads that read and write files, so that neither the engine nor the RPC thread waits for a disk that is slow.
 *
 * Threading: any thread.
 */
#ifndef SERVICE_FILE_WORKER_H
#define SERVICE_FILE_WORKER_H

#include "base/list.h"

enum { FILE_WORKER_THREADS = 4 };

struct file_worker;

/* One piece of work. Embedded in whatever it works on; run may free it, or give it away again. */
struct file_job {
    struct list_node node;
    void (*run)(struct file_job *job); /* on a thread of the worker */
};

/* NULL: no thread to be had. */
struct file_worker *file_worker_create(void);

/* First come, first served. Every job runs, also those that are waiting when the worker ends. job is not waiting already. */
void file_worker_submit(struct file_worker *worker, struct file_job *job);

/* Runs what waits, and what that submits, and ends. Nobody else may submit any more. NULL is fine. */
void file_worker_destroy(struct file_worker *worker);

#endif
