/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many submissions, a bounded number of them open at one time: for regrading by hand, and for load.
 *
 * Threading: main thread only; it starts one thread for each that may be open.
 */
#ifndef GRADER_SDK_TOOLS_SUBMIT_BATCH_H
#define GRADER_SDK_TOOLS_SUBMIT_BATCH_H

#include "grader-sdk/tools/submit_input.h"
#include "grader-sdk/tools/submit_run.h"

/* Can each have a file of its own in the folder of results? Else STATUS_INVALID: two have the same name. */
enum status submit_batch_check_names(const struct submit_paths *paths, struct error *error) STATUS_CHECKED;

/* Goes on after errors. paths: borrowed. What to exit with. */
int submit_batch_run(struct submit_run *run, const struct submit_paths *paths);

#endif
