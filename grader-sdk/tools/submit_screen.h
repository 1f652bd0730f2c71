/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one line of a terminal that changes while the user waits. It is on standard error; other lines go above it.
 *
 * Threading: any thread; the line is painted by a thread of its own.
 */
#ifndef GRADER_SDK_TOOLS_SUBMIT_SCREEN_H
#define GRADER_SDK_TOOLS_SUBMIT_SCREEN_H

#include <stddef.h>
#include <stdio.h>

struct submit_screen;

enum { SUBMIT_SCREEN_LINE_MAX = 2048, SUBMIT_SCREEN_PERIOD_MS = 200 };

/* Writes the line as it is now, without control characters. On the painting thread, and within submit_screen_print. */
typedef void submit_screen_render(void *context, char out[SUBMIT_SCREEN_LINE_MAX]);

/* NULL: standard error is no terminal that can do it, or there is no thread. */
struct submit_screen *submit_screen_start(submit_screen_render *render, void *context);
/* Removes the line. NULL is fine. */
void submit_screen_stop(struct submit_screen *screen);

/* Lines on stream, each ended, above the one that changes. screen NULL: just so. */
void submit_screen_print(struct submit_screen *screen, FILE *stream, const char *lines);

#endif
