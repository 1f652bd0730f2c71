/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads of the library: all signals are blocked in them, so that the host's signal handlers run on the host's threads.
 *
 * Threading: any thread.
 */
#ifndef GRADER_SDK_SRC_THREAD_H
#define GRADER_SDK_SRC_THREAD_H

#include <pthread.h>
#include <signal.h>

#include "base/status.h"

/* Between the two, threads started by the caller, also inside of other libraries, are born with all signals blocked. */
void thread_block_signals(sigset_t *out_before);
void thread_restore_signals(const sigset_t *before);

/* STATUS_NO_MEMORY: the system refuses one more thread. Join it with pthread_join. */
enum status thread_start(pthread_t *out_thread, void *(*run)(void *context), void *context) STATUS_CHECKED;

#endif
