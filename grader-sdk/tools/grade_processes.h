/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /proc knows of processes.
 *
 * Threading: the only thread of its process.
 */
#ifndef GRADER_SDK_TOOLS_GRADE_PROCESSES_H
#define GRADER_SDK_TOOLS_GRADE_PROCESSES_H

#include <stdint.h>
#include <sys/types.h>

/* How many threads the user's processes have. */
uint64_t grade_processes_of_user(uid_t user);

/* Reaps all children, and, as the caller is a subreaper, what these leave behind, and kills what still lives, until there are
 * none. */
void grade_processes_kill_children(void);

#endif
