/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of MIME headers with parameters, such as `form-data; name="a"; filename*=UTF-8''b%20c` or
 * `multipart/form-data; boundary=x`.
 *
 * Threading: pure.
 */
#ifndef REST_ADAPTER_HEADER_VALUE_H
#define REST_ADAPTER_HEADER_VALUE_H

#include <stdbool.h>

#include "base/span.h"
#include "base/text.h"

/* Is the part before the first ';' this type, whatever the case and the blanks around? Absent and empty values are no type. */
bool header_value_is(struct span value, const char *type);

/*
 * Appends the value of the first parameter with this name (any case) to out and returns true; false, and out unchanged, when
 * there is none. Quoted values are unquoted: \" and \\ are escapes, any other backslash stands for itself (Windows paths). A
 * name ending in '*' is decoded as RFC 5987 says (charset'language'percent-encoded; the charset is ignored); without two
 * apostrophes in it there is no such parameter.
 */
bool header_value_parameter(struct span value, const char *name, struct text *out);

#endif
