/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The form field `xqueue_header`: what the LMS says about a submission, and what a grader says about a result. JSON as Python's
 * json.loads takes it (python_json.h), values turned into text and numbers the Python way.
 *
 * Threading: pure.
 */
#ifndef REST_ADAPTER_LEGACY_HEADER_H
#define REST_ADAPTER_LEGACY_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "base/status.h"

enum {
    LEGACY_HEADER_BYTES_MAX = 65536,      /* the contract's bound of a header */
    LEGACY_HEADER_QUEUE_BYTES_MAX = 4096, /* of the queue's name as text; cut there, no queue has such a name */
    LEGACY_HEADER_KEY_BYTES_MAX = 64,     /* of submission_key */
};

/* The header of submit. */
struct legacy_submit_header {
    /*
     * queue_name as text, owned, followed by a NUL: a string as it is, else as Python prints it (5, None, True, 1.5, ['a'],
     * {'a': 1}). A lone surrogate stands in it in its three-byte form.
     */
    char *queue;
    size_t queue_length;
    bool
        queue_is_name; /* false: no queue can have this name (too long, control characters, not UTF-8): not found, do not ask */
    /* Owned, followed by a NUL; not checked, see callback_rules.h. NULL: it is no string (the original crashes). */
    char *callback_url;
    size_t callback_length;
};

/*
 * Parses the header of a submit. *out_header: free with legacy_submit_header_finish; untouched on failure.
 * STATUS_INVALID with the legacy text LEGACY_SUBMIT_INVALID: not JSON, not an object, nested deeper than PYTHON_JSON_DEPTH_MAX,
 * or lms_callback_url, lms_key or queue_name missing. STATUS_INVALID with a text of ours: the header is longer than
 * LEGACY_HEADER_BYTES_MAX.
 */
enum status legacy_submit_header_parse(struct span header, struct legacy_submit_header *out_header,
                                       struct error *error) STATUS_CHECKED;

void legacy_submit_header_finish(struct legacy_submit_header *header); /* zeroed or finished is fine */

/* The header of put_result. */
struct legacy_result_header {
    uint64_t submission_id; /* 1 to INT64_MAX */
    /* submission_key; "" when it is no string, empty, or no key can look like it: the key is wrong, if the submission exists.
     */
    char key[LEGACY_HEADER_KEY_BYTES_MAX + 1];
};

/*
 * Parses the header of a put_result. submission_id goes through what Python's int() does (python_int.h). *out_header is
 * untouched on failure. STATUS_INVALID with the legacy text LEGACY_PUT_RESULT_INVALID: not JSON, not an object, a key missing,
 * or a submission_id that int() refuses (the original crashes). STATUS_NOT_FOUND, reason SUBMISSION_NOT_FOUND: an id that no
 * submission can have (0, -1, 10^30).
 */
enum status legacy_result_header_parse(struct span header, struct legacy_result_header *out_header,
                                       struct error *error) STATUS_CHECKED;

#endif
