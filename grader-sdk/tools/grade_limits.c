/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/tools/grade_limits.h"

const struct grade_limit_kind grade_limit_kinds[GRADE_LIMIT_COUNT] = {
    [GRADE_LIMIT_WALL] = {"time-limit", "seconds until all is killed", "s", 1, 60, 86400},
    [GRADE_LIMIT_CPU] = {"cpu-limit", "seconds of processor time of all together", "s of processor time", 1, 60, 86400},
    [GRADE_LIMIT_MEMORY] = {"memory-mb", "MiB of memory of all together, and of address space of each process", "MiB of memory",
                            16, 1024, 1048576},
    [GRADE_LIMIT_OUTPUT] = {"output-kb", "KiB of standard output", "KiB of output", 1, 1024, 3072},
    [GRADE_LIMIT_FILE] = {"file-mb", "MiB of each file that is written", "MiB of a file", 1, 64, 65536},
    [GRADE_LIMIT_DISK] = {"disk-mb", "MiB of the scratch folder, /tmp and /dev/shm, kept in memory; only in a sandbox",
                          "MiB of files", 4, 64, 65536},
    [GRADE_LIMIT_PROCESSES] = {"processes", "processes and threads at one time", "processes", 1, 64, 10000},
    [GRADE_LIMIT_FILES] = {"files", "open files of each process", "open files", 8, 256, 65536},
};
