/* SPDX-License-Identifier: Apache-2.0 */
/*
 * URLs from outside: is it one that the courier can use at all, whose is it, and percent-encoding. Whether a callback may go
 * there is the courier's decision, not this one's.
 *
 * Threading: pure.
 */
#ifndef BASE_URL_H
#define BASE_URL_H

#include <stddef.h>

#include "base/span.h"
#include "base/status.h"
#include "base/text.h"

enum {
    URL_BYTES_MAX = 8192, /* the contract's bound of a callback URL */
    URL_ORIGIN_MAX = 280, /* bytes of "https://HOST:65535" and a NUL */
    URL_HOST_BYTES_MAX = 255,
};

/*
 * Is it an absolute http or https URL with a host? UTF-8 without control characters, and without blanks before its path, 1 to
 * URL_BYTES_MAX bytes; the host is a name of ASCII letters, digits, '.', '-', '_' or an address (IPv6 in brackets), the port,
 * if any, 1 to 65535; at most one '@' before the host, no backslash there. User information is allowed: the original uses it
 * for HTTP Basic. STATUS_INVALID, reason URL_INVALID, and the text says what is wrong.
 */
enum status url_check(struct span url, struct error *error) STATUS_CHECKED;

/*
 * Writes "scheme://host[:port]" in lower case, without user information and without the scheme's default port, so that two
 * origins can be compared as text. Errors as url_check (which it includes), out untouched then.
 */
enum status url_origin(struct span url, char out[URL_ORIGIN_MAX], struct error *error) STATUS_CHECKED;

/* Writes the host alone, in lower case, IPv6 without brackets. Errors as url_check, out untouched then. */
enum status url_host(struct span url, char out[URL_HOST_BYTES_MAX + 1], struct error *error) STATUS_CHECKED;

/* Appends url with blanks and every byte of a non-ASCII character percent-encoded: the form in which it may go over the wire.
 */
void url_append_ascii(struct text *out, struct span url);

/* Appends bytes percent-encoded as Python's quote(bytes, safe="/"): letters, digits, "_.-~/" stay, upper-case hex. */
void url_append_quoted(struct text *out, struct span bytes);

/* The same with "!*'()" staying, too: as Django writes the path of an uploaded file below its media URL. */
void url_append_path_quoted(struct text *out, struct span bytes);

/* The same for form values: quote_plus: "/" is encoded, a blank is "+". */
void url_append_form_quoted(struct text *out, struct span bytes);

/* Appends "LOGIN_PATH?next=..." with path and query (absent: none) as the original puts them into its redirect. */
void url_append_login_redirect(struct text *out, const char *login_path, struct span path, struct span query);

#endif
