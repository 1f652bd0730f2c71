/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The character set that a Content-Type names, and text in it turned into UTF-8. Only sets that clients have sent forms in, and
 * only stateless ones: what else the C library's converters can do stays out of reach of strangers.
 *
 * Threading: pure.
 */
#ifndef REST_ADAPTER_CHARSET_H
#define REST_ADAPTER_CHARSET_H

#include "base/span.h"
#include "base/text.h"

struct charset; /* static */

/*
 * The character set of the charset parameter of a Content-Type (absent is fine). NULL: UTF-8, which is also what no parameter
 * and an unknown name mean, as in the original.
 */
const struct charset *charset_of(struct span content_type);

/*
 * Appends bytes as UTF-8, with U+FFFD for what is no text in this character set. charset NULL: they are meant to be UTF-8, and
 * every maximal ill-formed part is replaced. At most CHARSET_GROWTH bytes come out for one.
 */
enum { CHARSET_GROWTH = 3 };
void charset_append_utf8(const struct charset *charset, struct text *out, struct span bytes);

#endif
