/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One submission before the eyes of whoever waits for it.
 *
 * Threading: main thread only.
 */
#ifndef GRADER_SDK_TOOLS_SUBMIT_SINGLE_H
#define GRADER_SDK_TOOLS_SUBMIT_SINGLE_H

#include "grader-sdk/tools/submit_run.h"

/* Submits, or looks again (--watch); shows how it stands, prints the result. What to exit with. */
int submit_single_run(struct submit_run *run);

#endif
