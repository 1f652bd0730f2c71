/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the processes that descend from the calling one use together, as /proc knows it: seen from outside of their
 * namespaces, so they cannot hide by reparenting, sessions or names.
 *
 * A look is no instant: processes come and go meanwhile, and one that changes its parent may be missed or seen twice. Whoever
 * acts on a look takes a second one first.
 *
 * Threading: the only thread of its process.
 */
#ifndef GRADER_SDK_TOOLS_GRADE_TREE_H
#define GRADER_SDK_TOOLS_GRADE_TREE_H

#include <stdbool.h>
#include <stdint.h>

enum grade_tree_care {
    GRADE_TREE_ROUGH, /* cheap; memory that processes share counts in each of them */
    GRADE_TREE_EXACT, /* shared memory counts once */
};

struct grade_tree_use {
    uint64_t tasks;      /* processes and threads */
    uint64_t memory_kib; /* what is in memory or swapped out; program code and other files not */
    uint64_t cpu_ms;     /* of those that live, and of the ended ones whose parents have waited for them */
};

/* proc: an open folder, that of a mounted /proc. False: errno (no memory, or no such folder). */
bool grade_tree_look(int proc, enum grade_tree_care care, struct grade_tree_use *out_use);

/* Stops all of them, and then kills them: what is stopped makes no new ones meanwhile, and still counts where processes are
 * limited, so not even a bomb of forks outruns this. They are not waited for. False: as above. */
bool grade_tree_kill(int proc);

#endif
