/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program in a process of its own, as a test sees it: started, listened to (its log on standard error), signalled, waited
 * for. A child never outlives the test: the kernel kills it when the test dies.
 *
 * It is no part of the product: it aborts the process on its own failures.
 *
 * Threading: start and destroy on the test's main thread (the kernel ties the child's life to the thread that started it); the
 * rest any thread.
 */
#ifndef TESTS_SUPPORT_RUNNING_PROGRAM_H
#define TESTS_SUPPORT_RUNNING_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    RUNNING_PROGRAM_LOG_BYTES_MAX = 64 * 1024 * 1024,
    RUNNING_PROGRAM_PATIENCE_MS = 60000, /* for everything that is waited for */
    RUNNING_PROGRAM_STILL_RUNS = -1000,  /* running_program_wait: patience ended */
};

/* For the environment of programs whose memory is measured: asan, where it is built in, keeps up to 256 MB of freed memory by
 * default, which is not meant. */
#define RUNNING_PROGRAM_LITTLE_KEPT "ASAN_OPTIONS=detect_leaks=1:abort_on_error=1:quarantine_size_mb=1"

struct running_program;

struct running_program_options {
    const char *const *arguments;   /* the program's path first, NULL last; borrowed during the start */
    const char *const *environment; /* "NAME=VALUE", added to the test's own, NULL last; or NULL */
    uint64_t descriptors_max;       /* hard limit of open descriptors; 0: as the test's */
    uint64_t file_bytes_max;        /* writes beyond it fail with EFBIG; 0: no limit */
};

struct running_program *running_program_start(const struct running_program_options *options);

/* Waits for the count-th line since the start that contains part. false: the program ended without it, or patience did. */
bool running_program_await(struct running_program *program, const char *part, size_t count);

/* How many lines contain part. */
size_t running_program_count(struct running_program *program, const char *part);

/* The value of key in the last line that contains part ("event=ready", "listen"): copied into out. false: there is none. */
bool running_program_value(struct running_program *program, const char *part, const char *key, char *out, size_t capacity);

void running_program_signal(struct running_program *program, int number);

/* Waits for the end: the exit code, or minus the signal that ended it, or RUNNING_PROGRAM_STILL_RUNS. Any number of times. */
int running_program_wait(struct running_program *program);

/* Waits for the end: true when the exit code is 0 and its log has text once; else the log is dumped. Frees the program. */
bool running_program_ends_saying(struct running_program *program, const char *text);

/* Is it sure that no sanitizer complained? Prints the log to standard error when one did. */
bool running_program_is_clean(struct running_program *program);

/* Writes the last lines of the log to standard error, for people who look for the cause of a failed test. */
void running_program_dump(struct running_program *program);

pid_t running_program_pid(const struct running_program *program);

/* Kills it if it still runs, and frees. NULL is fine. */
void running_program_destroy(struct running_program *program);

#endif
