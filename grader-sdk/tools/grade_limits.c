/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/tools/grade_limits.h"

const struct grade_limit_kind grade_limit_kinds[GRADE_LIMIT_COUNT] = {
    [GRADE_LIMIT_WALL] = {"time-limit", "seconds until all is killed", 1, 60, 86400},
    [GRADE_LIMIT_CPU] = {"cpu-limit", "seconds of processor time of each process", 1, 60, 86400},
    [GRADE_LIMIT_MEMORY] = {"memory-mb", "MiB of address space of each process", 16, 1024, 1048576},
    [GRADE_LIMIT_OUTPUT] = {"output-kb", "KiB of standard output", 1, 1024, 3072},
    [GRADE_LIMIT_FILE] = {"file-mb", "MiB of each file that is written", 1, 64, 65536},
    [GRADE_LIMIT_DISK] = {"disk-mb", "MiB of the scratch folder, which is kept in memory; only in a sandbox", 4, 64, 65536},
    [GRADE_LIMIT_PROCESSES] = {"processes", "processes and threads at one time", 1, 64, 10000},
    [GRADE_LIMIT_FILES] = {"files", "open files of each process", 8, 256, 65536},
};
