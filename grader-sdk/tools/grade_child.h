/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between xqueue-grade and the program that grades: xqueue-grade starts itself anew as `xqueue-grade --child ...`, which sets
 * up what must be set up between fork and exec, and looks after the program until its whole tree of processes is gone.
 *
 *     xqueue-grade ──posix_spawn──▶ keeper ──fork──▶ [first process of a pid namespace ──fork──▶] program
 *
 * The keeper ends the tree when the program ends, on SIGTERM, when xqueue-grade dies, and when all of it together uses more
 * memory, time of processors or processes than it may, at which the keeper looks many times a second. In a sandbox it kills the
 * first process of the namespace, and the kernel everything in it. Without one it is a subreaper: whatever loses its parent
 * becomes its child and is killed, also after setsid. The keeper ends when nothing is left.
 *
 * Threading: the only thread of its process.
 */
#ifndef GRADER_SDK_TOOLS_GRADE_CHILD_H
#define GRADER_SDK_TOOLS_GRADE_CHILD_H

#include <stdbool.h>

#include "grader-sdk/tools/grade_limits.h"

#define GRADE_CHILD_OPTION "--child"

enum {
    GRADE_CHILD_PROGRESS = 3, /* descriptor of the program: lines of progress */
    GRADE_CHILD_REPORT = 4,   /* of the keeper: gets one struct grade_child_report; the program does not have it */
    GRADE_CHILD_TEXT_MAX = 200,
    GRADE_CHILD_HIDDEN_MAX = 4,
    GRADE_CHILD_NOBODY = 65534, /* as whom, user and group, programs run when xqueue-grade is root */
};

struct grade_child_plan {
    bool is_sandboxed;
    bool has_network;                           /* in a sandbox; without one it always has */
    bool has_namespaces;                        /* in a sandbox: it may make some of its own */
    const char *folder;                         /* the scratch folder, with the files that the program gets */
    const char *place;                          /* where the program finds it: the folder, in a sandbox its parent */
    const char *hidden[GRADE_CHILD_HIDDEN_MAX]; /* files made unreadable in a sandbox; "" for none */
    struct grade_limits limits;
    char *const *command;     /* the program's path and its arguments, NULL last; none: all is set up, then ends with 0 */
    char *const *environment; /* of the program; of the keeper, too */
};

enum grade_child_end {
    GRADE_CHILD_BROKEN, /* the program could not be run */
    GRADE_CHILD_ENDED,  /* by itself */
    GRADE_CHILD_OVER,   /* killed: all of it together used too much */
};

/* Written in one piece. The first one counts; there is none when the keeper was told to end. */
struct grade_child_report {
    enum grade_child_end end;
    int status;                      /* GRADE_CHILD_ENDED: as waitpid gives it */
    enum grade_limit limit;          /* GRADE_CHILD_OVER */
    char text[GRADE_CHILD_TEXT_MAX]; /* GRADE_CHILD_BROKEN: why; ends with a NUL */
};

enum { GRADE_CHILD_FIXED_ARGUMENTS = 7 + GRADE_CHILD_HIDDEN_MAX + GRADE_LIMIT_COUNT, GRADE_CHILD_NUMBER_MAX = 24 };

/* The keeper's arguments. Texts are borrowed; numbers gives room for the limits; arguments has room for
 * GRADE_CHILD_FIXED_ARGUMENTS, the command and a NULL. */
void grade_child_arguments(const struct grade_child_plan *plan, char numbers[GRADE_LIMIT_COUNT][GRADE_CHILD_NUMBER_MAX],
                           char **arguments);

/* argv as main got it, with GRADE_CHILD_OPTION as its first argument. Returns the exit code. */
int grade_child_main(int argc, char **argv, char **environment);

#endif
