/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sandbox of the kernel's namespaces, for which no privilege is needed: own processes, no network (unless asked for), own
 * System V IPC and host name, no further namespaces of users, everything read-only but the scratch folder, /tmp, /var/tmp and
 * /dev/shm (in memory, with one bound for all). /run is empty (there are the sockets of other services), and so is /tmp, unless
 * the program lies in it; the folders of other submissions and the grader's password, token and key are hidden.
 *
 * Threading: the only thread of its process.
 */
#ifndef GRADER_SDK_TOOLS_GRADE_SANDBOX_H
#define GRADER_SDK_TOOLS_GRADE_SANDBOX_H

#include <stdbool.h>

#include "grader-sdk/tools/grade_child.h"

/* Makes the namespaces; the next fork makes the first process in them. False: errno is set, *out_doing says at what. */
bool grade_sandbox_enter(const struct grade_child_plan *plan, const char **out_doing);

/* In that process: mounts. The files of plan->folder are in plan->place afterwards. False: likewise. */
bool grade_sandbox_furnish(const struct grade_child_plan *plan, const char **out_doing);

#endif
