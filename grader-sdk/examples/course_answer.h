/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the student gets to read: well-formed HTML (the LMS parses it as XML), with everything from outside escaped and bounded.
 *
 * Threading: pure.
 */
#ifndef GRADER_SDK_EXAMPLES_COURSE_ANSWER_H
#define GRADER_SDK_EXAMPLES_COURSE_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { ANSWER_QUOTE_BYTES_MAX = 1024 }; /* of one text from outside; the rest becomes "..." */

/* Writes text escaped; what is not UTF-8 or not allowed in XML becomes '?'. */
void answer_escape(FILE *page, const char *text, size_t length);

/* Are they the same but for blanks at the ends of lines and empty lines at the end? */
bool answer_matches(const char *expected, const char *output, size_t output_length);

#endif
