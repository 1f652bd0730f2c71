/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What xqueue-submit says on standard error, and how it prints what others wrote.
 *
 * Threading: any thread.
 */
#ifndef GRADER_SDK_TOOLS_SUBMIT_SAY_H
#define GRADER_SDK_TOOLS_SUBMIT_SAY_H

#include <stdio.h>

#include "base/status.h"

/* "xqueue-submit: text", one line that steers no terminal. */
void submit_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same; returns exit_code, so that failing is one line. */
int submit_fail(int exit_code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The text of error, its reason and its advice, in one line. Returns out. */
enum { SUBMIT_ERROR_TEXT_MAX = ERROR_TEXT_MAX + ERROR_REASON_MAX + 64 };
const char *submit_error_text(enum status status, const struct error *error, char out[SUBMIT_ERROR_TEXT_MAX]);

/* Prints text that may have several lines, without letting it steer the terminal, and ends its last line. */
void submit_print_lines(FILE *stream, const char *text);

#endif
