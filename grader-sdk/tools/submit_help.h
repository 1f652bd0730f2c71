/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What xqueue-submit says about itself, made of its table of options.
 *
 * Threading: main thread only.
 */
#ifndef GRADER_SDK_TOOLS_SUBMIT_HELP_H
#define GRADER_SDK_TOOLS_SUBMIT_HELP_H

/* On standard output. */
void submit_help_print(void);

/* What bash needs to complete our command lines, on standard output. */
void submit_help_complete(void);

#endif
