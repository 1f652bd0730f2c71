/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the grader and a student's program: the grader starts itself anew as `course_grader --child FOLDER SECONDS PROGRAM
 * ARGUMENTS...`, which goes into the folder, puts limits on itself, and becomes the program. So nothing has to be done between
 * fork and exec in a process with threads.
 *
 * Threading: the only thread of its process.
 */
#ifndef GRADER_SDK_EXAMPLES_COURSE_CHILD_H
#define GRADER_SDK_EXAMPLES_COURSE_CHILD_H

#define CHILD_OPTION "--child"

enum {
    CHILD_MEMORY_BYTES_MAX = 512 * 1024 * 1024, /* address space */
    CHILD_FILE_BYTES_MAX = 1024 * 1024,         /* of each file that it writes */
    CHILD_FILES_MAX = 64,                       /* open at one time */
    CHILD_DESCRIPTOR = 3, /* gets a byte when the limits cannot be set or the program not be started; closed otherwise */
};

/* argv as main got it, with CHILD_OPTION as its first argument. Returns only to fail, with the exit code. */
int child_main(int argc, char **argv);

#endif
