/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose submission it is, for the fair order: the LMS says so inside of xqueue_body, a JSON object whose student_info is
 * another one, as text, with an anonymous_student_id.
 *
 * Threading: pure.
 */
#ifndef REST_ADAPTER_STUDENT_KEY_H
#define REST_ADAPTER_STUDENT_KEY_H

#include <stdbool.h>

#include "base/span.h"

enum { STUDENT_KEY_MAX = 129 }; /* the contract's bound of a fairness key, and a NUL */

/*
 * Writes the anonymous_student_id as text. False, and "": body says nothing of the kind (an LMS may hand in what it likes), the
 * id is empty, longer than the bound or has control characters, or body is longer than PYTHON_JSON_BYTES_MAX: then the
 * submission stands for itself.
 */
bool student_key(struct span body, char out[STUDENT_KEY_MAX]);

#endif
