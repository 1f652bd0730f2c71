/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of a submission as an Open edX LMS makes it, so that graders written for one understand it:
 * {"student_response": TEXT, "student_info": "{\"anonymous_student_id\": ..., \"submission_time\": \"20260131120000\"}",
 * "grader_payload": TEXT}; student_info is JSON in a string there, and the payload often is.
 *
 * Threading: pure.
 */
#ifndef GRADER_SDK_TOOLS_SUBMIT_BODY_H
#define GRADER_SDK_TOOLS_SUBMIT_BODY_H

#include "base/span.h"
#include "base/status.h"

#define SUBMIT_STUDENT_DEFAULT "xqueue-submit"

struct submit_body {
    struct span response;
    struct span payload;
    const char *student;     /* NULL: SUBMIT_STUDENT_DEFAULT */
    int64_t submitted_at_ms; /* said to the grader, in UTC: the same file makes the same body */
};

/* *out_text is the caller's (memory_free), NUL behind its end. STATUS_INVALID: not UTF-8; STATUS_FULL: longer than a submission
 * may be. name: of the file, for errors. */
enum status submit_body_make(const struct submit_body *body, const char *name, char **out_text, size_t *out_length,
                             struct error *error) STATUS_CHECKED;

#endif
