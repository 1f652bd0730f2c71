/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limits under which xqueue-grade runs a program, each with its option, unit, least, usual and greatest value.
 *
 * Threading: immutable.
 */
#ifndef GRADER_SDK_TOOLS_GRADE_LIMITS_H
#define GRADER_SDK_TOOLS_GRADE_LIMITS_H

#include <stdint.h>

enum grade_limit {
    GRADE_LIMIT_WALL,      /* seconds, of the whole tree of processes */
    GRADE_LIMIT_CPU,       /* seconds, of all together */
    GRADE_LIMIT_MEMORY,    /* MiB, of all together, and of the address space of each process */
    GRADE_LIMIT_OUTPUT,    /* KiB of standard output */
    GRADE_LIMIT_FILE,      /* MiB, of each file that is written */
    GRADE_LIMIT_DISK,      /* MiB, of the scratch folder, /tmp and /dev/shm together; only in a sandbox */
    GRADE_LIMIT_PROCESSES, /* threads count, too */
    GRADE_LIMIT_FILES,     /* open at one time, of each process */
    GRADE_LIMIT_COUNT,
};

struct grade_limits {
    uint64_t value[GRADE_LIMIT_COUNT];
};

struct grade_limit_kind {
    const char *option; /* without its dashes */
    const char *meaning;
    const char *unit; /* "used more than 5 UNIT" */
    uint64_t least, usual, most;
};

/* By enum grade_limit. */
extern const struct grade_limit_kind grade_limit_kinds[GRADE_LIMIT_COUNT];

#endif
