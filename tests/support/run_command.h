/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command in a process of its own, as a shell sees it: arguments, standard input, what it prints on both outputs, exit code.
 *
 * It is no part of the product; it fails the running test (cmocka) when the command cannot be started.
 *
 * Threading: the test's main thread.
 */
#ifndef TESTS_SUPPORT_RUN_COMMAND_H
#define TESTS_SUPPORT_RUN_COMMAND_H

#include <sys/types.h>

struct run_command {
    pid_t pid;
    int out_file, err_file;
    int exit_code;   /* or minus the signal that ended it */
    char *out, *err; /* owned; what it printed, after run_command_wait */
};

/* arguments: the program's path first, NULL last; environment: "NAME=VALUE" before the test's own, NULL last, or NULL; input:
 * of standard input, or NULL for none. */
void run_command_start(struct run_command *command, const char *const *arguments, const char *const *environment,
                       const char *input);
void run_command_wait(struct run_command *command);
void run_command_finish(struct run_command *command);

#endif
