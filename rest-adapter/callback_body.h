/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The form that a callback carries to the LMS: xqueue_header (the submission's, byte for byte) and xqueue_body (the grader's
 * result, or the original's message for a submission that could not be graded).
 *
 * Threading: pure.
 */
#ifndef REST_ADAPTER_CALLBACK_BODY_H
#define REST_ADAPTER_CALLBACK_BODY_H

#include <stddef.h>

#include "base/span.h"
#include "base/status.h"

#define CALLBACK_BODY_CONTENT_TYPE "application/x-www-form-urlencoded"

enum {
    CALLBACK_BODY_BYTES_MAX = 16 * 1024 * 1024, /* quoted; the contract's longest header and result need 9.2 MiB */
};

/* What the LMS is told instead of a result when grading was given up: a grade that the LMS shows to the student. Static. */
const char *callback_body_failure_message(void);

/*
 * Writes "xqueue_header=...&xqueue_body=..." quoted as the original does: letters, digits and "_.-~" stay, a blank becomes "+",
 * everything else "%XX" in upper case. *out_body is the caller's (memory_free). STATUS_FULL: CALLBACK_BODY_BYTES_MAX.
 */
enum status callback_body_write(struct span header, struct span result, char **out_body, size_t *out_length) STATUS_CHECKED;

#endif
