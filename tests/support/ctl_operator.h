/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An operator at a shell: runs the real xqueuectl with the configuration of a conversation, and looks at what it prints and
 * exits with. Fails the running test (cmocka) when that is not what it should be.
 *
 * Threading: the test's main thread.
 */
#ifndef TESTS_SUPPORT_CTL_OPERATOR_H
#define TESTS_SUPPORT_CTL_OPERATOR_H

#include <jansson.h>

#include "tests/support/conversation.h"
#include "tests/support/run_command.h"

enum { CTL_WORDS_MAX = 24 };

/* The words of a command line, behind the program's name. */
#define CTL(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Starts it; to be waited for and finished by the caller. */
void operator_starts(struct conversation *talk, struct run_command *command, const char *const *words);
/* It exits with this code. What it printed, without the line end; valid until the next command. */
const char *operator_runs(struct conversation *talk, int exit_code, const char *const *words);
/* It fails with this code, and what it says on standard error holds part. */
void operator_fails(struct conversation *talk, int exit_code, const char *part, const char *const *words);
/* It prints one JSON document; the caller's (json_decref). */
json_t *operator_reads(struct conversation *talk, const char *const *words);

#endif
