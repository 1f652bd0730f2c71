/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Python's int() makes of a JSON value, as far as it can be the id of a submission.
 *
 * Threading: pure.
 */
#ifndef REST_ADAPTER_PYTHON_INT_H
#define REST_ADAPTER_PYTHON_INT_H

#include <stdint.h>

#include "base/python_json.h"
#include "base/status.h"

/*
 * Texts may have blanks around, a sign, decimal digits of any script, and single underscores between them; floats lose their
 * fraction; true is 1, false 0. *out_id: 1 to INT64_MAX. STATUS_NOT_FOUND: an integer that is no such id. STATUS_INVALID: int()
 * raises an error (no number, NaN, infinite, null, a list, more than PYTHON_JSON_DIGITS_MAX digits).
 */
enum status python_int_id(const struct python_json *value, uint64_t *out_id) STATUS_CHECKED;

#endif
