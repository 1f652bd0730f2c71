/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One of our programs in a process of its own, with its log in a file: for the demo and the benchmark, which run for as long as
 * somebody looks on. (Tests use tests/support/running_program.h, which keeps the log in memory.)
 *
 * The program stands beside the one that runs now. It gets a process group of its own, so that Ctrl-C reaches only us and we
 * stop everything in order; when we die, the kernel sends it SIGTERM.
 *
 * Threading: one thread, the one that starts the children must live as long as they do.
 */
#ifndef TESTS_DEMO_CHILD_H
#define TESTS_DEMO_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/status.h"

enum {
    CHILD_PATH_MAX = 4096,    /* bytes of a path including the final NUL */
    CHILD_LINE_MAX = 4096,    /* bytes of a log line including the final NUL; as LOG_LINE_MAX */
    CHILD_ARGUMENTS_MAX = 16, /* of the command line, without the program's name */
    CHILD_ENVIRONMENT_MAX = 512,
    CHILD_SIGNAL_BASE = 128, /* exit code of a child that a signal ended: this and the signal's number */
};

struct child;

struct child_options {
    const char *program;            /* "xqueued"; borrowed during the start, as all of this */
    const char *const *arguments;   /* NULL last */
    const char *const *environment; /* "NAME=VALUE", beside our own; NULL last, or NULL */
    const char *log_file;           /* appended to */
    int stop_descriptor;            /* waiting for a line ends when this is readable; -1: none. Borrowed while it runs */
};

/* Starts it. STATUS_NOT_FOUND (no such program beside us, or no log file), STATUS_UNAVAILABLE (no process); text in error. */
enum status child_start(const struct child_options *options, struct child **out_child, struct error *error) STATUS_CHECKED;

/*
 * Waits for a line of the log that holds part, from the start of the program on, and copies it. STATUS_WRONG_STATE: the
 * program ended without it; STATUS_TIMEOUT; STATUS_CANCELED: the stop descriptor; text in error.
 */
enum status child_await_line(struct child *child, const char *part, int64_t timeout_ms, char out_line[CHILD_LINE_MAX],
                             struct error *error) STATUS_CHECKED;

/* The value of key in a line of logfmt, copied: "" when there is none. */
void child_line_value(const char *line, const char *key, char *out, size_t capacity);

/*
 * SIGTERM, and waits; kills it after timeout_ms. STATUS_OK: it ended with *out_exit_code. STATUS_TIMEOUT: it had to be killed.
 * Of a child that has ended already it tells the same again.
 */
enum status child_stop(struct child *child, int64_t timeout_ms, int *out_exit_code) STATUS_CHECKED;

/* Readable when the child has ended. */
int child_descriptor(const struct child *child);

pid_t child_process(const struct child *child);
const char *child_program(const struct child *child);
const char *child_log_file(const struct child *child);

/* The last lines of its log, each behind two blanks. */
void child_print_tail(const struct child *child, size_t lines, FILE *stream);

/* Kills it if it still runs. NULL is fine. */
void child_destroy(struct child *child);

/* The path of a program beside this one. false: too long, or the system does not say where we are. */
bool child_path_beside(const char *program, char out[CHILD_PATH_MAX]);

#endif
